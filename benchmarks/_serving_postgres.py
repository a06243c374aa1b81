"""The world's store once more on PostgreSQL: every row copied, which takes a fraction of filling it anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Boolean

from serving.schema import METADATA
from serving.store import Store


def copy_store(source: Path, url: str) -> None:
    """Copy every row of a SQLite store into an empty database, and let it count its tables, as filling does."""
    with Store(url):
        pass  # makes the tables
    with sqlite3.connect(source) as held, psycopg.connect(url.replace("+psycopg", "", 1)) as into:
        into.execute("DELETE FROM history_journal")  # a new one has its beginning, and so has the copy
        for table in METADATA.sorted_tables:
            _copy(held, into, table.name, [column.name for column in table.columns], [_as(column.type) for column in table.columns])
        into.execute("ANALYZE")


def _as(kind: Any) -> Callable[[Any], Any] | None:
    return bool if isinstance(kind, Boolean) else None


def _copy(held: sqlite3.Connection, into: Any, table: str, columns: list[str], kinds: list[Callable[[Any], Any] | None]) -> None:
    listed = ", ".join(f'"{column}"' for column in columns)
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns)))
    with into.cursor() as cursor, cursor.copy(command) as copy:
        for row in held.execute(f'SELECT {listed} FROM "{table}"'):
            copy.write_row([kind(value) if kind and value is not None else value for value, kind in zip(row, kinds, strict=True)])
