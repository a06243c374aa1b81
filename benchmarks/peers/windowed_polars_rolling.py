"""Polars, rolling windows: ``rolling_sum_by`` over each key for every event, then the rows that ask."""

from __future__ import annotations

import polars as pl
from windowed import DAYS, KEYS, run
from windowed_polars import columns, prepare


def _rolling(key):
    for days in DAYS:
        for what, column in (("count", "one"), ("sum", "cents"), ("new", "fresh")):
            yield pl.col(column).rolling_sum_by("moment", f"{days}d", closed="left").over(key).alias(f"{what}_{key}_{days}")
    yield pl.col("time").rolling_max_by("moment", "10000d", closed="left").over(key).alias(f"last_{key}")


def work(frame):
    """All windows of both keys in one expression."""
    frame = frame.sort("time", maintain_order=True).with_columns(
        fresh=pl.struct("customer", "seller").is_first_distinct().cast(pl.Int64),
        one=pl.lit(1, pl.Int64),
        moment=pl.col("time").cast(pl.Datetime("us")),
    )
    return frame.select("id", "asks", *(word for key, _ in KEYS for word in _rolling(key))).filter("asks")


run(prepare, work, columns)
