"""What is pending in the history is put in its place beside the requests: while nobody asks for anything, or when much has gathered.

The endpoint has a process of its own for it (:mod:`pipelines.attendant`): a thread would take turns at the interpreter with the thread
that decides, at every row, and neither keep up with it nor leave it in peace.

Writes are taken in slices, each a transaction short enough for a claim to wait for, and in the order in which logs lie in the tables,
so that logs that lie together are written together. A slice that was cut off is done again. Of several processes one does it: slices are
counted, and who finds that they were counted on since it looked last leaves them to whoever does that, until it finds that nobody does.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Connection

from serving.fresh import MERGED_UNTIL, Merging
from serving.history import LIMIT, StorePages
from serving.store import Store, mark, set_mark

SLICE = 512
"""Shelves of a slice: some milliseconds."""

AT_ONCE = 48
"""Slices between two looks at how the requests are."""

MUCH = LIMIT // 8
"""So many changes are put in their place though requests come."""

TOO_MUCH = LIMIT // 2
"""Where there are so many, requests are not let go first any more; the fewer there are, the more they are."""

LATELY = 1 << 20
"""So many changes are merged into the large tables when nobody asks for anything; eight times as many are though requests come."""

_MERGED_AT_ANY_TIME = 8

_TURN = "history/slices"

QUIET = 3
"""So many looks in a row find that nobody else does slices before somebody takes over from one who does not go on: it begins anew."""

PAUSE = 0.004
"""Seconds between two slices while requests come, at most, so that those that wait go first."""


class Tidying:
    """Puts in its place what is pending; called every now and then (:class:`serving.background.Background`).

    Parameters
    ----------
    store
        Whose history.
    much
        So many changes are put in their place though requests come.

    Examples
    --------
    >>> import numpy as np
    >>> from features.pages import SUM, append
    >>> with Store("sqlite://") as store:
    ...     with store.write() as tx:
    ...         pages = StorePages(tx)
    ...         append(pages, [(b"shelf", 0)], np.array([0, 1]), np.array([10]), np.array([[5]]), np.array([SUM]))
    ...         pages.flush()
    ...     tidying = Tidying(store)
    ...     for _ in range(2):  # at first it cannot tell whether somebody is about to add more
    ...         print(tidying(), len(store.read("history_fresh_shelves")))
    False 0
    False 1
    """

    def __init__(self, store: Store, much: int = MUCH) -> None:
        self._store, self._much = store, much
        self._before, self._merging = -1, Merging(0)
        self._turn, self._quiet = 0, QUIET

    def __call__(self) -> bool:
        """Do some slices if nothing was added since the last call, or if much is pending or was written lately; one process does.

        Returns
        -------
        bool
            Whether some are left that should be done soon.
        """
        with self._store.view() as tx:
            base, through = StorePages(tx).pending()
            lately, turn = base - (mark(tx, MERGED_UNTIL) or 0), mark(tx, _TURN) or 0
        size, is_idle, self._before = through - base, through == self._before, through
        self._quiet, self._turn = self._quiet + 1 if turn == self._turn else 0, turn
        is_left = False
        if self._quiet >= QUIET and size and (is_idle or size > self._much):
            with self._store.view() as tx:
                StorePages(tx).plan()
            is_left = self._in_slices(lambda _, pages: pages.tidy(SLICE), through, is_idle)
        if self._quiet >= QUIET and lately > (LATELY if is_idle else _MERGED_AT_ANY_TIME * LATELY):
            self._merging = self._merging if self._merging.until else Merging(base)
            is_left |= self._in_slices(self._merge, through, is_idle)
        return is_left

    def _in_slices(self, work: Callable[[Connection, StorePages], bool], through: int, is_idle: bool) -> bool:
        """Go on, a transaction each, until that was all, somebody else is at it, or nobody was asking for anything and somebody does."""
        for _ in range(AT_ONCE):
            with self._store.write() as tx:
                pages = StorePages(tx).alone()
                if (mark(tx, _TURN) or 0) != self._turn:
                    self._quiet = 0
                    return False
                self._turn += 1
                set_mark(tx, _TURN, self._turn)
                base, latest = pages.pending()
                is_over = work(tx, pages)
            if is_over or (is_idle and latest != through):
                return False
            if not is_idle:
                time.sleep(PAUSE * max(0.0, 1.0 - (latest - base) / TOO_MUCH))
        return True

    def _merge(self, tx: Connection, _: StorePages) -> bool:
        """Do a slice of a merge; after the last one note how far it has come."""
        is_over = self._merging.step(tx, SLICE)
        if is_over:
            set_mark(tx, MERGED_UNTIL, self._merging.until)
            self._merging = Merging(0)
        return is_over
