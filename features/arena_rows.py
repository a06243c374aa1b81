"""Rows on their way behind logs of the arena: noted by compiled functions one by one, then laid behind all logs at once.

Noting changes nothing but what is asked for, so whoever finds a shelf missing loads it and notes anew.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from features.arena import (
    ANSWER,
    BEFORE,
    BEGIN,
    CHANGES,
    FIRST,
    KEPT,
    LENGTH,
    LOADED,
    LOG,
    NEXT,
    NUMBER,
    OF,
    ROOM,
    SHELF,
    STATE,
    WORDS,
    add,
    ask_shelf,
    find,
    named,
    number_of,
)
from features.borrowing import borrowing
from features.history import NEVER, Ints
from features.page_rows import ALONE, run_row, start_row

ROWS, CELLS, LACKING, LOST = range(4)
"""Counts of what was noted: rows, their cells, shelves that have to be loaded first, and what there was no room for."""

_SHELF, _LOG, _END, _IS_PAGE = range(4)


class Added(NamedTuple):
    """Rows of one claim that were noted.

    Parameters
    ----------
    counts
        (4,) :data:`ROWS`, :data:`CELLS`, :data:`LACKING`, :data:`LOST`.
    rows
        (most, 4) of each the slot of its shelf, its log there, where its cells end, and whether they are a page as it stands.
    kinds, values
        (cells,) how each column runs (:data:`features.pages.RAW` …), and what is added to it.
    """

    counts: Ints
    rows: Ints
    kinds: Ints
    values: Ints


def nothing_added(rows: int = 4_096, cells: int = 32_768) -> Added:
    """Return room for the rows of a claim."""
    return Added(np.zeros(4, np.int64), np.empty((rows, 4), np.int64), np.empty(cells, np.int64), np.empty(cells, np.int64))


@borrowing
def row(pool, added, log, codes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Note a row for the log of some identifiers; its cells follow (:func:`cell`)."""
    _open(pool, added, log, codes, 0)


