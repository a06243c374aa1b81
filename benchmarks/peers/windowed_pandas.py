"""pandas: ``groupby(key).rolling("7D", closed="left")`` for every event, then the rows that ask."""

from __future__ import annotations

import numpy as np
import pandas as pd
from windowed import DAYS, KEYS, run, since


def prepare(log):
    """Make the frame; ``asks`` marks the probes."""
    asks = np.zeros(len(log.time), dtype=bool)
    asks[log.probes] = True
    held = {"time": log.time, "customer": log.customer, "seller": log.seller, "cents": log.cents, "asks": asks}
    return pd.DataFrame(held, index=pd.to_datetime(log.time, unit="us"))


def work(frame):
    """For each key: rolling sums of three columns, four windows; the last earlier instant by a shift."""
    frame = frame.sort_index(kind="stable") if not frame.index.is_monotonic_increasing else frame
    frame = frame.assign(one=1, fresh=(~frame.duplicated(["customer", "seller"])).astype("int64"), id=np.arange(len(frame)))
    asks, found = frame["asks"].to_numpy(), {}
    for key, _ in KEYS:
        order = np.argsort(frame[key].to_numpy(), kind="stable")  # rolling returns the groups one after the other
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        for days in DAYS:
            sums = frame.groupby(key)[["one", "cents", "fresh"]].rolling(f"{days}D", closed="left").sum().to_numpy()
            kept = sums[place[asks]]
            found |= {f"{what}_{key}_{days}": kept[:, i] for i, what in enumerate(("count", "sum", "new"))}
        moments = frame[[key, "time"]].drop_duplicates()
        moments["last"] = moments.groupby(key)["time"].shift(fill_value=-1)
        found[f"last_{key}"] = frame.loc[asks, [key, "time"]].merge(moments, on=[key, "time"], how="left")["last"].to_numpy()
    return found


def columns(found, log):
    """Read the answer; pandas has no sums of nothing."""
    now = log.time[log.probes]
    for key, _ in KEYS:
        for what in ("count", "sum", "last", "new"):
            if what == "last":
                yield since(now, found[f"last_{key}"], found[f"last_{key}"] >= 0)
            else:
                yield from (np.nan_to_num(found[f"{what}_{key}_{days}"]) for days in DAYS)


run(prepare, work, columns)
