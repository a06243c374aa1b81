"""Claim × action × truth → cents: what each automatic action loses on each claim, were its truth known.

Costs are *regrets*: paying a valid claim costs nothing, because it is owed. Everything else is measured from there, so that
the total over a portfolio is the money lost to error, handling and friction, and can be compared between policies.
Decisions, the value of review and the evaluation against the truth all read this one table of costs.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from data_contracts import LABELS, Action
from models.cost_kernel import fill_costs
from models.policy import Policy

AUTOMATIC: tuple[str, ...] = (
    Action.PAY.value,
    Action.REQUEST_EVIDENCE.value,
    Action.DENY_UNSUBSTANTIATED.value,
    Action.DENY_ABUSIVE.value,
)
"""The actions that need nobody, from the mildest to the harshest: the second axis of every cost table."""


def recovery_share(policy: Policy, amount_cents: np.ndarray, seller_insured: np.ndarray) -> np.ndarray:
    """Return the expected share of a payment that comes back, shape (claims,)."""
    absorbed = seller_absorbed(policy, amount_cents, seller_insured)
    return np.where(absorbed, policy.recovery.absorbed_share, policy.recovery.seller_share)


def seller_absorbed(policy: Policy, amount_cents: np.ndarray, seller_insured: np.ndarray) -> np.ndarray:
    """Return whether the marketplace itself bears a payment: up to the limit, with an insured and compliant seller."""
    return np.asarray(seller_insured, dtype=bool) & (np.asarray(amount_cents) <= policy.recovery.absorb_limit_cents)


def cost_matrix(policy: Policy, amount_cents: np.ndarray, seller_insured: np.ndarray) -> np.ndarray:
    """Return the cost of every automatic action under every truth.

    Parameters
    ----------
    policy
        The prices.
    amount_cents
        Amounts claimed, shape (claims,), cents.
    seller_insured
        Whether the seller is insured and compliant, shape (claims,).

    Returns
    -------
    ndarray
        Shape (claims, 4 actions in the order of ``AUTOMATIC``, 3 classes in the order of ``LABELS``): whole cents as floats,
        never negative.

    Notes
    -----
    With amount a, recovered share r, and W = value + appeal_rate·appeal + (late + unpaid)·a, the cost of denying a valid claim:

    ===================  ==============================  =================  ======================================
    action               valid                           unsubstantiated    abusive
    ===================  ==============================  =================  ======================================
    PAY                  0                               unowed·a·(1−r)     a·(1−r) + repeat
    REQUEST_EVIDENCE     handling + friction + drop·W    handling           handling + forged·a·(1−r) + repeat
    DENY_UNSUBSTANTIATED W                               denial             denial + leak·a·(1−r) + repeat
    DENY_ABUSIVE         multiple·W                      accused·multiple·W denial
    ===================  ==============================  =================  ======================================

    The domain notes state the first and last columns of PAY and the two denials; the remaining cells follow from what a
    request for evidence leads to, and are chosen in ``policy.toml``.

    Examples
    --------
    >>> from models.policy import default_policy
    >>> table = cost_matrix(default_policy(), np.array([30_000]), np.array([True]))
    >>> table[0].astype(int).tolist()
    [[0, 21000, 35000], [5480, 400, 26400], [17900, 300, 9800], [179000, 89500, 300]]
    """
    absorbed = seller_absorbed(policy, amount_cents, seller_insured)
    amount = np.ascontiguousarray(amount_cents, dtype=np.float64)
    table = np.zeros((len(amount), len(AUTOMATIC), len(LABELS)))
    fill_costs(table, amount, absorbed, *_prices(policy))
    return table


@lru_cache(maxsize=8)
def _prices(policy: Policy) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Return the policy's numbers as :func:`models.cost_kernel.fill_costs` takes them: all floats, whatever they are written as."""
    wrong, evidence, denial, recovery = policy.wrongful, policy.evidence, policy.denial, policy.recovery
    wrongful = wrong.customer_value_cents + wrong.appeal_rate * wrong.appeal_cents
    asked = evidence.handling_cents + evidence.friction_cents
    known = (wrongful, asked, evidence.handling_cents, denial.handling_cents, policy.abusive.repeat_cents)
    lost_share, accused = wrong.late_payment_share + wrong.unpaid_share, policy.unsubstantiated.accused_share
    settled = (policy.unsubstantiated.unowed_share, evidence.valid_dropout_share, evidence.forged_share, policy.abusive.curable_leak_share)
    rates = (lost_share, wrong.accusation_multiple, accused, *settled)
    shares = (recovery.absorbed_share, recovery.seller_share)
    return tuple(map(float, shares)), tuple(map(float, known)), tuple(map(float, rates))


