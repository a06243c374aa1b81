"""Which columns a model reads: their names, order, categories, directions of risk and reason groups.

The feature catalogue says what a feature means; this module freezes the part that a trained model needs for good, so
that a bundle can be read years later without the catalogue of its day. Matrices become plain float arrays here and
nowhere else: categories by their place in the frozen list, anything unseen as missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd


class Described(Protocol):
    """What a catalogue says of a feature, as far as a model is concerned (``features.catalog`` entries fit)."""

    @property
    def name(self) -> str:
        """The column's name."""

    @property
    def direction(self) -> int:
        """+1 if more of it raises the risk of abuse, -1 if it lowers it, 0 if neither is declared."""

    @property
    def group(self) -> str:
        """The group of reasons it belongs to."""

    @property
    def meaning(self) -> str:
        """What the number says, as of filing."""

    @property
    def reason(self) -> str:
        """What an investigator reads when it speaks for abuse; ``{value}`` stands for the value where the text wants it."""

    @property
    def unit(self) -> str:
        """The unit of the number, such as ``cents`` or ``days``."""


@dataclass(frozen=True)
class Feature:
    """One column of the matrix, as the model was trained on it.

    Parameters
    ----------
    name
        The column.
    direction
        +1, -1 or 0: the declared effect on the risk of abuse; always 0 for a categorical column.
    group
        The group of reasons its contribution is counted in.
    reason
        What the investigator reads when the feature speaks for abuse.
    meaning
        What the number says: read instead of ``reason`` when the feature speaks against abuse.
    categories
        The categories in the order of their codes; empty for a numeric column.
    unit
        The unit of the number, for people.
    """

    name: str
    direction: int = 0
    group: str = "other"
    reason: str = ""
    meaning: str = ""
    categories: tuple[str, ...] = ()
    unit: str = ""

    def __post_init__(self) -> None:
        if self.direction not in (-1, 0, 1):
            raise ValueError(f"feature {self.name}: expected a direction of -1, 0 or 1, found {self.direction!r}")
        if self.categories and self.direction:
            raise ValueError(f"feature {self.name}: a categorical column has no order, so its direction must be 0, found {self.direction}")


@dataclass(frozen=True)
class Inputs:
    """The columns of a model in their order.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [1.0, 2.0], "channel": pd.Categorical(["web", "app"])})
    >>> inputs = Inputs.of(frame)
    >>> inputs.encode(frame).tolist()
    [[1.0, 1.0], [2.0, 0.0]]
    >>> inputs.encode(pd.DataFrame({"age": [3.0], "channel": ["fax"]})).tolist()
    [[3.0, nan]]
    """

    features: tuple[Feature, ...]

    @classmethod
    def of(cls, matrix: pd.DataFrame, described: Iterable[Described] = ()) -> Inputs:
        """Freeze the columns of a training matrix.

        Parameters
        ----------
        matrix
            Training rows; columns of pandas' category type are categorical, all others must be numbers.
        described
            Catalogue entries; columns that none of them describes get direction 0 and the group ``other``.
        """
        entries = {entry.name: entry for entry in described}
        return cls(tuple(_feature(name, matrix[name], entries.get(name)) for name in matrix.columns))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def directions(self) -> tuple[int, ...]:
        """The declared directions in the order of the columns."""
        return tuple(feature.direction for feature in self.features)

    @cached_property
    def categorical(self) -> tuple[int, ...]:
        """The positions of the categorical columns."""
        return tuple(i for i, feature in enumerate(self.features) if feature.categories)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The groups of reasons in the order of first appearance."""
        return tuple(dict.fromkeys(feature.group for feature in self.features))

    @cached_property
    def group_of(self) -> np.ndarray:
        """The place of each column's group, shape (features,)."""
        return np.array([self.groups.index(feature.group) for feature in self.features], dtype=np.intp)

    def encode(self, matrix: pd.DataFrame) -> np.ndarray:
        """Return the columns as floats, shape (rows, features); an unseen or missing category is NaN.

        Raises
        ------
        ValueError
            If a column is missing. Further columns are ignored: a newer catalogue may know more than an older model.
        """
        missing = [name for name in self.names if name not in matrix.columns]
        if missing:
            raise ValueError(f"matrix: expected the {len(self.names)} columns the model was trained on, missing: {', '.join(missing)}")
        encoded = np.empty((len(matrix), len(self.features)), dtype=np.float64)
        for place, feature in enumerate(self.features):
            encoded[:, place] = _codes(matrix[feature.name], feature.categories) if feature.categories else matrix[feature.name]
        return encoded

    def to_json(self) -> list[dict[str, Any]]:
        """Return the columns as plain JSON values."""
        return [{**asdict(feature), "categories": list(feature.categories)} for feature in self.features]

    @classmethod
    def from_json(cls, values: Iterable[Mapping[str, Any]]) -> Inputs:
        """Read what :meth:`to_json` wrote."""
        return cls(tuple(Feature(**{**value, "categories": tuple(value["categories"])}) for value in values))


def _feature(name: str, column: pd.Series, entry: Described | None) -> Feature:
    described = Feature(name, entry.direction, entry.group, entry.reason, entry.meaning, unit=entry.unit) if entry else Feature(name)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return replace(described, direction=0, categories=tuple(sorted(str(category) for category in column.cat.categories)))
    if not pd.api.types.is_numeric_dtype(column):
        raise ValueError(f"matrix.{name}: expected numbers or pandas categories, found {column.dtype}; cast it or declare it categorical")
    return described


def _codes(column: pd.Series, categories: tuple[str, ...]) -> np.ndarray:
    known = {category: float(code) for code, category in enumerate(categories)}
    return np.array([np.nan if pd.isna(value) else known.get(str(value), np.nan) for value in column], dtype=np.float64)
