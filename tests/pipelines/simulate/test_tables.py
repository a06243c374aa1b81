"""Every table has its contract's columns in order, and tells nothing that has not happened."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data_contracts import CONTRACTS, LABELS
from data_contracts.check import check
from pipelines.simulate import Simulated, simulate, tables
from pipelines.simulate.frames import NEVER
from pipelines.simulate.legacy import OUTCOMES, SOURCES
from pipelines.simulate.orders import draw_orders
from tests.pipelines.simulate.conftest import Trade


@pytest.fixture(scope="module")
def small() -> Simulated:
    """A small marketplace without dirt."""
    return simulate(orders=3_000, claims=300, seed=12, dirt=0.0)


def test_columns_are_the_contracts_in_its_order_and_every_row_passes_its_check(small: Simulated) -> None:
    for name, frame in small.tables.items():
        contract = CONTRACTS[name]
        assert list(frame.columns) == [column.name for column in contract.columns]
        assert frame[contract.key].is_unique
        parents = {rule.table: small.tables[rule.table] for rule in contract.references}
        accepted = check(frame, contract, parents=parents).accepted
        pd.testing.assert_series_equal(frame.dtypes, accepted.dtypes)
        assert len(accepted) == len(frame)


def test_accounts_opened_after_the_end_are_left_out_and_what_arrives_after_it_is_still_on_its_way(trade: Trade) -> None:
    end = pd.Timestamp(trade.horizon.end, unit="us", tz="UTC")
    late = trade.customers.opened(np.arange(5), np.full(5, trade.horizon.end), np.zeros(5, dtype=bool))
    found = tables.customers_table(late, trade.horizon)
    assert len(found) == len(late) - 5 and (found["created_at"] < end).all() and found["created_at"].is_monotonic_increasing
    orders = draw_orders(5_000, trade.customers, trade.products, trade.horizon, trade.market, np.random.default_rng(1))
    told = tables.orders_table(orders, trade.products, trade.horizon)["delivered_at"]
    assert told.isna().to_numpy().tolist() == (orders.delivered >= trade.horizon.end).tolist() and told.isna().any()
    assert (told.dropna() < end).all()


def test_a_resolution_is_of_the_claim_at_its_place_and_has_no_label_where_nobody_looked(small: Simulated) -> None:
    claims, rng = small.tables["claims"], np.random.default_rng(2)
    rows = pd.DataFrame({"claim": rng.integers(0, len(claims), 50), "label": rng.choice([NEVER, 0, 1, 2], 50)})
    rows = rows.assign(source=rng.integers(0, len(SOURCES), 50), outcome=rng.integers(0, len(OUTCOMES), 50))
    rows = rows.assign(propensity=1.0, paid=np.arange(50), resolved=np.arange(50), known=np.arange(50) + 1)
    table = tables.resolutions_table(rows, claims)
    assert table["claim_id"].tolist() == [claims["claim_id"].iloc[place] for place in rows["claim"]]
    for found, label in zip(table["label"], rows["label"], strict=True):
        assert pd.isna(found) if label == NEVER else found == LABELS[label]
    assert table["source"].tolist() == [SOURCES[number] for number in rows["source"]]
