"""An arena with what is in it: loaded with what compiled functions ask for, and asked for what they changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numba import njit

from features import page_rows
from features.arena import (
    ANSWER,
    ASKS,
    BEFORE,
    BEGIN,
    CHANGES,
    FIRST,
    FORGOTTEN,
    KEPT,
    LENGTH,
    LOADED,
    LOG,
    MISSING,
    NEXT,
    NONE,
    NUMBER,
    OF,
    ROOM,
    SHELF,
    SLOTS,
    STATE,
    WORDS,
    Pool,
    add,
    enter,
    find,
    look,
    number_of,
)
from features.arena_rows import Added, lay, room_wanted
from features.history import Ints
from features.page_rows import ALONE, END, Change, Key, Page, Shelf, Standing, join


class Source(Protocol):
    """Where pages are loaded from: any :class:`features.pages.Pages`."""

    def shelves(self, wanted: Sequence[Shelf]) -> list[Standing]:
        """Return the last page of every log that stands on some shelves."""
        ...

    def closed_before(self, keys: Sequence[Key], before: Sequence[int]) -> list[bytes | None]:
        """Return for each key the last page that begins strictly before an instant, of logs whose last page begins no earlier."""
        ...


MOST_WORDS, MOST_SLOTS = 1 << 19, 1 << 16
"""An arena with more is emptied when nothing in it has to be written down: 4 MB of pages, 6 MB of slots. In larger ones more is found that
was read before, but less of it near the processor: a claim takes longer."""

_ASKS = 1 << 14


class Arena:
    """The pages that were read lately, and those that were changed.

    Examples
    --------
    >>> from features.pages import SUM, MemoryPages, append
    >>> from features.arena import look
    >>> pages, arena = MemoryPages(), Arena()
    >>> key = (5).to_bytes(2, "big") + bytes(8), 7
    >>> append(pages, [key], np.array([0, 1]), np.array([10]), np.array([[3]]), np.array([SUM]))
    >>> log, nobody = 5 << 16 | 7, np.zeros(1, dtype=np.int64)
    >>> look(arena.pool, log, nobody, 99), arena.load(pages), arena.load(pages)
    (-2, True, False)
    >>> arena.page(look(arena.pool, log, nobody, 99)).tolist()
    [0, 0, 10, 3]
    """

    def __init__(self) -> None:
        self._pool: Pool | None = None

    @property
    def pool(self) -> Pool:
        """The arrays; others when there was no room in them."""
        if self._pool is None:
            counts, asks, changes = np.zeros(4, dtype=np.int64), np.empty(_ASKS, dtype=np.int64), np.empty(0, dtype=np.int64)
            self._pool = Pool(counts, changes, np.empty((0, 11), dtype=np.int64), np.zeros(1, dtype=np.int32), asks, changes)
            self.make_room(0, 0)
        return self._pool

    @property
    def is_changed(self) -> bool:
        """Whether anything in it is not in the store."""
        return self._pool is not None and bool(self._pool.counts[CHANGES])

    @property
    def is_large(self) -> bool:
        """Whether so much is in it that it should be emptied."""
        return self._pool is not None and bool(self._pool.counts[WORDS] > MOST_WORDS or self._pool.counts[SLOTS] > MOST_SLOTS)

    def page(self, slot: int) -> Ints:
        """Return the words of a page."""
        begin, length = self.pool.slots[slot, BEGIN], self.pool.slots[slot, LENGTH]
        return self.pool.words[begin : begin + length]

    def last(self, pages: Source, log: int, codes: Ints) -> Ints | None:
        """Return the last page of a log, loading it if it is not there yet."""
        while (slot := look(self.pool, log, codes, END)) == MISSING:
            self.load(pages)
        return None if slot == NONE else self.page(slot)

    def load(self, pages: Source) -> bool:
        """Load everything that was asked for; tell whether anything was."""
        if not self.pool.counts[ASKS]:
            return False
        asked = self.pool.asks[: self.pool.counts[ASKS]].copy()
        self.pool.counts[ASKS] = 0
        slots = self.pool.slots[asked]
        shelves, answers = asked[slots[:, LOG] == SHELF], asked[slots[:, LOG] == ANSWER]
        try:
            if len(shelves):
                self._load_shelves(pages, shelves)
            if len(answers):
                self._load_answers(pages, answers)
        except BaseException:  # nobody asks again for what was asked for
            self.forget()
            raise
        return True

    def _load_shelves(self, pages: Source, asked: Ints) -> None:
        names = self._names(asked)
        slot_of = dict(zip(names, asked.tolist(), strict=True))
        found = pages.shelves(names)
        if found:
            shelves, logs, firsts, closed, held = zip(*found, strict=True)
            words, bounds = join(held)
            told = np.array([[slot_of[shelf] for shelf in shelves], logs, firsts, closed], dtype=np.int64)
            self.make_room(len(words), len(found))
            _place(self.pool, told, words, bounds)
        self.pool.slots[asked, STATE] = LOADED

    def _load_answers(self, pages: Source, asked: Ints) -> None:
        slots = self.pool.slots[asked]
        names = self._names(slots[:, NEXT].copy())
        keys: list[Key] = list(zip(names, slots[:, OF].tolist(), strict=True))
        held = pages.closed_before(keys, slots[:, BEFORE].tolist())
        words, bounds = join(held)
        self.make_room(len(words), 0)
        at = int(self.pool.counts[WORDS])
        self.pool.words[at : at + len(words)] = words
        self.pool.counts[WORDS] += len(words)
        self.pool.slots[asked, BEGIN] = at + bounds[:-1]
        self.pool.slots[asked, LENGTH] = np.where([page is None for page in held], -1, np.diff(bounds))
        self.pool.slots[asked, STATE] = LOADED

    def _names(self, shelves: Ints) -> list[Shelf]:
        """Return the names of shelves, given their slots."""
        sizes, packed = _packed(self.pool, shelves)
        held = packed.tobytes()
        numbers = self.pool.slots[shelves, NUMBER].tolist()
        ends = np.cumsum(sizes).tolist()
        return [held[end - size : end] if size else number for number, size, end in zip(numbers, sizes.tolist(), ends, strict=True)]

    def lay(self, added: Added, time: int) -> None:
        """Lay the rows that were noted behind their logs."""
        rows = int(added.counts[0])
        self.make_room(int(room_wanted(self.pool, added)), 2 * rows)
        lay(self.pool, added, time, page_rows.PAGE_ROWS)

    def make_room(self, words: int, slots: int) -> None:
        """See to it that so many more words and slots have room, and besides what compiled functions may ask for."""
        pool = self.pool
        held_words, held_slots, _, held_changes = pool.counts.tolist()
        words += held_words + 16 * _ASKS
        changes = held_changes + slots + _ASKS
        slots += held_slots + _ASKS
        if words > len(pool.words):
            pool = pool._replace(words=_grown(pool.words, words))
        if slots > len(pool.slots):
            pool = pool._replace(slots=_grown(pool.slots, slots))
        if 2 * slots > len(pool.table):
            pool = pool._replace(table=_indexed(pool.slots, held_slots, 1 << (4 * slots - 1).bit_length()))
        if changes > len(pool.changes):
            pool = pool._replace(changes=_grown(pool.changes, changes))
        self._pool = pool

    def take_changes(self) -> tuple[list[Change], list[Page]]:
        """Return what was changed since the last time, in the order in which it first was, and the pages that were closed."""
        pool, n = self.pool, int(self.pool.counts[CHANGES])
        changed = pool.changes[:n].copy()
        shelves, logs, firsts, keeps, ends, words = _changed(pool, changed)
        names = self._names(shelves)
        held, cuts = words.tobytes(), (8 * ends).tolist()
        columns = zip(names, logs.tolist(), firsts.tolist(), (8 * keeps).tolist(), [0, *cuts], cuts, strict=False)
        told = [((shelf, log), first, keep, held[start:stop]) for shelf, log, first, keep, start, stop in columns]
        closed = np.flatnonzero(pool.slots[changed, LOG] == ANSWER).tolist()
        pages = [(told[place][0], told[place][1], self.page(changed[place]).tobytes()) for place in closed]
        pool.slots[changed, KEPT] = -1
        pool.counts[CHANGES] = 0
        return [change for change in told if change[2] >= 0], pages

    def forget(self, shelves: Iterable[Shelf] | None = None) -> None:
        """Forget some shelves, or everything; nothing of it may be changed."""
        if self._pool is None or not self._pool.counts[SLOTS]:
            return
        if shelves is None:
            self._pool.counts[:] = 0
            self._pool.table[:] = 0
        else:
            _forget(self._pool, _numbers(shelves))


def _numbers(shelves: Iterable[Shelf]) -> Ints:
    """Return the numbers of shelves, given their names; a name that no compiled function asks for has none."""
    by_length: dict[int, list[bytes]] = {}
    lone: list[int] = []
    for shelf in shelves:
        if isinstance(shelf, int):
            lone.append(shelf)
        else:
            by_length.setdefault(len(shelf), []).append(shelf)
    found = [np.array(lone, dtype=np.int64)]
    for length, names in by_length.items():
        if length % 8 == 2:
            prefixes = [int.from_bytes(name[:2], "big") for name in names]
            codes = np.frombuffer(b"".join([name[2:] for name in names]), ">i8").astype(np.int64)
            found.append(_mixed(np.array(prefixes, dtype=np.int64), codes.reshape(len(names), -1)))
    return np.concatenate(found)


def _grown(held: Ints, size: int) -> Ints:
    """Return a copy with more room."""
    found = np.empty((max(size, 2 * len(held)), *held.shape[1:]), dtype=held.dtype)
    found[: len(held)] = held
    return found


@njit(cache=True)
def _indexed(slots, count, size):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Enter all slots into a hash table of another size."""
    index = np.zeros(size, dtype=np.int32)
    for slot in range(count):
        enter(index, slots[slot, NUMBER], slots[slot, LOG], slot)
    return index


