"""What is usual: the distribution of every numeric column over the claims of the training, small enough to lie in a bundle.

A value means little to an investigator by itself; "97 % of claims have 0" means much. The distribution is that of all claims, not of
the examined ones: every labelled row counts by its weight, one over the chance of its examination.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from models.inputs import Inputs

_LEVELS = np.linspace(0.0, 1.0, 41)[1:-1]
_MOST_VALUES = 60


@dataclass(frozen=True)
class Usual:
    """The distribution of one column.

    Parameters
    ----------
    values
        Rising values: all of them where there are few, otherwise quantiles.
    at_most
        Share of the claims with a value that is known and at most each of them, by weight.
    known
        Share of the claims that have a value at all.
    """

    values: tuple[float, ...]
    at_most: tuple[float, ...]
    known: float

    def compared(self, value: float) -> tuple[float, float]:
        """Return the shares of all claims whose known value is below, and above, a value.

        Between two kept values the share is that of the lower one: never more than what was seen.

        Examples
        --------
        >>> usual = Usual((0.0, 1.0, 4.0), (0.75, 0.875, 1.0), 1.0)
        >>> usual.compared(4.0), usual.compared(0.0), usual.compared(9.0)
        ((0.875, 0.0), (0.0, 0.25), (1.0, 0.0))
        """
        places = bisect_left(self.values, value), bisect_right(self.values, value)
        below, at_most = (self.at_most[k - 1] if k else 0.0 for k in places)
        return below, max(0.0, self.known - at_most)

    @cached_property
    def commonest(self) -> tuple[float, float]:
        """The kept value on which most claims lie, and their share; of quantiles, the longest step."""
        steps = np.diff(np.concatenate([[0.0], self.at_most]))
        place = int(np.argmax(steps))
        return self.values[place], float(steps[place])


@dataclass(frozen=True)
class Reference:
    """What is usual, by column; a column that was never known, or is a category, is absent.

    Examples
    --------
    >>> frame = pd.DataFrame({"n": [0.0, 0.0, 2.0, np.nan]})
    >>> reference = Reference.of(frame, np.array([1.0, 1.0, 1.0, 1.0]), Inputs.of(frame))
    >>> reference.columns["n"]
    Usual(values=(0.0, 2.0), at_most=(0.5, 0.75), known=0.75)
    """

    columns: Mapping[str, Usual]

    @classmethod
    def of(cls, matrix: pd.DataFrame, weights: np.ndarray, inputs: Inputs) -> Reference:
        """Describe the numeric columns of a training matrix.

        Parameters
        ----------
        matrix
            Feature rows.
        weights
            How many claims each row stands for, shape (rows,).
        inputs
            The columns.
        """
        found = {}
        for feature in inputs.features:
            values = matrix[feature.name].to_numpy(dtype=np.float64) if not feature.categories else np.empty(0)
            if not np.isnan(values).all():
                found[feature.name] = _usual(values, np.asarray(weights, dtype=np.float64))
        return cls(found)

    def to_json(self) -> dict[str, Any]:
        """Return the distributions as plain JSON values."""
        return {
            name: {"values": list(usual.values), "at_most": list(usual.at_most), "known": usual.known}
            for name, usual in self.columns.items()
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Reference:
        """Read what :meth:`to_json` wrote."""
        return cls({name: Usual(tuple(u["values"]), tuple(u["at_most"]), float(u["known"])) for name, u in values.items()})


def _usual(values: np.ndarray, weights: np.ndarray) -> Usual:
    has = ~np.isnan(values)
    distinct, place = np.unique(values[has], return_inverse=True)
    shares = np.cumsum(np.bincount(place, weights=weights[has])) / weights.sum()
    if len(distinct) > _MOST_VALUES:
        # The ends are kept: what lies beyond them was never seen.
        inner = np.searchsorted(shares, _LEVELS * shares[-1])
        kept = np.unique(np.concatenate([[0], inner, [len(distinct) - 1]]))
        distinct, shares = distinct[kept], shares[kept]
    return Usual(tuple(distinct.tolist()), tuple(np.round(shares, 9).tolist()), float(np.round(shares[-1], 9)))
