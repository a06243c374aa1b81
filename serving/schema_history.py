"""The tables of the online history, see :mod:`serving.history`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table

from serving.schema import METADATA


def _last() -> list[Column[object]]:
    """Return the columns of a last page."""
    return [
        Column("first_at", BigInteger, nullable=False),
        Column("closed", BigInteger, nullable=False),
        Column("page", LargeBinary, nullable=False),
    ]


HISTORY_SHELVES = Table(
    "history_shelves",
    METADATA,
    Column("shelf", LargeBinary, primary_key=True),
    Column("log", BigInteger, primary_key=True, autoincrement=False),
    *_last(),
    sqlite_with_rowid=False,
    postgresql_partition_by="HASH (shelf)",
)
"""What the online features read: the last page of every log by shelf and number, see :mod:`serving.history`."""

HISTORY_LONE = Table(
    "history_lone",
    METADATA,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    *_last(),
    postgresql_partition_by="HASH (number)",
)
"""The last page of every log that stands alone, by its number: a whole number that is the key itself is found fastest on SQLite."""

FRESH_SHELVES = Table(
    "history_fresh_shelves",
    METADATA,
    Column("shelf", LargeBinary, primary_key=True),
    Column("log", BigInteger, primary_key=True, autoincrement=False),
    *_last(),
    sqlite_with_rowid=False,
)
"""Rows of :data:`HISTORY_SHELVES` that were written lately, in the place of those there until they are merged, see :mod:`serving.fresh`."""

FRESH_LONE = Table(
    "history_fresh_lone",
    METADATA,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    *_last(),
)
"""Rows of :data:`HISTORY_LONE` that were written lately."""

HISTORY_PAGES = Table(
    "history_pages",
    METADATA,
    Column("shelf", LargeBinary, primary_key=True),
    Column("log", BigInteger, primary_key=True, autoincrement=False),
    Column("first_at", BigInteger, primary_key=True, autoincrement=False),
    Column("page", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
    postgresql_partition_by="HASH (shelf)",
)
"""The closed pages behind them, by the instant of their first row."""

HISTORY_JOURNAL = Table(
    "history_journal",
    METADATA,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("changes", LargeBinary, nullable=False),
)
"""What transactions added to the history and is not in its place yet, see :mod:`serving.pending`; an entry's number says how many changes
there were up to it. The first entry is the last one that is in its place, and empty."""
