"""The laws of paged logs: rows run as a loop would run them, never change, and are found as of any instant."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import page_rows as module
from features.history import NEVER
from features.pages import END, FIRST, LAST, MAX, MIN, OTHER, RAW, SUM, Key, MemoryPages, append, rows
from tests.strategies import MANY

KINDS = np.array([RAW, OTHER, SUM, MAX, MIN, LAST, FIRST])


def run(times: list[int], values: list[int]) -> list[list[int]]:
    """What each row of a log must say, by a loop over its past."""
    told = []
    for i, (now, value) in enumerate(zip(times, values, strict=True)):
        past = values[: i + 1]
        others = [t for t, v in zip(times[:i], values[:i], strict=True) if v != value]
        tied = [v for t, v in zip(times[: i + 1], past, strict=True) if t == now]
        told.append([now, value, max(others, default=NEVER), sum(past), max(past), min(past), max(tied), values[0]])
    return told


def read(pages: MemoryPages, key: Key, before: int) -> np.ndarray:
    """All rows of a log strictly before an instant."""
    (page,) = pages.latest([key], [before])
    if page is None:
        return np.empty((0, 1 + len(KINDS)), dtype=np.int64)
    last = rows(page, 1 + len(KINDS))
    earlier = [rows(p, 1 + len(KINDS)) for p in pages.between(key, -END, int(last[1, 0]))]
    assert sum(len(p) - 1 for p in earlier) == last[0, 0]  # a page knows how many rows came before it
    found = np.concatenate([p[1:] for p in (*earlier, last)])
    return found[found[:, 0] < before]


batches = st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(-2, 2)), max_size=9), max_size=6)


@MANY
@given(batches, st.integers(1, 4))
def test_rows_run_as_a_loop_would_run_them_and_are_found_as_of_any_instant(batches: list[list[tuple[int, int, int]]], size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PAGE_ROWS", size)
        pages, now = MemoryPages(), 0
        logs: dict[int, tuple[list[int], list[int]]] = {}
        for batch in batches:
            mine = []
            for key, step, value in batch:
                now += step
                mine.append((key, now, value))
            now += 1
            add(pages, sorted(mine, key=lambda row: row[0]))
            for key, at, value in mine:
                held = logs.setdefault(key, ([], []))
                held[0].append(at)
                held[1].append(value)
        for key, (times, values) in logs.items():
            expected = run(times, values)
            for before in range(now + 2):
                found = read(pages, (b"k", key), before)
                assert found.tolist() == [row for row in expected if row[0] < before]


def add(pages: MemoryPages, told: list[tuple[int, int, int]]) -> None:
    keys = sorted({key for key, _, _ in told})
    starts = np.array([sum(key < k for key, _, _ in told) for k in [*keys, END]])
    times = np.array([at for _, at, _ in told], dtype=np.int64)
    values = np.array([[value] * len(KINDS) for _, _, value in told], dtype=np.int64).reshape(len(told), len(KINDS))
    append(pages, [(b"k", key) for key in keys], starts, times, values, KINDS)


def test_many_keys_whose_pages_are_nearly_full_all_begin_another() -> None:
    pages, keys = MemoryPages(), [(b"k", k) for k in range(40)]
    for begin, n in ((0, module.PAGE_ROWS - 1), (1_000, 2)):
        times = np.tile(np.arange(begin, begin + n), len(keys))
        append(pages, keys, np.arange(len(keys) + 1) * n, times, np.ones((len(times), 1), dtype=np.int64), np.array([SUM]))
    for key in keys:
        (last,) = pages.latest([key], [END])
        assert last is not None and rows(last, 2)[:, 1].tolist() == [module.PAGE_ROWS, module.PAGE_ROWS + 1]


def test_one_instant_is_never_cut_by_the_end_of_a_page() -> None:
    pages, n = MemoryPages(), 3 * module.PAGE_ROWS
    append(pages, [(b"k", 1)], np.array([0, n]), np.full(n, 7), np.ones((n, 1), dtype=np.int64), np.array([SUM]))
    assert pages.latest([(b"k", 1)], [7]) == [None]
    (page,) = pages.latest([(b"k", 1)], [8])
    assert page is not None and rows(page, 2)[-1].tolist() == [7, n]
