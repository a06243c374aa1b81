"""DuckDB, ``ASOF`` joins: running sums by key once, then one as-of join per window edge, and differences."""

from __future__ import annotations

from windowed import DAY_US, DAYS, KEYS, run
from windowed_duckdb import FRESH, columns, prepare

EDGES = (0, *DAYS)


def _running(key):
    over = f"OVER (PARTITION BY {key} ORDER BY time)"  # of several at one instant, each carries the sum with all of them
    return f"SELECT {key}, time, count(*) {over} AS n, sum(cents) {over} AS cents, sum(fresh) {over} AS fresh FROM flagged"


def _joins(key):
    for days in EDGES:
        name = f"{key}_{days}"
        yield f"ASOF LEFT JOIN running_{key} {name} ON p.{key} = {name}.{key} AND p.time - {days * DAY_US} > {name}.time"


def _selected(key, _other):
    for what, column in (("count", "n"), ("sum", "cents"), ("new", "fresh")):
        for days in DAYS:
            yield f"coalesce({key}_0.{column}, 0) - coalesce({key}_{days}.{column}, 0) AS {what}_{key}_{days}"
    yield f"{key}_0.time AS last_{key}"


def _answer(key, other):
    joins = " ".join(_joins(key))
    return f"CREATE OR REPLACE TABLE answer_{key} AS SELECT p.id, {', '.join(_selected(key, other))} FROM (FROM log WHERE asks) p {joins}"


QUERIES = (
    f"CREATE OR REPLACE TABLE flagged AS {FRESH}",
    *(
        query
        for key, other in KEYS
        for query in (f"CREATE OR REPLACE TABLE running_{key} AS {_running(key)}", _answer(key, other), f"DROP TABLE running_{key}")
    ),
    "CREATE OR REPLACE VIEW answer AS SELECT * FROM answer_customer JOIN answer_seller USING (id)",
)
"""One key after the other, so that the joins of one alone have to fit into memory."""


def work(connection):
    """Run the queries one after the other."""
    for query in QUERIES:
        connection.execute(query)
    return connection


run(prepare, work, columns)
