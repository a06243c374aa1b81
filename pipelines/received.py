"""What the endpoint received, brought into the lake: whoever reads the lake beside the store calls this first.

The store's word counts: a row that reached the lake another way is left where it is, but what the store noted about it (that it
was recorded late, when an order arrived) is written into its batch.
"""

from __future__ import annotations

import pandas as pd

from data_contracts import CONTRACTS
from features.facts import RECORDED
from pipelines.home import Home
from pipelines.lake import Lake
from serving.received import received_events
from serving.store import Store

RECEIVED = "received-"
"""Begins the name of every batch of rows that the endpoint received."""

_TABLES = ("customers", "sellers", "products", "orders", "returns", "seller_events", "claims", "resolutions")


def export_received(home: Home, store: Store) -> int:
    """Bring the claims and events that the endpoint received into the lake, one batch per table and month.

    Running again, or after a kill, changes nothing.

    Returns
    -------
    int
        Rows in the batches that were written.
    """
    lake = Lake.of(home)
    deliveries = received_events(store, "deliveries").set_index("order_id")["delivered_at"]
    written = 0
    for table in _TABLES:
        rows = received_events(store, table)
        if table == "claims":
            received = store.read("claims")
            rows = pd.concat([rows[~rows["claim_id"].isin(received["claim_id"])], received], ignore_index=True)
        told = deliveries if table == "orders" else deliveries.iloc[:0]
        if len(rows) or len(told):
            written += _corrected(lake, table, rows, told)
            written += _appended(lake, table, _delivered(rows, told))
    return written


def _delivered(orders: pd.DataFrame, deliveries: pd.Series) -> pd.DataFrame:
    """Return orders with the deliveries that were reported later."""
    if deliveries.empty:
        return orders
    told = pd.Series(deliveries.reindex(orders["order_id"]).array, index=orders.index)
    return orders.assign(delivered_at=told.where(told.notna(), orders["delivered_at"]))


def _corrected(lake: Lake, table: str, rows: pd.DataFrame, deliveries: pd.Series) -> int:
    """Write what was noted about rows of other batches into these."""
    contract, written = CONTRACTS[table], 0
    column = contract.known_at if contract.known_at != contract.event_time else RECORDED
    noted = rows.set_index(contract.key)[column].dropna()
    for batch in (name for name in lake.batches(table) if not name.startswith(RECEIVED)):
        keys = lake.read(table, columns=[contract.key], only=batch)[contract.key]
        if not (keys.isin(noted.index).any() or keys.isin(deliveries.index).any()):
            continue
        held = lake.read(table, only=batch)
        told = pd.Series(noted.reindex(keys).array, index=held.index)
        mended = _delivered(held.assign(**{column: told.where(told.notna(), held[column])}), deliveries)
        if not mended.equals(held):
            lake.append(table, mended, batch)
            written += len(mended)
    return written


def _appended(lake: Lake, table: str, rows: pd.DataFrame) -> int:
    """Write the rows that reached the lake no other way, a batch per month in which they happened."""
    contract, written = CONTRACTS[table], 0
    for month, some in rows.groupby(rows[contract.event_time].dt.strftime("%Y-%m"), sort=True):
        batch = f"{RECEIVED}{month}"
        others = lake.read(table, columns=[contract.key], without=batch)[contract.key]
        ours = some[~some[contract.key].isin(others)].sort_values(contract.key, ignore_index=True)
        if len(ours) and (lake.count(table, batch) != len(ours) or not lake.read(table, only=batch).equals(ours)):
            lake.append(table, ours, batch)
            written += len(ours)
    return written
