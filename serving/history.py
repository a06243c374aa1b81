"""The pages of the online history in the case store: shelves of last pages, and the closed pages behind them.

What a claim asks for is mostly the last page of a log. Those stand together by *shelf* (all logs of one customer, one
seller): one look-up brings the shelf. Logs that are read without others (buckets, components) have a table of their own with a
whole number for a key, which SQLite finds in a third of the time. A page that is closed moves to a third table, asked only for
what lies further back. What was read is remembered for the transaction, so that appending a claim that was just read reads next to
nothing, and what is written is written once (:meth:`StorePages.flush`).

The statements go to the driver itself, inside the caller's transaction: what SQLAlchemy adds to a statement costs as much as
forty of the look-ups. Two dialects are known, because that is where the ways to pass many keys at once differ.

How the endpoint uses it, all in **one** write transaction: has the event or claim been taken before (its identifier is in
its own table)? then answer what was answered; else :meth:`~features.online.OnlineHistory.admit` it, read the claim's vector
if it is a claim, insert the rows into their tables, append them here. Killed at any instant, either all of it or nothing
is there; called twice, the second call finds the first. One writer at a time: SQLite sees to it, on PostgreSQL
:meth:`StorePages.alone` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
from sqlalchemy import Connection

from features.pages import Key, Laid, Page
from serving.schema import HISTORY_LONE, HISTORY_PAGES, HISTORY_SHELVES

AT_ONCE = 8_192
"""Keys asked for in one statement: three parameters each, below the bound of every database in use."""

REMEMBERED = 100_000
"""Shelves remembered within a transaction after they were written down; more are forgotten."""

_STEP, _STEP_BEHIND = 16, 4
_LOCK = 0x70A6E5
_SHELF = "SELECT q.k, p.log, p.first_at, p.closed, p.page FROM {asked} CROSS JOIN {shelves} p WHERE p.shelf = q.k"
_LONE = "SELECT q.k, 0, p.first_at, p.closed, p.page FROM {asked} CROSS JOIN {lone} p WHERE p.number = q.k"
_BEFORE = "SELECT page FROM {pages} p WHERE p.shelf = q.k AND p.log = q.l AND p.first_at < q.b ORDER BY p.first_at DESC LIMIT 1"
_BETWEEN = "SELECT page FROM {pages} WHERE shelf = {mark} AND log = {mark} AND first_at > {mark} AND first_at < {mark} ORDER BY first_at"
_CLOSE = (
    "INSERT INTO {pages} (shelf, log, first_at, page) VALUES ({mark}, {mark}, {mark}, {mark}) "
    "ON CONFLICT (shelf, log, first_at) DO UPDATE SET page = excluded.page"
)
_KEEP = (
    "INSERT INTO {shelves} (shelf, log, first_at, closed, page) VALUES ({mark}, {mark}, {mark}, {mark}, {mark}) "
    "ON CONFLICT (shelf, log) DO UPDATE SET first_at = excluded.first_at, closed = excluded.closed, page = excluded.page"
)
_KEEP_LONE = (
    "INSERT INTO {lone} (number, first_at, closed, page) VALUES ({mark}, {mark}, {mark}, {mark}) "
    "ON CONFLICT (number) DO UPDATE SET first_at = excluded.first_at, closed = excluded.closed, page = excluded.page"
)

Last = tuple[int, int, bytes]
"""The last page of a log: instant of its first row, whether pages were closed before it, and its rows."""


class StorePages:
    """Pages inside a transaction of the case store; a :class:`features.pages.Pages`.

    Parameters
    ----------
    tx
        A transaction of :meth:`serving.store.Store.write`, or of :meth:`~serving.store.Store.view` to read alone. What is
        remembered is true for this transaction: the next one needs pages of its own.

    Raises
    ------
    ValueError
        If the database is neither SQLite nor PostgreSQL.

    Examples
    --------
    >>> from features.online import OnlineHistory
    >>> from serving.store import Store
    >>> with Store("sqlite://") as store, store.write() as tx:
    ...     OnlineHistory(StorePages(tx)).watermark() < 0
    True
    """

    def __init__(self, tx: Connection) -> None:
        self._dialect = tx.dialect.name
        if self._dialect not in ("sqlite", "postgresql"):
            raise ValueError(f"history: expected a store on SQLite or PostgreSQL, found {self._dialect}")
        self._cursor: Any = tx.connection.cursor()
        self._seen: set[bytes | int] = set()
        self._lasts: dict[Key, Last] = {}
        self._changed: dict[Key, None] = {}

    def recall(self, other: StorePages) -> StorePages:
        """Remember what other pages remember: only where nobody has written to the history since the end of their transaction."""
        if len(other._seen) <= REMEMBERED:
            self._seen, self._lasts = other._seen, other._lasts
        return self

    def alone(self) -> StorePages:
        """Wait until no other transaction writes the history, before anything is read that decides what is written.

        SQLite's write transactions are alone from their beginning.
        """
        if self._dialect == "postgresql":
            self._cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        return self

    def latest(self, keys: Sequence[Key], before: Sequence[int]) -> list[bytes | None]:
        """See :class:`features.pages.Pages`."""
        seen = self._seen
        missing = [key[0] for key in keys if key[0] not in seen]
        if missing:
            self._fetch(missing)
        lasts = [*map(self._lasts.get, keys)]
        found = [last[2] if last is not None and last[0] < limit else None for last, limit in zip(lasts, before, strict=True)]
        behind = [i for i, page in enumerate(found) if page is None and (last := lasts[i]) is not None and last[1]]
        for start in range(0, len(behind), AT_ONCE):
            asked = behind[start : start + AT_ONCE]
            for place, page in zip(asked, self._before([_behind(keys[i]) for i in asked], [before[i] for i in asked]), strict=True):
                found[place] = page
        return found

    def _fetch(self, shelves: Iterable[bytes | int]) -> None:
        """Remember shelves that were not read yet; one that is empty as well."""
        wanted = dict.fromkeys(shelves)
        self._read(_SHELF, "bytea", [shelf for shelf in wanted if type(shelf) is bytes])
        self._read(_LONE, "bigint", [shelf for shelf in wanted if type(shelf) is int])
        self._seen.update(wanted)

    def _read(self, statement: str, kind: str, wanted: Sequence[bytes | int]) -> None:
        """Remember what the shelves of one table hold."""
        for start in range(0, len(wanted), AT_ONCE):
            part = wanted[start : start + AT_ONCE]
            if self._dialect == "postgresql":
                self._cursor.execute(_statement(statement, f"unnest(%s::{kind}[]) AS q (k)"), (part,))
            else:
                size = -(-len(part) // _STEP) * _STEP  # few statements, so that the driver keeps them prepared
                self._cursor.execute(_listed(statement, size, 1), (*part, *(None,) * (size - len(part))))
            self._lasts.update({(shelf, log): (first, closed, page) for shelf, log, first, closed, page in self._cursor.fetchall()})

    def _before(self, keys: Sequence[tuple[bytes, int]], before: Sequence[int]) -> list[bytes | None]:
        if self._dialect == "postgresql":
            rows = "unnest(%s::bytea[], %s::bigint[], %s::bigint[]) WITH ORDINALITY AS q (k, l, b, i) ORDER BY q.i"
            self._cursor.execute(
                _statement(f"SELECT ({_BEFORE}) FROM {{asked}}", rows), ([k for k, _ in keys], [n for _, n in keys], [*before])
            )
        else:
            size = -(-len(keys) // _STEP_BEHIND) * _STEP_BEHIND
            filled = chain.from_iterable((*key, limit) for key, limit in zip(keys, before, strict=True))
            self._cursor.execute(_listed(f"SELECT ({_BEFORE}) FROM {{asked}}", size, 3), (*filled, *(None,) * (3 * (size - len(keys)))))
        return [page for (page,) in self._cursor.fetchall()[: len(keys)]]

    def between(self, key: Key, after: int, before: int) -> list[bytes]:
        """See :class:`features.pages.Pages`."""
        if key[0] not in self._seen:
            self._fetch([key[0]])
        first, closed, page = self._lasts.get(key, (before, 0, b""))
        found: list[bytes] = []
        if closed:
            self._cursor.execute(_statement(_BETWEEN, mark="?" if self._dialect == "sqlite" else "%s"), (*_behind(key), after, before))
            found = [old for (old,) in self._cursor.fetchall()]
        return [*found, page] if after < first < before else found

    def put(self, pages: Iterable[Page]) -> None:
        """See :class:`features.pages.Pages`; remembered until :meth:`flush`."""
        written = list(pages)
        self._fetch([key[0] for key, _, _ in written if key[0] not in self._seen])
        closing: list[tuple[bytes, int, int, bytes]] = []
        for key, first, page in written:
            last = self._lasts.get(key)
            if last is None or first == last[0]:
                self._lasts[key] = (first, last[1] if last else 0, page)
            elif first > last[0]:
                closing.append((*_behind(key), last[0], last[2]))
                self._lasts[key] = (first, 1, page)
            else:
                closing.append((*_behind(key), first, page))
                self._lasts[key] = (last[0], 1, last[2])
            self._changed[key] = None
        self._run(_CLOSE, closing)

    def put_new(self, keys: Sequence[Key], laid: Laid) -> None:
        """See :class:`features.pages.Pages`; written at once, and nothing is remembered."""
        self.flush()
        self._forget()
        last = laid.last
        closed = np.append(False, ~last[:-1])
        for start in range(0, len(last), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            told = zip(laid.between(start, start + AT_ONCE), last[part].tolist(), closed[part].tolist(), strict=True)
            pages = [(keys[key], (first, int(behind), page), mine) for (key, first, page), mine, behind in told]
            self._keep([(key, held) for key, held, mine in pages if mine])
            self._run(_CLOSE, [(*_behind(key), held[0], held[2]) for key, held, mine in pages if not mine])

    def flush(self) -> None:
        """See :class:`features.pages.Pages`: write down every changed shelf, once."""
        self._keep([(key, self._lasts[key]) for key in self._changed])
        self._changed.clear()
        if len(self._seen) > REMEMBERED:
            self._forget()

    def _forget(self) -> None:
        self._seen.clear()
        self._lasts.clear()

    def _keep(self, pages: Sequence[tuple[Key, Last]]) -> None:
        """Write last pages, in the order in which they lie."""
        self._run(_KEEP, sorted([(*key, *last) for key, last in pages if type(key[0]) is bytes]))
        self._run(_KEEP_LONE, sorted([(key[0], *last) for key, last in pages if type(key[0]) is int]))

    def _run(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            self._cursor.executemany(_statement(statement, mark="?" if self._dialect == "sqlite" else "%s"), rows)


def _behind(key: Key) -> tuple[bytes, int]:
    """Return under which name the closed pages of a log stand, whether the log stands alone or not."""
    shelf, log = key
    return (shelf.to_bytes(8, "big", signed=True), log) if isinstance(shelf, int) else (shelf, log)


@cache
def _statement(statement: str, asked: str = "", mark: str = "") -> str:
    """Complete a statement with the names of the tables, what is asked for, and the driver's mark of a parameter."""
    return statement.format(shelves=HISTORY_SHELVES.name, lone=HISTORY_LONE.name, pages=HISTORY_PAGES.name, asked=asked, mark=mark)


@cache
def _listed(statement: str, size: int, width: int) -> str:
    """Write a look-up of ``size`` keys for SQLite, which has no arrays; rows come back in the order of the list."""
    names = ", ".join("klb"[:width])
    values = ", ".join([f"({', '.join('?' * width)})"] * size)
    return f"WITH q ({names}) AS (VALUES {values}) {_statement(statement, 'q')}"