@borrowing
def page(pool, added, log, codes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Note a page whose words are the cells that follow, in the place of what the log holds; no words are a page as well."""
    _open(pool, added, log, codes, 1)


@borrowing
def _open(pool, added, log, codes, is_page):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    number = number_of(log, codes)
    shelf = find(pool, number, SHELF)
    if shelf < 0 or pool.slots[shelf, STATE] != LOADED:
        ask_shelf(pool, shelf, number, log, codes)
        added.counts[LACKING] += 1
    at = added.counts[ROWS]
    if at == len(added.rows):
        added.counts[LOST] += 1
        return
    added.rows[at, _SHELF], added.rows[at, _LOG] = shelf, np.int64(0) if log >= ALONE else log & 0xFFFF
    added.rows[at, _END], added.rows[at, _IS_PAGE] = added.counts[CELLS], is_page
    added.counts[ROWS] += 1


@borrowing
def cell(added, kind, value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Note a column of the row that was begun last."""
    at = added.counts[CELLS]
    if at == len(added.kinds):
        added.counts[LOST] += 1
        return
    added.kinds[at], added.values[at] = kind, value
    added.counts[CELLS] += 1
    added.rows[added.counts[ROWS] - 1, _END] = at + 1


@borrowing
def room_wanted(pool, added):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return how many words laying what was noted may take."""
    wanted, cells = 0, 0
    for at in range(added.counts[ROWS]):
        width = 1 + added.rows[at, _END] - cells
        cells = added.rows[at, _END]
        slot = find(pool, pool.slots[added.rows[at, _SHELF], NUMBER], added.rows[at, _LOG])
        wanted += 5 * width + (0 if slot < 0 else 2 * pool.slots[slot, LENGTH])
    return wanted


@njit(cache=True)
def lay(pool, added, time, page_rows):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Lay what was noted behind its logs; whoever calls has seen that nothing lacks and that there is room.

    Parameters
    ----------
    pool, added
        The arena's arrays, and what was noted; it is empty afterwards.
    time
        The instant at which the rows become known, not before what their logs hold.
    page_rows
        :data:`features.pages.PAGE_ROWS`.
    """
    begin = 0
    for at in range(added.counts[ROWS]):
        end = added.rows[at, _END]
        _lay_row(pool, added.rows[at], time, added.kinds[begin:end], added.values[begin:end], page_rows)
        begin = end
    added.counts[:] = 0


@njit(cache=True)
def _lay_row(pool, where, time, kinds, values, page_rows):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    shelf, log = where[_SHELF], where[_LOG]
    slots, words, width = pool.slots, pool.words, 1 + len(values)
    slot = find(pool, slots[shelf, NUMBER], log)
    if where[_IS_PAGE]:
        if slot < 0:
            slot = _new_page(pool, shelf, log, time, len(values))
        note_change(pool, slot, 0)
        if len(values) > slots[slot, ROOM]:
            _move(pool, slot, len(values))
        begin = slots[slot, BEGIN]
        words[begin : begin + len(values)] = values
        slots[slot, LENGTH] = len(values)
        return
    if slot < 0:
        slot, last = _new_page(pool, shelf, log, time, 5 * width), np.int64(NEVER)
        begin = slots[slot, BEGIN]
        start_row(words[begin : begin + width], kinds)
        slots[slot, LENGTH] = width
    else:
        begin, length = slots[slot, BEGIN], slots[slot, LENGTH]
        last = words[begin + length - width]
        if length // width - 1 >= page_rows and time > last:
            _close(pool, slot, shelf, width, time)
        else:
            note_change(pool, slot, length)
            if length + width > slots[slot, ROOM]:
                _move(pool, slot, length + max(4 * width, length // 2))
    end = slots[slot, BEGIN] + slots[slot, LENGTH]
    run_row(words[end : end + width], words[end - width : end], time, last, values, kinds)
    slots[slot, LENGTH] += width


@borrowing
def _new_page(pool, shelf, log, time, room):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Begin the first page of a log; nothing of it is in the store."""
    slot = add(pool, pool.slots[shelf, NUMBER], log)
    pool.slots[slot, FIRST], pool.slots[slot, NEXT] = time, pool.slots[shelf, NEXT]
    pool.slots[shelf, NEXT] = slot
    pool.slots[slot, BEGIN], pool.slots[slot, ROOM] = pool.counts[WORDS], room
    pool.counts[WORDS] += room
    note_change(pool, slot, 0)
    return slot


@njit(cache=True)
def _move(pool, slot, room):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Copy a page to where it can grow."""
    begin, length, at = pool.slots[slot, BEGIN], pool.slots[slot, LENGTH], pool.counts[WORDS]
    pool.words[at : at + length] = pool.words[begin : begin + length]
    pool.slots[slot, BEGIN], pool.slots[slot, ROOM] = at, room
    pool.counts[WORDS] += room


@njit(cache=True)
def _close(pool, slot, shelf, width, time):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Begin the next page of a log; the full one is what begins before it."""
    slots, words = pool.slots, pool.words
    answer = add(pool, named(slots[slot, NUMBER], slots[slot, LOG], time), ANSWER)
    for column in (FIRST, BEGIN, LENGTH, KEPT):
        slots[answer, column] = slots[slot, column]
    slots[answer, STATE], slots[answer, NEXT], slots[answer, OF], slots[answer, BEFORE] = LOADED, shelf, slots[slot, LOG], time
    pool.changes[pool.counts[CHANGES]] = answer
    pool.counts[CHANGES] += 1
    begin, length, at = slots[slot, BEGIN], slots[slot, LENGTH], pool.counts[WORDS]
    words[at : at + width] = words[begin + length - width : begin + length]
    words[at] = words[begin] + length // width - 1
    slots[slot, FIRST], slots[slot, STATE], slots[slot, LENGTH] = time, 1, width
    slots[slot, BEGIN], slots[slot, ROOM] = at, 5 * width
    pool.counts[WORDS] += 5 * width
    note_change(pool, slot, 0)


@borrowing
def note_change(pool, slot, kept):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Note that a page is about to differ from what the store has, which keeps so many of its words."""
    if pool.slots[slot, KEPT] < 0:
        pool.changes[pool.counts[CHANGES]] = slot
        pool.counts[CHANGES] += 1
        pool.slots[slot, KEPT] = kept
    else:
        pool.slots[slot, KEPT] = min(kept, pool.slots[slot, KEPT])
