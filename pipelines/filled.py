"""The store's history kept up with the lake: filled at the first start, afterwards by the batches that are new or were written anew."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

import pandas as pd

from features.history import NEVER
from features.online import OnlineHistory
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.received import export_received
from serving.driver import Driver
from serving.events import receive
from serving.filling import FILLED_FROM, PORTION, Progress, fill
from serving.history import StorePages
from serving.instants import micros
from serving.known import KEPT, look_up, named
from serving.store import Store, mark, set_mark

LIVE_PORTION = 2_000
"""Rows of one transaction while claims are decided beside it."""

_DELIVERED = KEPT["orders"].index("delivered_at")


def fill_from_lake(
    home: Home, store: Store, history: OnlineHistory, now: datetime, portion: int = PORTION, progress: Progress | None = None
) -> int:
    """Take in what the lake holds and the store does not know yet.

    Batches that were taken in are passed over unless they were written anew, so that a start without news reads nothing. What
    became known before something that is in the history counts from now on, and the next export writes that into the lake.

    Parameters
    ----------
    home
        Whose lake.
    store
        Whose history is filled.
    history
        Prepared for the catalogue that is served.
    now
        The present instant.
    portion
        Rows per transaction; others can write between two.
    progress
        Told (rows taken in, rows to take in).

    Returns
    -------
    int
        How many rows were new.
    """
    with store.view() as tx:
        is_first = history.within(StorePages(tx)).watermark() == NEVER
    if is_first:
        export_received(home, store)  # what an older version received is in the store alone
    lake = Lake.of(home)
    changed = _changed_batches(lake, store)
    if not changed:
        return 0
    tables = {
        table: pd.concat([lake.read(table, only=path.stem) for path in batches], ignore_index=True) for table, batches in changed.items()
    }
    new = fill(store, history, tables, micros(now), portion, progress)
    if "orders" in tables:
        new += _deliver(store, history, tables["orders"], now)
    with store.write() as tx:
        for batches in changed.values():
            for path, state in batches.items():
                set_mark(tx, _mark(path), state)
    return new


def _changed_batches(lake: Lake, store: Store) -> Mapping[str, Mapping[Path, int]]:
    """Return by table the batches that are not as they were when they were taken in, with their state."""
    found: dict[str, dict[Path, int]] = {}
    with store.view() as tx:
        for table in FILLED_FROM:
            for path in lake.files(table):
                state = _state(path)
                if mark(tx, _mark(path)) != state:
                    found.setdefault(table, {})[path] = state
    return found


def _mark(path: Path) -> str:
    return f"lake/{path.parent.name}/{path.stem}"


def _state(path: Path) -> int:
    """Return a number that changes whenever a batch is written anew."""
    about = path.stat()
    told = f"{about.st_size} {about.st_mtime_ns}".encode()
    return int.from_bytes(blake2b(told, digest_size=8).digest(), "big") >> 12


def _deliver(store: Store, history: OnlineHistory, orders: pd.DataFrame, now: datetime) -> int:
    """Take in deliveries of orders that were on their way when they were taken in."""
    arrived = orders[orders["delivered_at"].notna() & (orders["delivered_at"] <= now)]
    names = (named("orders", "") + arrived["order_id"]).tolist()
    with store.view() as tx:
        held = look_up(Driver(tx), names)
    open_ = [name in held and held[name].held[_DELIVERED] is None for name in names]
    told = arrived.loc[open_, ["order_id", "delivered_at"]]
    rows = [{"order_id": order, "delivered_at": at.isoformat()} for order, at in zip(told["order_id"], told["delivered_at"], strict=True)]
    if rows:
        with store.write() as tx:
            receive(tx, history, "deliveries", rows, now)
    return len(rows)
