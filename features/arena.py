"""Pages read lately as one pool of numbers that compiled functions read and grow: no keys, no bytes, no dictionary.

A claim asks for some two hundred logs and adds a row to seventy. In Python each costs a key, a look-up and a slice; here the
shelves that claims ask for lie in one array, found through a hash table by the *number* of their shelf, and compiled functions
read them directly. What they miss they *ask* for and go on with what does not depend on it; whoever calls them loads everything
that is asked for at once (:mod:`features.arena_loading`) and calls them again. So they keep no state, and all claims of a group
share the rounds.

A shelf's number is that of its log where it stands alone (:func:`features.online_rows.key_of`), else the same mixture of its
prefix and identifiers; two shelves share a number as rarely as two identifiers share a code.

Slots of the pool are of three kinds: shelves (``LOG`` is :data:`SHELF`; their words are their name), last pages of logs, and answers
to the question which page of a log begins before an instant (``LOG`` is :data:`ANSWER`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.borrowing import borrowing
from features.history import Ints
from features.page_rows import ALONE, ODD

NONE, MISSING = -1, -2
"""Instead of a slot: there is no such page, or it has to be loaded first and was asked for."""

NUMBER, LOG, FIRST, STATE, BEGIN, LENGTH, ROOM, KEPT, NEXT, OF, BEFORE = range(11)
"""Columns of a slot. Of a page: number of its shelf and of its log, instant of its first row, whether pages were closed before it
(``STATE``), where its words begin, how many there are and may be, how many the store has (−1: all), the next page of the shelf.

Of a shelf: ``STATE`` says how much is known of it, ``NEXT`` is its first page, the words are its name: prefix and codes. Of an answer:
``STATE`` as of a shelf, ``LENGTH`` −1 if there is no such page, ``NEXT`` the shelf, ``OF`` the log, ``BEFORE`` the instant."""

SHELF, ANSWER = -1, -2
FORGOTTEN, ASKED, LOADED = range(3)

WORDS, SLOTS, ASKS, CHANGES = range(4)
"""Counts of a pool: words and slots in use, slots asked for, slots that were changed."""


class Pool(NamedTuple):
    """The arrays of an arena, as compiled functions get them.

    Parameters
    ----------
    counts
        (4,) how much of the others is in use: :data:`WORDS`, :data:`SLOTS`, :data:`ASKS`, :data:`CHANGES`.
    words
        Pages and names, anywhere.
    slots
        (slots, 11) see :data:`NUMBER`.
    table
        (power of two,) the hash table: 1 + slot, 0 where nothing is.
    asks, changes
        Slots asked for, and slots of pages that were changed.
    """

    counts: Ints
    words: Ints
    slots: Ints
    table: npt.NDArray[np.int32]
    asks: Ints
    changes: Ints


@borrowing
def find(pool, number, log):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return the slot of a log on a shelf, given its number, or :data:`NONE`."""
    mask = len(pool.table) - 1
    at = (((number ^ log) * ODD) >> 20) & mask
    while pool.table[at] > 0:
        slot = pool.table[at] - 1
        if pool.slots[slot, NUMBER] == number and pool.slots[slot, LOG] == log:
            return np.int64(slot)
        at = (at + 1) & mask
    return np.int64(NONE)


@borrowing
def enter(index, number, log, slot):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Enter a slot that is not in a hash table, where there is room."""
    mask = len(index) - 1
    at = (((number ^ log) * ODD) >> 20) & mask
    while index[at] > 0:
        at = (at + 1) & mask
    index[at] = slot + 1


@borrowing
def add(pool, number, log):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return a new slot; whoever calls has seen that there is none, and that there is room."""
    slot = pool.counts[SLOTS]
    pool.counts[SLOTS] += 1
    enter(pool.table, number, log, slot)
    pool.slots[slot] = 0
    pool.slots[slot, NUMBER], pool.slots[slot, LOG], pool.slots[slot, KEPT], pool.slots[slot, NEXT] = number, log, -1, -1
    return slot


