"""The lake as the console asks it: a few rows by a key, known before an instant, read from Parquet without building anything.

DuckDB reads the columns asked for and skips what cannot match; nothing is kept between questions, so an answer is as new as the files.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from data_contracts.contract import Contract
from pipelines.lake import Lake
from serving.console.records import TOLD, Row


def _engine() -> duckdb.DuckDBPyConnection:
    engine = duckdb.connect(config={"threads": 1})
    engine.execute("SET GLOBAL TimeZone = 'UTC'")
    return engine


@dataclass(frozen=True)
class LakeRecords:
    """A home's lake as :class:`serving.console.records.Records`.

    Parameters
    ----------
    lake
        The lake; tables without a batch are empty.
    engine
        Reads; it holds nothing, but takes longer to start than most questions to answer.

    Examples
    --------
    >>> from pathlib import Path
    >>> import tempfile
    >>> LakeRecords(Lake(Path(tempfile.mkdtemp()))).rows("claims", "customer_id", ["K1"], before=9, most=5)
    []
    """

    lake: Lake
    engine: duckdb.DuckDBPyConnection = field(default_factory=_engine, repr=False, compare=False)

    def rows(self, table: str, column: str, values: Collection[str], before: int, most: int) -> list[Row]:
        """See :class:`serving.console.records.Records`."""
        contract = self.lake.contract(table)
        wanted = contract.column(column).name  # a name that is no column is refused, not asked for
        marks = ", ".join("?" * len(values))
        where = f'"{wanted}" IN ({marks}) AND epoch_us("{contract.known_at}") < ?'
        return self._asked(contract, contract.arrow.names, where, [*values, before], most) if values else []

    def latest(self, before: int, most: int) -> list[Row]:
        """See :class:`serving.console.records.Records`."""
        return self._asked(self.lake.contract("claims"), TOLD, "epoch_us(filed_at) < ?", [before], most)

    def _asked(self, contract: Contract, columns: Sequence[str], where: str, values: Sequence[Any], most: int) -> list[Row]:
        files = [str(file) for file in self.lake.files(contract.name)]
        if not files:
            return []
        listed = "|".join(columns)
        order = f'"{contract.event_time}" DESC, "{contract.key}"'
        held = f"SELECT COLUMNS('^({listed})$') FROM read_parquet(?, union_by_name = true)"  # an older file may lack a column
        with self.engine.cursor() as connection:
            query = f"{held} WHERE {where} ORDER BY {order} LIMIT {int(most)}"
            found = connection.sql(query, params=[files, *values]).to_arrow_table()
        missing = dict.fromkeys(name for name in columns if name not in found.schema.names)
        return [missing | row for row in _plain(found).to_pylist()]


def _plain(table: pa.Table) -> pa.Table:
    """Return instants as whole microseconds."""
    fields = [pa.field(field.name, pa.timestamp("us", "UTC")) if pa.types.is_timestamp(field.type) else field for field in table.schema]
    exact = table.cast(pa.schema(fields))
    return exact.cast(pa.schema([pa.field(f.name, pa.int64()) if pa.types.is_timestamp(f.type) else f for f in exact.schema]))
