"""The laws of tidying: it waits for a quiet moment, or for much; then everything is in its place, and nothing reads differently."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.pages import END, SUM, Key
from serving import tidying
from serving.fresh import MERGED_UNTIL
from serving.history import StorePages
from serving.store import Store, mark
from serving.tidying import Tidying
from tests.features.rows_added import append_each

KEYS: list[Key] = [(number, 0) for number in range(10)]


def add(store: Store, value: int) -> list[bytes | None]:
    """Add a row to every log; return the pages that there are then."""
    with store.write() as tx:
        pages = StorePages(tx).alone()
        append_each(pages, [(key, (SUM,), (value,)) for key in KEYS], value)
        pages.flush()
        return pages.latest(KEYS, [END] * len(KEYS))


def read(store: Store) -> list[bytes | None]:
    with store.view() as tx:
        return StorePages(tx).latest(KEYS, [END] * len(KEYS))


def in_place(store: Store) -> int:
    """How many logs are in their place: lately, or for good."""
    return sum(held(store))


def held(store: Store) -> tuple[int, int]:
    """How many rows the small table has, and the large one."""
    return len(store.read("history_fresh_lone")), len(store.read("history_lone"))


def test_while_rows_keep_coming_they_are_left_alone_and_once_nobody_adds_any_all_go_to_their_place(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "SLICE", 4)
    with Store(store_url) as store:
        tidy = Tidying(store)
        for value in range(3):
            pages = add(store, value)
            tidy()
            assert in_place(store) == 0
        tidy()
        assert in_place(store) == 10 and read(store) == pages
        tidy()
        assert len(store.read("history_journal")) == 1


def test_much_is_put_in_its_place_though_rows_keep_coming_a_few_at_a_time(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SLICE", 3), ("AT_ONCE", 2), ("PAUSE", 0.0)):
        monkeypatch.setattr(tidying, name, value)
    found = []
    with Store(store_url) as store:
        tidy = Tidying(store, much=15)
        for value in range(4):
            pages = add(store, value)
            is_left = tidy()
            assert read(store) == pages
            found.append((in_place(store), is_left))
    assert found == [(0, False), (6, True), (10, False), (10, True)]


def test_what_is_planned_while_nobody_waits_is_the_same_and_what_comes_later_is_left_to_the_next_sweep(store_url: str) -> None:
    with Store(store_url) as store:
        add(store, 1)
        with store.view() as tx:
            assert StorePages(tx).pending() == (0, 10)
            sweep = StorePages(tx).plan()
        pages = add(store, 2)
        with store.write() as tx:
            assert StorePages(tx).alone().plan() is sweep and sweep.until == 10
            assert StorePages(tx).tidy(99)
        assert read(store) == pages and in_place(store) == 10
        with store.view() as tx:
            assert StorePages(tx).pending() == (10, 20)


def test_one_who_comes_meanwhile_is_let_go_first(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "SLICE", 3)
    with Store(store_url) as store:
        add(store, 1)
        tidy = Tidying(store)
        tidy()
        slices = StorePages.tidy

        def meanwhile(pages: StorePages, most: int) -> bool:
            """Tidy as ever; somebody adds a row right after the first slice has begun."""
            append_each(pages, [(KEYS[0], (SUM,), (1,))], 2)
            pages.flush()
            return slices(pages, most)

        monkeypatch.setattr(StorePages, "tidy", meanwhile)
        tidy()
        assert in_place(store) == 6


def test_what_was_written_lately_is_merged_when_nobody_adds_any_and_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SLICE", 3), ("LATELY", 15)):
        monkeypatch.setattr(tidying, name, value)
    with Store(f"sqlite:///{tmp_path}/store.db") as store:
        tidy, left = Tidying(store), []
        for value in range(3):
            pages = add(store, value)
            for _ in range(3):
                tidy()
            assert read(store) == pages
            left.append(held(store))
        with store.view() as tx:
            assert mark(tx, MERGED_UNTIL) == 20
    assert left == [(10, 0), (0, 10), (10, 10)]


def test_very_much_is_merged_though_rows_keep_coming_and_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SLICE", 3), ("AT_ONCE", 2), ("PAUSE", 0.0), ("LATELY", 1)):
        monkeypatch.setattr(tidying, name, value)
    found = []
    with Store(f"sqlite:///{tmp_path}/store.db") as store:
        add(store, 0)
        with store.write() as tx:
            assert StorePages(tx).alone().tidy(10)
        tidy = Tidying(store)
        for value in range(1, 4):
            pages = add(store, value)
            tidy()
            assert read(store) == pages
            found.append(held(store)[1])
    assert found == [4, 10, 10]


def test_of_two_processes_one_does_it_until_it_stops(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SLICE", 2), ("AT_ONCE", 1)):
        monkeypatch.setattr(tidying, name, value)
    with Store(store_url) as one, Store(store_url) as other:
        add(one, 1)
        first, second, found = Tidying(one), Tidying(other), []
        for tidy in (first, second, first, second, first, second, second, first, *[second] * 8):
            tidy()
            found.append(in_place(one))
    assert found == [0, 0, 2, 2, 4, 4, 4, 6, *[6] * 6, 8, 10]  # who takes over waits, and begins anew