@borrowing
def number_of(log, codes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return the number of the shelf on which a log (:func:`features.online_rows.log_on`, ``alone``) of some identifiers stands."""
    number = log if log >= ALONE else log >> 16
    for code in codes:
        number = number * ODD + code
    return number


@borrowing
def look(pool, log, codes, before):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Find the last page of a log that begins strictly before an instant, as ``Pages.latest`` does.

    Parameters
    ----------
    pool
        The arena's arrays.
    log
        Number of the log with its shelf's (:func:`features.online_rows.log_on`), or of one that stands alone.
    codes
        The identifiers: a tuple or an array.
    before
        The instant, :data:`features.pages.END` for the very last page.

    Returns
    -------
    int
        Its slot, :data:`NONE`, or :data:`MISSING`.
    """
    number = number_of(log, codes)
    shelf = find(pool, number, SHELF)
    if shelf < 0 or pool.slots[shelf, STATE] != LOADED:
        ask_shelf(pool, shelf, number, log, codes)
        return np.int64(MISSING)
    return on_shelf(pool, number, np.int64(0) if log >= ALONE else log & 0xFFFF, before)


@borrowing
def on_shelf(pool, number, log, before):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Find the last page of a log before an instant on a shelf that is loaded, given the log's number there."""
    slot = find(pool, number, log)
    if slot < 0 or pool.slots[slot, FIRST] < before:
        return slot
    return earlier(pool, slot, before) if pool.slots[slot, STATE] else np.int64(NONE)


@borrowing
def named(number, log, before):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return under which number the answer stands which page of a log begins before an instant."""
    return (number * ODD + log) * ODD + before


@borrowing
def earlier(pool, slot, before):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Find the last page of a log that begins strictly before an instant, given a page of it that begins no earlier."""
    number, log, shelf = pool.slots[slot, NUMBER], pool.slots[slot, LOG], np.int64(NONE)
    if log == ANSWER:
        shelf, log = pool.slots[slot, NEXT], pool.slots[slot, OF]
        number = pool.slots[shelf, NUMBER]
    name = named(number, log, before)
    answer = find(pool, name, ANSWER)
    if answer >= 0 and pool.slots[answer, STATE] == LOADED:
        return answer if pool.slots[answer, LENGTH] >= 0 else np.int64(NONE)
    if answer < 0 and pool.counts[ASKS] < len(pool.asks):
        answer = add(pool, name, ANSWER)
        pool.slots[answer, NEXT] = find(pool, number, SHELF) if shelf < 0 else shelf
        pool.slots[answer, OF], pool.slots[answer, BEFORE] = log, before
        _note(pool, answer)
    return np.int64(MISSING)


@borrowing
def ask_shelf(pool, shelf, number, log, codes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Note that a shelf is wanted; passed over where so much was asked for that there is no room: it will be asked for again."""
    if pool.counts[ASKS] == len(pool.asks) or (shelf >= 0 and pool.slots[shelf, STATE] == ASKED):
        return
    if shelf < 0:
        shelf = add(pool, number, SHELF)
        at = pool.counts[WORDS]
        pool.slots[shelf, BEGIN], pool.slots[shelf, LENGTH] = at, 1 + len(codes)
        pool.words[at] = log if log >= ALONE else log >> 16
        for i in range(len(codes)):
            pool.words[at + 1 + i] = codes[i]
        pool.counts[WORDS] += 1 + len(codes)
    _note(pool, shelf)


@borrowing
def _note(pool, slot):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    pool.slots[slot, STATE] = ASKED
    pool.asks[pool.counts[ASKS]] = slot
    pool.counts[ASKS] += 1


@borrowing
def rows_before(pool, slot, width, limit):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Count the rows of a page strictly before an instant (bisection), as :func:`features.pages.count_before` does."""
    begin = pool.slots[slot, BEGIN]
    low, high = np.int64(0), pool.slots[slot, LENGTH] // width - 1
    while low < high:
        middle = (low + high) // 2
        if pool.words[begin + (middle + 1) * width] < limit:
            low = middle + 1
        else:
            high = middle
    return low
