"""A bucket that memory cannot hold: one busy key, measured slice by slice.

All rows of a key have to meet, but not at once. A count is the sum of the counts of any slices, an extreme the extreme of
extremes; the number of values seen is the sum over slices that keep equal values together. Means are one sum over one count.
All of it is done in integers held as floats below 2⁵³, so slices change no bit. Claims are answered block by block.

What cannot be cut (the ``last`` value, and what depends on several rows of a table, such as the standing of a claim) is
measured whole, with the columns that it needs and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from features import from_claim, windows
from features.facts import Facts, ratio
from features.history import Floats, Ints
from features.shares import Share, plan
from features.sources import SELECTIONS
from features.spec import Aggregate, Selection
from features.stored import ROW

SLICES = 64
"""Into so many slices a bucket can be cut at most."""

CLAIMS = 1 << 20
"""Claims of a bucket that are answered together."""

_JOINED: dict[str, Callable[[Floats, Floats], Floats]] = {
    **dict.fromkeys(("count", "sum", "first_seen", "distinct"), np.add),
    **dict.fromkeys(("min", "since_last"), np.fmin),
    **dict.fromkeys(("max", "since_first"), np.fmax),
}

Read = Callable[[str, Sequence[str], str, range | None], pd.DataFrame]
"""Reads columns of a table of the bucket: all rows, or those of some slices as cut by a column ("": in any way)."""


def sliced_by(share: Share) -> tuple[str, ...]:
    """Name the columns by which rows of a share are cut, so that equal values stay together; "" is any way."""
    return ("", *dict.fromkeys(part.column or "" for part in share.parts if part.how in ("first_seen", "distinct")))


@dataclass(frozen=True)
class _Piece:
    """Aggregates that are measured together: over slices cut by a column, whole, or over rows with a value (for means)."""

    by: str | None
    parts: tuple[Aggregate, ...]
    valued: str | None = None


def answer(
    share: Share, read: Read, schemas: Mapping[str, pa.Schema], sources: Mapping[str, Selection], slices: int
) -> Iterator[tuple[Ints, Floats]]:
    """Answer a share for a bucket slice by slice, as :func:`features.buckets.answer` does at once.

    Yields
    ------
    tuple of ndarray
        (n,) numbers of claims and (n, share.width) float64.
    """
    asked = read("claims", [*_probe_columns(share), ROW], "", None)
    for start in range(0, len(asked), CLAIMS):
        block = asked.iloc[start : start + CLAIMS].reset_index(drop=True)
        values: dict[Aggregate, Floats] = {}
        numbered = block.assign(claim_id=block[ROW])  # no window looks at it, and that numbers differ is seen at once
        for piece in _pieces(share.parts, sources):
            values |= _measured(piece, numbered, read, schemas, sources, slices)
        columns = [values[part] for part in share.parts] + _looked_up(share, block, read, sources)
        yield block[ROW].to_numpy(dtype=np.int64), np.column_stack(columns)


def _probe_columns(share: Share) -> list[str]:
    """Name the columns of the claims asked about: identity, time, keys, and everything if rows are looked up."""
    keys = {key for part in share.parts for key in part.by}
    return [c for c in share.columns["claims"] if share.names or c in keys or c in ("claim_id", "filed_at")]


def _looked_up(share: Share, block: pd.DataFrame, read: Read, sources: Mapping[str, Selection]) -> list[Floats]:
    tables = {table: read(table, columns, "", None) for table, columns in share.columns.items() if table != "claims"} if share.names else {}
    return list(from_claim.compute(share.names, Facts(tables, block, sources)).values())


def _pieces(parts: Sequence[Aggregate], sources: Mapping[str, Selection]) -> list[_Piece]:
    """Group aggregates of one source by how its rows may be cut."""
    found: dict[tuple[str, str | None, str | None], list[Aggregate]] = {}
    for part in parts:
        if part.source not in SELECTIONS and part.source not in sources and part.source != "sightings":
            cut, valued = None, None
        elif part.how == "mean":
            cut, valued = "", part.column
        else:
            cut, valued = {"first_seen": part.column, "distinct": part.column, "last": None}.get(part.how, ""), None
        found.setdefault((part.source, cut, valued), []).append(part)
    return [_Piece(cut, tuple(held), valued) for (_, cut, valued), held in found.items()]


def _measured(
    piece: _Piece, block: pd.DataFrame, read: Read, schemas: Mapping[str, pa.Schema], sources: Mapping[str, Selection], slices: int
) -> dict[Aggregate, Floats]:
    """Measure one piece for a block of claims and join its slices."""
    wanted = tuple(made for part in piece.parts for made in (_sum_and_count(part) if piece.valued else (part,)))
    columns = plan(wanted, schemas, sources).shares[0].columns
    joined: dict[Aggregate, Floats] = {}
    for number in range(1 if piece.by is None else slices):
        kept = None if piece.by is None else range(number, SLICES, slices)
        tables = {table: read(table, held, piece.by or "", kept) for table, held in columns.items()}
        if piece.valued:
            tables = {table: rows.dropna(subset=piece.valued) if piece.valued in rows else rows for table, rows in tables.items()}
        found = windows.measure(wanted, Facts(tables, block, sources))
        joined = found if not joined else {part: _JOINED[part.how](joined[part], values) for part, values in found.items()}
    if not piece.valued:
        return joined
    return {part: ratio(*(joined[made] for made in _sum_and_count(part))) for part in piece.parts}


def _sum_and_count(part: Aggregate) -> tuple[Aggregate, Aggregate]:
    """Name what a mean is made of, over rows that have a value."""
    return replace(part, how="sum"), replace(part, how="count", on=part.source)
