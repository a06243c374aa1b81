"""The laws of events: taken once, refused with every reason, late ones stamped as the batch's admission does it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts import CONTRACTS
from features.catalog import CATALOG
from features.history import NEVER
from features.online import OnlineHistory
from features.pages import MemoryPages
from pipelines.simulate import simulate
from serving import audit
from serving.events import RECEIVES, admitted, receive
from serving.filling import fill
from serving.history import StorePages
from serving.instants import micros
from serving.received import received_events
from serving.refusals import ConflictError, InvalidRowError
from serving.store import Store, rows_of
from serving.written import json_of
from tests.strategies import FEW

HISTORY = OnlineHistory(MemoryPages())
TABLES = simulate(orders=300, claims=50, seed=6, dirt=0.0).tables
NOW = max(frame[CONTRACTS[name].known_at].max() for name, frame in TABLES.items() if len(frame)).to_pydatetime() + timedelta(days=1)
ORDERS = [json.loads(json_of(CONTRACTS["orders"], row)) for row in rows_of(CONTRACTS["orders"], TABLES["orders"])]


def filled(store: Store, *without: str) -> Store:
    fill(store, HISTORY, {name: frame for name, frame in TABLES.items() if name not in without}, 0)
    return store


def take(store: Store, table: str, rows: list[Any]) -> list[Any]:
    with store.write() as tx:
        return receive(tx, HISTORY, table, rows, NOW)


def everything(store: Store) -> list[list[object]]:
    return [[tuple(row) for row in store.read(table).itertuples(index=False)] for table in ("known_rows", "audit_log", "history_shelves")]


def test_the_same_event_again_is_known_and_another_one_under_its_key_is_a_conflict(store_url: str) -> None:
    order = ORDERS[0]
    with Store(store_url) as store:
        filled(store, "orders", "returns", "claims", "resolutions")
        found = take(store, "orders", [order, order, order | {"amount_cents": 7, "quantity": 9}])
        assert [getattr(one, "status", None) for one in found] == ["accepted", "known", None]
        assert isinstance(found[2], ConflictError) and [v.field for v in found[2].violations] == ["quantity", "amount_cents"]
        before = everything(store)
        again = take(store, "orders", [order, order | {"quantity": 9}])
        assert again[0].status == "known" and isinstance(again[1], ConflictError)
        assert everything(store) == before
        assert len(received_events(store, "orders")) == 1


def test_a_row_of_the_lake_sent_again_is_known(store_url: str) -> None:
    with filled(Store(store_url)) as store:
        found = take(store, "orders", [*ORDERS[:3], ORDERS[3] | {"amount_cents": 1}])
        assert [getattr(one, "status", None) for one in found] == ["known"] * 3 + [None]
        assert received_events(store, "orders").empty


def test_bad_rows_are_told_with_every_reason_and_leave_the_good_ones_alone() -> None:
    good = ORDERS[0] | {"order_id": "new"}
    wrong = good | {
        "order_id": "new2",
        "customer_id": "nobody",
        "seller_id": "nobody",
        "ordered_at": "2099-01-01T00:00:00Z",
        "delivered_at": None,
    }
    unreadable = good | {"quantity": 0, "amount_cents": "much", "colour": "red"}
    with filled(Store("sqlite://")) as store:
        found = take(store, "orders", [wrong, unreadable, good, "no row", None, {}])
        assert all(isinstance(found[place], InvalidRowError) for place in (0, 1, 3, 4, 5)) and found[2].status == "accepted"
        assert {v.field for v in found[0].violations} == {"customer_id", "seller_id", "ordered_at"}
        assert {v.field for v in found[1].violations} == {"quantity", "amount_cents", "colour"}
        assert {v.field for v in found[5].violations} >= {"order_id", "ordered_at"}
        assert received_events(store, "orders")["order_id"].tolist() == ["new"]


def test_a_delivery_is_taken_once_for_an_order_that_is_on_its_way() -> None:
    order = next(o for o in ORDERS if o["delivered_at"])
    arrival = {"order_id": order["order_id"], "delivered_at": order["delivered_at"]}
    early = {"order_id": order["order_id"], "delivered_at": "2001-01-01T00:00:00Z"}
    with filled(Store("sqlite://"), "orders", "returns", "claims", "resolutions") as store:
        assert isinstance(take(store, "deliveries", [arrival])[0], InvalidRowError)
        take(store, "orders", [order | {"delivered_at": None}])
        found = take(store, "deliveries", [early, arrival, arrival])
        assert isinstance(found[0], InvalidRowError) and [found[1].status, found[2].status] == ["accepted", "known"]
        later = take(
            store, "deliveries", [arrival | {"delivered_at": (pd.Timestamp(order["delivered_at"]) + pd.Timedelta(hours=1)).isoformat()}]
        )
        assert isinstance(later[0], ConflictError)
    with filled(Store("sqlite://")) as store:
        assert take(store, "deliveries", [arrival])[0].status == "known"


def test_a_table_that_is_not_taken_is_named() -> None:
    with Store("sqlite://") as store, pytest.raises(KeyError, match=r"expected one of customers.*found 'claims'"):
        take(store, "claims", [])


def test_every_event_is_in_the_audit_log_and_a_failed_call_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with filled(Store("sqlite://"), "orders", "returns", "claims", "resolutions") as store:
        before = everything(store)
        monkeypatch.setattr(OnlineHistory, "append", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            take(store, "orders", ORDERS[:5])
        monkeypatch.undo()
        assert everything(store) == before
        take(store, "orders", ORDERS[:5])
        log = store.read("audit_log")
        with store.view() as tx:
            assert audit.verify(tx).broken == ""
    assert log["subject"].tolist()[-5:] == [f"orders/{order['order_id']}" for order in ORDERS[:5]]


@FEW
@given(
    st.sampled_from(["orders", "returns", "sellers", "customers", "products", "seller_events", "resolutions"]),
    st.integers(-2, 2),
    st.data(),
)
def test_late_rows_are_stamped_as_the_admission_of_frames_stamps_them(table: str, off: int, data: st.DataObject) -> None:
    frame, contract = TABLES[table], CONTRACTS[table]
    some = frame.iloc[data.draw(st.lists(st.integers(0, len(frame) - 1), min_size=1, max_size=6, unique=True))].reset_index(drop=True)
    watermark = NEVER if off == 2 else micros(some[contract.known_at].iloc[0]) + off
    history = _At(watermark)
    expected = rows_of(contract, history.admit({table: some})[table])
    assert admitted(contract, rows_of(contract, some), watermark) == expected


class _At(OnlineHistory):
    """A history of which only the watermark matters."""

    def __init__(self, at: int) -> None:
        super().__init__(MemoryPages(), CATALOG.without("links", "duplicates"))
        self._at = at

    def watermark(self) -> int:
        return self._at


def test_whatever_can_be_received_makes_history_or_is_referred_to() -> None:
    assert set(RECEIVES) == {"customers", "sellers", "products", "orders", "returns", "seller_events", "resolutions", "deliveries"}
    with filled(Store("sqlite://")) as store, store.view() as tx:
        assert HISTORY.within(StorePages(tx)).watermark() > 0
