"""Probabilities that mean what they say: four candidate maps, fitted on one window and chosen on a later one.

Decisions multiply probabilities by money, so a score that only ranks is not enough. Every candidate maps log-probabilities
to log-probabilities by an affine rule and is fitted by weighted log-loss:

``none``         the classifier as it is
``temperature``  log p / T for all classes (Guo et al. 2017)
``vector``       a scale and a shift per class, then normalised (Guo et al. 2017)
``nested``       a scale and a shift for the log-odds of each of the two nested questions (Platt 1999, once per booster)

Scales are positive, so no candidate reverses a ranking. ``nested`` also keeps P(abusive) a function of the first booster's
margin alone, and with it the declared directions; it wins ties against ``vector``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from data_contracts import LABELS
from models.classifier import ABUSIVE, UNSUBSTANTIATED, VALID

KINDS: tuple[str, ...] = ("none", "temperature", "nested", "vector")
"""The candidates, simpler ones first: the first of equals is chosen."""

SHIFTING: tuple[str, ...] = ("nested", "vector")
"""Those that can move prevalences as well."""

_TINY = 1e-12
_STIFFNESS = 1e-3
_SHORTEST = 30.0


@dataclass(frozen=True)
class Calibration:
    """A fitted map from log-probabilities to probabilities.

    Parameters
    ----------
    kind
        One of ``KINDS``.
    scales
        Positive factors: one for ``temperature`` (1/T), two for ``nested``, three for ``vector``.
    shifts
        As many shifts as factors for ``nested`` and ``vector``.

    Examples
    --------
    >>> import numpy as np
    >>> half = Calibration("temperature", (0.5,))
    >>> half.proba(np.log([[0.81, 0.18, 0.01]])).round(3).tolist()
    [[0.632, 0.298, 0.07]]
    """

    kind: str = "none"
    scales: tuple[float, ...] = ()
    shifts: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        expected = {"none": (0, 0), "temperature": (1, 0), "nested": (2, 2), "vector": (3, 3)}
        if expected.get(self.kind) != (len(self.scales), len(self.shifts)) or any(not scale > 0 for scale in self.scales):
            raise ValueError(
                f"calibration: expected one of {', '.join(KINDS)} with its number of positive scales and shifts, "
                f"found {self.kind!r} with {len(self.scales)} scales and {len(self.shifts)} shifts"
            )

    def proba(self, scores: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities, shape (rows, 3); a score of −∞ stays probability 0.

        Only elementwise arithmetic is used, so that a row's result does not depend on the rows beside it.
        """
        return _normalised(_MAPS[self.kind](np.asarray(scores, dtype=np.float64), self.scales, self.shifts))

    def to_json(self) -> dict[str, Any]:
        """Return the map as plain JSON values."""
        return {"kind": self.kind, "scales": list(self.scales), "shifts": list(self.shifts)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibration:
        """Read what :meth:`to_json` wrote."""
        return cls(value["kind"], tuple(value["scales"]), tuple(value["shifts"]))


def fit(kind: str, scores: np.ndarray, labels: np.ndarray, weights: np.ndarray, likelihood: np.ndarray | None = None) -> Calibration:
    """Fit one candidate by weighted log-loss.

    Parameters
    ----------
    kind
        One of ``KINDS``.
    scores
        Log-probabilities, shape (rows, 3).
    labels, weights
        Class and weight of each row, shape (rows,). Rows of weight 0 are not read.
    likelihood
        P(label of the row | truth) for each truth, shape (rows, 3): who labels may err (:func:`models.experts.label_likelihood`). Without
        it labels are taken for the truth.

    Notes
    -----
    The loss is -log Σ_y p(y)·P(label | y), so that the map is fitted to probabilities of the *truth* from labels of fallible experts
    (forward correction; Patrini et al., Making deep neural networks robust to label noise, CVPR 2017).

    Scales are fitted as logarithms from 1 and shifts from 0 with a weak quadratic pull back to that start, so that a
    window with few rows of a class cannot send a parameter to infinity. Fewer than 30 rows fit nothing: ``none``.
    """
    if kind not in KINDS:
        raise ValueError(f"calibration: expected one of {', '.join(KINDS)}, found {kind!r}")
    used = np.asarray(weights) > 0
    scores, labels, weights = np.asarray(scores)[used], np.asarray(labels)[used], np.asarray(weights, dtype=np.float64)[used]
    count, shifted = {"none": (0, False), "temperature": (1, False), "nested": (2, True), "vector": (3, True)}[kind]
    if count == 0 or len(scores) < _SHORTEST:
        return Calibration()
    given = _certain(labels) if likelihood is None else np.asarray(likelihood, dtype=np.float64)[used]

    def unpack(theta: np.ndarray) -> Calibration:
        return Calibration(kind, tuple(np.exp(theta[:count]).tolist()), tuple(theta[count:].tolist()))

    def loss(theta: np.ndarray) -> float:
        return _log_loss(unpack(theta).proba(scores), given, weights) + _STIFFNESS * float(theta @ theta)

    start = np.zeros(count * (2 if shifted else 1))
    found = minimize(loss, start, method="L-BFGS-B", bounds=[(-3.0, 3.0)] * len(start))
    return unpack(found.x)


def choose(
    scores: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    fold: np.ndarray,
    kinds: tuple[str, ...] = KINDS,
    likelihood: np.ndarray | None = None,
) -> tuple[Calibration, dict[str, float]]:
    """Choose a candidate by log-loss on later time, fold after fold.

    Parameters
    ----------
    scores
        Log-probabilities, shape (rows, 3).
    labels, weights
        Class and weight of each row.
    fold
        Place of each row's window in time, shape (rows,): 0, 1, …; -1 for rows that take no part.
    kinds
        The candidates.
    likelihood
        As in :func:`fit`.

    Returns
    -------
    tuple
        The chosen map, as fitted on everything before the last fold, and the log-loss of every candidate over all folds but
        the first, each fold by a map fitted on the folds before it. With a single fold nothing is calibrated.

    Notes
    -----
    One later window decides by chance between candidates that are close; several, each seen only after the map was fitted, decide by
    all the time there is.
    """
    labels, weights, fold = np.asarray(labels), np.asarray(weights, dtype=np.float64), np.asarray(fold)
    taking_part = (fold >= 0) & (weights > 0)
    given = _certain(labels) if likelihood is None else np.asarray(likelihood, dtype=np.float64)
    last = int(fold[taking_part].max(initial=0))
    chosen: dict[str, Calibration] = {}
    lost = dict.fromkeys(kinds, 0.0)
    weight = 0.0
    for now in range(1, last + 1):
        before, here = taking_part & (fold < now), taking_part & (fold == now)
        if not here.any() or not before.any():
            continue
        chosen = {kind: fit(kind, scores[before], labels[before], weights[before], given[before]) for kind in kinds}
        weight += weights[here].sum()
        for kind in kinds:
            lost[kind] += weights[here].sum() * _log_loss(chosen[kind].proba(scores[here]), given[here], weights[here])
    if not chosen:
        return Calibration(), {}
    losses = {kind: lost[kind] / weight for kind in kinds}
    return chosen[min(kinds, key=lambda kind: losses[kind])], losses


def _certain(labels: np.ndarray) -> np.ndarray:
    """Return the likelihood of labels that are the truth, shape (rows, 3): one where truth and label agree, else zero."""
    certain: np.ndarray = (np.asarray(labels)[:, None] == np.array(LABELS)[None, :]).astype(np.float64)
    return certain


def _log_loss(proba: np.ndarray, given: np.ndarray, weights: np.ndarray) -> float:
    seen = np.clip((proba * given).sum(axis=1), _TINY, 1.0)
    return float(np.average(-np.log(seen), weights=weights))


def _normalised(scores: np.ndarray) -> np.ndarray:
    """Softmax, written out column by column: sums over an axis may be ordered differently for different numbers of rows."""
    top = np.maximum(np.maximum(scores[:, 0], scores[:, 1]), scores[:, 2])
    parts = [np.exp(scores[:, k] - top) for k in range(len(LABELS))]
    total = parts[0] + parts[1] + parts[2]
    return np.stack([part / total for part in parts], axis=1)


def _nested(scores: np.ndarray, scales: tuple[float, ...], shifts: tuple[float, ...]) -> np.ndarray:
    rest = np.logaddexp(scores[:, VALID], scores[:, UNSUBSTANTIATED])
    with np.errstate(invalid="ignore"):
        first = scales[0] * (scores[:, ABUSIVE] - rest) + shifts[0]
        second = scales[1] * (scores[:, UNSUBSTANTIATED] - scores[:, VALID]) + shifts[1]
    # −∞ − −∞: abuse is certain and says nothing of the second question; any answer has probability 0.
    second = np.where(np.isnan(second), 0.0, second)
    out = np.empty_like(scores)
    out[:, ABUSIVE] = -np.logaddexp(0.0, -first)
    out[:, UNSUBSTANTIATED] = -np.logaddexp(0.0, first) - np.logaddexp(0.0, -second)
    out[:, VALID] = -np.logaddexp(0.0, first) - np.logaddexp(0.0, second)
    return out


_MAPS: dict[str, Callable[[np.ndarray, tuple[float, ...], tuple[float, ...]], np.ndarray]] = {
    "none": lambda scores, _scales, _shifts: scores,
    "temperature": lambda scores, scales, _shifts: scores * scales[0],
    "vector": lambda scores, scales, shifts: scores * np.array(scales) + np.array(shifts),
    "nested": _nested,
}
