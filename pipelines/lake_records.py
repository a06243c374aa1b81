"""The lake as the console asks it: a few rows by a key, known before an instant, read from Parquet without building anything.

DuckDB reads the columns asked for and skips what cannot match; nothing is kept between questions, so an answer is as new as the files.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from data_contracts.contract import Contract
from pipelines.lake import Lake
from serving.console.records import TOLD, Row


@dataclass(frozen=True)
class LakeRecords:
    """A home's lake as :class:`serving.console.records.Records`.

    Parameters
    ----------
    lake
        The lake; tables without a batch are empty.

    Examples
    --------
    >>> from pathlib import Path
    >>> import tempfile
    >>> LakeRecords(Lake(Path(tempfile.mkdtemp()))).rows("claims", "customer_id", ["K1"], before=9, most=5)
    []
    """

    lake: Lake

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
        files = [str(self.lake.root / "lake" / contract.name / f"{batch}.parquet") for batch in self.lake.batches(contract.name)]
        if not files:
            return []
        with duckdb.connect() as connection:
            connection.execute("SET threads = 1")
            connection.execute("SET TimeZone = 'UTC'")
            held = {
                name for name, *_ in connection.execute("DESCRIBE SELECT * FROM read_parquet(?, union_by_name = true)", [files]).fetchall()
            }
            kept = [name for name in columns if name in held]
            listed = ", ".join(f'"{name}"' for name in kept)
            order = f'"{contract.event_time}" DESC, "{contract.key}"'
            query = f"SELECT {listed} FROM read_parquet(?, union_by_name = true) WHERE {where} ORDER BY {order} LIMIT {int(most)}"
            found = connection.execute(query, [files, *values]).to_arrow_table()
        rows = _plain(found).to_pylist()
        missing = dict.fromkeys(name for name in columns if name not in held)
        return [missing | row for row in rows] if missing else rows


def _plain(table: pa.Table) -> pa.Table:
    """Return instants as whole microseconds."""
    fields = [pa.field(field.name, pa.timestamp("us", "UTC")) if pa.types.is_timestamp(field.type) else field for field in table.schema]
    exact = table.cast(pa.schema(fields))
    return exact.cast(pa.schema([pa.field(f.name, pa.int64()) if pa.types.is_timestamp(f.type) else f for f in exact.schema]))
