"""Polars: the log as a frame; shared by both formulations."""

from __future__ import annotations

import numpy as np
import polars as pl
from windowed import DAYS, KEYS, since


def prepare(log):
    """Make the frame, rows numbered."""
    asks = np.zeros(len(log.time), dtype=bool)
    asks[log.probes] = True
    held = {"id": np.arange(len(log.time)), "time": log.time, "customer": log.customer, "seller": log.seller, "cents": log.cents}
    return pl.DataFrame(held | {"asks": asks}).with_columns(pl.col("customer", "seller").cast(pl.Int32))


def columns(answer, log):
    """Read the answer in the order of the probes."""
    answer, now = answer.sort("id"), log.time[log.probes]
    for key, _ in KEYS:
        for what in ("count", "sum", "last", "new"):
            if what == "last":
                last = answer[f"last_{key}"].fill_null(-1).to_numpy()
                yield since(now, last, last >= 0)
            else:
                yield from (answer[f"{what}_{key}_{days}"].fill_null(0).to_numpy() for days in DAYS)
