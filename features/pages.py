"""Paged logs: what lies behind the online features, append-only and readable as of any instant by looking up a key.

A *log* belongs to one key (a customer's orders, say). Its rows are ``int64``: the instant at which each became known, never
going back, then columns that *run*: sums so far, largest so far, latest value. A count or sum over any window is therefore
the difference of two rows, each found by bisection, however long the log is. Rows are kept in pages of about
:data:`PAGE_ROWS`; the row ahead of each page holds what stood before it. A row never changes once it is written, so whoever
reads as of an instant finds the same whenever they read.

Where pages are kept is the business of a :class:`Pages`: memory here, the case store in :mod:`serving.history`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
from numba import njit

from features import page_rows
from features.arena_loading import Arena
from features.history import NEVER, Ints
from features.page_rows import (
    ALONE,
    END,
    FIRST,
    LAST,
    MAX,
    MIN,
    ODD,
    OTHER,
    PAGE_ROWS,
    RAW,
    SUM,
    WORD,
    Change,
    Key,
    Page,
    Shelf,
    Standing,
    join,
    run_row,
    start_row,
)

__all__ = [
    "ALONE",
    "END",
    "FIRST",
    "LAST",
    "MAX",
    "MIN",
    "ODD",
    "OTHER",
    "PAGE_ROWS",
    "RAW",
    "SUM",
    "Change",
    "Key",
    "Laid",
    "MemoryPages",
    "Page",
    "Pages",
    "Shelf",
    "Standing",
    "append",
    "count_before",
    "join",
    "rows",
    "words_of",
]


@dataclass(frozen=True, eq=False)
class Laid:
    """Pages laid end to end, those of a key together and in order of time.

    Parameters
    ----------
    of_key, firsts
        (pages,) whose each is, as a place in a list of keys, and the instant of its first row.
    begins, ends
        (pages,) where its bytes are.
    held
        The bytes.
    """

    of_key: Ints
    firsts: Ints
    begins: Ints
    ends: Ints
    held: bytes

    @property
    def last(self) -> npt.NDArray[np.bool_]:
        """(pages,) whether it is the last of its key."""
        return np.append(self.of_key[1:] != self.of_key[:-1], True)[: len(self.of_key)]

    def between(self, start: int, stop: int) -> Iterator[tuple[int, int, bytes]]:
        """Return key, instant and bytes of some of the pages."""
        columns = (column[start:stop].tolist() for column in (self.of_key, self.firsts, self.begins, self.ends))
        return ((key, first, self.held[begin:end]) for key, first, begin, end in zip(*columns, strict=True))


class Pages(Protocol):
    """Where pages are kept: an ordered map from (key, instant of the first row) to rows."""

    def arena(self) -> Arena:
        """Return what was read of late as compiled functions read and change it.

        What is put here is not remembered in it, and what is changed in it is written down before anything is read here: both may be used
        in turn, but every turn costs as much as :meth:`flush`.
        """
        ...

    def shelves(self, wanted: Sequence[Shelf]) -> list[Standing]:
        """Return the last page of every log that stands on some shelves."""
        ...

    def latest(self, keys: Sequence[Key], before: Sequence[int]) -> list[bytes | None]:
        """Return for each key the last page that begins strictly before an instant, ``None`` where there is none."""
        ...

    def closed_before(self, keys: Sequence[Key], before: Sequence[int]) -> list[bytes | None]:
        """Return the same of keys whose last page is known to begin no earlier."""
        ...

    def between(self, key: Key, after: int, before: int) -> list[bytes]:
        """Return the pages of a key that begin strictly between two instants, in order."""
        ...

    def put(self, pages: Iterable[Page]) -> None:
        """Write pages; one that begins at the same instant of the same key is replaced by a longer form of itself."""
        ...

    def put_new(self, keys: Sequence[Key], laid: Laid) -> None:
        """Write pages of keys that have none yet: of any number, and without remembering them."""
        ...

    def flush(self) -> None:
        """Write down what so far may only be remembered; until then it is seen by who reads through the same object."""
        ...


@dataclass(frozen=True, eq=False)
class MemoryPages:
    """Pages in memory.

    Examples
    --------
    >>> pages = MemoryPages()
    >>> append(pages, [(b"k", 0)], np.array([0, 2]), np.array([10, 20]), np.array([[3], [4]]), np.array([SUM]))
    >>> rows(pages.latest([(b"k", 0)], [END])[0], 2).tolist()  # before the first row, and after each
    [[0, 0], [10, 3], [20, 7]]
    >>> pages.latest([(b"k", 0), (b"k", 1)], [10, END])
    [None, None]
    """

    _held: dict[Key, tuple[list[int], list[bytes]]] = field(default_factory=dict, repr=False)
    _logs: dict[Shelf, set[int]] = field(default_factory=dict, repr=False)
    _arena: Arena = field(default_factory=Arena, repr=False)

    def arena(self) -> Arena:
        """See :class:`Pages`."""
        return self._arena

    def shelves(self, wanted: Sequence[Shelf]) -> list[Standing]:
        """See :class:`Pages`."""
        keys = [(shelf, log) for shelf in wanted for log in self._logs.get(shelf, ())]
        return [(*key, firsts[-1], int(len(firsts) > 1), held[-1]) for key in keys for firsts, held in [self._held[key]]]

    def latest(self, keys: Sequence[Key], before: Sequence[int]) -> list[bytes | None]:
        """See :class:`Pages`."""
        self.flush()
        found: list[bytes | None] = []
        for key, limit in zip(keys, before, strict=True):
            firsts, held = self._held.get(key, ((), ()))
            place = bisect_left(firsts, limit) - 1
            found.append(held[place] if place >= 0 else None)
        return found

    def closed_before(self, keys: Sequence[Key], before: Sequence[int]) -> list[bytes | None]:
        """See :class:`Pages`."""
        return self.latest(keys, before)

    def between(self, key: Key, after: int, before: int) -> list[bytes]:
        """See :class:`Pages`."""
        self.flush()
        firsts, held = self._held.get(key, ([], []))
        return held[bisect_left(firsts, after + 1) : bisect_left(firsts, before)]

    def put(self, pages: Iterable[Page]) -> None:
        """See :class:`Pages`."""
        self.flush()
        told = list(pages)
        self._put(told)
        self._arena.forget({key[0] for key, _, _ in told})

    def _put(self, pages: Iterable[Page]) -> None:
        for key, first, held in pages:
            self._logs.setdefault(key[0], set()).add(key[1])
            firsts, mine = self._held.setdefault(key, ([], []))
            place = bisect_left(firsts, first)
            if place < len(firsts) and firsts[place] == first:
                mine[place] = bytes(held)
            else:
                firsts.insert(place, first)
                mine.insert(place, bytes(held))

    def put_new(self, keys: Sequence[Key], laid: Laid) -> None:
        """See :class:`Pages`."""
        self.put((keys[key], first, page) for key, first, page in laid.between(0, len(laid.firsts)))

    def flush(self) -> None:
        """See :class:`Pages`."""
        if self._arena.is_changed:
            changes, closed = self._arena.take_changes()
            self._put(closed)
            self._put((key, first, (self.latest([key], [first + 1])[0] or b"")[:keep] + more) for key, first, keep, more in changes)


def rows(page: bytes, width: int) -> Ints:
    """Read a page as (1 + rows, width): what stood before it (the number of earlier rows first), then its rows."""
    return np.frombuffer(page, WORD).reshape(-1, width)


def append(pages: Pages, keys: Sequence[Key], starts: Ints, times: Ints, values: Ints, kinds: Ints, fresh: bool = False) -> None:
    """Add rows to the logs of many keys.

    Parameters
    ----------
    pages
        Where they are kept.
    keys
        (m,) keys, each once.
    starts
        (m + 1,) the rows of key j are ``starts[j]`` to ``starts[j + 1]``.
    times
        (n,) instants, within a key never going back, nor behind what its log holds.
    values
        (n, columns) what each row adds: the number itself; how columns run is decided here.
    kinds
        (columns,) how each runs, one of :data:`RAW` to :data:`OTHER`.
    fresh
        Whether none of the keys is known to have a log yet, which saves looking.
    """
    held = [None] * len(keys) if fresh else pages.latest(keys, [END] * len(keys))
    joined, bounds = join(held)
    width = 1 + len(kinds)
    out, of_key, firsts, begins, ends = _pack(
        joined, bounds, starts, times, np.ascontiguousarray(values), kinds, width, page_rows.PAGE_ROWS
    )
    laid = Laid(of_key, firsts, 8 * begins, 8 * ends, out.tobytes())
    if fresh:
        pages.put_new(keys, laid)
    else:
        pages.put((keys[key], first, page) for key, first, page in laid.between(0, len(firsts)))


def words_of(page: bytes) -> memoryview:
    """Read a page as one run of whole numbers; of a few rows nothing else is as fast."""
    return memoryview(page).cast("q")


def count_before(words: memoryview, width: int, limit: int) -> int:
    """Count the rows of a page strictly before an instant.

    >>> words = memoryview(np.array([[0, 0], [10, 3], [20, 7]])).cast("B").cast("q")
    >>> [count_before(words, 2, limit) for limit in (10, 11, 99)]
    [0, 1, 2]
    """
    return bisect_left(words[width::width], limit)


@njit(cache=True)
def _pack(joined, bounds, starts, times, values, kinds, width, page_rows):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Lay the changed pages of every key end to end: its last page grown, and the new ones."""
    n_keys = len(starts) - 1
    room = len(joined) // width + len(times) + 2 * n_keys + len(times) // page_rows + 1
    out = np.empty((room, width), dtype=np.int64)
    most = 2 * n_keys + len(times) // page_rows + 1
    of_key, firsts = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    begins, ends = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    at, count = 0, 0
    for key in range(n_keys):
        if starts[key] == starts[key + 1]:
            continue
        begin, last = at, NEVER
        old = (bounds[key + 1] - bounds[key]) // width
        if old:
            for row in range(old):
                out[at + row] = joined[bounds[key] + row * width : bounds[key] + (row + 1) * width]
            at += old
            last = out[at - 1, 0]
        else:
            start_row(out[at], kinds)
            at += 1
        for event in range(starts[key], starts[key + 1]):
            if at - begin > page_rows and times[event] > last:
                if at - begin > old:  # a page that has not grown need not be written again
                    of_key[count], firsts[count], begins[count], ends[count] = key, out[begin + 1, 0], begin, at
                    count += 1
                out[at] = out[at - 1]
                out[at, 0] = out[begin, 0] + at - begin - 1
                begin, old = at, 0
                at += 1
            run_row(out[at], out[at - 1], times[event], last, values[event], kinds)
            last = times[event]
            at += 1
        of_key[count], firsts[count], begins[count], ends[count] = key, out[begin + 1, 0], begin, at
        count += 1
    return out, of_key[:count], firsts[:count], begins[:count] * width, ends[:count] * width
