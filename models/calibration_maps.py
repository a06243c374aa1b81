"""Maps from log-probabilities to probabilities that mean what they say: six kinds, as plain numbers.

Decisions multiply probabilities by money, so a score that only ranks is not enough.

``none``         the classifier as it is
``temperature``  log p / T for all classes (Guo et al. 2017)
``nested``       a scale and a shift for the log-odds of each of the two nested questions (Platt 1999, once per booster)
``vector``       a scale and a shift per class, then normalised (Guo et al. 2017)
``dirichlet``    any matrix and shift of the three log-probabilities, then normalised (Kull et al. 2019)
``isotonic``     a rising step-like curve per class, then normalised (Zadrozny & Elkan 2002)

``temperature`` reverses no ranking; ``nested`` also keeps P(abusive) a function of the first booster's margin alone, and with it the
declared directions. The others bend what they must: normalising mixes the classes.

References
----------
Guo et al., On calibration of modern neural networks, ICML 2017. Kull et al., Beyond temperature scaling, NeurIPS 2019. Platt 1999.
Zadrozny & Elkan, Transforming classifier scores into accurate multiclass probability estimates, KDD 2002.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_contracts import LABELS
from models.classifier import ABUSIVE, UNSUBSTANTIATED, VALID

KINDS: tuple[str, ...] = ("none", "temperature", "nested", "vector", "dirichlet", "isotonic")
"""The candidates, simpler ones first: the first of equals is chosen."""

SHIFTING: tuple[str, ...] = ("nested", "vector", "dirichlet")
"""Those for labels of uneven weight: they can move prevalences, and have few parameters. Curves follow the noise of a few heavy rows
(isotonic maps overfit below about a thousand rows; Niculescu-Mizil & Caruana, ICML 2005)."""

Curve = tuple[tuple[float, float], ...]
"""Corners of a rising curve: (probability, calibrated probability), the first coordinate rising."""

_SHAPES = {
    "none": (0, 0, 0),
    "temperature": (1, 0, 0),
    "nested": (2, 2, 0),
    "vector": (3, 3, 0),
    "dirichlet": (9, 3, 0),
    "isotonic": (0, 0, 3),
}
LOWEST = -30.0
"""Log-probabilities below this count as this where they are mixed with others."""


@dataclass(frozen=True)
class Calibration:
    """A fitted map from log-probabilities to probabilities.

    Parameters
    ----------
    kind
        One of ``KINDS``.
    scales
        Positive factors: one for ``temperature`` (1/T), two for ``nested``, three for ``vector``; for ``dirichlet`` the nine entries of
        the matrix row by row, of any sign.
    shifts
        Two for ``nested``, three for ``vector`` and ``dirichlet``.
    curves
        Three for ``isotonic``.

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
    curves: tuple[Curve, ...] = ()

    def __post_init__(self) -> None:
        found = (len(self.scales), len(self.shifts), len(self.curves))
        if _SHAPES.get(self.kind) != found or (self.kind != "dirichlet" and any(not scale > 0 for scale in self.scales)):
            raise ValueError(
                f"calibration: expected one of {', '.join(KINDS)} with its number of positive scales, shifts and curves, "
                f"found {self.kind!r} with {found[0]} scales and {found[1]} shifts and {found[2]} curves"
            )

    def proba(self, scores: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities, shape (rows, 3); a score of −∞ stays probability 0.

        Only elementwise arithmetic is used, so that a row's result does not depend on the rows beside it.
        """
        return normalised(_MAPS[self.kind](np.asarray(scores, dtype=np.float64), self))

    def to_json(self) -> dict[str, Any]:
        """Return the map as plain JSON values."""
        plain = {"kind": self.kind, "scales": list(self.scales), "shifts": list(self.shifts)}
        return plain | ({"curves": [[list(corner) for corner in curve] for curve in self.curves]} if self.curves else {})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibration:
        """Read what :meth:`to_json` wrote."""
        curves = tuple(tuple((float(x), float(y)) for x, y in curve) for curve in value.get("curves", ()))
        return cls(value["kind"], tuple(value["scales"]), tuple(value["shifts"]), curves)


def normalised(scores: np.ndarray) -> np.ndarray:
    """Softmax, written out column by column: sums over an axis may be ordered differently for different numbers of rows."""
    top = np.maximum(np.maximum(scores[:, 0], scores[:, 1]), scores[:, 2])
    parts = [np.exp(scores[:, k] - top) for k in range(len(LABELS))]
    total = parts[0] + parts[1] + parts[2]
    return np.stack([part / total for part in parts], axis=1)


def _nested(scores: np.ndarray, found: Calibration) -> np.ndarray:
    scales, shifts = found.scales, found.shifts
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


def _dirichlet(scores: np.ndarray, found: Calibration) -> np.ndarray:
    seen = np.maximum(scores, LOWEST)
    columns = []
    for row in range(len(LABELS)):
        first, second, third = found.scales[3 * row : 3 * row + 3]
        column = first * seen[:, 0] + second * seen[:, 1] + third * seen[:, 2] + found.shifts[row]
        columns.append(np.where(np.isneginf(scores[:, row]), -np.inf, column))
    return np.stack(columns, axis=1)


def _isotonic(scores: np.ndarray, found: Calibration) -> np.ndarray:
    columns = []
    for place, curve in enumerate(found.curves):
        corners = np.array(curve)
        lifted = np.log(np.interp(np.exp(scores[:, place]), corners[:, 0], corners[:, 1]))
        columns.append(np.where(np.isneginf(scores[:, place]), -np.inf, lifted))
    return np.stack(columns, axis=1)


_MAPS: dict[str, Callable[[np.ndarray, Calibration], np.ndarray]] = {
    "none": lambda scores, _: scores,
    "temperature": lambda scores, found: scores * found.scales[0],
    "vector": lambda scores, found: scores * np.array(found.scales) + np.array(found.shifts),
    "nested": _nested,
    "dirichlet": _dirichlet,
    "isotonic": _isotonic,
}
