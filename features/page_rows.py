"""Pages as runs of whole numbers: what they are called, how their rows run on, and how they are laid end to end.

What a page is, and what it is for, says :mod:`features.pages`; this is what compiled functions know of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from features.borrowing import borrowing
from features.history import NEVER, Ints

PAGE_ROWS = 128
"""A page is closed once it holds so many rows, but never between two rows of the same instant."""

RAW, SUM, MAX, MIN, LAST, FIRST, OTHER = range(7)
"""How a column runs: as given · sum so far · largest · smallest · of the latest instant (the largest there) · the very first ·
instant of the latest row that differs from this one in the column ahead (:data:`~features.history.NEVER` if none does)."""

WORD = np.dtype("<i8")

END = int(np.iinfo(np.int64).max)
"""An instant after all others."""

ALONE = 1 << 32
"""Logs whose number is no smaller stand alone."""

ODD = 0x9E3779B97F4A7C15 - (1 << 64)
"""Numbers of shelves mix identifiers: each in turn is added to so many times what was there; what runs over 64 bits is cut off."""

Shelf = bytes | int

Key = tuple[Shelf, int]
"""The shelf on which a log stands, and its number there: the logs of one customer, say, are read together. The shelf of a log that
stands alone is a number, of 64 bits with a sign: where pages are kept, nothing is found faster."""

Page = tuple[Key, int, bytes]
"""Key, instant of the first row, and rows as little-endian ``int64``, the row of what stood before first."""

Change = tuple[Key, int, int, bytes]
"""A change of a page: key, instant of its first row, how many of its bytes stay, and what follows them."""

Standing = tuple[Shelf, int, int, int, bytes]
"""The last page of a log: its shelf, its number there, instant of its first row, whether pages were closed before it, and its rows."""


def join(pages: Sequence[bytes | None]) -> tuple[Ints, Ints]:
    """Lay pages end to end: their words, and (pages + 1,) where each begins; a missing one has no words."""
    held = [page or b"" for page in pages]
    bounds = np.array([*accumulate(map(len, held), initial=0)], dtype=np.int64)
    return np.frombuffer(b"".join(held), WORD), bounds >> 3


@borrowing
def start_row(row, kinds):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Write what stands before the first row of a log."""
    row[0] = 0
    for column in range(len(kinds)):
        row[1 + column] = 0 if kinds[column] == SUM else (END if kinds[column] == MIN else NEVER)


@borrowing
def run_row(row, before, time, last, values, kinds):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Fill a row from the one before it; ``last`` is the instant of that one, ``NEVER`` at the beginning of a log."""
    row[0] = time
    for column in range(len(kinds)):
        kind, value, held = kinds[column], values[column], before[1 + column]
        if kind == SUM:
            value += held
        elif kind == MAX or (kind == LAST and time == last):
            value = max(value, held)
        elif kind == MIN:
            value = min(value, held)
        elif kind == FIRST and last != NEVER:
            value = held
        elif kind == OTHER:
            value = last if last != NEVER and before[column] != row[column] else held
        row[1 + column] = value
