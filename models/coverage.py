"""Whether promises hold month by month: the bound on accusing, and prediction sets of which each class is promised a share.

A certificate speaks of claims like those it was tested on. Under drift that is an assumption, so what it promised is measured on the
claims that came after, in the order of time. Sets of a class that the policy binds are those that forbid automatic actions
(:mod:`models.sets`); of the others they are drawn all the same: how often they miss the class says how far the probabilities behind every
decision can still be trusted.
"""

from __future__ import annotations

import numpy as np

from data_contracts import LABELS, Action
from models.classifier import ABUSIVE, VALID
from models.metrics import Interval, cluster_bootstraps
from models.policy import Harm
from models.sets import MISTAKES

MISS = (0.1, 0.1, 0.1)
"""Share of each class's claims whose prediction set may lack it, where the policy states none."""

ACCUSED, DENIED, SIZE = "wrongly accused", "valid, denied", "classes in a set"
COVERS = {label: f"sets that hold {label}" for label in LABELS}
"""Names of the figures; one of ``COVERS`` per class."""


def missed(harm: Harm) -> tuple[float, float, float]:
    """Return the share of each class's claims whose prediction set may lack it: the policy's, or :data:`MISS`.

    >>> missed(Harm(0.01, 0.95, mistaken_valid_share=0.02))
    (0.02, 0.1, 0.1)
    """
    first, second, third = (share if share < 1 else usual for share, usual in zip(harm.mistaken_shares, MISS, strict=True))
    return first, second, third


def by_month(
    months: np.ndarray,
    proba: np.ndarray,
    thresholds: np.ndarray,
    automatic: np.ndarray,
    classes: np.ndarray,
    weights: np.ndarray,
    blocks: np.ndarray,
    rng: np.random.Generator,
    draws: int = 200,
) -> dict[str, dict[str, Interval]]:
    """Measure the promises on claims whose class became known, month by month.

    Parameters
    ----------
    months
        Name of each claim's month, shape (claims,); sorted as text.
    proba
        Probabilities, shape (claims, 3).
    thresholds
        Least probability of each class at which it belongs to the set, by the model that decided the claim
        (:func:`models.risk.class_thresholds`), shape (claims, 3).
    automatic
        The automatic action of each claim, shape (claims,): what is done if no expert looks.
    classes, weights
        Class and weight of each claim.
    blocks
        Which claims belong together, for the intervals.
    rng, draws
        Of the bootstrap.

    Returns
    -------
    dict
        Month → figure → 95 % interval. :data:`ACCUSED`: of the claims that are not abusive, the share accused. :data:`DENIED`: of the
        valid claims, the share denied. :data:`COVERS`: of the claims of a class, the share whose set holds it. :data:`SIZE`: classes in a
        set, on average. NaN where a month has no such claim.

    Examples
    --------
    >>> proba, classes = np.array([[0.8, 0.1, 0.1], [0.3, 0.3, 0.4]]), np.array(["valid", "valid"])
    >>> found = by_month(np.array(["2025-01"] * 2), proba, np.full((2, 3), 0.35), np.full(2, "PAY"), classes, np.ones(2), np.arange(2),
    ...                  np.random.default_rng(0))
    >>> found["2025-01"][COVERS["valid"]].estimate, found["2025-01"][SIZE].estimate
    (0.5, 1.0)
    """
    held = proba >= thresholds
    found = {}
    for month in np.unique(months):
        rows = np.flatnonzero(months == month)

        def figures(drawn: np.ndarray, rows: np.ndarray = rows) -> dict[str, float]:
            return _figures(held, automatic, classes, weights, rows[drawn])

        found[str(month)] = cluster_bootstraps(figures, blocks[rows], rng, draws)
    return found


def _figures(held: np.ndarray, automatic: np.ndarray, classes: np.ndarray, weights: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    weight, label, action = weights[rows], classes[rows], automatic[rows]
    found = {ACCUSED: _share(action == Action.DENY_ABUSIVE.value, weight, label != LABELS[ABUSIVE])}
    found[DENIED] = _share(np.isin(action, MISTAKES[LABELS[VALID]]), weight, label == LABELS[VALID])
    found |= {name: _share(held[rows, place], weight, label == LABELS[place]) for place, name in enumerate(COVERS.values())}
    return found | {SIZE: _share(held[rows].sum(axis=1), weight, weight > 0)}


def _share(values: np.ndarray, weight: np.ndarray, where: np.ndarray) -> float:
    total = float(weight[where].sum())
    return float((weight * values)[where].sum()) / total if total > 0 else float("nan")
