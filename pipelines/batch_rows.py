"""Where a batch gets the feature rows of its claims: some at a time from the kept matrix, or computed in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


class FeatureRows(Protocol):
    """Feature rows of the pending claims, asked for by their places among them."""

    def rows(self, places: slice) -> pd.DataFrame:
        """Return the rows of some claims, index ``claim_id``, in their order."""


@dataclass(frozen=True, eq=False)
class HeldRows:
    """Rows that are in memory already, one for each pending claim in their order."""

    matrix: pd.DataFrame

    def rows(self, places: slice) -> pd.DataFrame:
        """Return the rows of some claims without a copy."""
        return self.matrix.iloc[places]


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Rows of a matrix file, read as they are asked for.

    Parameters
    ----------
    path
        The file, as :func:`pipelines.build.build` made it: a row for each claim of the lake, in the lake's order.
    numbers
        For each pending claim its row in the file, shape (pending,).

    Notes
    -----
    What is read at once are the row groups that hold the rows asked for; those that the next rows share are kept. So memory is bounded
    by the rows asked for at once, and a file in the order of filing is read once.
    """

    path: Path
    numbers: np.ndarray
    _held: dict[int, pa.Table] = field(default_factory=dict, repr=False)

    def rows(self, places: slice) -> pd.DataFrame:
        """Return the rows of some claims."""
        wanted = self.numbers[places]
        with pq.ParquetFile(self.path) as file:
            starts = np.cumsum([0, *(file.metadata.row_group(k).num_rows for k in range(file.num_row_groups))])
            groups = np.searchsorted(starts, wanted, side="right") - 1
            parts, order = [], []
            for group, table in self._read(file, np.unique(groups).tolist()):
                mine = np.flatnonzero(groups == group)
                parts.append(_rows_of(table, wanted[mine] - starts[group]))
                order.append(mine)
        together = pa.concat_tables(parts)
        places_read = np.concatenate(order)
        if (places_read[1:] < places_read[:-1]).any():
            together = together.take(pa.array(np.argsort(places_read)))
        frame: pd.DataFrame = together.to_pandas()
        return frame

    def _read(self, file: pq.ParquetFile, groups: list[int]) -> Iterator[tuple[int, pa.Table]]:
        """Read row groups, keeping the last: the next claims begin where these end."""
        for group in groups:
            table = self._held[group] if group in self._held else file.read_row_group(group)
            self._held.clear()
            self._held[group] = table
            yield group, table


def _rows_of(table: pa.Table, numbers: np.ndarray) -> pa.Table:
    """Return rows by their numbers; those that follow each other without a copy."""
    if (np.diff(numbers) == 1).all():
        return table.slice(int(numbers[0]), len(numbers))
    return table.take(pa.array(numbers))
