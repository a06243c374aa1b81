"""DuckDB, window frames: ``RANGE BETWEEN … PRECEDING AND 1 PRECEDING`` over every event, then the rows that ask."""

from __future__ import annotations

from windowed import DAY_US, DAYS, KEYS, run
from windowed_duckdb import FRESH, columns, prepare


def _selected(key, other):
    for days in DAYS:
        yield f"count(*) OVER {key}_{days} AS count_{key}_{days}"
    for days in DAYS:
        yield f"sum(cents) OVER {key}_{days} AS sum_{key}_{days}"
    yield f"max(time) OVER {key}_all AS last_{key}"
    for days in DAYS:
        yield f"sum(fresh) OVER {key}_{days} AS new_{key}_{days}"


def _frames(key):
    order = f"(PARTITION BY {key} ORDER BY time RANGE BETWEEN"
    yield f"{key}_all AS {order} UNBOUNDED PRECEDING AND 1 PRECEDING)"
    for days in DAYS:
        yield f"{key}_{days} AS {order} {days * DAY_US} PRECEDING AND 1 PRECEDING)"


QUERY = f"""CREATE OR REPLACE TABLE answer AS SELECT * FROM (
  SELECT id, time, asks, {", ".join(word for pair in KEYS for word in _selected(*pair))} FROM ({FRESH})
  WINDOW {", ".join(frame for key, _ in KEYS for frame in _frames(key))}) WHERE asks"""

run(prepare, lambda connection: connection.execute(QUERY) and connection, columns)
