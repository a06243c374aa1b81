"""The bounded carrier: Parquet tables of any size → the feature matrix, within a stated amount of memory.

DuckDB reads, joins and deals rows to buckets on disk; the kernel then sees one bucket at a time. How many buckets there
are follows from the number of rows and the memory allowed, so peak memory stays flat while the data grow, and time grows
with the data: every row is read and dealt once for each key, and read again once.

What the memory must always hold: Python and its libraries (:data:`FLOOR`), all rows of the busiest single key of each
kind with only the columns its features read, and for links and duplicates what their modules say. Each is checked before
its work starts; a :class:`~features.facts.FeatureError` then says how much memory would do.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features import duplicates, links
from features.buckets import ROW, Columns, Plan, Share, answer, assemble, frame, plan
from features.facts import Facts, FeatureError
from features.ordered import CHUNK, Waiting, chunks, write
from features.spec import Feature, Selection

Files = Mapping[str, Sequence[Path]]
Report = Callable[[str, int, int], None]

FLOOR = 400 << 20
"""Bytes that Python, NumPy, pandas, Arrow and DuckDB take before the first row (measured: see ``make bench-bounded``)."""

LEAST = 1 << 30
"""The least memory that can be asked for."""

_ROW_BYTES, _CELL_BYTES = 150, 50
_MOST_BUCKETS = 1_024


def _silent(what: str, done: int, total: int) -> None:
    """Report nothing."""


def build(
    files: Files,
    path: Path,
    features: Sequence[Feature],
    sources: Mapping[str, Selection] | None = None,
    memory: int = 2 << 30,
    metadata: Mapping[bytes, bytes] | None = None,
    report: Report = _silent,
    buckets: int | None = None,
) -> tuple[int, int]:
    """Compute the matrix of all claims and write it as one Parquet file.

    Parameters
    ----------
    files
        Parquet files by table, in the order in which they are read; at least one for each table.
    path
        The file to write. Temporary files lie in a folder beside it, which is removed whatever happens; one that a killed
        run left behind is removed by the next.
    features, sources
        Those of a catalogue.
    memory
        Bytes that the process may take at its peak.
    metadata
        What the file says about itself.
    report
        Called with what is being done, how many steps of it are done, and how many there are.
    buckets
        How many buckets to make for each key; by default as many as the memory asks for.

    Returns
    -------
    tuple of int
        How many rows and features were written.

    Raises
    ------
    FeatureError
        If the memory is too small, claims lack identity or time of filing, or a feature needs the local engine.
    """
    if memory < LEAST:
        raise FeatureError(f"memory: expected at least {_size(LEAST)}, found {_size(memory)}")
    tables = _Tables(files, {name: pq.read_schema(held[0]) for name, held in files.items()})
    found = plan(features, tables.schemas, sources)
    with _scratch(path) as folder:
        carrier = _Carrier(found, tables, folder, memory - FLOOR, report, buckets)
        carrier.check_claims()
        waiting = carrier.answers()
        matrix = carrier.matrix(waiting)
        return write(matrix, path, metadata or {})


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """Make a folder beside the file for this process alone; remove it, and those of processes that are no more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(".buckets-*"):
        if not Path(f"/proc/{left.name.split('-')[1]}").exists():
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".buckets-{os.getpid()}-", dir=path.parent) as folder:
        yield Path(folder)


@dataclass(frozen=True)
class _Tables:
    """Parquet tables as DuckDB reads them."""

    files: Files
    schemas: Mapping[str, pa.Schema]
    rows: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows.update({name: sum(pq.read_metadata(file).num_rows for file in held) for name, held in self.files.items()})

    def read(self, table: str, columns: Sequence[str]) -> str:
        """Return the SQL that reads columns of a table; claims are numbered in the order of the matrix."""
        names = ", ".join(_quoted(column) for column in columns)
        listed = ", ".join(_literal(str(file)) for file in self.files[table])
        if table == "claims":
            first = np.cumsum([0] + [pq.read_metadata(file).num_rows for file in self.files[table]])
            return (
                f"SELECT {names}, {[int(n) for n in first]}[file_index::INT + 1] + file_row_number AS {ROW} "
                f"FROM read_parquet([{listed}], file_row_number = true)"
            )
        return f"SELECT {names} FROM read_parquet([{listed}])"

    def dealt(self, share: Share, table: str, buckets: int) -> str | None:
        """Return the SQL that reads what a share needs of a table, with the number of the bucket; ``None`` for no row."""
        columns, key = share.columns[table], _quoted(share.key)
        place = f"(hash(CAST({{}}.{key} AS VARCHAR)) % {buckets})::INT AS bucket"
        if table == "claims":
            return f"SELECT *, {place.format('t')} FROM ({self.read(table, columns)}) t"  # a missing key has a hash, too
        asked = self.read("claims", ["claim_id", share.key])
        routes = []
        if share.key in columns:
            routes.append(f"SELECT t.*, {place.format('t')} FROM ({self.read(table, columns)}) t SEMI JOIN ({asked}) c ON t.{key} = c.{key}")
        if table in share.by_claim:
            routes.append(
                f"SELECT t.*, {place.format('c')} FROM ({self.read(table, columns)}) t JOIN ({asked}) c USING (claim_id) "
                f"WHERE c.{key} IS NOT NULL"
            )
        return " UNION ".join(routes) or None


