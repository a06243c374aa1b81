"""How a database is opened: what SQLite is told of memory, log and waiting, and how its transactions begin."""

from __future__ import annotations

import sqlite3
from time import monotonic, sleep
from typing import Any, Literal

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import OperationalError

from serving.pending import OVERLAYS, Overlays

_MEMORY = ("cache_size = -65536", "mmap_size = 2147418112")
"""SQLite: 64 MiB of pages per connection, and the file read as memory as far as the library can (2 GiB)."""

_LOG = "wal_autocheckpoint = 4096"
"""SQLite: 16 MiB of log before a commit carries it into the file. A service carries it beside the requests
(:meth:`serving.store.Store.carry`); with the default of a thousand pages every third slice of history that goes to its place would be
before it."""

_PATIENT = "busy_timeout = 30000"
"""SQLite: milliseconds that a transaction waits for another one."""

_HASTY = "busy_timeout = 20"
"""SQLite: milliseconds for which others may be kept waiting while the log begins anew; if that is not enough, it is tried again later."""

_LONG = 16_384
"""SQLite: pages of log, 64 MiB, from which on it has to."""

_LOOKING, _LOOK = 0.1, 0.0003
"""Seconds for which whoever begins to write looks again and again whether somebody else still does, and seconds between two looks."""

Synchronous = Literal["NORMAL", "FULL"]
"""What a commit on SQLite survives: a killed process, or a loss of power as well."""


def engine_of(url: str, synchronous: Synchronous, overlays: Overlays) -> Engine:
    """Return the engine of a store.

    Parameters
    ----------
    url
        SQLAlchemy URL.
    synchronous
        SQLite only: what a commit promises.
    overlays
        What is pending in the history; every connection carries it along.

    Notes
    -----
    On SQLite a transaction is one that reads or one that writes from its beginning; ``touchstone_reads`` among a connection's execution
    options says that it reads.
    """
    # Who was given back last is asked first: SQLite forgets every page that a connection holds once another one has written.
    kept = {"pool_use_lifo": True} if make_url(url).database not in (None, "", ":memory:") else {}
    engine = create_engine(url, execution_options={OVERLAYS: overlays}, **kept)
    if engine.dialect.name != "sqlite":
        return engine

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver's guess
        for pragma in (_PATIENT, "journal_mode = WAL", f"synchronous = {synchronous}", "foreign_keys = ON", _LOG, *_MEMORY):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("touchstone_reads", False)
        statement = "BEGIN" if reads else "BEGIN IMMEDIATE"
        try:  # past SQLAlchemy: for a claim it would take as long as writing the history
            cursor = connection.connection.cursor()
            if reads:
                cursor.execute(statement)
            else:
                _begin_alone(cursor)
        except sqlite3.OperationalError as error:
            raise OperationalError(statement, None, error) from error

    return engine


def _begin_alone(cursor: Any) -> None:
    """Begin to write as soon as nobody else does: SQLite's own waiting looks again ever more seldom, and two workers would idle in turn."""
    end = monotonic() + _LOOKING
    cursor.execute("PRAGMA busy_timeout = 0")
    try:
        while monotonic() < end:
            try:
                cursor.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                sleep(_LOOK)
            else:
                return
    finally:
        cursor.execute(f"PRAGMA {_PATIENT}")
    cursor.execute("BEGIN IMMEDIATE")


def carry(cursor: Any) -> None:
    """Carry what SQLite's log holds into the file, beside the writers, and have it begin anew where it is long, which they wait for."""
    cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
    ((_, pages, _),) = cursor.fetchall()
    if pages > _LONG:
        cursor.execute(f"PRAGMA {_HASTY}")
        try:
            cursor.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        finally:
            cursor.execute(f"PRAGMA {_PATIENT}")
