"""The laws of the pages in the case store: the same as in memory, whole batches or nothing, equal rows at size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from features.matrix import build_matrix
from features.online import OnlineHistory
from features.pages import END, MemoryPages, Pages
from pipelines.simulate import simulate
from serving.history import AT_ONCE, StorePages
from serving.store import Store
from tests.features.tables import random_tables
from tests.features.test_online import plain
from tests.strategies import FEW

keys = st.sampled_from([b"", b"a", b"a\x00", b"b"])
written = st.lists(st.lists(st.tuples(keys, st.integers(-3, 3), st.binary(max_size=3)), max_size=6), max_size=4)


@FEW
@given(written)
def test_pages_in_the_store_are_found_as_in_memory(batches: list[list[tuple[bytes, int, bytes]]]) -> None:
    memory = MemoryPages()
    with Store("sqlite://") as store, store.write() as tx:
        stored = StorePages(tx)
        for batch in batches:
            memory.put(batch)
            stored.put(batch)
        asked = [(key, before) for key in (b"", b"a", b"a\x00", b"b", b"c") for before in range(-4, 6)]
        found: list[list[bytes | None]] = [p.latest([k for k, _ in asked], [b for _, b in asked]) for p in _both(memory, stored)]
        assert found[0] == found[1]
        for key, after in asked:
            assert memory.between(key, after, 3) == stored.between(key, after, 3)


def _both(memory: MemoryPages, stored: StorePages) -> tuple[Pages, Pages]:
    return memory, stored


def test_more_keys_than_one_statement_takes_are_answered_in_order() -> None:
    names = [key.to_bytes(4, "big") for key in range(AT_ONCE + 5)]
    with Store("sqlite://") as store, store.write() as tx:
        pages = StorePages(tx)
        pages.put((name, 0, name) for name in names[::2])
        found = pages.latest(names, [END] * len(names))
    assert found == [name if i % 2 == 0 else None for i, name in enumerate(names)]
    with Store("sqlite://") as store, store.write() as tx:
        assert StorePages(tx).latest([], []) == []


def test_a_batch_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    tables = random_tables(3)
    orders = tables["orders"].sort_values("ordered_at")
    with Store(f"sqlite:///{tmp_path}/store.db") as store:
        with store.write() as tx:
            OnlineHistory(StorePages(tx)).append({"orders": orders.head(20)})
        before = _everything(store)
        for allowed in range(0, 200, 7):  # killed after so many pages
            with pytest.raises(KeyboardInterrupt), store.write() as tx:
                history = OnlineHistory(_Dying(tx, allowed))
                history.append(history.admit({"orders": orders.tail(20), "claims": tables["claims"]}))
            assert _everything(store) == before


class _Dying(StorePages):
    """Pages of a process that is killed after so many writes."""

    def __init__(self, tx: object, allowed: int) -> None:
        super().__init__(tx)  # type: ignore[arg-type]
        self.allowed = allowed

    def put(self, pages: object) -> None:
        for page in pages:  # type: ignore[attr-defined]
            if not self.allowed:
                raise KeyboardInterrupt
            self.allowed -= 1
            super().put([page])


def _everything(store: Store) -> list[tuple[object, ...]]:
    with store.view() as tx:
        return [tuple(row) for row in tx.exec_driver_sql("SELECT log_key, first_at, page FROM history_pages ORDER BY 1, 2")]


def test_a_marketplace_in_the_store_gives_every_claim_its_batch_row(tmp_path: Path) -> None:
    tables = simulate(orders=12_000, claims=800, seed=4, dirt=0.0).tables
    with Store(f"sqlite:///{tmp_path}/store.db", "NORMAL") as store:
        with store.write() as tx:
            OnlineHistory(StorePages(tx)).append(tables)
        with store.view() as tx:
            history = OnlineHistory(StorePages(tx))
            found = [history.vector(plain(claim)) for claim in tables["claims"].tail(250).to_dict("records")]
    expected = build_matrix(tables, tables["claims"].tail(250))
    pd.testing.assert_frame_equal(pd.DataFrame(np.array(found), expected.index, list(expected.columns)), expected, check_exact=True)


def test_another_database_is_refused() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as tx:
        tx.dialect.name = "mysql"
        with pytest.raises(ValueError, match="expected a store on SQLite or PostgreSQL, found mysql"):
            StorePages(tx)
