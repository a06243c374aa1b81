"""DuckDB: the log as a native table in memory; shared by both formulations."""

from __future__ import annotations

import tempfile

import duckdb
import numpy as np
import pyarrow as pa
from windowed import DAYS, KEYS, since, threads

FRESH = """SELECT l.*, (f.id IS NOT NULL)::BIGINT AS fresh FROM log l
  LEFT JOIN (SELECT arg_min(id, time) AS id FROM log GROUP BY customer, seller) f USING (id)"""
"""The log, with the first event of each pair of customer and seller flagged."""


def prepare(log):
    """Load the log into a table, rows numbered."""
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads()}; SET memory_limit = '10GB'; SET temp_directory = '{tempfile.gettempdir()}'")
    asks = np.zeros(len(log.time), dtype=bool)
    asks[log.probes] = True
    table = pa.table(
        {
            "id": np.arange(len(log.time)),
            "time": log.time,
            "customer": log.customer.astype(np.int32),
            "seller": log.seller.astype(np.int32),
            "cents": log.cents,
            "asks": asks,
        }
    )
    connection.register("arrow", table)
    connection.execute("CREATE TABLE log AS SELECT * FROM arrow")
    connection.unregister("arrow")
    return connection


def columns(connection, log):
    """Read the answer in the order of the probes."""
    wanted = []
    for key, _ in KEYS:
        wanted += [f"count_{key}_{days}" for days in DAYS] + [f"sum_{key}_{days}" for days in DAYS]
        wanted += [f"last_{key}", *(f"new_{key}_{days}" for days in DAYS)]
    now = log.time[log.probes]
    for name in wanted:
        (value,) = connection.execute(f"SELECT coalesce({name}, -1)::BIGINT AS v FROM answer ORDER BY id").fetchnumpy().values()
        yield since(now, value, value >= 0) if name.startswith("last") else np.maximum(value, 0)
