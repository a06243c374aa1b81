"""The laws of the pages in the case store: the same as in memory, whole batches or nothing, equal rows at size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine

from data_contracts import CONTRACTS
from features.matrix import build_matrix
from features.online import OnlineHistory
from features.pages import END, Key, Laid, MemoryPages, Page, Pages
from pipelines.simulate import simulate
from serving import history
from serving.history import AT_ONCE, StorePages
from serving.store import Store
from tests.features.tables import random_tables
from tests.features.test_online import plain
from tests.strategies import FEW

shelved = st.tuples(st.sampled_from([b"", b"a", b"a\x00", b"b"]), st.integers(0, 1))
lone = st.tuples(st.sampled_from([-(2**63), -1, 0, 2**63 - 1]), st.just(0))
keys = st.one_of(shelved, lone)
written = st.lists(st.lists(st.tuples(keys, st.integers(-3, 3), st.binary(max_size=3)), max_size=6), max_size=4)


@FEW
@given(batches=written)
def test_pages_in_the_store_are_found_as_in_memory(store: Store, batches: list[list[Page]]) -> None:
    memory = MemoryPages()
    held = [(shelf, log) for shelf in (b"", b"a", b"a\x00", b"b", b"c") for log in (0, 1)] + [
        (n, 0) for n in (-(2**63), -1, 0, 5, 2**63 - 1)
    ]
    asked = [(key, before) for key in held for before in range(-4, 6)]
    with _undone(store) as tx:
        stored = StorePages(tx).alone()
        for batch in batches:
            memory.put(batch)
            stored.put(batch)
            _must_agree(memory, stored, asked)
        stored.flush()
        _must_agree(memory, StorePages(tx), asked)


def _must_agree(memory: MemoryPages, stored: StorePages, asked: list[tuple[Key, int]]) -> None:
    found: list[list[bytes | None]] = [p.latest([k for k, _ in asked], [b for _, b in asked]) for p in _both(memory, stored)]
    assert found[0] == found[1]
    for key, after in asked:
        assert memory.between(key, after, 3) == stored.between(key, after, 3)


def _both(memory: MemoryPages, stored: StorePages) -> tuple[Pages, Pages]:
    return memory, stored


@FEW
@given(new=st.dictionaries(keys, st.dictionaries(st.integers(-3, 3), st.binary(max_size=3), min_size=1), max_size=8), data=st.data())
def test_pages_of_new_keys_are_found_whether_remembered_or_streamed(
    store: Store, new: dict[Key, dict[int, bytes]], data: st.DataObject
) -> None:
    pages = [(key, first, held[first]) for key, held in new.items() for first in sorted(held)]
    asked = [(key, before) for key in new for before in range(-4, 6)]
    memory = MemoryPages()
    memory.put(pages)
    with _undone(store) as tx, pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "AT_ONCE", data.draw(st.integers(1, 5)))
        stored = StorePages(tx)
        stored.put_new(list(new), _laid(new))
        _must_agree(memory, stored, asked)


def _laid(pages: dict[Key, dict[int, bytes]]) -> Laid:
    told = [(key, first, held[first]) for key, held in enumerate(pages.values()) for first in sorted(held)]
    ends = np.cumsum([len(page) for _, _, page in told], dtype=np.int64)
    of_key, firsts = (np.array(column, dtype=np.int64) for column in ([k for k, _, _ in told], [first for _, first, _ in told]))
    return Laid(of_key, firsts, np.append(0, ends)[: len(ends)], ends, b"".join([page for _, _, page in told]))


@contextmanager
def _undone(store: Store) -> Iterator[Connection]:
    """Open a write transaction that leaves nothing behind."""
    with pytest.raises(_EnoughError), store.write() as tx:
        yield tx
        raise _EnoughError


class _EnoughError(Exception):
    """The example is over."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store that examples share, each in a transaction that is undone."""
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db" if sqlite else request.getfixturevalue("postgres").database()
    with Store(url) as opened:
        yield opened


def test_more_keys_than_one_statement_takes_are_answered_in_order(store_url: str) -> None:
    names = [(key.to_bytes(4, "big"), 3) for key in range(AT_ONCE + 5)]
    with Store(store_url) as store, store.write() as tx:
        StorePages(tx).put_new(names[::2], _laid({name: {0: b"\0", 1: b"\1"} for name in names[::2]}))
        for before, expected in ((END, b"\1"), (1, b"\0")):
            found = StorePages(tx).latest(names, [before] * len(names))
            assert found == [expected if i % 2 == 0 else None for i in range(len(names))]
        assert StorePages(tx).latest([], []) == []


def test_a_batch_is_there_as_a_whole_or_not_at_all(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "ENTRY", 0)  # everything goes to its place at once
    tables = random_tables(3)
    orders = tables["orders"].sort_values("ordered_at")
    with Store(store_url) as store:
        with store.write() as tx:
            OnlineHistory(StorePages(tx)).append({"orders": orders.head(20)})
        before = _everything(store)
        for allowed in range(0, 200, 7):  # killed after so many pages
            with pytest.raises(KeyboardInterrupt), store.write() as tx:
                dying = OnlineHistory(_Dying(tx, allowed))
                dying.append(dying.admit({"orders": orders.tail(20), "claims": tables["claims"]}))
            assert _everything(store) == before


