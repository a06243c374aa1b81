"""Rows laid in an arena are the rows that Python lays, page for page."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.arena import MISSING, NONE, earlier, look, rows_before
from features.arena_loading import Arena
from features.arena_rows import CELLS, LACKING, LOST, ROWS, cell, nothing_added, page, row
from features.history import NEVER
from features.online_rows import alone, key_of, log_on
from features.pages import END, MAX, OTHER, RAW, SUM, MemoryPages, rows
from tests.features.rows_added import Row, append_each

_KINDS = ((SUM,), (RAW, OTHER), (), (SUM, MAX, RAW))
_LOGS = [log_on(1, 5), log_on(3, 5), alone(9), alone(7)]

_ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(-3, 3)), max_size=12)
_GROUPS = st.lists(st.tuples(st.integers(0, 2), _ROWS, st.booleans()), max_size=12)


def _noted(arena, pages, wanted):
    added = nothing_added()
    while True:
        for log, code, value in wanted:
            row(arena.pool, added, _LOGS[log], (np.int64(code),) if log != 1 else (np.int64(code), np.int64(5)))
            for kind in _KINDS[log]:
                cell(added, kind, value)
        if not added.counts[LACKING]:
            return added
        added.counts[:] = 0
        assert arena.load(pages)


def _key(log, code):
    return key_of(_LOGS[log], (code,) if log != 1 else (code, 5))


@settings(max_examples=60, deadline=None)
@given(_GROUPS, st.integers(1, 3))
def test_rows_laid_in_an_arena_are_the_pages_that_python_writes_whatever_is_forgotten_between(groups, many):
    ours, theirs = MemoryPages(), MemoryPages()
    time = 0
    for step, wanted, forgets in groups * many:
        time += step
        arena = ours.arena()
        arena.lay(_noted(arena, ours, wanted * 30), time)
        told: list[Row] = [(_key(log, code), _KINDS[log], (value,) * len(_KINDS[log])) for log, code, value in wanted * 30]
        append_each(theirs, told, time)
        ours.flush()
        if forgets:
            arena.forget()
    assert ours._held == theirs._held


@given(st.lists(st.integers(0, 400), min_size=1, max_size=500), st.lists(st.integers(-1, 402), max_size=20), st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_page_before_an_instant_is_the_one_that_pages_return(times, asked, keeps):
    pages = MemoryPages()
    arena = pages.arena()
    for time in sorted(times):
        added = _noted(arena, pages, [(0, 1, 4)])
        arena.lay(added, time)
        pages.flush()
    if not keeps:
        arena.forget()
    for before in [*asked, END]:
        (held,) = pages.latest([_key(0, 1)], [before])
        while (slot := look(arena.pool, _LOGS[0], (1,), before)) == MISSING:
            assert arena.load(pages)
        assert (slot == NONE) == (held is None)
        if held is not None:
            assert arena.page(slot).tobytes() == held
            assert rows_before(arena.pool, slot, 2, before) == (rows(held, 2)[1:, 0] < before).sum()
            (back,) = pages.latest([_key(0, 1)], [first := int(rows(held, 2)[1, 0])])
            while (further := earlier(arena.pool, slot, first)) == MISSING:
                assert arena.load(pages)
            assert (arena.page(further).tobytes() if further >= 0 else None) == back


def test_a_page_is_kept_as_it_stands_and_one_without_words_is_there():
    pages = MemoryPages()
    for words in ([], [7, 8]):
        code, arena, added = len(words), pages.arena(), nothing_added()
        for _ in range(2):
            added.counts[:] = 0
            page(arena.pool, added, alone(3), (code,))
            for word in words:
                cell(added, RAW, word)
            arena.load(pages)
        arena.lay(added, 10)
        pages.flush()
        assert pages.latest([key_of(alone(3), (code,))], [END]) == [np.array(words, dtype=np.int64).tobytes()]
        assert arena.last(pages, alone(3), np.array([code])).tolist() == words
    assert arena.last(pages, alone(3), np.array([5])) is None


def test_what_there_is_no_room_for_is_told():
    added = nothing_added(rows=2, cells=3)
    arena = Arena()
    for _ in range(3):
        row(arena.pool, added, alone(3), (1,))
        cell(added, RAW, 1)
        cell(added, RAW, 1)
    assert added.counts.tolist() == [2, 3, 3, 4] and (ROWS, CELLS, LACKING, LOST) == (0, 1, 2, 3)
    assert NEVER < 0
