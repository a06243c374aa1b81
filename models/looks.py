"""What one expert's look at a claim is worth, whoever the expert is: the value of review with a price and errors of one's own.

:mod:`models.review` asks it for the tiers of the policy, :mod:`models.assignment` wants it for every expert.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_contracts import LABELS
from models.cost_kernel import informed


@dataclass(frozen=True, eq=False)
class Look:
    """One expert's look at cases, as far as its value depends on who looks.

    Parameters
    ----------
    price_cents
        Fee, and the price of the delay.
    confusion
        P(answer | truth) of this expert, shape (3, 3); or of this expert on each case, shape (claims, 3, 3), where it is known what
        sways them (:mod:`models.leanings`).
    """

    price_cents: int
    confusion: np.ndarray


def look_values(looks: Sequence[Look], proba: np.ndarray, costs: np.ndarray, automatic: np.ndarray) -> np.ndarray:
    """Return the value of each look at each claim, as :func:`models.review.review_values` does for tiers.

    Parameters
    ----------
    looks
        One per expert.
    proba
        Calibrated probabilities, shape (claims, 3); after a first answer those given that answer
        (:func:`models.experts.after_answer`), and the value is that of a second opinion.
    costs
        The cost table, shape (claims, 4, 3), cents.
    automatic
        Expected cost of what happens without the look, shape (claims,).

    Returns
    -------
    ndarray
        Cents, shape (claims, looks).

    Examples
    --------
    >>> from models.costs import cost_matrix, expected_costs
    >>> from models.policy import default_policy
    >>> costs, proba = cost_matrix(default_policy(), np.array([90_000]), np.array([True])), np.array([[0.6, 0.1, 0.3]])
    >>> now = expected_costs(proba, costs).min(axis=1)
    >>> look_values([Look(6_300, np.eye(3)), Look(6_300, np.full((3, 3), 1 / 3))], proba, costs, now).round().tolist()
    [[19948.0, -6300.0]]
    """
    found = np.empty((len(proba), len(looks)))
    for place, look in enumerate(looks):
        found[:, place] = _value(look, proba, costs, automatic)
    return found


def _value(look: Look, proba: np.ndarray, costs: np.ndarray, now: np.ndarray) -> np.ndarray:
    confusions = np.ascontiguousarray(look.confusion, dtype=np.float64).reshape(-1, len(LABELS), len(LABELS))
    value: np.ndarray = now - look.price_cents - informed(np.ascontiguousarray(proba), np.ascontiguousarray(costs), confusions)
    return value