class _Dying(StorePages):
    """Pages of a process that is killed after so many writes."""

    def __init__(self, tx: object, allowed: int) -> None:
        super().__init__(tx)  # type: ignore[arg-type]
        self.allowed = allowed

    def _run(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        for row in rows:
            if not self.allowed:
                raise KeyboardInterrupt
            self.allowed -= 1
            super()._run(statement, [row])


def _everything(store: Store) -> list[list[tuple[object, ...]]]:
    with store.view() as tx:
        tables = ("history_shelves ORDER BY shelf, log", "history_lone ORDER BY number", "history_pages ORDER BY shelf, log, first_at")
        return [[tuple(row) for row in tx.exec_driver_sql(f"SELECT * FROM {table}")] for table in tables]


def test_a_marketplace_in_the_store_gives_every_claim_its_batch_row(store_url: str) -> None:
    tables = simulate(orders=12_000, claims=800, seed=4, dirt=0.0).tables
    with Store(store_url, "NORMAL") as store:
        with store.write() as tx:
            OnlineHistory(StorePages(tx)).append(tables)
        with store.view() as tx:
            history = OnlineHistory(StorePages(tx))
            found = [history.vector(plain(claim)) for claim in tables["claims"].tail(250).to_dict("records")]
    expected = build_matrix(tables, tables["claims"].tail(250))
    pd.testing.assert_frame_equal(pd.DataFrame(np.array(found), expected.index, list(expected.columns)), expected, check_exact=True)


def test_claims_of_one_transaction_see_those_before_them_as_if_each_had_its_own(store_url: str) -> None:
    tables = simulate(orders=3_000, claims=300, seed=5, dirt=0.0).tables
    order = tables["claims"].sort_values("filed_at").tail(60).drop_duplicates("filed_at").reset_index(drop=True)
    cut = order.filed_at.min()
    past = {name: frame[frame[CONTRACTS[name].known_at] < cut] for name, frame in tables.items()}
    found, histories = {}, OnlineHistory(MemoryPages())
    with Store(store_url, "NORMAL") as store:
        with store.write() as tx:
            histories.within(StorePages(tx).alone()).append(past)
        for size in (1, 7, len(order)):  # groups committed together
            with _undone(store) as tx:
                for start in range(0, len(order), size):
                    history = histories.within(StorePages(tx).alone())
                    for claim in order.iloc[start : start + size].to_dict("records"):
                        read = history.read(plain(claim))
                        assert history.append_read(read) == read.filed
                        found.setdefault(size, []).append(read.vector)
    expected = build_matrix({**past, "claims": pd.concat([past["claims"], order])}, order)
    for rows in found.values():
        pd.testing.assert_frame_equal(pd.DataFrame(rows, expected.index, list(expected.columns)), expected, check_exact=True)


def test_processes_that_write_in_turn_remember_only_what_still_holds(store_url: str) -> None:
    """Groups of two processes, each remembering what it read; others' entries, events and an undone transaction come between."""
    tables = simulate(orders=3_000, claims=300, seed=6, dirt=0.0).tables
    order = tables["claims"].sort_values("filed_at").tail(48).drop_duplicates("filed_at").reset_index(drop=True)
    groups = [order.iloc[start : start + 4] for start in range(0, len(order), 4)]
    at = [group.filed_at.max() + pd.to_timedelta(np.arange(len(group)), unit="us") for group in groups]
    order["recorded_at"] = pd.DatetimeIndex(np.concatenate(at), tz="UTC")
    past = {name: frame[frame[CONTRACTS[name].known_at] < order.filed_at.min()] for name, frame in tables.items()}
    found, histories = [], OnlineHistory(MemoryPages())
    with Store(store_url, "NORMAL") as one, Store(store_url, "NORMAL") as other:
        with one.write() as tx:
            histories.within(StorePages(tx).alone()).append(past)
        last: list[StorePages | None] = [None, None]
        for turn, start in enumerate(range(0, len(order), 4)):
            who, claims = turn % 2, order.iloc[start : start + 4].to_dict("records")
            for write in (_undone, Store.write) if turn % 3 == 1 else (Store.write,):
                with write((one, other)[who]) as tx:
                    pages, before = StorePages(tx).alone(), last[who]
                    history = histories.within(pages if before is None else pages.recall(before))
                    reads = history.read_many([plain({**claim, "recorded_at": None}) for claim in claims])
                    told = [replace(read, claim=plain(claim)) for read, claim in zip(reads, claims, strict=True)]
                    assert history.append_reads(told) == [claim["recorded_at"].value // 1_000 for claim in claims]
                last[who] = pages if write is Store.write else None
            found += [read.vector for read in reads]
    expected = build_matrix({**past, "claims": pd.concat([past["claims"], order])}, order)
    pd.testing.assert_frame_equal(pd.DataFrame(found, expected.index, list(expected.columns)), expected, check_exact=True)


def test_another_database_is_refused() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as tx:
        tx.dialect.name = "mysql"
        with pytest.raises(ValueError, match="expected a store on SQLite or PostgreSQL, found mysql"):
            StorePages(tx)