@dataclass(frozen=True, eq=False)
class _Carrier:
    """One run: the plan, the tables, a folder of its own, and the bytes it may use beyond the floor."""

    plan: Plan
    tables: _Tables
    folder: Path
    room: int
    report: Report
    buckets: int | None

    @contextmanager
    def duck(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open DuckDB for one step; its memory is given back at the end of the step."""
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET enable_progress_bar = false")
            connection.execute(f"SET memory_limit = '{self.room // 2} B'")
            connection.execute(f"SET temp_directory = {_literal(str(self.folder / 'spilled'))}")
            yield connection
        pa.default_memory_pool().release_unused()

    def check_claims(self) -> None:
        """Refuse claims without identity or time, and identities used twice, in the words of the local engine."""
        with self.duck() as connection:
            claims = self.tables.read("claims", ["claim_id", "filed_at"])
            wrong = connection.sql(
                f"SELECT claim_id, filed_at FROM ({claims}) WHERE claim_id IS NULL OR filed_at IS NULL LIMIT 1"
            ).to_arrow_table()
            if not len(wrong):
                wrong = connection.sql(
                    f"SELECT claim_id, filed_at FROM ({claims}) "
                    f"SEMI JOIN (SELECT claim_id FROM ({claims}) GROUP BY claim_id HAVING count(*) > 1 LIMIT 1) USING (claim_id)"
                ).to_arrow_table()
        Facts({}, frame(wrong))

    def answers(self) -> Waiting:
        """Answer every share, bucket by bucket, then what looks across all keys."""
        shares = self.plan.shares
        waiting = Waiting(self.folder, (*(share.width for share in shares), len(self.plan.links), len(self.plan.duplicates)))
        for number, share in enumerate(shares):
            self.report(f"by {share.key.removesuffix('_id')}", number, len(shares) + 3)
            for tables in self.dealt(share):
                rows = tables["claims"][ROW].to_numpy(dtype=np.int64)
                waiting.put(number, rows, answer(share, tables, self.plan.sources))
        for number, (what, names, columns, compute) in enumerate(
            (
                ("links", self.plan.links, self.plan.links_columns, links.compute),
                ("duplicates", self.plan.duplicates, self.plan.duplicates_columns, duplicates.compute),
            ),
            start=len(shares),
        ):
            self.report(what, number, len(shares) + 3)
            if names:
                tables = self.whole(columns)
                found = compute(names, Facts(tables, tables["claims"], self.plan.sources))
                waiting.put(number, tables["claims"][ROW].to_numpy(dtype=np.int64), np.column_stack([found[name] for name in names]))
        return waiting

    def whole(self, columns: Columns) -> dict[str, pd.DataFrame]:
        """Read some columns of whole tables."""
        with self.duck() as connection:
            return {t: frame(connection.sql(self.tables.read(t, held)).to_arrow_table()) for t, held in columns.items()}

    def dealt(self, share: Share) -> Iterator[dict[str, pd.DataFrame]]:
        """Deal what a share needs to buckets and yield the tables of one bucket after the other."""
        buckets = self.buckets or self.buckets_for(share)
        folder = self.folder / share.key
        folder.mkdir()
        with self.duck() as connection:
            connection.execute(f"SET partitioned_write_max_open_files = {buckets + 1}")
            for table in share.columns:
                query = self.tables.dealt(share, table, buckets)
                if query is not None:
                    target = _literal(str(folder / table))
                    connection.execute(
                        f"COPY ({query}) TO {target} (FORMAT parquet, PARTITION_BY (bucket), COMPRESSION uncompressed, ROW_GROUP_SIZE 20480)"
                    )
        for bucket in range(buckets):
            tables = {table: self.bucket(share, table, folder / table / f"bucket={bucket}") for table in share.columns}
            if len(tables["claims"]):
                yield tables
            for table in share.columns:
                shutil.rmtree(folder / table / f"bucket={bucket}", ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)

    def bucket(self, share: Share, table: str, folder: Path) -> pd.DataFrame:
        held = sorted(folder.glob("*.parquet"))
        if held:
            return frame(pa.concat_tables([pq.read_table(file, partitioning=None) for file in held]))
        empty = pa.schema([self.tables.schemas[table].field(column) for column in share.columns[table]]).empty_table()
        return frame(empty).assign(**({ROW: np.empty(0, dtype=np.int64)} if table == "claims" else {}))

    def buckets_for(self, share: Share) -> int:
        """Count the buckets that a share needs so that each fits, with what the kernel needs beside it."""
        needed = sum(self.tables.rows[table] * (_ROW_BYTES + _CELL_BYTES * len(columns)) for table, columns in share.columns.items())
        needed += self.tables.rows["claims"] * 16 * share.width
        return max(1, min(_MOST_BUCKETS, -(-needed * 2 // self.room)))

    def matrix(self, waiting: Waiting) -> Iterator[pd.DataFrame]:
        """Assemble the matrix, chunk after chunk."""
        shares, total = len(self.plan.shares), -(-self.tables.rows["claims"] // CHUNK)
        held = chunks(self.tables.files["claims"], self.plan.own_columns["claims"])
        for number, claims in enumerate(held):
            self.report("writing", number, total)
            size = len(claims)
            answers = [waiting.take(share, number, size) for share in range(shares)]
            across = {}
            for question, names in ((shares, self.plan.links), (shares + 1, self.plan.duplicates)):
                if names:
                    across |= dict(zip(names, waiting.take(question, number, size).T, strict=True))
            yield assemble(self.plan, frame(claims), answers, across)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GB"
