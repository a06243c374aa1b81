"""The bounded carrier: Parquet tables of any size → the feature matrix, within a stated amount of memory.

DuckDB reads, joins and deals rows to buckets on disk; the kernel then sees one bucket at a time. How many buckets there
are follows from the number of rows and the memory allowed, so peak memory stays below it while the data grow, and time grows
with the data: every row is read and dealt once for each key, and read again once.

What does not fit into a bucket, one busy key, is measured slice by slice (:mod:`features.slices`). That takes nearly all the
memory allowed, where ordinary buckets take two thirds, and reads the key's rows again for every million of its claims.

What the memory must always hold: Python and its libraries (:data:`FLOOR`); for links a state proportional to customers and
what they share, some 100 bytes for each; for duplicates some 200 bytes of every claim, beside 300 in mapped files whose memory
the system takes back when it wants it, and one text as often as it was told. Where that is too much a
:class:`~features.facts.FeatureError` says how much would do: for duplicates before they start, for links as soon as it is known
how many there are.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features import duplicates, slices
from features.buckets import answer, assemble
from features.duck import Bucket, Duck, in_order
from features.duplicates_dealt import TIMES, Dealt
from features.facts import Facts, FeatureError
from features.history import Floats, Ints
from features.link_stream import CHUNK_ROWS, NUMBERED, STREAM, Numbered, follow, known
from features.ordered import CHUNK, Waiting, chunks, write
from features.shares import Plan, Share, plan
from features.spec import Feature, Selection
from features.stored import ROW, Report, Stored, frame, silent

FLOOR = 400 << 20
"""Bytes kept for Python, NumPy, pandas, Arrow and DuckDB themselves (about half of it is taken before the first row)."""

LEAST = 1 << 30
"""The least memory that can be asked for."""

_ENOUGH, _DUCK = 640 << 20, 512 << 20
"""Beyond the floor buckets take no more than this as long as there may be more of them, and DuckDB no more than that: with more memory
they are no faster."""

# Measured on the log of ``make bench-bounded`` and on random stories, and rounded up: bytes of a row and of each of its columns
# while a bucket is worked on; how many times the bytes of a bucket on disk that takes; of a number given to an identifier; of a
# claim, beside its texts, while a part of the stories is made distinct, and of one while all are compared.
_ROW_BYTES, _CELL_BYTES = 150, 50
_MOST_BUCKETS, _SPREAD = 500, 11
_NUMBER_BYTES, _CONTENT_BYTES, _CLAIM_BYTES = 100, 1_000, 200


def build(
    tables: Mapping[str, Stored],
    path: Path,
    features: Sequence[Feature],
    sources: Mapping[str, Selection] | None = None,
    memory: int = 2 << 30,
    metadata: Mapping[bytes, bytes] | None = None,
    report: Report = silent,
    buckets: int | None = None,
    cuts: int | None = None,
    threads: int = 1,
) -> tuple[int, int]:
    """Compute the matrix of all claims and write it as one Parquet file.

    Parameters
    ----------
    tables
        The tables by contract name; ``claims`` are the claims asked about, and their order is the order of the matrix.
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
    buckets, cuts
        How many buckets to make for each key, and how many slices of each; by default as many as the memory asks for.
    threads
        How many threads may compare stories; DuckDB takes what there is. The file does not depend on it.

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
    found = plan(features, {name: table.schema for name, table in tables.items()}, sources)
    with _scratch(path) as folder:
        room = memory - FLOOR
        carrier = _Carrier(found, Duck(tables, folder, min(room // 2, _DUCK)), room, report, buckets, cuts, threads)
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


@dataclass(frozen=True, eq=False)
class _Carrier:
    """One run: plan, tables, the bytes beyond the floor, how many buckets and slices to make if that was said, and threads."""

    plan: Plan
    duck: Duck
    room: int
    report: Report
    buckets: int | None
    cuts: int | None
    threads: int

    def check_claims(self) -> None:
        """Refuse claims without identity or time, and identities used twice, in the words of the local engine."""
        if not self.duck.rows["claims"]:
            return
        claims = self.duck.read("claims", ["claim_id", "filed_at"])
        repeated = f"SELECT claim_id FROM ({claims}) GROUP BY claim_id HAVING count(*) > 1 LIMIT 1"
        with self.duck.session() as session:
            for wrong in (
                f"SELECT claim_id, filed_at FROM ({claims}) WHERE claim_id IS NULL OR filed_at IS NULL LIMIT 1",
                f"SELECT claim_id, filed_at FROM ({claims}) SEMI JOIN ({repeated}) USING (claim_id) LIMIT 2",
            ):
                Facts({}, frame(session.sql(wrong).to_arrow_table()))

    def answers(self) -> Waiting:
        """Answer every share, bucket by bucket, then what looks across all keys."""
        shares, found = self.plan.shares, self.plan
        waiting = Waiting(self.duck.folder, (*(share.width for share in shares), len(found.links), len(found.duplicates)))
        if not self.duck.rows["claims"]:
            return waiting
        for number, share in enumerate(shares):
            buckets = self.buckets or self._buckets_for(share)
            for turn, bucket in enumerate(self.duck.dealt(share, buckets)):
                self.report(f"by {share.key.removesuffix('_id')}", turn, buckets)
                for rows, answers in self._answered(share, bucket):
                    waiting.put(number, rows, answers)
            self.report(f"by {share.key.removesuffix('_id')}", buckets, buckets)
        if found.links:
            self.report("links", 0, 1)
            for rows, answers in self._linked():
                waiting.put(len(shares), rows, answers)
            self.report("links", 1, 1)
        if found.duplicates:
            self.report("duplicates", 0, 1)
            for rows, answers in self._told():
                waiting.put(len(shares) + 1, rows, answers)
            self.report("duplicates", 1, 1)
        return waiting

    def _answered(self, share: Share, bucket: Bucket) -> Iterator[tuple[Ints, Floats]]:
        """Answer a bucket at once if memory can hold it, else slice by slice."""
        wanted = self.cuts or -(-bucket.nbytes * _SPREAD // self.room)
        if wanted > slices.SLICES:
            raise FeatureError(
                f"{share.key}: expected memory for {_size(bucket.nbytes)} of rows that agree on it, found {_size(self.room + FLOOR)}; "
                f"allow at least {_size(bucket.nbytes * _SPREAD // slices.SLICES + FLOOR)}"
            )
        if wanted > 1:
            # The claims asked about and their answers take room beside a slice: cut twice as fine as the rows alone ask for.
            schemas = {table: stored.schema for table, stored in self.duck.stored.items()}
            yield from slices.answer(share, bucket.read, schemas, self.plan.sources, min(2 * wanted, slices.SLICES))
        else:
            tables = bucket.tables()
            yield _numbers(tables), answer(share, tables, self.plan.sources)

    def _told(self) -> Iterator[tuple[Ints, Floats]]:
        """Answer the duplicates: texts are dealt to as many parts as the memory asks for."""
        held, rows = self.plan.duplicates_columns["claims"], self.duck.rows["claims"]
        if (needed := rows * _CLAIM_BYTES) > self.room:
            raise FeatureError(
                f"duplicates: expected memory for what is known of {rows:,} claims, found {_size(self.room + FLOOR)}; "
                f"allow at least {_size(needed + FLOOR)}, or leave the duplicates out of the catalogue"
            )
        lengths = " + ".join(f'coalesce(strlen("{column}"), 0)' for column in held if column in duplicates.COLUMNS.values())
        with self.duck.session() as session:
            text = int(session.execute(f"SELECT sum({lengths}) FROM ({self.duck.read('claims', held)})").fetchall()[0][0])
        parts = self.buckets or min(_MOST_BUCKETS, -(-(rows * _CONTENT_BYTES + text * TIMES) * 2 // min(self.room, _ENOUGH)))
        folder = self.duck.folder / "duplicates"
        folder.mkdir()
        dealt = Dealt(self.duck, folder, parts, self.room // TIMES, self.threads)
        yield from dealt.answers(self.plan.duplicates, held)
        shutil.rmtree(folder)

    def _buckets_for(self, share: Share) -> int:
        """Count the buckets that a share needs so that each fits, with what the kernel needs beside it."""
        needed = sum(self.duck.rows[table] * (_ROW_BYTES + _CELL_BYTES * len(columns)) for table, columns in share.columns.items())
        needed += self.duck.rows["claims"] * 16 * share.width
        return max(1, min(_MOST_BUCKETS, -(-needed * 2 // min(self.room, _ENOUGH))))

    def _linked(self) -> Iterator[tuple[Ints, Floats]]:
        """Answer the links: write every event with numbers for identifiers, and follow them in the order of time."""
        found, sources, held = self.plan, self.plan.sources, {name for columns in self.plan.links_columns.values() for name in columns}
        duck, counts = self.duck.numbered(found.links_columns, [name for name in NUMBERED if name in held])
        different, needed = sum(counts.values()), sum(counts.values()) * _NUMBER_BYTES
        if needed > self.room // 2:
            raise FeatureError(
                f"links: expected memory for {different:,} customers, products and what they share, found {_size(self.room + FLOOR)}; "
                f"allow at least {_size(2 * needed + FLOOR)}, or leave the links out of the catalogue"
            )
        events = duck.folder / "events.parquet"
        with pq.ParquetWriter(events, STREAM) as writer:
            for tables, wanted in self._pieces(duck):
                facts = Numbered(tables, tables["claims"], sources)
                writer.write_table(known(facts, wanted, _numbers(tables) if "claims" in wanted else None))
        yield from follow(in_order(events, "time", CHUNK_ROWS), found.kinds, found.links, self.room // 2, counts)
        shutil.rmtree(duck.folder)

    def _pieces(self, duck: Duck) -> Iterator[tuple[dict[str, pd.DataFrame], tuple[str, ...]]]:
        """Yield pieces of the numbered tables with the sources that are complete in them."""
        columns = self.plan.links_columns
        nothing = {table: duck.empty(table, held) for table, held in columns.items()}
        for table in [table for table in ("orders", "claims") if table in columns]:
            numbered = [*columns[table], *([ROW] if table == "claims" else [])]
            for piece in chunks(duck.stored[table].files, numbered):
                yield {**nothing, table: frame(piece)}, ("sightings", "claims") if table == "claims" else ("sightings",)
        if "resolutions" in columns:
            share = Share("claim_id", (), (), {table: columns[table] for table in ("claims", "resolutions")})
            for bucket in duck.dealt(share, self.buckets or self._buckets_for(share)):
                yield {**nothing, **bucket.tables()}, ("standing",)

    def matrix(self, waiting: Waiting) -> Iterator[pd.DataFrame]:
        """Assemble the matrix, chunk after chunk."""
        rows, shares, own = self.duck.rows["claims"], len(self.plan.shares), self.plan.own_columns["claims"]
        held = chunks(self.duck.stored["claims"].files, own) if rows else [pa.Table.from_pandas(self.duck.empty("claims", own))]
        for number, claims in enumerate(held):
            self.report("writing", number, -(-rows // CHUNK))
            answers = [waiting.take(question, number, len(claims)) for question in range(shares + 2)]
            names = (*self.plan.links, *self.plan.duplicates)
            across = dict(zip(names, np.column_stack(answers[shares:]).T, strict=True))
            yield assemble(self.plan, frame(claims), answers[:shares], across)
        self.report("writing", -(-rows // CHUNK), -(-rows // CHUNK))


def _numbers(tables: Mapping[str, pd.DataFrame]) -> Ints:
    numbers: Ints = tables["claims"][ROW].to_numpy(dtype=np.int64)
    return numbers


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GB"