def expected_costs(proba: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """Return p·C, shape (claims, 4), in cents.

    Written as three products and two sums: a matrix product may order its sums differently for different numbers of rows,
    and a claim's price must not depend on the claims beside it.
    """
    return sum_over_classes(proba[:, None, :] * costs)


def sum_over_classes(products: np.ndarray) -> np.ndarray:
    """Sum the last axis (the three classes) in a fixed order."""
    total: np.ndarray = products[..., 0] + products[..., 1] + products[..., 2]
    return total


def realised_cost(
    policy: Policy, action: np.ndarray, truth: np.ndarray, amount_cents: np.ndarray, seller_insured: np.ndarray
) -> np.ndarray:
    """Return what automatic actions really cost, given the truth.

    Parameters
    ----------
    policy
        The prices.
    action
        One of ``AUTOMATIC`` per claim, shape (claims,): for a reviewed claim the action taken *after* the expert's answer.
    truth
        True class per claim, shape (claims,).
    amount_cents, seller_insured
        As in :func:`cost_matrix`.

    Returns
    -------
    ndarray
        int64 cents, shape (claims,). Fees and delays of review are added by :func:`review_cost`.

    Raises
    ------
    ValueError
        If an action is not automatic or a truth is not a class.

    Examples
    --------
    >>> from models.policy import default_policy
    >>> action, truth = np.array(["PAY", "PAY"]), np.array(["valid", "abusive"])
    >>> realised_cost(default_policy(), action, truth, np.array([30_000, 30_000]), np.array([True, True])).tolist()
    [0, 35000]
    """
    rows = np.arange(len(action))
    table = cost_matrix(policy, amount_cents, seller_insured)
    cost: np.ndarray = table[rows, _places(action, AUTOMATIC, "action"), _places(truth, LABELS, "truth")].astype(np.int64)
    return cost


def least_cost(policy: Policy, truth: np.ndarray, amount_cents: np.ndarray, seller_insured: np.ndarray) -> np.ndarray:
    """Return the cost of the best action under perfect knowledge: the floor of every policy, int64 cents, shape (claims,)."""
    table = cost_matrix(policy, amount_cents, seller_insured)
    cost: np.ndarray = table[np.arange(len(truth)), :, _places(truth, LABELS, "truth")].min(axis=1).astype(np.int64)
    return cost


def review_cost(policy: Policy, action: np.ndarray) -> np.ndarray:
    """Return fee and delay of the review that an action calls for, int64 cents, shape (claims,); 0 for automatic actions."""
    price = {
        Action.DESK.value: policy.desk.fee_cents + policy.desk.delay_cents,
        Action.INVESTIGATE.value: policy.investigation.fee_cents + policy.investigation.delay_cents,
    }
    return np.array([price.get(str(name), 0) for name in action], dtype=np.int64)


def _places(values: np.ndarray, allowed: tuple[str, ...], what: str) -> np.ndarray:
    place = {name: i for i, name in enumerate(allowed)}
    strange = sorted({str(value) for value in values} - set(place))
    if strange:
        raise ValueError(f"{what}: expected one of {', '.join(allowed)}, found {', '.join(map(repr, strange))}")
    return np.array([place[str(value)] for value in values], dtype=np.intp)
