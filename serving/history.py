"""The pages of the online history in the case store: shelves of last pages, and the closed pages behind them.

What a claim asks for is mostly the last page of a log. Those stand together by *shelf* (all logs of one customer, one
seller): one look-up brings the shelf. Logs that are read without others (buckets, components) have a table of their own with a
whole number for a key, which SQLite finds in a third of the time. A page that is closed moves to a third table, asked only for
what lies further back. What claims ask for is kept in an arena, from one transaction to the next where nothing else was written
(:mod:`features.arena`); what is read besides is remembered for the transaction.

What a transaction adds is written as one entry of a journal (:meth:`StorePages.flush`), laid over the tables by whoever reads
(:mod:`serving.pending`) and put in its place later (:meth:`StorePages.settle`, :mod:`serving.tidying`). Only what is too much for an entry,
as when a store is filled, goes to its place at once, behind everything that was pending.

The statements go to the driver itself, inside the caller's transaction: what SQLAlchemy adds to a statement costs as much as
forty of the look-ups. Two dialects are known, because that is where the ways to pass many keys at once differ.

How the endpoint uses it, all in **one** write transaction: has the event or claim been taken before (its identifier is in
its own table)? then answer what was answered; else :meth:`~features.online.OnlineHistory.admit` it, read the claim's vector
if it is a claim, insert the rows into their tables, append them here. Killed at any instant, either all of it or nothing
is there; called twice, the second call finds the first. One writer at a time: SQLite sees to it, on PostgreSQL
:meth:`StorePages.alone` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection

from features.arena_loading import Arena
from features.pages import END, Change, Key, Laid, Page, Shelf, Standing
from serving import history_statements as statements
from serving.history_statements import AT_ONCE, behind_of, marked
from serving.pending import OVERLAYS, Last, Overlay, Overlays, Sweep, lay, over

REMEMBERED = 100_000
"""Shelves remembered within a transaction after they were written down; more are forgotten."""

ENTRY = 16_384
"""Changes that one entry of the journal may hold; more go to their place at once."""

LIMIT = 1 << 20
"""Changes that may be pending; where there are more, whoever adds some puts a few in their place first."""

HELPING = 128
"""How many shelves that are."""

ENTRIES = 256
"""Entries that leave the journal in one transaction."""

_LOCK = 0x70A6E5
_NONE: dict[int, bytes] = {}


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
        self._tx = tx
        self._cursor: Any = tx.connection.cursor()
        self._arena = Arena()
        self._seen: set[Shelf] = set()
        self._lasts: dict[Key, Last] = {}
        self._closed: dict[Key, dict[int, bytes]] = {}  # not in their table yet, by the instant of their first row
        self._changed: dict[Key, None] = {}
        self._changes: list[Change] | None = []  # none where they go to their place at once
        self._overlay: Overlay | None = None
        self._through = -1

    def recall(self, other: StorePages) -> StorePages:
        """Remember what other pages remember, as it is now: nothing that is in no entry of the journal was written since their transaction.

        Entries since then are laid over it; if there were too many, or some have left the journal, nothing is remembered.
        """
        overlay = self.overlay()
        changed = overlay.changed(other._through) if overlay.base <= other._through else None
        if changed is not None and len(other._seen) <= REMEMBERED and not other._arena.is_large:
            self._seen, self._lasts, self._closed, self._arena = other._seen, other._lasts, other._closed, other._arena
            self._overlay_on(dict.fromkeys(changed & self._seen))
            self._arena.forget(changed)
        return self

    def alone(self) -> StorePages:
        """Wait until no other transaction writes the history; SQLite's write transactions are alone from their beginning."""
        if self._dialect == "postgresql":
            self._cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        return self

    def overlay(self) -> Overlay:
        """Return what is pending as this transaction sees it."""
        if self._overlay is None:
            overlays: Overlays | None = self._tx.get_execution_options().get(OVERLAYS)
            self._overlay = Overlay() if overlays is None else overlays.lend(self._tx)
            if not self._caught_up(self._overlay):
                self._overlay = Overlay() if overlays is None else overlays.exchange(self._tx)
                self._caught_up(self._overlay)
            self._through = self._overlay.through
        return self._overlay

    def _caught_up(self, overlay: Overlay) -> bool:
        self._execute(statements.JOURNAL, (overlay.through,))
        found = self._cursor.fetchall()
        return overlay.catch_up(found[0][0] if found else 0, [(seq, bytes(changes)) for _, seq, changes in found])

    def arena(self) -> Arena:
        """See :class:`features.pages.Pages`."""
        if self._changed:
            self.flush()
        return self._arena

    def _beside_arena(self) -> None:
        """Write down what was changed in the arena before anything is read or put beside it."""
        if self._arena.is_changed:
            self.flush()

    def shelves(self, wanted: Sequence[Shelf]) -> list[Standing]:
        """See :class:`features.pages.Pages`."""
        return over(statements.standing(self._cursor, self._dialect, wanted), wanted, self.overlay().generations, self._closed)

    def latest(self, keys: Sequence[Key], before: Sequence[int]) -> list[bytes | None]:
        """See :class:`features.pages.Pages`."""
        self._beside_arena()
        missing = [key[0] for key in keys if key[0] not in self._seen]
        if missing:
            self._fetch(missing)
        lasts = [*map(self._lasts.get, keys)]
        found = [last[2] if last is not None and last[0] < limit else None for last, limit in zip(lasts, before, strict=True)]
        behind = [i for i, page in enumerate(found) if page is None and (last := lasts[i]) is not None and last[1]]
        for place, page in zip(behind, self.closed_before([keys[i] for i in behind], [before[i] for i in behind]), strict=True):
            found[place] = page
        return found

    def closed_before(self, keys: Sequence[Key], before: Sequence[int]) -> list[bytes | None]:
        """See :class:`features.pages.Pages`."""
        found: list[bytes | None] = []
        for start in range(0, len(keys), AT_ONCE):
            some, limits = keys[start : start + AT_ONCE], before[start : start + AT_ONCE]
            for key, limit, page in zip(some, limits, statements.pages_before(self._cursor, self._dialect, some, limits), strict=True):
                found.append(self._closed_before(key, limit) if key in self._closed else page)
        return found

    def _fetch(self, shelves: Iterable[Shelf]) -> None:
        """Remember shelves that were not read yet; one that is empty as well."""
        wanted = dict.fromkeys(shelves)
        self._load(wanted)
        self._overlay_on(wanted)

    def _load(self, wanted: Mapping[Shelf, None]) -> None:
        """Read shelves from the tables, and remember them."""
        self._lasts |= {(one[0], one[1]): one[2:] for one in statements.standing(self._cursor, self._dialect, wanted)}

    def _overlay_on(self, loaded: Mapping[Shelf, None]) -> None:
        """Lay what is pending over shelves as the tables hold them."""
        for generation in self.overlay().generations:
            for shelf in generation.held.keys() & loaded.keys():
                lay(shelf, generation.held[shelf], self._lasts, self._closed)
        self._seen.update(loaded)

    def _closed_before(self, key: Key, limit: int) -> bytes | None:
        """Return the last closed page of a log that begins before an instant, where some are not in their table yet."""
        self._execute(statements.LATEST, (*behind_of(key), -END, limit))
        pages = dict(self._cursor.fetchall()) | {first: page for first, page in self._closed[key].items() if first < limit}
        return pages[max(pages)] if pages else None

    def between(self, key: Key, after: int, before: int) -> list[bytes]:
        """See :class:`features.pages.Pages`."""
        self._beside_arena()
        if key[0] not in self._seen:
            self._fetch([key[0]])
        first, closed, page = self._lasts.get(key, (before, 0, b""))
        found: dict[int, bytes] = {}
        if closed:
            self._execute(statements.BETWEEN, (*behind_of(key), after, before))
            found = dict(self._cursor.fetchall())
            found |= {at: old for at, old in self._closed.get(key, _NONE).items() if after < at < before}
        if after < first < before:
            found[first] = page
        return [found[at] for at in sorted(found)]

    def put(self, pages: Iterable[Page]) -> None:
        """See :class:`features.pages.Pages`; remembered until :meth:`flush`."""
        self._beside_arena()
        written = list(pages)
        self._fetch([key[0] for key, _, _ in written if key[0] not in self._seen])
        self._arena.forget({key[0] for key, _, _ in written})
        for key, first, page in written:
            last = self._lasts.get(key)
            keep = 0
            if last is None or first == last[0]:
                if last is not None and page.startswith(last[2]):
                    keep = len(last[2])
                self._lasts[key] = (first, last[1] if last else 0, page)
            elif first > last[0]:
                self._closed.setdefault(key, {})[last[0]] = last[2]
                self._lasts[key] = (first, 1, page)
            else:
                self._closed.setdefault(key, {})[first] = page
                self._lasts[key] = (last[0], 1, last[2])
            self._changed[key] = None
            if self._changes is not None:
                self._changes.append((key, first, keep, page[keep:]))
        if self._changes is None:
            self._close(dict.fromkeys(key for key, _, _ in written))
        elif len(self._changes) > ENTRY:
            self._in_place()

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
            statements.keep(self._run, {key: held for key, held, mine in pages if mine})
            self._run(statements.CLOSE, [(*behind_of(key), held[0], held[2]) for key, held, mine in pages if not mine])

    def flush(self) -> None:
        """See :class:`features.pages.Pages`: write an entry of the journal, or where it is too much for one every changed shelf, once."""
        self._take_changes()
        if self._changes is None:
            statements.keep(self._run, {key: self._lasts[key] for key in self._changed}, self._dialect == "sqlite")
        elif self._changes:
            if self.overlay().size > LIMIT:
                self.tidy(HELPING)
            overlay = self.overlay()
            self._through = overlay.through + len(self._changes)
            self._run(statements.ADD, [(self._through, overlay.written(self._changes))])
        self._changed.clear()
        self._changes, self._overlay = [], None  # what was added is learned by whoever reads next
        if len(self._seen) > REMEMBERED or self._arena.is_large:
            self._forget()

    def _take_changes(self) -> None:
        """Take over what was changed in the arena; what is remembered beside it is no longer true."""
        changes, closed = self._arena.take_changes() if self._arena.is_changed else ((), ())
        for key, first, page in closed:
            self._closed.setdefault(key, {})[first] = page
        if changes:
            self._changes = [*(self._changes or ()), *changes]
            self._seen.clear()
            self._lasts.clear()

    def settle(self, shelves: Sequence[Shelf]) -> None:
        """Put what is pending of some shelves in its place, in a transaction that is :meth:`alone`; it stays in the journal."""
        generations = self.overlay().generations
        new = dict.fromkeys(shelf for shelf in shelves if shelf not in self._seen)
        self._load(new)
        keys = {(shelf, piece[0]): None for one in generations for shelf in shelves for piece in one.held.get(shelf, ())}
        placed = {key: self._lasts.get(key) for key in keys if key[0] in new}
        self._overlay_on(new)
        moved = [key for key in keys if key not in placed or placed[key] != self._lasts[key]]
        self._close(moved)
        statements.keep_lately(self._run, self._dialect, {key: self._lasts[key] for key in moved})

    def pending(self) -> tuple[int, int]:
        """Return up to which change everything is in its place, and the number of the last change; nothing of what they are is read."""
        self._execute(statements.PENDING, ())
        ((base, through),) = self._cursor.fetchall()
        return base or 0, through or 0

    def plan(self) -> Sweep:
        """Put what is pending in the order in which :meth:`tidy` goes through it; where a transaction only reads, nobody waits for it."""
        overlay = self.overlay()
        if overlay.sweep is None or overlay.sweep.until <= overlay.base:  # another process was quicker
            overlay.sweep = Sweep.of(overlay)
        return overlay.sweep

    def tidy(self, most: int) -> bool:
        """Put what is pending in its place, so many shelves of it, in a transaction that is :meth:`alone`.

        Parameters
        ----------
        most
            Shelves; the next call goes on behind them.

        Returns
        -------
        bool
            Whether this was the end of a sweep: everything that was pending at its beginning has left the journal.
        """
        sweep = self.plan()
        self.settle(sweep.next(most))
        if sweep.left:
            return False
        self._execute(statements.LEAVING, (sweep.until, ENTRIES))
        ((through,),) = self._cursor.fetchall()
        overlay = self.overlay()
        self._settled(through)
        if through < sweep.until:
            return False
        overlay.sweep = None
        return True

    def _settled(self, through: int) -> None:
        """Take entries out of the journal up to one, which stays as its empty beginning: everything in them is in its place."""
        if through > 0:
            self._run(statements.DONE, [(through,)])
            self._run(statements.EMPTY, [(b"", through)])
        self._overlay = None

    def _in_place(self) -> None:
        """From now on, and until :meth:`flush`, write to the tables themselves."""
        overlay = self.overlay()
        shelves = list(overlay.shelves())
        for start in range(0, len(shelves), AT_ONCE):
            self.settle(shelves[start : start + AT_ONCE])
        self._settled(overlay.through)
        self._changes = None
        self._close(self._changed)

    def _close(self, keys: Iterable[Key]) -> None:
        """Write the closed pages of some logs to their table."""
        closed = [(*behind_of(key), first, page) for key in keys for first, page in self._closed.pop(key, _NONE).items()]
        self._run(statements.CLOSE, sorted(closed))

    def _forget(self) -> None:
        self._seen.clear()
        self._lasts.clear()
        self._closed.clear()
        self._arena.forget()

    def _execute(self, statement: str, values: Sequence[Any]) -> None:
        self._cursor.execute(marked(statement, self._dialect), values)

    def _run(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            self._cursor.executemany(marked(statement, self._dialect), rows)
