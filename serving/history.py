"""The pages of the online history in the case store: one ordered table, read by one statement for many keys.

The statements go to the driver itself, inside the caller's transaction: what SQLAlchemy adds to a statement costs as much as
forty of the look-ups. Two dialects are known, because that is where the ways to pass many keys at once differ.

How the endpoint uses it, all in **one** write transaction: has the event or claim been taken before (its identifier is in
its own table)? then answer what was answered; else :meth:`~features.online.OnlineHistory.admit` it, read the claim's vector
if it is a claim, insert the rows into their tables, append them here. Killed at any instant, either all of it or nothing
is there; called twice, the second call finds the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from features.pages import Page
from serving.schema import HISTORY_PAGES

AT_ONCE = 8_192
"""Keys asked for in one statement: two parameters each, below the bound of every database in use."""

_STEP = 16
_BEFORE = "SELECT page FROM {table} p WHERE p.log_key = q.k AND p.first_at < q.b ORDER BY p.first_at DESC LIMIT 1"
_BETWEEN = "SELECT page FROM {table} WHERE log_key = {mark} AND first_at > {mark} AND first_at < {mark} ORDER BY first_at"
_PUT = (
    "INSERT INTO {table} (log_key, first_at, page) VALUES ({mark}, {mark}, {mark}) "
    "ON CONFLICT (log_key, first_at) DO UPDATE SET page = excluded.page"
)
_UNNEST = "SELECT ({before}) FROM unnest(%s::bytea[], %s::bigint[]) WITH ORDINALITY AS q (k, b, i) ORDER BY q.i"


class StorePages:
    """Pages inside a transaction of the case store; a :class:`features.pages.Pages`.

    Parameters
    ----------
    tx
        A transaction of :meth:`serving.store.Store.write`, or of :meth:`~serving.store.Store.view` to read alone.

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
        mark = "?" if self._dialect == "sqlite" else "%s"
        self._before = _BEFORE.format(table=HISTORY_PAGES.name)
        self._between, self._put = (text.format(table=HISTORY_PAGES.name, mark=mark) for text in (_BETWEEN, _PUT))

    def latest(self, keys: Sequence[bytes], before: Sequence[int]) -> list[bytes | None]:
        """See :class:`features.pages.Pages`."""
        found: list[bytes | None] = []
        for start in range(0, len(keys), AT_ONCE):
            found += self._latest(keys[start : start + AT_ONCE], before[start : start + AT_ONCE])
        return found

    def _latest(self, keys: Sequence[bytes], before: Sequence[int]) -> list[bytes | None]:
        if self._dialect == "postgresql":
            self._cursor.execute(_UNNEST.format(before=self._before), (list(keys), list(before)))
        else:
            size = -(-len(keys) // _STEP) * _STEP  # few statements, so that the driver keeps them prepared
            filled = chain(chain.from_iterable(zip(keys, before, strict=True)), (b"", 0) * (size - len(keys)))
            self._cursor.execute(_values(size, self._before), tuple(filled))
        return [None if page is None else bytes(page) for (page,) in self._cursor.fetchall()[: len(keys)]]

    def between(self, key: bytes, after: int, before: int) -> list[bytes]:
        """See :class:`features.pages.Pages`."""
        self._cursor.execute(self._between, (key, after, before))
        return [bytes(page) for (page,) in self._cursor.fetchall()]

    def put(self, pages: Iterable[Page]) -> None:
        """See :class:`features.pages.Pages`."""
        self._cursor.executemany(self._put, pages)


def _values(size: int, before: str) -> str:
    """Write the look-up of ``size`` keys for SQLite, which has no arrays; rows come back in the order of the list."""
    listed = ", ".join(["(?, ?)"] * size)
    return f"WITH q (k, b) AS (VALUES {listed}) SELECT ({before}) FROM q"