@njit(cache=True)
def _place(pool, told, words, bounds):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Put last pages into the pool: told are their shelves' slots, their logs, instants, and whether pages were closed before."""
    base = pool.counts[WORDS]
    pool.words[base : base + len(words)] = words
    pool.counts[WORDS] += len(words)
    for at in range(told.shape[1]):
        shelf, log = told[0, at], told[1, at]
        number = pool.slots[shelf, NUMBER]
        slot = find(pool, number, log)
        if slot < 0:
            slot = add(pool, number, log)
            pool.slots[slot, NEXT], pool.slots[shelf, NEXT] = pool.slots[shelf, NEXT], slot
        pool.slots[slot, FIRST], pool.slots[slot, STATE] = told[2, at], told[3, at]
        pool.slots[slot, BEGIN], pool.slots[slot, KEPT] = base + bounds[at], -1
        pool.slots[slot, LENGTH] = pool.slots[slot, ROOM] = bounds[at + 1] - bounds[at]


@njit(cache=True)
def _packed(pool, shelves):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Pack the names of shelves as bytes: the length of each, 0 of one that is a number, and all of them."""
    sizes, size = np.empty(len(shelves), dtype=np.int64), 0
    for i in range(len(shelves)):
        begin = pool.slots[shelves[i], BEGIN]
        sizes[i] = 0 if pool.words[begin] >= ALONE else 8 * pool.slots[shelves[i], LENGTH] - 6
        size += sizes[i]
    packed, at = np.empty(size, dtype=np.uint8), 0
    for i in range(len(shelves)):
        if sizes[i] == 0:
            continue
        begin = pool.slots[shelves[i], BEGIN]
        packed[at], packed[at + 1] = (pool.words[begin] >> 8) & 255, pool.words[begin] & 255
        at += 2
        for word in range(1, pool.slots[shelves[i], LENGTH]):
            for shift in range(56, -1, -8):
                packed[at] = (pool.words[begin + word] >> shift) & 255
                at += 1
    return sizes, packed


@njit(cache=True)
def _changed(pool, changed):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Gather of changed pages their shelves' slots, logs, instants, how many words stay (−1: all), and the words that follow."""
    n, size = len(changed), 0
    shelves, logs, firsts = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    keeps, ends = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    for i in range(n):
        slot = pool.slots[changed[i]]
        is_closed = slot[LOG] == ANSWER
        shelves[i] = slot[NEXT] if is_closed else find(pool, slot[NUMBER], SHELF)
        logs[i], firsts[i], keeps[i] = slot[OF] if is_closed else slot[LOG], slot[FIRST], slot[KEPT]
        size += 0 if keeps[i] < 0 else slot[LENGTH] - keeps[i]
        ends[i] = size
    words, at = np.empty(size, dtype=np.int64), 0
    for i in range(n):
        slot = pool.slots[changed[i]]
        words[at : ends[i]] = pool.words[slot[BEGIN] + keeps[i] : slot[BEGIN] + keeps[i] + ends[i] - at]
        at = ends[i]
    return shelves, logs, firsts, keeps, ends, words


@njit(cache=True)
def _mixed(prefixes, codes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the numbers of shelves of prefixes and identifiers."""
    found = np.empty(len(prefixes), dtype=np.int64)
    for i in range(len(prefixes)):
        found[i] = number_of(prefixes[i] << 16, codes[i])
    return found


@njit(cache=True)
def _forget(pool, numbers):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for number in numbers:
        shelf = find(pool, number, SHELF)
        if shelf >= 0:
            pool.slots[shelf, STATE] = FORGOTTEN
