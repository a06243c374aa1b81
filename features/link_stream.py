"""Links from a stream: what the carriers feed to :class:`features.links.Links`, however long the log is.

A carrier gives identifiers numbers, once for all tables. :func:`known` then turns any piece of the tables into rows of one
*stream*: which source, when it became known, and the numbers. Sorted by time, the stream is :func:`follow`-ed to the answers.
What an event is, and when it is known, stays defined in :mod:`features.sources` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.facts import PROBES, Facts, FeatureError
from features.history import NEVER, Floats, Ints
from features.links import GRAPHS, LINK_SOURCES, Links
from features.sources import Events, select

ASKED = "asked"
NUMBERED = tuple(dict.fromkeys(("customer_id", "product_id", *(kind for _, kinds in GRAPHS.values() for kind in kinds))))
"""Identifiers that links look at."""

STREAM = pa.schema(
    [("time", pa.int64()), ("source", pa.int8()), ("row", pa.int64()), *((name, pa.int32()) for name in (*NUMBERED, "abusive"))]
)
"""Columns of the stream: microseconds, number of the source, number of the claim asked about, identifiers (−1: none), a change."""

CHUNK_ROWS = 1 << 18
"""Rows of the stream that are looked at together (262,144 rows of about 50 bytes, twice that as arrays)."""

_SOURCES = (*LINK_SOURCES, ASKED)


@dataclass(frozen=True, eq=False)
class Numbered(Facts):
    """Facts over tables whose identifiers are numbers already, the same over all pieces of all tables."""

    def codes(self, table: str, column: str) -> Ints:
        """Read a column of numbers; −1 where missing."""
        codes = self.integers(table, column)
        return np.where(codes == NEVER, -1, codes)


def known(facts: Facts, wanted: Iterable[str], rows: Ints | None) -> pa.Table:
    """Turn a piece of the tables into rows of the stream.

    Parameters
    ----------
    facts
        A piece of some tables; others may be there without a row. Its codes are the numbers of the stream.
    wanted
        Sources to read from this piece.
    rows
        Number of each claim of the piece if these are asked about; ``None`` if not.
    """
    parts = [_lines(source, events, None) for source in wanted if (events := select(facts, source)) is not None]
    if rows is not None:
        asked = {key: facts.codes(PROBES, key) for key in facts.keys(PROBES)}
        parts.append(_lines(ASKED, Events(facts.instants(PROBES, "filed_at"), asked), rows))
    return pa.concat_tables(parts)


def _lines(source: str, events: Events, rows: Ints | None) -> pa.Table:
    n = len(events.times)
    columns: dict[str, Ints] = {name: events.columns.get(name, np.full(n, -1, dtype=np.int64)) for name in (*NUMBERED, "abusive")}
    columns |= {"time": events.times, "source": np.full(n, _SOURCES.index(source)), "row": np.full(n, -1) if rows is None else rows}
    return pa.table({name: columns[name] for name in STREAM.names}).cast(STREAM)


def follow(
    stream: Iterable[pa.Table | pa.RecordBatch],
    kinds: Mapping[str, tuple[str, ...]],
    names: tuple[str, ...],
    room: int,
    counts: Mapping[str, int] | None = None,
) -> Iterator[tuple[Ints, Floats]]:
    """Let the stream pass and answer the claims in it.

    Parameters
    ----------
    stream
        Pieces of :data:`STREAM`, in order of time.
    kinds
        For each graph the entities that connect.
    names
        Link features wanted.
    room
        Bytes that the state may take.
    counts
        How many numbers each kind of identifier has, if that is known: the state then need not grow.

    Yields
    ------
    tuple of ndarray
        (n,) numbers of claims and (n, names) float64.

    Raises
    ------
    FeatureError
        If the state outgrows the room.
    """
    links = Links(kinds)
    links.reserve(counts or {})
    for piece in stream:
        columns = {name: np.asarray(piece[name].to_numpy(zero_copy_only=False), dtype=np.int64) for name in STREAM.names}
        events = Events(columns.pop("time"), columns)
        of = {name: events.only(np.flatnonzero(columns["source"] == number)) for number, name in enumerate(_SOURCES)}
        asked = of.pop(ASKED)
        found = links.advance(of, asked)
        if links.nbytes > room:
            raise FeatureError(
                f"links: expected the state of customers and what they share to fit into {room / (1 << 30):.1f} GB, found "
                f"{links.nbytes / (1 << 30):.1f} GB; allow more memory, or leave the links out of the catalogue"
            )
        if len(asked.times):
            yield asked.columns["row"], np.column_stack([found[name] for name in names])
