"""What decisions lead to once the class of a claim is known, in expectation over what an expert would have answered.

A claim that another process decided has no answer of *our* expert. Its class is known, so the answer is averaged over the tier's
confusion instead of drawn: no chance enters, and an expert who errs is charged for. Nobody's answer is taken for the truth here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_contracts import LABELS, Action
from models.costs import AUTOMATIC, cost_matrix, review_cost
from models.evaluation import PROBABILITIES
from models.policy import Policy
from models.review import TIERS, action_after


@dataclass(frozen=True)
class Consequences:
    """What each decision comes down to; every array is by claim.

    Parameters
    ----------
    final
        Probability of each automatic action at the end, shape (claims, 4) in the order of ``AUTOMATIC``.
    cost_cents
        Expected cost as decided: the final action under the class, fee and delay of a review.
    automatic_cents
        Cost of the automatic action alone, no experts.
    pay_cents, perfect_cents
        Cost of paying, and of the best action with the class known.
    """

    final: np.ndarray
    cost_cents: np.ndarray
    automatic_cents: np.ndarray
    pay_cents: np.ndarray
    perfect_cents: np.ndarray


def consequences(
    policy: Policy, decisions: pd.DataFrame, classes: np.ndarray, amount_cents: np.ndarray, insured: np.ndarray
) -> Consequences:
    """Price decisions under the classes of their claims.

    Parameters
    ----------
    policy
        Prices and confusions.
    decisions
        ``action``, ``automatic_action`` and the three probabilities, as :func:`models.scorer.score_claims` gives them.
    classes
        Class of each claim, one of ``LABELS``, shape (claims,).
    amount_cents, insured
        As in :func:`models.costs.cost_matrix`.

    Notes
    -----
    A claim of class y that goes to tier t ends with action k with probability Σ_ŷ K_t(ŷ | y)·[k = a(p, t, ŷ)], a(p, t, ŷ) being the
    action of least expected cost after the answer ŷ (:func:`models.review.action_after`).

    Examples
    --------
    >>> from models.policy import default_policy
    >>> row = {"p_valid": 0.1, "p_unsubstantiated": 0.1, "p_abusive": 0.8, "automatic_action": "REQUEST_EVIDENCE"}
    >>> decisions = pd.DataFrame([row | {"action": "DESK"}, row | {"action": "REQUEST_EVIDENCE"}])
    >>> found = consequences(default_policy(), decisions, np.array(["abusive"] * 2), np.full(2, 90_000), np.array([True, True]))
    >>> found.cost_cents.round().tolist(), found.pay_cents.tolist()
    ([10855.0, 68400.0], [95000.0, 95000.0])
    """
    count, place = len(decisions), np.array([LABELS.index(str(name)) for name in classes], dtype=np.intp)
    table = cost_matrix(policy, amount_cents, insured)[np.arange(count), :, place]
    automatic = np.array([AUTOMATIC.index(str(name)) for name in decisions["automatic_action"]], dtype=np.intp)
    action, final = decisions["action"].to_numpy(), np.zeros((count, len(AUTOMATIC)))
    final[np.arange(count), automatic] = 1.0
    proba = decisions[PROBABILITIES].to_numpy(dtype=np.float64)
    for tier, stated in zip(TIERS, policy.tiers, strict=True):
        rows = np.flatnonzero(action == tier)
        final[rows] = 0.0
        for answer, label in enumerate(LABELS):
            after = action_after(policy, proba[rows], tier, np.full(len(rows), label), amount_cents[rows], insured[rows])
            ends = np.array([AUTOMATIC.index(name) for name in after["automatic_action"]], dtype=np.intp)
            final[rows, ends] += np.array(stated.confusion)[place[rows], answer]
    return Consequences(
        final,
        (final * table).sum(axis=1) + review_cost(policy, action),
        table[np.arange(count), automatic],
        table[:, AUTOMATIC.index(Action.PAY.value)],
        table.min(axis=1),
    )
