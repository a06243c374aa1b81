"""What was received comes back as it was told, in the types of its contract."""

from __future__ import annotations

from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from data_contracts import CONTRACTS
from data_contracts.check import check
from serving.events import Outcome
from serving.received import received_events
from tests.serving.homes import Small, body, store_at


@pytest.mark.parametrize("table", ["orders", "returns", "seller_events"])
def test_events_come_back_as_they_were_told_in_order_of_their_key(market: Small, tmp_path: Path, table: str) -> None:
    contract = CONTRACTS[table]
    whole = market.tables[table]
    told = whole.sort_values(contract.known_at).tail(6).sample(frac=1, random_state=1)
    past = {**market.past, table: whole.drop(told.index)}
    if table == "orders":  # they arrive later, told apart
        told = told.assign(delivered_at=told["delivered_at"].mask(told["delivered_at"].notna()))
        past["claims"] = past["claims"][~past["claims"]["order_id"].isin(told["order_id"])]
        past["returns"] = past["returns"][~past["returns"]["order_id"].isin(told["order_id"])]
    with store_at(tmp_path) as store:
        outcomes = market.engine(store, past).receive(table, [body(told, row) for row in range(len(told))], market.now)
        found = received_events(store, table)
    assert all(isinstance(one, Outcome) for one in outcomes), outcomes
    accepted = check(found, contract)
    assert accepted.quarantined.empty
    expected = told.sort_values(contract.key, ignore_index=True)
    same = [column.name for column in contract.columns if column.name not in ("recorded_at", contract.known_at)]
    assert_frame_equal(found[same], expected[same])
    assert (found[contract.known_at] >= expected[contract.known_at]).all()


def test_what_nobody_told_is_an_empty_table_in_the_types_of_its_contract(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        found = received_events(store, "orders")
    assert {name: str(kind) for name, kind in found.dtypes.items()} == {c.name: c.pandas for c in CONTRACTS["orders"].columns}
