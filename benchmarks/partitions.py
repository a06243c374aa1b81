"""What partitions of the online history cost a claim on PostgreSQL, and what they save whoever maintains the tables.

Two databases on one server hold the same pages, once as the store makes the tables (dealt to partitions by the hash of their keys) and
once as whole tables. Claim after claim, in turn, look-ups are timed as :class:`serving.history.StorePages` does them; then, when a fourth
of the rows was rewritten, the longest that one VACUUM takes, and one REINDEX, which locks out everybody who writes what it rebuilds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import psycopg
from sqlalchemy import Connection, text

from benchmarks._record import record
from features.pages import END, Key
from serving.history import StorePages
from serving.store import Store
from tests.postgres import running

ROWS, CLAIMS, SHELVES, LONE, PAGE = 400_000, 600, 12, 60, 192
"""Rows of each table; claims timed; shelves and lone logs that each asks for; bytes of a page."""

TABLES = ("history_shelves", "history_lone")
PARTITIONED, WHOLE = "partitioned", "whole"


def merge(tx: Connection) -> None:
    """Make whole tables of partitioned ones; they are empty."""
    for table in TABLES:
        tx.execute(text(f"CREATE TABLE {table}_whole (LIKE {table} INCLUDING ALL)"))
        tx.execute(text(f"DROP TABLE {table}"))
        tx.execute(text(f"ALTER TABLE {table}_whole RENAME TO {table}"))


def fill(tx: Connection, rng: np.random.Generator) -> list[Key]:
    """Write the same rows to any store, and return their keys: shelves first, then lone logs."""
    page = rng.bytes(PAGE)
    numbers = np.unique(rng.integers(-(2**62), 2**62, ROWS + ROWS // 100))[:ROWS].tolist()
    shelves = [(b"\x00\x01" + number.to_bytes(8, "big", signed=True), 0) for number in numbers]
    cursor = tx.connection.cursor()
    with cursor.copy("COPY history_shelves (shelf, log, first_at, closed, page) FROM STDIN") as copy:
        for shelf, log in shelves:
            copy.write_row((shelf, log, 0, 0, page))
    with cursor.copy("COPY history_lone (number, first_at, closed, page) FROM STDIN") as copy:
        for number in numbers:
            copy.write_row((number, 0, 0, page))
    return [*shelves, *((number, 0) for number in numbers)]


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def look_up(store: Store, keys: Sequence[Key]) -> float:
    """Read what a claim asks for, as the endpoint does; returns milliseconds."""
    with store.view() as tx:
        pages = StorePages(tx)
        return timed(lambda: pages.latest(keys, [END] * len(keys))) * 1e3


def age(store: Store) -> None:
    """Rewrite every fourth row, as claims do it in the course of days."""
    with store.write() as tx:
        tx.execute(text("UPDATE history_lone SET page = page WHERE number % 4 = 0"))
        tx.execute(text("UPDATE history_shelves SET page = page WHERE get_byte(shelf, 9) % 4 = 0"))


def longest(url: str, words: str) -> float:
    """Return the longest seconds that a command takes on any one table, or on any one partition where there are some."""
    with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as connection:
        found = connection.execute("SELECT inhrelid::regclass::text, inhparent::regclass::text FROM pg_inherits").fetchall()
        parts = [part for part, parent in found if parent in TABLES] or list(TABLES)
        return max(timed(lambda table=table: connection.execute(f"{words} {table}")) for table in parts)  # type: ignore[arg-type,misc]


def main(claims: int = CLAIMS) -> int:
    """Measure both, print, and write ``results/partitions.json``."""
    with running() as server:
        urls = {name: server.database() for name in (PARTITIONED, WHOLE)}
        with psycopg.connect(urls[WHOLE].replace("+psycopg", "", 1), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET autovacuum = off")  # or it does before us what is measured
            connection.execute("SELECT pg_reload_conf()")
        with Store(urls[PARTITIONED]) as partitioned, Store(urls[WHOLE]) as whole:
            stores = {PARTITIONED: partitioned, WHOLE: whole}
            with whole.write() as tx:
                merge(tx)
            for name, store in stores.items():
                with store.write() as tx:
                    keys = fill(tx, np.random.default_rng(1))
                longest(urls[name], "VACUUM ANALYZE")
            read = timed_in_turn(stores, keys, claims)
            for store in stores.values():
                age(store)
        rows = [
            {
                "tables": name,
                "read_ms": statistics.median(read[name]),
                "longest_vacuum_s": longest(urls[name], "VACUUM"),
                "longest_reindex_s": longest(urls[name], "REINDEX TABLE"),
            }
            for name in stores
        ]
    ours, theirs = rows
    ratios = {name.rpartition("_")[0]: float(ours[name]) / float(theirs[name]) for name in ours if name != "tables"}
    for name, ratio in ratios.items():
        print(f"{name.replace('_', ' ')}: partitioned ÷ whole {ratio:.2f}")
    metrics = {"rows_a_table": ROWS, "claims": claims, "read_ms_more": float(ours["read_ms"]) - float(theirs["read_ms"])}
    record("partitions", {"metrics": metrics, "ratios": ratios, "rows": rows}, ("psycopg", "sqlalchemy"))
    return 0


def timed_in_turn(stores: Mapping[str, Store], keys: Sequence[Key], claims: int) -> dict[str, list[float]]:
    """Return the milliseconds of each claim's look-ups, one store after the other, claim by claim."""
    rng, found = np.random.default_rng(2), {name: list[float]() for name in stores}
    for _ in range(claims):
        asked = [keys[at] for at in (*rng.integers(0, ROWS, SHELVES), *rng.integers(ROWS, 2 * ROWS, LONE))]
        for name, store in stores.items():
            found[name].append(look_up(store, asked))
    return found


if __name__ == "__main__":
    raise SystemExit(main())
