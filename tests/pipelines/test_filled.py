"""The store keeps up with the lake: a start without news reads nothing, late news is written back, and the batch agrees afterwards."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from data_contracts import CONTRACTS
from features.matrix import build_matrix
from features.online import OnlineHistory
from features.pages import MemoryPages
from pipelines.filled import fill_from_lake
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.received import export_received
from pipelines.sampled import check_sample
from pipelines.simulate import simulate
from serving.audit import verify
from serving.engine import Engine
from serving.history import StorePages
from serving.store import Store, columns_of
from tests.console import touchstone
from tests.serving.homes import POLICY, Small, claim, small

HISTORY = OnlineHistory(MemoryPages())
TABLES = simulate(orders=400, claims=60, seed=8, dirt=0.0).tables
CUT = TABLES["claims"]["filed_at"].median()
NOW = (TABLES["claims"]["filed_at"].max() + timedelta(days=300)).to_pydatetime()


def published(root: Path) -> Home:
    """A lake that knows what was known at the cut; the deliveries after it are not reported yet."""
    first = {name: frame[frame[CONTRACTS[name].known_at] < CUT].reset_index(drop=True) for name, frame in TABLES.items()}
    orders = first["orders"]
    first["orders"] = orders.assign(delivered_at=orders["delivered_at"].mask(orders["delivered_at"] >= CUT))
    Lake(root).publish({name: frame for name, frame in first.items() if len(frame)}, {}, "initial")
    return Home(root)


def vectors(store: Store, claims: pd.DataFrame) -> np.ndarray:
    columns = columns_of(CONTRACTS["claims"], claims)
    with store.view() as tx:
        history = HISTORY.within(StorePages(tx))
        return np.array([history.vector(dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)])


def test_a_start_without_news_reads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = published(tmp_path)
    with Store(home.store_url, "NORMAL") as store:
        told: list[tuple[int, int]] = []
        rows = fill_from_lake(home, store, HISTORY, NOW, 200, lambda done, total: told.append((done, total)))
        assert told[-1] == (rows, rows) and len(told) > 2
        monkeypatch.setattr(Lake, "read", lambda *_, **__: 1 / 0)
        assert fill_from_lake(home, store, HISTORY, NOW) == 0


def test_news_and_deliveries_are_taken_in_and_what_came_late_is_written_back(tmp_path: Path) -> None:
    home, lake = published(tmp_path), Lake(tmp_path)
    with Store(home.store_url, "NORMAL") as store:
        fill_from_lake(home, store, HISTORY, NOW)
        initial = lake.read("orders")
        arrived = initial.assign(
            delivered_at=TABLES["orders"].set_index("order_id")["delivered_at"].reindex(initial["order_id"]).to_numpy()
        )
        arrived["delivered_at"] = arrived["delivered_at"].astype("datetime64[us, UTC]")
        lake.append("orders", arrived, "initial")
        for name in ("sellers", "customers", "products", "orders", "returns", "claims", "resolutions", "seller_events"):
            frame = TABLES[name]
            if len(news := frame[frame[CONTRACTS[name].known_at] >= CUT]):
                lake.append(name, news.reset_index(drop=True), "news")
        assert fill_from_lake(home, store, HISTORY, NOW, 50) > 0
        assert fill_from_lake(home, store, HISTORY, NOW) == 0
        export_received(home, store)
        tables, asked = lake.tables(), TABLES["claims"].assign(filed_at=TABLES["claims"]["filed_at"] + pd.Timedelta(days=400))
        late = asked.assign(claim_id="L" + asked["claim_id"])
        np.testing.assert_array_equal(vectors(store, late), build_matrix(tables, late).to_numpy())
        assert export_received(home, store) == 0
        assert fill_from_lake(home, store, HISTORY, NOW) == 0, "what was written back is no news"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return small(tmp_path_factory.mktemp("home") / "home")


def test_a_sample_is_checked_once_by_the_batch_and_the_endpoint_counts_what_differs(market: Small, tmp_path: Path) -> None:
    (tmp_path / "bundles").symlink_to(market.home.bundles)
    Lake(tmp_path).publish({name: frame for name, frame in market.past.items() if len(frame)}, {}, "initial")
    home = Home(tmp_path)
    with Store(home.store_url, "NORMAL") as store:
        fill_from_lake(home, store, HISTORY, market.now)
        engine = Engine(market.bundle, POLICY, store, sample=1.0)
        engine.score_many([claim(market.live, row) for row in range(5)], market.now)
        assert (check_sample(home, store).checked, check_sample(home, store).checked) == (5, 0)
        assert engine.parity() == {"parity_checked": 5, "parity_mismatches": 0}
        engine.score(claim(market.live, 6), market.now)
        with store.write() as tx:
            vector = store.read("parity_samples")["vector"].iloc[-1]
            tx.exec_driver_sql("UPDATE parity_samples SET vector = ? WHERE differs IS NULL", (b"\1" + vector[1:],))
        assert list(check_sample(home, store).differing.values()) == [(HISTORY.names[0],)]
        assert engine.parity()["parity_mismatches"] == 1


def test_the_command_follows_the_chain_and_ends_with_one_where_it_breaks(market: Small, tmp_path: Path) -> None:
    (tmp_path / "bundles").symlink_to(market.home.bundles)
    home = Home(tmp_path)
    with Store(home.store_url, "NORMAL") as store:
        engine = market.engine(store, sample=1.0)
        engine.score(claim(market.live), market.now)
        with store.view() as tx:
            found = verify(tx)
    at = ("--home", str(tmp_path))
    sound = touchstone("audit", "verify", "--head", f"{found.head.seq}:{found.head.hash.hex()}", *at)
    assert sound.code == 0 and found.head.hash.hex() in sound.out, sound.err
    assert touchstone("audit", "verify", "--head", "x", *at).code == 2
    with Store(home.store_url, "NORMAL") as store, store.write() as tx:
        tx.exec_driver_sql("DROP TRIGGER audit_log_no_update")
        tx.exec_driver_sql("UPDATE audit_log SET at = at + 1 WHERE seq = 2")
    broken = touchstone("audit", "verify", *at)
    assert broken.code == 1 and "entry 2" in broken.out


def test_the_lake_is_as_it_was_where_nothing_was_received(tmp_path: Path) -> None:
    home = published(tmp_path)
    before = Lake(tmp_path).tables()
    with Store(home.store_url, "NORMAL") as store:
        fill_from_lake(home, store, HISTORY, NOW)
        assert export_received(home, store) == 0
    for name, frame in Lake(tmp_path).tables().items():
        assert_frame_equal(frame, before[name])
