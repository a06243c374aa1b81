"""The statements of :mod:`serving.history`, for both databases: they differ in how many keys are passed at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any

from features.pages import Key, Shelf, Standing
from serving.pending import Last
from serving.schema_history import FRESH_LONE, FRESH_SHELVES, HISTORY_JOURNAL, HISTORY_LONE, HISTORY_PAGES, HISTORY_SHELVES

AT_ONCE = 8_192
"""Keys asked for in one statement: three parameters each, below the bound of every database in use."""

STEP, STEP_BEHIND = 16, 4
"""SQLite is asked for a multiple of so many keys, last pages or closed ones: few statements, so that the driver keeps them prepared."""

SHELF = "SELECT q.k, p.log, p.first_at, p.closed, p.page FROM {asked} CROSS JOIN {shelves} p WHERE p.shelf = q.k"
LONE = "SELECT q.k, 0, p.first_at, p.closed, p.page FROM {asked} CROSS JOIN {lone} p WHERE p.number = q.k"
BOTH_SHELVES = (
    SHELF.replace("{shelves}", "{fresh_shelves}") + f" UNION ALL {SHELF} "
    "AND NOT EXISTS (SELECT 1 FROM {fresh_shelves} f WHERE f.shelf = p.shelf AND f.log = p.log)"
)
BOTH_LONE = (
    LONE.replace("{lone}", "{fresh_lone}") + f" UNION ALL {LONE} AND NOT EXISTS (SELECT 1 FROM {{fresh_lone}} f WHERE f.number = p.number)"
)
BEFORE = "SELECT page FROM {pages} p WHERE p.shelf = q.k AND p.log = q.l AND p.first_at < q.b ORDER BY p.first_at DESC LIMIT 1"
BETWEEN = "SELECT first_at, page FROM {pages} WHERE shelf = {mark} AND log = {mark} AND first_at > {mark} AND first_at < {mark}"
LATEST = BETWEEN + " ORDER BY first_at DESC LIMIT 1"
CLOSE = (
    "INSERT INTO {pages} (shelf, log, first_at, page) VALUES ({mark}, {mark}, {mark}, {mark}) "
    "ON CONFLICT (shelf, log, first_at) DO UPDATE SET page = excluded.page"
)
_SHELF, _LONE = "shelf, log, first_at, closed, page", "number, first_at, closed, page"
_INSTEAD = "DO UPDATE SET first_at = excluded.first_at, closed = excluded.closed, page = excluded.page"
KEEP = f"INSERT INTO {{shelves}} ({_SHELF}) VALUES ({{mark}}, {{mark}}, {{mark}}, {{mark}}, {{mark}}) ON CONFLICT (shelf, log) {_INSTEAD}"
KEEP_LONE = f"INSERT INTO {{lone}} ({_LONE}) VALUES ({{mark}}, {{mark}}, {{mark}}, {{mark}}) ON CONFLICT (number) {_INSTEAD}"
KEEP_FRESH, KEEP_FRESH_LONE = KEEP.replace("{shelves}", "{fresh_shelves}"), KEEP_LONE.replace("{lone}", "{fresh_lone}")
STALE = "DELETE FROM {fresh_shelves} WHERE shelf = {mark} AND log = {mark}"
STALE_LONE = "DELETE FROM {fresh_lone} WHERE number = {mark}"
UNTIL = "SELECT shelf FROM {fresh_shelves} WHERE shelf >= {mark} ORDER BY shelf LIMIT 1 OFFSET {mark}"
UNTIL_LONE = "SELECT number FROM {fresh_lone} WHERE number >= {mark} ORDER BY number LIMIT 1 OFFSET {mark}"
_SOME, _SOME_LONE = "{fresh_shelves} WHERE shelf BETWEEN {mark} AND {mark}", "{fresh_lone} WHERE number BETWEEN {mark} AND {mark}"
MERGE = f"INSERT INTO {{shelves}} ({_SHELF}) SELECT {_SHELF} FROM {_SOME} ORDER BY shelf, log ON CONFLICT (shelf, log) {_INSTEAD}"
MERGE_LONE = f"INSERT INTO {{lone}} ({_LONE}) SELECT {_LONE} FROM {_SOME_LONE} ORDER BY number ON CONFLICT (number) {_INSTEAD}"
MERGED, MERGED_LONE = f"DELETE FROM {_SOME}", f"DELETE FROM {_SOME_LONE}"
JOURNAL = "SELECT (SELECT min(seq) FROM {journal}), seq, changes FROM {journal} WHERE seq >= {mark} ORDER BY seq"
PENDING = "SELECT (SELECT min(seq) FROM {journal}), (SELECT max(seq) FROM {journal})"
ADD = "INSERT INTO {journal} (seq, changes) VALUES ({mark}, {mark})"
LEAVING = "SELECT max(seq) FROM (SELECT seq FROM {journal} WHERE seq <= {mark} ORDER BY seq LIMIT {mark}) q"
DONE = "DELETE FROM {journal} WHERE seq < {mark}"
EMPTY = "UPDATE {journal} SET changes = {mark} WHERE seq = {mark}"

_TABLES = {
    **{"shelves": HISTORY_SHELVES, "lone": HISTORY_LONE, "pages": HISTORY_PAGES, "journal": HISTORY_JOURNAL},
    **{"fresh_shelves": FRESH_SHELVES, "fresh_lone": FRESH_LONE},
}


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
    if dialect == "postgresql":
        return [*_of_arrays(cursor, SHELF, "bytea", shelves), *_of_arrays(cursor, LONE, "bigint", lone)]
    return [*_of_lists(cursor, BOTH_SHELVES, shelves), *_of_lists(cursor, BOTH_LONE, lone)]


def _of_arrays(cursor: Any, statement: str, kind: str, wanted: Sequence[Shelf]) -> list[Standing]:
    """Return what the shelves of one table hold, on PostgreSQL."""
    found: list[Standing] = []
    for start in range(0, len(wanted), AT_ONCE):
        cursor.execute(complete(statement, f"unnest(%s::{kind}[]) AS q (k)"), (wanted[start : start + AT_ONCE],))
        found += cursor.fetchall()
    return found


def _of_lists(cursor: Any, statement: str, wanted: Sequence[Shelf]) -> list[Standing]:
    """Return what the shelves of a small table and a large one hold, on SQLite."""
    found: list[Standing] = []
    for start in range(0, len(wanted), AT_ONCE):
        part = wanted[start : start + AT_ONCE]
        size = -(-len(part) // STEP) * STEP  # few statements, so that the driver keeps them prepared
        cursor.execute(listed(statement, size, 1), (*part, *(None,) * (size - len(part))))
        found += cursor.fetchall()
    return found


Run = Callable[[str, Sequence[tuple[Any, ...]]], None]
"""Runs a statement once for each of some rows, for none of none."""


def keep(run: Run, pages: Mapping[Key, Last], are_small: bool = False) -> None:
    """Write last pages to the large tables.

    Parameters
    ----------
    run
        Runs a statement.
    pages
        By log.
    are_small
        Whether some of them may stand in small tables, from which they are removed.
    """
    shelves, lone = _sorted(pages)
    if are_small:
        run(STALE, [row[:2] for row in shelves])
        run(STALE_LONE, [row[:1] for row in lone])
    run(KEEP, shelves)
    run(KEEP_LONE, lone)


def keep_lately(run: Run, dialect: str, pages: Mapping[Key, Last]) -> None:
    """Write last pages to the small tables (:mod:`serving.fresh`); on PostgreSQL, which has none in use, to the large ones."""
    if dialect == "postgresql":
        keep(run, pages)
        return
    shelves, lone = _sorted(pages)
    run(KEEP_FRESH, shelves)
    run(KEEP_FRESH_LONE, lone)


def _sorted(pages: Mapping[Key, Last]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Return the rows of both tables, in the order in which they lie."""
    shelves = [(*key, *last) for key, last in pages.items() if type(key[0]) is bytes]
    return sorted(shelves), sorted([(key[0], *last) for key, last in pages.items() if type(key[0]) is int])


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
