"""Tables as carriers hold them: Parquet files on disk, Arrow on the way, frames for the kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

ROW = "_row"
"""Column with the number of a claim in the order of the matrix, from 0."""

Report = Callable[[str, int, int], None]
"""Called with what is being done, how many steps of it are done, and how many there are."""


def silent(what: str, done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Stored:
    """A table as Parquet files, in the order in which they are read; perhaps there is none yet."""

    files: tuple[Path, ...]
    schema: pa.Schema

    @classmethod
    def of(cls, files: Iterable[Path]) -> Stored:
        """Return the table in some files, at least one; a column that one of them lacks is missing in its rows."""
        held = tuple(files)
        return cls(held, pa.unify_schemas([pq.read_schema(file).remove_metadata() for file in held]))

    @property
    def rows(self) -> list[int]:
        """How many rows each file has."""
        return [pq.read_metadata(file).num_rows for file in self.files]


def frame(table: pa.Table) -> pd.DataFrame:
    """Return an Arrow table as a frame in which a missing number or truth turns no other one into a float.

    >>> frame(pa.table({"n": [2**60 + 1, None]}))["n"].dtype
    Int64Dtype()
    """
    nullable = {pa.bool_(): pd.BooleanDtype(), **{t: pd.Int64Dtype() for t in (pa.int64(), pa.int32(), pa.int16(), pa.int8())}}
    gaps = [name for name in table.column_names if table[name].null_count and table.schema.field(name).type in nullable]
    whole = table.drop_columns(gaps).to_pandas()
    return whole.assign(**{name: table[name].to_pandas(types_mapper=nullable.get) for name in gaps}) if gaps else whole
