"""Polars, ``join_asof``: running sums by key once, then one as-of join per window edge, and differences."""

from __future__ import annotations

import polars as pl
from windowed import DAY_US, DAYS, KEYS, run
from windowed_polars import columns, prepare

EDGES = (0, *DAYS)


def work(frame):
    """For each key: running sums, of several at one instant the last; as-of join at each edge; differences."""
    frame = frame.sort("time", maintain_order=True).with_columns(fresh=pl.struct("customer", "seller").is_first_distinct().cast(pl.Int64))
    asked = frame.filter("asks").select("id", "time", "customer", "seller")
    answer = asked.select("id")
    for key, _ in KEYS:
        sums = [pl.int_range(1, pl.len() + 1).over(key).alias("n"), *(pl.col(c).cum_sum().over(key) for c in ("cents", "fresh"))]
        running = frame.select(key, "time", *sums)
        running = running.unique([key, "time"], keep="last", maintain_order=True).with_columns(last="time")
        found = {}
        for days in EDGES:
            edge = asked.select(key, time=pl.col("time") - days * DAY_US)
            found[days] = edge.join_asof(running, on="time", by=key, allow_exact_matches=False, check_sortedness=False)
        answer = answer.with_columns(
            *(
                (found[0][column].fill_null(0) - found[days][column].fill_null(0)).alias(f"{what}_{key}_{days}")
                for what, column in (("count", "n"), ("sum", "cents"), ("new", "fresh"))
                for days in DAYS
            ),
            found[0]["last"].alias(f"last_{key}"),
        )
    return answer


run(prepare, work, columns)
