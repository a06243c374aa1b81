"""Last pages that were written lately: small tables in front of the large ones on SQLite, merged into them when much has gathered.

A claim changes some sixty last pages that lie far apart, so that nearly each of them costs a page of the file, written twice. In tables
that hold what the latest thousands of claims changed and nothing else, several of them fall on one page of the file; merged into the large
tables a million at a time, in the order in which they lie there, several do so again: a log-structured merge tree of two levels
(O'Neil, Cheng, Gawlick and O'Neil, 1996). A row of a small table stands in the place of the one in the large table.

PostgreSQL writes a new version of a row where there is room, and its planner takes a table that was empty a while ago for one that still
is: there the small tables stay empty, and everything is written to the large ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from features.pages import Shelf
from serving.history_statements import MERGE, MERGE_LONE, MERGED, MERGED_LONE, UNTIL, UNTIL_LONE, marked

MERGED_UNTIL = "history/merged"
"""Under this name it is marked up to which change everything is in the large tables (:attr:`serving.pending.Overlay.base`)."""

_LEVELS: tuple[tuple[tuple[str, str, str], Shelf, Shelf], ...] = (
    ((UNTIL, MERGE, MERGED), b"", b"\xff" * 256),
    ((UNTIL_LONE, MERGE_LONE, MERGED_LONE), -(2**63), 2**63 - 1),
)
"""For each kind of table its statements, and what comes before and behind every shelf."""


@dataclass(eq=False)
class Merging:
    """A merge of everything that the small tables hold, as far as this process has come.

    Parameters
    ----------
    until
        Every change up to this one is in a table by now; when the merge is over, in a large one.

    Examples
    --------
    >>> from serving.history import StorePages
    >>> from serving.store import Store
    >>> with Store("sqlite://") as store, store.write() as tx:
    ...     pages = StorePages(tx)
    ...     pages.put([((number, 0), 1, b"page") for number in range(5)])
    ...     pages.flush()
    ...     tidy, merging = pages.tidy(9), Merging(5)
    ...     while not merging.step(tx, 3):
    ...         print(tx.exec_driver_sql("SELECT (SELECT count(*) FROM history_fresh_lone), count(*) FROM history_lone").one())
    (5, 0)
    (1, 4)
    """

    until: int
    _left: list[tuple[tuple[str, str, str], Shelf, Shelf]] = field(default_factory=lambda: [*_LEVELS])

    def step(self, tx: Connection, most: int) -> bool:
        """Merge so many rows, or somewhat more, in a transaction that writes the history alone; tell whether that was all."""
        (statements, begin, greatest), *others = self._left
        until, merge, merged = (marked(text, tx.dialect.name) for text in statements)
        cursor: Any = tx.connection.cursor()
        cursor.execute(until, (begin, most))
        found = cursor.fetchone()
        within = begin, greatest if found is None else found[0]
        cursor.execute(merge, within)
        cursor.execute(merged, within)
        self._left = others if found is None else [(statements, within[1], greatest), *others]
        return not self._left
