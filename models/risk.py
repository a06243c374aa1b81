"""Bounded harm: how confident a model must be before it may call a claim abusive by itself, and what leaks at most.

Accusing somebody who is not abusive is the error that must stay rare whatever the prices say. Learn-Then-Test (Angelopoulos,
Bates, Candès, Jordan and Lei 2021) turns that into a threshold on P(abusive): every threshold is a hypothesis "at this
threshold more than the allowed share of non-abusive claims is accused"; from the strictest on, thresholds are admitted as
long as the labelled claims refute their hypothesis. With the stated confidence *all* admitted thresholds keep the bound,
for claims like those that were tested. Below the threshold the model abstains from accusing.

The test is a bet (Waudby-Smith and Ramdas 2024): a stake that grows where the labels speak against the hypothesis, and is expected
not to grow where it is true. It needs no distribution, only bounded weights, so it takes labels weighted by 1/propensity as
they are. (Hoeffding–Bentkus bounds, as MAPIE computes them, know no weights.) A label nobody drew counts nothing either way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from data_contracts import LABELS
from models.classifier import ABUSIVE

_STAKES = np.sin(np.pi / 2 * (np.arange(64) + 0.5) / 64) ** 2
"""Shares of the largest stake, spread as the arcsine law (Jeffreys' prior): averaged, so that none must be chosen beforehand."""


@dataclass(frozen=True)
class Guarantee:
    """A certified threshold.

    Parameters
    ----------
    threshold
        The least P(abusive) at which a claim may be called abusive without an expert; above 1: never.
    bound
        Allowed share of non-abusive claims that are so called.
    confidence
        Probability, over the labelled claims drawn, that the threshold keeps the bound.
    claims
        Labelled claims tested.
    accused, wrongly
        Weight of the claims at or above the threshold, and of the non-abusive among them.
    pays_up_to_cents
        Above this amount nothing is paid without an expert or evidence (:mod:`models.leaks`); ``None``: prices alone say.
    sets
        Least probability of each class at which it belongs to a claim's prediction set, which forbids automatic actions
        (:mod:`models.sets`); ``None``: no set forbids anything.
    """

    threshold: float
    bound: float
    confidence: float
    claims: int
    accused: float
    wrongly: float
    pays_up_to_cents: int | None = None
    sets: tuple[float, ...] | None = None

    def allows(self, proba: np.ndarray) -> np.ndarray:
        """Return which claims may be called abusive automatically, boolean, shape (claims,).

        >>> Guarantee(0.8, 0.01, 0.95, 0, 0.0, 0.0).allows(np.array([[0.1, 0.1, 0.8], [0.2, 0.1, 0.7]])).tolist()
        [True, False]
        """
        return np.asarray(proba[:, ABUSIVE] >= self.threshold)

    def to_json(self) -> dict[str, Any]:
        """Return the guarantee as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Guarantee:
        """Read a guarantee back; one of an earlier version lacks what was not promised then."""
        sets = values.get("sets")
        return cls(**{**values, "sets": None if sets is None else tuple(sets)})


NEVER = 2.0
"""A threshold that no probability reaches."""


def p_value(losses: np.ndarray, low: float, high: float) -> float:
    """Return how well the losses refute that their mean is 0 or more.

    Parameters
    ----------
    losses
        Independent numbers between ``low`` and ``high``, shape (n,).
    low, high
        Bounds known beforehand, ``low`` < 0 < ``high``.

    Returns
    -------
    float
        In (0, 1]; if the mean is 0 or more, it is at most δ with probability at most δ (Markov's inequality: each average stake is
        expected to be at most 1).

    Raises
    ------
    ValueError
        If a loss lies outside the bounds.

    Examples
    --------
    >>> round(p_value(np.full(500, -0.01), -0.01, 0.99), 3)
    0.024
    >>> p_value(np.full(500, 0.0), -0.01, 0.99)
    1.0
    """
    values = np.asarray(losses, dtype=np.float64)
    if len(values) and (values.min() < low - 1e-9 or values.max() > high + 1e-9):
        raise ValueError(f"losses: expected numbers from {low} to {high}, found {values.min()} to {values.max()}")
    distinct, times = np.unique(values, return_counts=True)
    # A stake of s / high loses everything on the worst loss when s is 1: a fair bet against a mean of 0 or more.
    wealth = np.log1p(-np.outer(_STAKES / high, distinct)) @ times
    top = wealth.max()
    return float(min(1.0, np.exp(-top) / np.mean(np.exp(wealth - top))))


def certify(
    proba: np.ndarray, labels: np.ndarray, weights: np.ndarray, largest: float, bound: float = 0.01, confidence: float = 0.95
) -> Guarantee:
    """Find the least threshold on P(abusive) that keeps the share of wrongly accused claims below a bound.

    Parameters
    ----------
    proba
        Probabilities of labelled claims by models that did not learn from them, shape (n, 3).
    labels, weights
        Their classes, and 1/propensity of having been examined, shape (n,).
    largest
        The largest weight there can be.
    bound
        Allowed share of non-abusive claims at or above the threshold.
    confidence
        With which it must hold.

    Returns
    -------
    Guarantee
        Threshold :data:`NEVER` where not even the strictest could be certified: too few examined claims.

    Notes
    -----
    With weight w, the share is at most the bound exactly if w·1[not abusive]·(1[accused] − bound) has a mean of at most 0 over
    all claims. Thresholds are tried in the fixed order 0.995, 0.990, …, 0.005 and stop at the first one that is not certified.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.where(rng.random(2000) < 0.1, "abusive", "valid")
    >>> score = np.where(labels == "abusive", rng.beta(5, 2, 2000), rng.beta(2, 5, 2000))
    >>> proba = np.stack([1 - score, 0 * score, score], axis=1)
    >>> found = certify(proba, labels, np.ones(2000), largest=1.0)
    >>> 0.6 < found.threshold < 0.9
    True
    """
    _must_fit(proba, labels, weights, largest)
    innocent = weights * (labels != LABELS[ABUSIVE])
    admitted = NEVER
    for threshold in np.arange(199, 0, -1) / 200:
        losses = innocent * ((proba[:, ABUSIVE] >= threshold) - bound)
        if p_value(losses, -bound * largest, (1 - bound) * largest) > 1 - confidence:
            break
        admitted = float(threshold)
    accused = proba[:, ABUSIVE] >= admitted
    return Guarantee(admitted, bound, confidence, len(labels), float(weights[accused].sum()), float(innocent[accused].sum()))


def class_thresholds(
    proba: np.ndarray, labels: np.ndarray, weights: np.ndarray, largest: float, miss: tuple[float, float, float]
) -> np.ndarray:
    """Return for each class the least probability at which it belongs to a claim's prediction set.

    Parameters
    ----------
    proba, labels, weights, largest
        As in :func:`certify`.
    miss
        Allowed share of each class's claims whose set lacks it.

    Returns
    -------
    ndarray
        Shape (3,): a claim of class y has probability of y at or above threshold y with probability at least 1 − miss[y]
        (class-conditional conformal prediction: Vovk 2012; weighted: Tibshirani et al. 2019). 0 where the class has too few labels.

    Examples
    --------
    >>> proba = np.array([[0.9, 0.1, 0.0], [0.6, 0.3, 0.1], [0.8, 0.1, 0.1], [0.2, 0.2, 0.6]])
    >>> labels = np.array(["valid", "valid", "valid", "abusive"])
    >>> class_thresholds(proba, labels, np.ones(4), 1.0, (0.7, 0.3, 0.3)).tolist()
    [0.8, 0.0, 0.0]
    """
    _must_fit(proba, labels, weights, largest)
    found = np.zeros(len(LABELS))
    for place, label in enumerate(LABELS):
        own = labels == label
        order = np.argsort(proba[own, place], kind="stable")
        below = np.cumsum(weights[own][order]) + largest  # the claim to come may be the heaviest, and the lowest
        outside = np.searchsorted(below, miss[place] * (weights[own].sum() + largest), side="right")
        found[place] = proba[own, place][order[outside]] if 0 < outside < own.sum() else 0.0
    return found


def _must_fit(proba: np.ndarray, labels: np.ndarray, weights: np.ndarray, largest: float) -> None:
    if not len(proba) == len(labels) == len(weights):
        raise ValueError(
            f"risk: expected one label and weight per claim, found {len(proba)} claims, {len(labels)} labels, {len(weights)} weights"
        )
    if len(weights) and (weights.min() < 0 or weights.max() > largest):
        raise ValueError(f"weights: expected numbers from 0 to {largest}, found {weights.min()} to {weights.max()}")
