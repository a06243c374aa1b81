"""Parquet tables as DuckDB reads them: joined, dealt to buckets, numbered and sorted on disk, within a stated memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.shares import Columns, Share
from features.slices import SLICES, sliced_by
from features.stored import ROW, Stored, frame

_DEALT_ROWS = 1 << 19
_HASH = "_hash"
_MOST_MARKS = 1 << 27
_READ_ROWS, _EVERY, _MOST_STRETCHES = 1 << 16, 64, 500
_KEPT = "FORMAT parquet, COMPRESSION lz4_raw, ROW_GROUP_SIZE 61440"


@dataclass(frozen=True)
class Bucket:
    """The rows of one bucket of a share, on disk.

    Parameters
    ----------
    files
        An Arrow stream for each table; a table without rows has none.
    share
        What the rows are for.
    duck
        Where they come from.
    """

    files: Mapping[str, Path]
    share: Share
    duck: Duck

    @property
    def nbytes(self) -> int:
        """Bytes of all rows as they lie on disk, which is as Arrow holds them."""
        return sum(file.stat().st_size for file in self.files.values() if file.exists())

    def tables(self) -> dict[str, pd.DataFrame]:
        """Read everything."""
        return {table: self.read(table, [*columns, *([ROW] if table == "claims" else [])]) for table, columns in self.share.columns.items()}

    def read(self, table: str, columns: Sequence[str], by: str = "", slices: range | None = None) -> pd.DataFrame:
        """Read columns of a table: all rows, or those of some slices as cut by a column; see :mod:`features.slices`."""
        file = self.files[table]
        if file.exists() and slices is not None:
            file = self._cut(table, by, slices.step) / f"{table}-{slices.start}.arrows"
        if not file.exists():
            return self.duck.empty(table, [column for column in columns if column != ROW])
        with pa.OSFile(str(file)) as held:
            stream = pa.ipc.open_stream(held)
            schema = pa.schema([stream.schema.field(column) for column in columns])
            return frame(pa.Table.from_batches([batch.select(columns) for batch in stream], schema=schema))

    def _cut(self, table: str, by: str, count: int) -> Path:
        """Deal the rows of a table once more, to files of every so many slices, unless that was done before."""
        folder = self.files[table].with_suffix(f".cut-{count}-{by}")
        if not folder.exists():
            folder.mkdir()
            with pa.OSFile(str(self.files[table])) as file:
                stream = pa.ipc.open_stream(file)
                deal((b.append_column("bucket", pa.array(b[f"_slice_{by}"].to_numpy() % count)) for b in stream), folder, table)
        return folder

    def forget(self) -> None:
        """Remove the rows from disk."""
        for file in self.files.values():
            file.unlink(missing_ok=True)
            for cut in file.parent.glob(f"{file.stem}.cut-*"):
                shutil.rmtree(cut)


@dataclass(frozen=True)
class Duck:
    """Tables, a folder for what lies on disk, and the memory that DuckDB may take.

    Parameters
    ----------
    stored
        The tables by name.
    folder
        An existing folder of their own.
    memory
        Bytes.
    """

    stored: Mapping[str, Stored]
    folder: Path
    memory: int
    rows: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.rows.update({name: sum(table.rows) for name, table in self.stored.items()})

    @contextmanager
    def session(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open DuckDB for one step; its memory is given back at the end of the step."""
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET enable_progress_bar = false")
            connection.execute(f"SET memory_limit = '{self.memory} B'; SET temp_directory = {_literal(self.folder / 'spilled')}")
            yield connection
        pa.default_memory_pool().release_unused()

    def read(self, table: str, columns: Sequence[str]) -> str:
        """Return the SQL that reads columns of a table that has rows; claims are numbered in the order of the matrix."""
        names = ", ".join(map(_quoted, columns))
        listed = ", ".join(map(_literal, self.stored[table].files))
        if table == "claims" and ROW not in self.stored[table].schema.names:
            before = [0, *np.cumsum(self.stored[table].rows).tolist()]
            number = f"{before}[file_index::INT + 1] + file_row_number AS {ROW}"
            return f"SELECT {names}, {number} FROM read_parquet([{listed}], union_by_name = true, file_row_number = true)"
        return f"SELECT {names}{f', {ROW}' if table == 'claims' else ''} FROM read_parquet([{listed}], union_by_name = true)"

    def empty(self, table: str, columns: Sequence[str]) -> pd.DataFrame:
        """Return columns of a table without a row."""
        held = frame(pa.schema([self.stored[table].schema.field(column) for column in columns]).empty_table())
        return held.assign(**{ROW: np.empty(0, dtype=np.int64)}) if table == "claims" else held

    def batches(self, table: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read some columns of a table, as many rows at a time as suits; claims come in any order, each with its number."""
        with self.session() as session:
            yield from session.sql(self.read(table, columns)).to_arrow_reader(_DEALT_ROWS)

    def dealt(self, share: Share, buckets: int) -> Iterator[Bucket]:
        """Deal what a share needs to buckets on disk and yield one bucket with claims after the other; each is gone after its turn."""
        folder, asked = self.folder / share.key, _Asked.by(self.rows["claims"])
        folder.mkdir()
        for table in sorted(share.columns, key=lambda table: table != "claims"):
            if query := self._dealing(share, table, buckets):
                with self.session() as session:
                    rows = session.sql(f"SELECT *, {_slicing(share, table)} FROM ({query})").to_arrow_reader(_DEALT_ROWS)
                    deal((_placed(batch, share, table, asked, buckets) for batch in rows), folder, table)
        for number in range(buckets):
            bucket = Bucket({table: folder / f"{table}-{number}.arrows" for table in share.columns}, share, self)
            if bucket.files["claims"].exists():
                yield bucket
            bucket.forget()
        folder.rmdir()

    def _dealing(self, share: Share, table: str, buckets: int) -> str:
        """Return the SQL that reads what a share needs of a table, with the hash that places a row; nothing where there is no row."""
        if not self.rows[table]:
            return ""
        held, key = self.read(table, share.columns[table]), _quoted(share.key)
        place = f"hash(CAST({{}}.{key} AS VARCHAR))"
        if table not in share.by_claim:
            known = table == "claims" or share.key in share.columns[table]
            return f"SELECT t.*, {place.format('t')} AS {_HASH} FROM ({held}) t" if known else ""  # a missing key has a hash, too
        claims = self.read("claims", sorted({"claim_id", share.key}))
        by_claim = (
            f"SELECT t.*, {place.format('c')} AS {_HASH} FROM ({held}) t JOIN ({claims}) c USING (claim_id) WHERE c.{key} IS NOT NULL"
        )
        if share.key not in share.columns[table]:
            return by_claim
        # Where its own key and its claim's send a row to different buckets it goes to both: what is not asked about does no harm.
        here, there = (place.format(side) for side in ("t", "c"))
        return f"SELECT t.*, {here} AS {_HASH} FROM ({held}) t UNION ALL {by_claim} AND {here} % {buckets} <> {there} % {buckets}"

    def numbered(self, columns: Columns, identifiers: Iterable[str]) -> tuple[Duck, dict[str, int]]:
        """Write some columns of the tables with a number for each identifier, the same in all tables.

        Returns
        -------
        tuple
            The tables so written, and how many numbers each kind of identifier has.
        """
        target, counts = self.folder / "numbered", {}
        target.mkdir()
        with self.session() as session:
            session.execute(f"ATTACH {_literal(target / 'numbers.duckdb')} AS numbers")
            for name in identifiers:
                holders = [self.read(table, [name]) for table, held in columns.items() if name in held and self.rows[table]]
                every = " UNION ALL ".join(f"SELECT CAST({_quoted(name)} AS VARCHAR) AS word FROM ({holder})" for holder in holders)
                session.execute(
                    f"CREATE TABLE numbers.{_quoted(name)} AS SELECT word, (row_number() OVER () - 1)::INT AS number "
                    f"FROM (SELECT DISTINCT word FROM ({every or 'SELECT NULL::VARCHAR AS word'}) WHERE word IS NOT NULL)"
                )
                counts[name] = int(session.execute(f"SELECT count(*) FROM numbers.{_quoted(name)}").fetchall()[0][0])
            for table, held in columns.items():
                if self.rows[table]:
                    session.execute(f"COPY ({self._numbering(table, held, counts)}) TO {_literal(target / f'{table}.parquet')} ({_KEPT})")
        files = {table: target / f"{table}.parquet" for table in columns}
        empty = {table: pa.schema([self.stored[table].schema.field(column) for column in held]) for table, held in columns.items()}
        stored = {t: Stored.of([file]) if file.exists() else Stored((), empty[t]) for t, file in files.items()}
        return Duck(stored, target, self.memory), counts

    def _numbering(self, table: str, held: Sequence[str], counts: Mapping[str, int]) -> str:
        places = {name: f"n{at}" for at, name in enumerate(held) if name in counts}
        kept = [f"{places[name]}.number AS {_quoted(name)}" if name in places else f"t.{_quoted(name)}" for name in held]
        joins = [
            f"LEFT JOIN numbers.{_quoted(name)} {place} ON CAST(t.{_quoted(name)} AS VARCHAR) = {place}.word"
            for name, place in places.items()
        ]
        number = [f"t.{ROW}"] if table == "claims" else []
        return f"SELECT {', '.join([*kept, *number])} FROM ({self.read(table, held)}) t {' '.join(joins)}"


@dataclass(frozen=True, eq=False)
class _Asked:
    """The keys that claims name, each marked at a place that its hash says: no key that is asked about is ever taken for another."""

    marks: npt.NDArray[np.bool_]

    @classmethod
    def by(cls, claims: int) -> _Asked:
        """Make room for the keys of so many claims, so that few others share a place with one of them."""
        return cls(np.zeros(min(1 << (2 * claims).bit_length(), _MOST_MARKS), dtype=np.bool_))

    def places(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        return (hashes >> np.uint64(16)) & np.uint64(len(self.marks) - 1)


def _placed(batch: pa.RecordBatch, share: Share, table: str, asked: _Asked, buckets: int) -> pa.RecordBatch:
    """Say of each row which bucket it belongs to: −1, into none, where it has a key of its own that nobody asks about."""
    hashes = batch[_HASH].to_numpy()
    bucket = (hashes % np.uint64(buckets)).astype(np.int16)
    places = asked.places(hashes)
    if table == "claims":
        asked.marks[places[batch[share.key].is_valid().to_numpy(zero_copy_only=False)]] = True
    elif table not in share.by_claim:
        bucket[~asked.marks[places]] = -1
    return batch.drop_columns(_HASH).append_column("bucket", pa.array(bucket))


def deal(batches: Iterable[pa.RecordBatch], folder: Path, table: str) -> None:
    """Append the rows of each batch to ``<table>-<bucket>.arrows`` as their column ``bucket`` says; those of a negative one to none."""
    with ExitStack() as stack:
        writers: dict[int, pa.RecordBatchStreamWriter] = {}
        for batch in batches:
            bucket = batch["bucket"].to_numpy()
            order = np.argsort(bucket, kind="stable")
            order = order[np.searchsorted(bucket[order], 0) :]
            bounds = np.append(np.flatnonzero(np.diff(bucket[order], prepend=-1)), len(order))
            together = batch.drop_columns("bucket").take(pa.array(order))
            for start, end in pairwise(bounds):
                number = int(bucket[order[start]])
                if number not in writers:
                    file = stack.enter_context(pa.OSFile(str(folder / f"{table}-{number}.arrows"), "w"))
                    writers[number] = stack.enter_context(pa.ipc.new_stream(file, together.schema))
                writers[number].write_batch(together.slice(start, end - start))


def in_order(file: Path, by: str, rows: int) -> Iterator[pa.Table]:
    """Read a Parquet file in the order of a column of whole numbers, about so many rows at a time; equal ones come together.

    Rows are first dealt to stretches of the column, which lie on disk beside the file: no more than one is held at a time.
    """
    folder = file.with_suffix(".stretches")
    folder.mkdir()
    with pq.ParquetFile(file, pre_buffer=False) as held:
        sample = [batch.column(0).to_numpy()[::_EVERY] for batch in held.iter_batches(_READ_ROWS, columns=[by])]
        rows = max(rows, held.metadata.num_rows // _MOST_STRETCHES)
        cuts = np.unique(np.sort(np.concatenate([*sample, np.empty(0, dtype=np.int64)]))[:: max(1, rows // _EVERY)])
        places = ((batch, np.searchsorted(cuts, batch[by].to_numpy(), "right")) for batch in held.iter_batches(_READ_ROWS))
        deal((batch.append_column("bucket", pa.array(place.astype(np.int16))) for batch, place in places), folder, "rows")
    for stretch in range(len(cuts) + 1):
        if (path := folder / f"rows-{stretch}.arrows").exists():
            with pa.OSFile(str(path)) as opened:
                table = pa.ipc.open_stream(opened).read_all()
            path.unlink()
            yield table.take(pa.array(np.argsort(table[by].to_numpy(), kind="stable"))).combine_chunks()
    folder.rmdir()


def _slicing(share: Share, table: str) -> str:
    """Return the SQL of the columns that say to which slice a row belongs: as a column says in all tables alike, or in any way."""
    held = share.columns[table]
    anyhow = ", ".join(map(_quoted, held))
    hashes = {by: f"CAST({_quoted(by)} AS VARCHAR)" if by in held else anyhow for by in sliced_by(share)}
    return ", ".join(f"((hash({words}) >> 20) % {SLICES})::UTINYINT AS {_quoted(f'_slice_{by}')}" for by, words in hashes.items())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str | Path) -> str:
    return "'" + str(text).replace("'", "''") + "'"
