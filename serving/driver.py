"""Statements given to the database's driver itself, inside a transaction of the store.

What SQLAlchemy adds to a statement costs as much as forty look-ups by key; on the road of one claim that is most of the
time. Statements are written once with ``?`` for each value, and both databases are served from the same text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain, islice, repeat
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Table

AT_ONCE = 1_024
"""Keys looked up by one statement."""

_STEP = 16
_ROWS = 128
"""Rows that one statement inserts: while it runs, other threads do."""


class Driver:
    """The driver's cursor of a transaction.

    Parameters
    ----------
    tx
        A transaction of :class:`serving.store.Store`.

    Examples
    --------
    >>> from serving.schema import MARKS
    >>> from serving.store import Store
    >>> with Store("sqlite://") as store, store.write() as tx:
    ...     driver = Driver(tx)
    ...     driver.add(MARKS, [("a", 1), ("b", 2)])
    ...     sorted(driver.among("SELECT name, at FROM marks WHERE name IN {keys}", ["a", "b", "c"]))
    [('a', 1), ('b', 2)]
    """

    def __init__(self, tx: Connection) -> None:
        self.dialect = tx.dialect.name
        self._cursor: Any = tx.connection.cursor()

    def rows(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query and return its rows."""
        self._cursor.execute(_marked(text, self.dialect), tuple(values))
        return list(self._cursor.fetchall())

    def among(self, text: str, keys: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run a query about some keys, in any order; ``{keys}`` stands behind its ``IN``."""
        found: list[tuple[Any, ...]] = []
        for start in range(0, len(keys), AT_ONCE):
            some = list(keys[start : start + AT_ONCE])
            if self.dialect == "postgresql":
                self._cursor.execute(text.replace("IN {keys}", "= ANY(%s)"), (some,))
            else:
                size = -(-len(some) // _STEP) * _STEP  # few statements, so that the driver keeps them prepared
                self._cursor.execute(_listed(text, size), tuple(some + [some[0]] * (size - len(some))))
            found += self._cursor.fetchall()
        return found

    def run(self, text: str, values: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each tuple of values."""
        self._cursor.executemany(_marked(text, self.dialect), values)

    def add(self, table: Table, rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows, values in the order of the table's columns."""
        self._cursor.executemany(_insert(table, self.dialect), rows)

    def load(self, table: Table, columns: Mapping[str, Sequence[Any]], shared: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Insert many rows, given as columns by name; ``shared`` has the values of the columns in which all rows agree."""
        names = (*shared, *columns)
        if self.dialect == "postgresql":
            with self._cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
                for row in zip(*map(repeat, shared.values()), *columns.values(), strict=False):  # those never end
                    copy.write_row(row)
            return
        rows, alike = zip(*columns.values(), strict=True), list(shared.values())
        while some := list(chain.from_iterable(islice(rows, _ROWS))):
            self._cursor.execute(_inserts(table.name, names, len(alike), len(some) // len(columns)), alike + some)

    def replace(self, table: Table, rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows, or put them in the place of those with the same key."""
        self._cursor.executemany(_replace(table, self.dialect), rows)


@cache
def _marked(text: str, dialect: str) -> str:
    return text if dialect == "sqlite" else text.replace("?", "%s")


@cache
def _listed(text: str, size: int) -> str:
    return text.replace("{keys}", f"({', '.join('?' * size)})")


@cache
def _insert(table: Table, dialect: str) -> str:
    names = [column.name for column in table.columns]
    return _marked(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", dialect)


@cache
def _inserts(table: str, names: tuple[str, ...], shared: int, rows: int) -> str:
    """Return what inserts so many rows; the values of the first columns are given once for all of them."""
    alike, own = list(range(1, shared + 1)), len(names) - shared
    places = ([*alike, *range(start, start + own)] for start in range(shared + 1, shared + 1 + rows * own, own))
    values = ", ".join(f"({', '.join(f'?{place}' for place in row)})" for row in places)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES {values}"


@cache
def _replace(table: Table, dialect: str) -> str:
    keys = [column.name for column in table.primary_key.columns]
    others = [f"{column.name} = excluded.{column.name}" for column in table.columns if column.name not in keys]
    return f"{_insert(table, dialect)} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {', '.join(others)}"
