"""Leaked dollars: what is paid automatically on claims that are not valid, bounded from above by the claims that were examined.

Of the dollars that leave without anybody looking, some go to claims that an examination would have called unsubstantiated or abusive.
The audit draws some of the paid claims; weighted by one over their chance of being drawn they speak for all. The bound is the bet of
:mod:`models.risk`: a share b is refuted by losses w·a·(1[not valid] − b), a being the amount. Amounts have no end, and a bet can stake
only what the largest loss leaves it, so the bound is stated for claims *up to an amount*: large ones would drown it.

Learn-Then-Test over rising amounts gives the largest one up to which automatic payments keep a stated share, all at once with the stated
confidence. Above it the model abstains from paying: evidence is asked for, or an expert looks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from data_contracts import Action, Label
from models.policy import Policy
from models.risk import p_value
from models.stages import priced_by
from models.training import Trained

AMOUNTS_CENTS: tuple[int, ...] = (30_000, 50_000, 85_000, 100_000, 250_000, 1_000_000, 10_000_000, 100_000_000)
"""Up to where leaks are bounded, tried in this order; the last is the cap of all claims."""

_BISECTIONS = 30


@dataclass(frozen=True)
class Paid:
    """Examined claims that are, or would be, paid automatically; every array is by claim.

    Parameters
    ----------
    amount_cents
        Amounts claimed.
    valid
        Whether the examination called the claim valid.
    stands_for
        How many claims each was drawn for (1/propensity, uncapped), > 0.
    """

    amount_cents: np.ndarray
    valid: np.ndarray
    stands_for: np.ndarray

    @classmethod
    def of(cls, actions: np.ndarray, amount_cents: np.ndarray, labels: np.ndarray, stands_for: np.ndarray) -> Paid:
        """Keep the examined claims whose automatic action is to pay."""
        rows = (actions == Action.PAY.value) & (stands_for > 0)
        return cls(amount_cents[rows].astype(np.float64), labels[rows] == Label.VALID.value, stands_for[rows].astype(np.float64))


@dataclass(frozen=True)
class Leak:
    """What leaks of the dollars paid automatically on claims up to an amount.

    Parameters
    ----------
    up_to_cents
        The amount.
    claims
        Examined claims behind it.
    share
        Of the dollars paid on all such claims, those on claims that are not valid, estimated; NaN without an examined claim.
    bound
        Upper bound of the share at the confidence asked for; 1 where nothing can be said.
    """

    up_to_cents: int
    claims: int
    share: float
    bound: float


def leaks(paid: Paid, confidence: float, amounts_cents: tuple[int, ...] = AMOUNTS_CENTS) -> tuple[Leak, ...]:
    """Bound the leaked share of the dollars paid up to each of some amounts.

    Parameters
    ----------
    paid
        Examined claims.
    confidence
        With which each bound holds, by itself.
    amounts_cents
        The amounts.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> paid = Paid(rng.uniform(5_000, 30_000, 500), rng.random(500) < 0.9, np.full(500, 50.0))
    >>> (found,) = leaks(paid, 0.95, (30_000,))
    >>> 0.05 < found.share < 0.1 < found.bound < 0.15
    True
    """
    return tuple(_leak(_up_to(paid, limit), limit, confidence) for limit in amounts_cents)


def certified_amount(paid: Paid, share: float, confidence: float, amounts_cents: tuple[int, ...] = AMOUNTS_CENTS) -> int:
    """Return the largest amount up to which automatic payments are certified to leak no larger share of their dollars; 0: none.

    Parameters
    ----------
    paid
        Examined claims, scored by models that did not learn from them.
    share
        Largest share of the dollars that may leak, in (0, 1).
    confidence
        With which all admitted amounts keep it together.
    amounts_cents
        Rising amounts, tried in this order until the first one that is not certified (Learn-Then-Test, fixed sequence).

    Examples
    --------
    >>> paid = Paid(np.full(400, 20_000.0), np.arange(400) % 10 > 0, np.ones(400))
    >>> certified_amount(paid, 0.2, 0.95), certified_amount(paid, 0.1, 0.95)
    (100000, 0)
    """
    admitted = 0
    for limit in amounts_cents:
        if _refutation(_up_to(paid, limit), share, limit) > 1 - confidence:
            break
        admitted = limit
    return admitted


def with_leaks(trained: Trained, policy: Policy, amount_cents: np.ndarray, insured: np.ndarray) -> Trained:
    """Return a training whose bundle pays automatically only up to the amount that its labels certify, where the policy asks for it.

    Parameters
    ----------
    trained
        A training with a guarantee.
    policy
        Prices, and ``harm.leaked_share``: at 1 nothing is asked for, and the training is returned as it is.
    amount_cents, insured
        Amount and seller's standing of each of its rows, shape (rows,).

    Notes
    -----
    Tested on out-of-time probabilities as if nobody reviewed a claim: what experts see before it is paid leaks less.
    """
    promised = trained.bundle.guarantee
    if policy.harm.leaked_share >= 1 or promised is None:
        return trained
    scored = ~np.isnan(trained.proba[:, 0])
    rows = trained.material.rows[scored]
    asked = amount_cents[scored], insured[scored], rows["claim_id"]
    actions = priced_by(policy, promised, trained.proba[scored], *asked).automatic
    paid = Paid.of(actions, asked[0], trained.labels[scored], rows["stands_for"].to_numpy(dtype=np.float64))
    limit = certified_amount(paid, policy.harm.leaked_share, policy.harm.confidence)
    return replace(trained, bundle=replace(trained.bundle, guarantee=replace(promised, pays_up_to_cents=limit)))


def _up_to(paid: Paid, limit: int) -> Paid:
    rows = paid.amount_cents <= limit
    return Paid(paid.amount_cents[rows], paid.valid[rows], paid.stands_for[rows])


def _leak(paid: Paid, limit: int, confidence: float) -> Leak:
    dollars = paid.stands_for * paid.amount_cents
    if not dollars.sum() > 0:
        return Leak(limit, 0, float("nan"), 1.0)
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if _refutation(paid, middle, limit) <= 1 - confidence else (middle, high)
    return Leak(limit, len(dollars), float(dollars[~paid.valid].sum() / dollars.sum()), high)


def _refutation(paid: Paid, share: float, limit: int) -> float:
    """Return how well the claims refute that a share or more leaks (a p-value); 1 without a claim."""
    if not len(paid.valid) or not 0 < share < 1:
        return 1.0
    largest = float(paid.stands_for.max()) * limit
    return p_value(paid.stands_for * paid.amount_cents * (~paid.valid - share), -share * largest, (1 - share) * largest)
