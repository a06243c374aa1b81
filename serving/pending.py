"""History that is written down but not yet in its place: what transactions added to logs, one entry of a journal each.

A claim adds a row to some seventy logs that lie far apart. Putting each in its place costs a claim more than everything else that is
kept of it, so what a transaction added is committed as one entry of the journal, and :mod:`serving.tidying` puts it in its place
later, many claims at once and in the order in which logs lie. Until then whoever reads lays it over what the tables hold: an
:class:`Overlay`, kept by each process in memory and caught up at the beginning of each transaction.

An entry says of each page which bytes follow the first so many. Laying that over a page that has them already changes nothing, so
it does not matter whether a page was put in its place before, by whom, or whether they were killed in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from struct import Struct, pack, unpack_from
from threading import Condition

import numpy as np
from sqlalchemy import Connection

from features.pages import Change, Key, Shelf, Standing

Piece = tuple[int, int, int, bytes]
"""What is pending of a page: number of the log, instant of the page's first row, how many of its bytes stay, and what follows them."""

Last = tuple[int, int, bytes]
"""The last page of a log: instant of its first row, whether pages were closed before it, and its rows."""

GENERATION = 131_072
"""Changes that are kept, and dropped, together."""

MERGED = 16
"""So many changes of a shelf are merged into one for each page: enough that most shelves are never looked through."""

RECENT = 64
"""Entries of which it is remembered what they changed: as many as other processes may add while a group of claims is drafted."""

OVERLAYS = "touchstone_overlays"
"""Under this name an engine's execution options hold its :class:`Overlays`."""

PATIENCE = 0.1
"""Seconds that a transaction waits for the overlay: longer than any claim takes, less than reading a full journal."""

_COUNT = Struct("<I")
_NUMBER = Struct("<q")


def entry(changes: Sequence[Change]) -> bytes:
    """Write changes as bytes.

    Examples
    --------
    >>> told = [((b"shelf", 3), 10, 0, b"page"), ((-5, 0), 20, 16, b"more")]
    >>> list(changes_of(entry(told))) == told
    True
    """
    n = len(changes)
    names = [shelf if isinstance(shelf, bytes) else b"" for (shelf, _), _, _, _ in changes]
    lone = [shelf for (shelf, _), _, _, _ in changes if type(shelf) is int]
    logs = [log if name else -1 for name, ((_, log), _, _, _) in zip(names, changes, strict=True)]
    firsts, keeps, added = [one[1] for one in changes], [one[2] for one in changes], [one[3] for one in changes]
    head = pack(f"<I{n}i{n}q{n}I{n}I{n}B{len(lone)}q", n, *logs, *firsts, *keeps, *map(len, added), *map(len, names), *lone)
    return b"".join((head, *names, *added))


def changes_of(held: bytes) -> Iterator[Change]:
    """Read the changes of an entry, in their order; none of one that is empty, because all of it is in its place."""
    if not held:
        return
    (n,) = _COUNT.unpack_from(held)
    told = unpack_from(f"<{n}i{n}q{n}I{n}I{n}B", held, _COUNT.size)
    logs, firsts, keeps, sizes, names = (told[at * n : (at + 1) * n] for at in range(5))
    at = _COUNT.size + 21 * n
    numbers = iter(unpack_from(f"<{logs.count(-1)}q", held, at))
    at += _NUMBER.size * logs.count(-1)
    begins = [*accumulate(names, initial=at)]
    ends = pairwise(accumulate(sizes, initial=begins[-1]))
    for log, first, keep, begin, size, (start, stop) in zip(logs, firsts, keeps, begins, names, ends, strict=False):
        key: Key = (next(numbers), 0) if log < 0 else (held[begin : begin + size], log)
        yield key, first, keep, held[start:stop]


@dataclass(eq=False)
class Generation:
    """Changes of some entries, one after the other: what is pending by shelf, and the number of the last entry."""

    last: int = 0
    size: int = 0
    held: dict[Shelf, tuple[Piece, ...]] = field(default_factory=dict)  # the garbage collector soon passes over tuples of tuples

    def take(self, seq: int, changes: Sequence[Change]) -> None:
        """Add an entry."""
        held = self.held
        for (shelf, log), first, keep, added in changes:
            pieces = held.get(shelf, ())
            if len(pieces) >= MERGED:
                pieces = merged(pieces)
            held[shelf] = (*pieces, (log, first, keep, added))
        self.size += len(changes)
        self.last = seq


