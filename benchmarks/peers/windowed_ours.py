"""Touchstone: the declared aggregates, evaluated by ``features.windows`` over integers."""

from __future__ import annotations

import numpy as np
from windowed import DAY_US, DAYS, KEYS, Log, run, threads

from features.sources import Events
from features.spec import ALL, Aggregate, Window
from features.sweep import Desk
from features.windows import answer

WINDOWS = tuple(Window(days) for days in DAYS)
PARTS = tuple(
    Aggregate(on, (f"{key}_id",), how, over)
    for key, other in KEYS
    for on, how, over in (
        *(("orders", "count", window) for window in WINDOWS),
        *(("orders.cents", "sum", window) for window in WINDOWS),
        ("orders", "since_last", ALL),
        *((f"orders.{other}_id", "first_seen", window) for window in WINDOWS),
    )
)


def prepare(log: Log):
    """Events and probes as integers."""
    codes = {"customer_id": log.customer, "seller_id": log.seller}
    asked = Events(log.time[log.probes], {name: values[log.probes] for name, values in codes.items()})
    sizes = {name: int(values.max(initial=-1)) + 1 for name, values in codes.items()}
    return Events(log.time, codes | {"cents": log.cents}), asked, sizes, Desk(threads())


def work(state):
    """Take the product's own road; its working memory is kept from run to run, as other engines keep theirs."""
    events, asked, sizes, desk = state
    return answer(PARTS, events, asked, sizes, desk)


def columns(found, _log):
    """Days back to microseconds; everything else is whole already."""
    for part in PARTS:
        value = found[part]
        yield np.where(np.isnan(value), -1, np.rint(value * DAY_US)) if part.how == "since_last" else value


run(prepare, work, columns)
