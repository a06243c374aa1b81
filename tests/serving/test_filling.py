"""The laws of filling: in one go or killed after every portion, early or late, the history is the same and nothing is there twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts import CONTRACTS
from features.matrix import build_matrix
from features.online import OnlineHistory
from features.pages import MemoryPages
from pipelines.simulate import simulate
from serving import audit
from serving.filling import fill, portions
from serving.history import StorePages
from serving.received import received_events
from serving.store import Store, columns_of
from tests.strategies import FEW, marketplaces

HISTORY = OnlineHistory(MemoryPages())
TABLES = simulate(orders=400, claims=60, seed=8, dirt=0.0).tables


def vectors(store: Store, claims: pd.DataFrame) -> np.ndarray:
    columns = columns_of(CONTRACTS["claims"], claims)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    with store.view() as tx:
        history = HISTORY.within(StorePages(tx))
        return np.array([history.vector(row) for row in rows])


@FEW
@given(marketplaces(late=0.3), st.integers(1, 40))
def test_portions_hold_every_row_once_each_known_after_those_before(tables: dict[str, pd.DataFrame], size: int) -> None:
    parts = list(portions(tables, size))
    before = pd.Timestamp.min.tz_localize("UTC")
    for part in parts:
        known = [f[[c for c in (CONTRACTS[n].known_at, "recorded_at") if c in f]].max(axis=1) for n, f in part.items()]
        assert min(times.min() for times in known) > before
        before = max(times.max() for times in known)
    for name, frame in tables.items():
        rows = [part[name] for part in parts if name in part]
        assert sorted(index for part in rows for index in part.index) == sorted(frame.index)


def test_a_filling_that_is_killed_after_any_portion_goes_on_and_ends_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    total = sum(
        len(TABLES[name]) for name in ("customers", "sellers", "products", "orders", "returns", "seller_events", "claims", "resolutions")
    )
    with Store(f"sqlite:///{tmp_path}/store.db", "NORMAL") as store:
        kills = 0
        while True:
            try:
                fill(store, HISTORY, TABLES, 0, 300, killed)
            except KeyboardInterrupt:
                kills += 1
            else:
                break
        assert kills >= 3 and len(store.read("known_rows")) >= total
        np.testing.assert_array_equal(vectors(store, TABLES["claims"]), build_matrix(TABLES).to_numpy())
        with store.view() as tx:
            assert audit.verify(tx) == audit.Verified(kills, audit.head(audit.Driver(tx)))
        assert received_events(store, "orders").empty


def test_what_comes_later_than_it_was_known_counts_from_now_and_is_kept_with_that_instant(store_url: str) -> None:
    cut = TABLES["claims"]["filed_at"].median()
    first = {name: frame[frame[CONTRACTS[name].known_at] < cut] for name, frame in TABLES.items()}
    held_back = first["orders"].tail(20)
    first["orders"] = first["orders"].drop(held_back.index)
    with Store(store_url) as store:
        fill(store, HISTORY, first, 0)
        assert fill(store, HISTORY, {"orders": pd.concat([first["orders"], held_back])}, 1, 7) == 20
        late = received_events(store, "orders")
        assert set(late["order_id"]) == set(held_back["order_id"]) and (late["recorded_at"] > late["ordered_at"]).all()
        later = TABLES["claims"][TABLES["claims"]["filed_at"] > cut + pd.Timedelta(days=1)]
        tables = {**first, "orders": pd.concat([first["orders"], late], ignore_index=True)}
        np.testing.assert_array_equal(vectors(store, later), build_matrix(tables, later).to_numpy())
        assert fill(store, HISTORY, tables, 2) == 0
