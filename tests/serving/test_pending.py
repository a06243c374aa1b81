"""The laws of what is pending: read at any moment, by any process, after any crash, it is what writing in place would have given."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from copy import deepcopy

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import Connection, text

from features.pages import END, SUM, Key, MemoryPages, Pages
from serving import history, pending
from serving.fresh import Merging
from serving.history import StorePages
from serving.pending import Change, Overlays, changes_of, entry
from serving.store import Store
from tests.features.rows_added import append_each
from tests.strategies import FEW, MANY

KEYS: tuple[Key, ...] = ((b"a", 0), (b"a", 7), (b"a\x00b", 0), (-(2**63), 0), (3, 0))
REPLACED: Key = (b"\xff\xff", 0)
IN_PLACE = ("history_shelves", "history_lone", "history_fresh_shelves", "history_fresh_lone")
PROCESSES = st.integers(0, 1)
keys = st.sampled_from(KEYS)
changes = st.tuples(keys, st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=20))


@MANY
@given(told=st.lists(changes, max_size=8))
def test_an_entry_says_what_was_put_into_it(told: list[Change]) -> None:
    assert list(changes_of(entry(told))) == told


def test_an_empty_entry_says_nothing() -> None:
    assert list(changes_of(b"")) == []


class KilledError(Exception):
    """The process ends here."""


class Pending(RuleBasedStateMachine):
    """Two processes append, tidy, read, die and begin again; memory knows what they have committed."""

    url: str

    @initialize()
    def begin(self) -> None:
        self.open = ExitStack()
        self.stores = [self.open.enter_context(Store(self.url)) for _ in range(2)]
        with self.stores[0].write() as tx:
            for table in (*IN_PLACE, "history_pages", "history_journal"):
                tx.execute(text(f"DELETE FROM {table}"))
            tx.execute(text("INSERT INTO history_journal (seq, changes) VALUES (0, :nothing)"), {"nothing": b""})
        self.memory, self.time, self.seen = MemoryPages(), 0, (MemoryPages(), 0)
        self.merging = [Merging(0), Merging(0)]
        self.view: StorePages | None = None
        self.looking = ExitStack()

    @contextmanager
    def committed(self, process: int, killed: bool) -> Iterator[tuple[Connection, MemoryPages]]:
        """A write transaction and what memory will be if it is committed."""
        after = deepcopy(self.memory)
        with suppress(KilledError):
            with self.stores[process].write() as tx:
                yield tx, after
                if killed:
                    raise KilledError
            self.memory = after

    @rule(process=PROCESSES, rows=st.lists(st.tuples(keys, st.integers(1, 9)), max_size=6), ahead=st.integers(0, 2), killed=st.booleans())
    def append(self, process: int, rows: list[tuple[Key, int]], ahead: int, killed: bool) -> None:
        self.time += ahead
        with self.committed(process, killed) as (tx, after):
            for pages in (StorePages(tx).alone(), after):
                append_each(pages, [(key, (SUM,), (value,)) for key, value in rows], self.time)
                pages.put([(REPLACED, 0, self.time.to_bytes(8, "little"))])
                pages.flush()
                append_each(pages, [(key, (SUM,), (value,)) for key, value in rows[:2]], self.time + 1)
                pages.flush()
        self.time += 1

    @rule(process=PROCESSES, value=st.integers(1, 9), killed=st.booleans())
    def append_in_place(self, process: int, value: int, killed: bool) -> None:
        with pytest.MonkeyPatch.context() as patch, self.committed(process, killed) as (tx, after):
            patch.setattr(history, "ENTRY", 0)
            for pages in (StorePages(tx).alone(), after):
                append_each(pages, [(key, (SUM,), (value,)) for key in KEYS[1:4]], self.time)
                pages.flush()

    @rule(process=PROCESSES, most=st.integers(1, 6), killed=st.booleans())
    def tidy(self, process: int, most: int, killed: bool) -> None:
        with self.committed(process, killed) as (tx, _):
            StorePages(tx).alone().tidy(most)

    @rule(process=PROCESSES, most=st.integers(1, 6), killed=st.booleans())
    def merge(self, process: int, most: int, killed: bool) -> None:
        with self.committed(process, killed) as (tx, _):
            StorePages(tx).alone()
            if self.merging[process].step(tx, most):
                self.merging[process] = Merging(0)

    @rule(process=PROCESSES)
    def begin_again(self, process: int) -> None:
        self.stores[process] = self.open.enter_context(Store(self.url))

    @rule(process=PROCESSES)
    def read(self, process: int) -> None:
        with self.stores[process].view() as tx:
            self.agree(StorePages(tx), self.memory, self.time)

    @precondition(lambda self: self.view is None and self.url.startswith("sqlite"))
    @rule(process=PROCESSES)
    def begin_to_look(self, process: int) -> None:
        tx = self.looking.enter_context(self.stores[process].view())
        tx.execute(text("SELECT count(*) FROM history_journal"))  # from now on it sees what is there now
        self.view = StorePages(tx)
        self.seen = deepcopy(self.memory), self.time

    @precondition(lambda self: self.view is not None)
    @rule()
    def end_of_looking(self) -> None:
        assert self.view is not None
        self.agree(self.view, *self.seen)
        self.looking.close()
        self.view = None

    def agree(self, stored: StorePages, memory: MemoryPages, until: int) -> None:
        asked = [(key, before) for key in (*KEYS, REPLACED) for before in (*range(until + 3), END)]
        found = [pages.latest([key for key, _ in asked], [before for _, before in asked]) for pages in (stored, memory)]
        assert found[0] == found[1]
        for key in KEYS:
            for after in range(-1, until + 2):
                assert stored.between(key, after, until + 1) == memory.between(key, after, until + 1)

    def teardown(self) -> None:
        if hasattr(self, "open"):
            self.looking.close()
            self.open.close()


def test_whatever_is_appended_tidied_killed_and_begun_again_all_processes_read_what_was_committed(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"LIMIT": 30, "HELPING": 2, "ENTRIES": 2, "GENERATION": 7, "MERGED": 3, "PATIENCE": 0.0}
    for name, value in small.items():
        monkeypatch.setattr(history if hasattr(history, name) else pending, name, value)
    monkeypatch.setattr("features.page_rows.PAGE_ROWS", 2)

    class Here(Pending):
        url = store_url

    run_state_machine_as_test(Here, settings=settings(FEW, max_examples=16, stateful_step_count=20, phases=(Phase.generate,)))


def test_what_a_transaction_learned_that_was_undone_is_forgotten_though_another_comes_in_its_place(store_url: str) -> None:
    with Store(store_url) as store:
        with suppress(KilledError), store.write() as tx:
            _append(tx, 3)
            assert StorePages(tx).overlay().size == 1
            raise KilledError
        with store.write() as tx:
            _append(tx, 4)
        with store.view() as tx:
            assert StorePages(tx).latest([KEYS[0]], [END]) == [_append(MemoryPages(), 4).latest([KEYS[0]], [END])[0]]


def _append(where: Connection | MemoryPages, value: int) -> Pages:
    pages = where if isinstance(where, MemoryPages) else StorePages(where).alone()
    append_each(pages, [(KEYS[0], (SUM,), (value,))], 5)
    pages.flush()
    return pages


def test_a_finished_sweep_leaves_nothing_pending_in_any_process(store_url: str) -> None:
    with Store(store_url) as one, Store(store_url) as other:
        for store in (one, other, one):
            with store.write() as tx:
                _append(tx, 1)
        with other.write() as tx:
            assert not StorePages(tx).alone().tidy(0) and StorePages(tx).tidy(9)
        for store in (one, other):
            with store.view() as tx:
                overlay = StorePages(tx).overlay()
                assert (overlay.size, overlay.shelves()) == (0, set())
        assert len(one.read("history_fresh_shelves")) + len(one.read("history_shelves")) == len(one.read("history_journal")) == 1


def test_entries_leave_the_journal_a_few_at_a_time(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "ENTRIES", 3)
    left = []
    with Store(store_url) as store:
        for value in range(5):
            with store.write() as tx:
                _append(tx, value)
        for _ in range(3):
            with store.write() as tx:
                over = StorePages(tx).alone().tidy(9)
            left.append((over, len(store.read("history_journal"))))
    assert left == [(False, 4), (False, 2), (True, 1)]


def test_where_too_much_is_pending_whoever_appends_puts_some_in_its_place(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "LIMIT", 10)
    most = 0
    with Store(store_url) as store:
        for value in range(40):
            with store.write() as tx:
                _append(tx, value)
                most = max(most, StorePages(tx).overlay().size)
    assert 10 <= most <= 12


def test_an_overlay_is_lent_to_one_transaction_at_a_time_and_waited_for() -> None:
    overlays, first, second = Overlays(), Connection.__new__(Connection), Connection.__new__(Connection)
    held = overlays.lend(first)
    assert overlays.lend(first) is held
    waiting = ThreadPoolExecutor(1).submit(overlays.lend, second)
    overlays.end(first, kept=True)
    assert waiting.result() is held
    overlays.end(second, kept=False)
    assert overlays.lend(first) is not held