def merged(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Return what changes of a shelf's pages come to, one piece for each page.

    Examples
    --------
    >>> merged([(3, 10, 2, b"cd"), (3, 20, 0, b"x"), (3, 10, 3, b"e"), (3, 20, 0, b"y")])
    ((3, 10, 2, b'ce'), (3, 20, 0, b'y'))
    """
    found: dict[tuple[int, int], Piece] = {}
    for log, first, keep, added in pieces:
        before = found.get((log, first))
        if before is None or keep < before[2]:
            found[log, first] = log, first, keep, added
        else:
            found[log, first] = log, first, before[2], before[3][: keep - before[2]] + added
    return tuple(found.values())


@dataclass(eq=False)
class Sweep:
    """Everything that was pending at one moment, in the order in which it lies, being put in its place.

    Parameters
    ----------
    until
        Number of the last entry that leaves the journal in the end.
    order
        The shelves.
    at
        How many of them are done.
    """

    until: int
    order: list[Shelf]
    at: int = 0

    @classmethod
    def of(cls, overlay: Overlay) -> Sweep:
        """Begin with what is pending now; what comes later is another sweep's."""
        shelves = overlay.shelves()
        lone = np.fromiter((shelf for shelf in shelves if type(shelf) is int), dtype=np.int64)
        lone.sort()  # beside other threads
        overlay.rotate()
        return cls(overlay.through, [*lone.tolist(), *sorted(shelf for shelf in shelves if type(shelf) is bytes)])

    def next(self, most: int) -> list[Shelf]:
        """Return the shelves that follow, and count them as done."""
        begin, self.at = self.at, min(self.at + most, len(self.order))
        return self.order[begin : self.at]

    @property
    def left(self) -> bool:
        """Whether some are not done."""
        return self.at < len(self.order)


def lay(shelf: Shelf, pieces: Iterable[Piece], lasts: dict[Key, Last], closed: dict[Key, dict[int, bytes]]) -> None:
    """Lay what is pending of a shelf over what the tables hold; what they hold already changes nothing.

    Parameters
    ----------
    shelf, pieces
        What is pending, in the order in which it came.
    lasts
        The last page of each log of the shelf; changed here.
    closed
        By log and instant of their first row, pages closed since; changed here.

    Examples
    --------
    >>> lasts, closed = {(b"shelf", 3): (10, 0, b"ab")}, {}
    >>> lay(b"shelf", [(3, 10, 2, b"c"), (3, 20, 0, b"d")], lasts, closed)
    >>> lasts, closed
    ({(b'shelf', 3): (20, 1, b'd')}, {(b'shelf', 3): {10: b'abc'}})
    """
    for log, first, keep, added in pieces:
        key = (shelf, log)
        last = lasts.get(key)
        if last is None:
            lasts[key] = (first, 0, added)
        elif first == last[0]:
            lasts[key] = (first, last[1], last[2][:keep] + added)
        elif first > last[0]:
            closed.setdefault(key, {})[last[0]] = last[2]
            lasts[key] = (first, 1, added)
        elif keep == 0:
            closed.setdefault(key, {})[first] = added
            lasts[key] = (last[0], 1, last[2])
        elif key in closed and first in closed[key]:
            closed[key][first] = closed[key][first][:keep] + added


def over(
    found: list[Standing], wanted: Iterable[Shelf], generations: Sequence[Generation], closed: dict[Key, dict[int, bytes]]
) -> list[Standing]:
    """Lay what is pending over shelves as the tables hold them.

    Parameters
    ----------
    found, wanted
        The last pages of all logs on some shelves.
    generations
        What is pending.
    closed
        By log and instant of their first row, pages closed since; changed here.
    """
    asked = {*wanted}
    pending = [(one.held, one.held.keys() & asked) for one in generations]
    changed = set().union(*(shelves for _, shelves in pending))
    if not changed:
        return found
    lasts = {(shelf, log): (first, behind, page) for shelf, log, first, behind, page in found if shelf in changed}
    for held, shelves in pending:
        for shelf in shelves:
            lay(shelf, held[shelf], lasts, closed)
    return [one for one in found if one[0] not in changed] + [(*key, *last) for key, last in lasts.items()]


class Overlay:
    """What is pending, as one process knows it; caught up with the journal by whoever uses it, one transaction at a time."""

    def __init__(self) -> None:
        self.base, self.through = 0, -1
        self.generations: list[Generation] = []
        self.sweep: Sweep | None = None
        self._own: tuple[bytes, Sequence[Change]] = (b"", ())
        self._recent: deque[tuple[int, set[Shelf]]] = deque(maxlen=RECENT)

    @property
    def size(self) -> int:
        """How many changes are pending."""
        return max(self.through, 0) - self.base

    def catch_up(self, base: int, entries: Sequence[tuple[int, bytes]]) -> bool:
        """Learn what others have added and put in its place.

        Parameters
        ----------
        base
            Number of the last entry that is in its place: the first one of the journal, which is empty.
        entries
            Number and bytes of the entries from :attr:`through` on, that one included.

        Returns
        -------
        bool
            Whether it could be done: not for a transaction that sees an earlier state than one before.
        """
        if base < self.base or not entries or (self.through > base and entries[0][0] != self.through):
            return False
        self.generations = [one for one in self.generations if one.last > base]
        self.base = base
        for seq, held in entries:
            if seq > self.through and seq > base:
                if not self.generations or self.generations[-1].size >= GENERATION:
                    self.rotate()
                changes = self._own[1] if held == self._own[0] else list(changes_of(held))
                self.generations[-1].take(seq, changes)
                self._recent.append((self.through, {key[0] for key, _, _, _ in changes}))
                self.through = seq
        self.through = entries[-1][0]
        return True

    def changed(self, since: int) -> set[Shelf] | None:
        """Return the shelves that entries after one have changed; ``None`` if that is too long ago to be remembered."""
        found: set[Shelf] = set()
        if since == self.through:
            return found
        for before, shelves in reversed(self._recent):
            found |= shelves
            if before <= since:
                return found if before == since else None
        return None

    def written(self, changes: Sequence[Change]) -> bytes:
        """Return changes as an entry, which need not be read again if it is the next one that is learned."""
        self._own = entry(changes), changes
        return self._own[0]

    def rotate(self) -> None:
        """Begin another generation, so that those before it leave as a whole."""
        self.generations.append(Generation())

    def shelves(self) -> set[Shelf]:
        """Return every shelf of which something is pending."""
        return {shelf for one in self.generations for shelf in one.held}


class Overlays:
    """The overlay of a store's process, lent to one transaction at a time.

    Another transaction waits a moment for it, then begins one of its own. One that fails keeps what it was lent: it may have seen
    what nobody else ever will.
    """

    def __init__(self) -> None:
        self._returned = Condition()
        self._free: Overlay | None = Overlay()
        self._lent: dict[int, Overlay] = {}

    def lend(self, tx: Connection) -> Overlay:
        """Return the overlay of a transaction."""
        with self._returned:
            if id(tx) not in self._lent:
                self._returned.wait_for(lambda: self._free is not None or not self._lent, PATIENCE)
                self._lent[id(tx)], self._free = self._free or Overlay(), None
            return self._lent[id(tx)]

    def exchange(self, tx: Connection) -> Overlay:
        """Give back what a transaction is too old for, and return an empty one."""
        with self._returned:
            self._keep(self._lent[id(tx)])
            self._lent[id(tx)] = Overlay()
            return self._lent[id(tx)]

    def end(self, tx: Connection, kept: bool) -> None:
        """Take back what a transaction was lent, at its end; forget it if the transaction was undone."""
        with self._returned:
            overlay = self._lent.pop(id(tx), None)
            if overlay is not None:
                if kept:
                    self._keep(overlay)
                self._returned.notify()

    def _keep(self, overlay: Overlay) -> None:
        if self._free is None or self._free.through < overlay.through:
            self._free = overlay
        self._returned.notify()
