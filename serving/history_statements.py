"""The statements of :mod:`serving.history`, for both databases: they differ in how many keys are passed at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from itertools import chain
from typing import Any

from features.pages import Key, Shelf, Standing
from serving.schema import HISTORY_JOURNAL, HISTORY_LONE, HISTORY_PAGES, HISTORY_SHELVES

AT_ONCE = 8_192
"""Keys asked for in one statement: three parameters each, below the bound of every database in use."""

STEP, STEP_BEHIND = 16, 4
"""SQLite is asked for a multiple of so many keys, last pages or closed ones: few statements, so that the driver keeps them prepared."""

SHELF = "SELECT q.k, p.log, p.first_at, p.closed, p.page FROM {asked} CROSS JOIN {shelves} p WHERE p.shelf = q.k"
LONE = "SELECT q.k, 0, p.first_at, p.closed, p.page FROM {asked} CROSS JOIN {lone} p WHERE p.number = q.k"
BEFORE = "SELECT page FROM {pages} p WHERE p.shelf = q.k AND p.log = q.l AND p.first_at < q.b ORDER BY p.first_at DESC LIMIT 1"
BETWEEN = "SELECT first_at, page FROM {pages} WHERE shelf = {mark} AND log = {mark} AND first_at > {mark} AND first_at < {mark}"
LATEST = BETWEEN + " ORDER BY first_at DESC LIMIT 1"
CLOSE = (
    "INSERT INTO {pages} (shelf, log, first_at, page) VALUES ({mark}, {mark}, {mark}, {mark}) "
    "ON CONFLICT (shelf, log, first_at) DO UPDATE SET page = excluded.page"
)
KEEP = (
    "INSERT INTO {shelves} (shelf, log, first_at, closed, page) VALUES ({mark}, {mark}, {mark}, {mark}, {mark}) "
    "ON CONFLICT (shelf, log) DO UPDATE SET first_at = excluded.first_at, closed = excluded.closed, page = excluded.page"
)
KEEP_LONE = (
    "INSERT INTO {lone} (number, first_at, closed, page) VALUES ({mark}, {mark}, {mark}, {mark}) "
    "ON CONFLICT (number) DO UPDATE SET first_at = excluded.first_at, closed = excluded.closed, page = excluded.page"
)
JOURNAL = "SELECT (SELECT min(seq) FROM {journal}), seq, changes FROM {journal} WHERE seq >= {mark} ORDER BY seq"
ADD = "INSERT INTO {journal} (seq, changes) VALUES ({mark}, {mark})"
LEAVING = "SELECT max(seq) FROM (SELECT seq FROM {journal} WHERE seq <= {mark} ORDER BY seq LIMIT {mark}) q"
DONE = "DELETE FROM {journal} WHERE seq < {mark}"
EMPTY = "UPDATE {journal} SET changes = {mark} WHERE seq = {mark}"

_TABLES = {"shelves": HISTORY_SHELVES, "lone": HISTORY_LONE, "pages": HISTORY_PAGES, "journal": HISTORY_JOURNAL}


def behind_of(key: Key) -> tuple[bytes, int]:
    r"""Return under which name the closed pages of a log stand, whether the log stands alone or not.

    >>> behind_of((b"shelf", 3)), behind_of((258, 0))
    ((b'shelf', 3), (b'\x00\x00\x00\x00\x00\x00\x01\x02', 0))
    """
    shelf, log = key
    return (shelf.to_bytes(8, "big", signed=True), log) if isinstance(shelf, int) else (shelf, log)


@cache
def complete(statement: str, asked: str = "", mark: str = "") -> str:
    """Complete a statement with the names of the tables, what is asked for, and the driver's mark of a parameter."""
    return statement.format(**{name: table.name for name, table in _TABLES.items()}, asked=asked, mark=mark)


@cache
def marked(statement: str, dialect: str) -> str:
    """Complete a statement that asks for nothing, for a dialect.

    >>> marked(DONE, "sqlite"), marked(DONE, "postgresql")
    ('DELETE FROM history_journal WHERE seq < ?', 'DELETE FROM history_journal WHERE seq < %s')
    """
    return complete(statement, mark="?" if dialect == "sqlite" else "%s")


@cache
def listed(statement: str, size: int, width: int) -> str:
    """Write a look-up of ``size`` keys for SQLite, which has no arrays; rows come back in the order of the list."""
    names = ", ".join("klb"[:width])
    values = ", ".join([f"({', '.join('?' * width)})"] * size)
    return f"WITH q ({names}) AS (VALUES {values}) {complete(statement, 'q')}"


def standing(cursor: Any, dialect: str, wanted: Collection[Shelf]) -> list[Standing]:
    """Read the last page of every log on some shelves, as the tables have them, through the driver's cursor."""
    lone = [shelf for shelf in wanted if type(shelf) is int]
    shelves = [shelf for shelf in wanted if type(shelf) is bytes]
    return [*_standing(cursor, dialect, SHELF, "bytea", shelves), *_standing(cursor, dialect, LONE, "bigint", lone)]


def _standing(cursor: Any, dialect: str, statement: str, kind: str, wanted: Sequence[Shelf]) -> list[Standing]:
    """Return what the shelves of one table hold."""
    found: list[Standing] = []
    for start in range(0, len(wanted), AT_ONCE):
        part = wanted[start : start + AT_ONCE]
        if dialect == "postgresql":
            cursor.execute(complete(statement, f"unnest(%s::{kind}[]) AS q (k)"), (part,))
        else:
            size = -(-len(part) // STEP) * STEP  # few statements, so that the driver keeps them prepared
            cursor.execute(listed(statement, size, 1), (*part, *(None,) * (size - len(part))))
        found += cursor.fetchall()
    return found


def pages_before(cursor: Any, dialect: str, keys: Sequence[Key], before: Sequence[int]) -> list[bytes | None]:
    """Read of each log the last closed page that begins strictly before an instant, at most :data:`AT_ONCE` of them."""
    behind = [behind_of(key) for key in keys]
    if dialect == "postgresql":
        rows = "unnest(%s::bytea[], %s::bigint[], %s::bigint[]) WITH ORDINALITY AS q (k, l, b, i) ORDER BY q.i"
        query = complete(f"SELECT ({BEFORE}) FROM {{asked}}", rows)
        cursor.execute(query, ([k for k, _ in behind], [n for _, n in behind], [*before]))
    else:
        size = -(-len(keys) // STEP_BEHIND) * STEP_BEHIND
        filled = chain.from_iterable((*key, limit) for key, limit in zip(behind, before, strict=True))
        cursor.execute(listed(f"SELECT ({BEFORE}) FROM {{asked}}", size, 3), (*filled, *(None,) * (3 * (size - len(keys)))))
    return [page for (page,) in cursor.fetchall()[: len(keys)]]
