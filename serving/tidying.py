"""What is pending in the history is put in its place beside the requests: while nobody asks for anything, or when much has gathered.

Writes are taken in slices, each a transaction short enough for a claim to wait for, and in the order in which logs lie in the tables,
so that logs that lie together are written together. A slice that was cut off is done again; several processes may do it at the
same time, and then take turns.
"""

from __future__ import annotations

import time

from serving.history import LIMIT, StorePages
from serving.store import Store

SLICE = 256
"""Shelves of a slice: some milliseconds."""

AT_ONCE = 48
"""Slices between two looks at how the requests are."""

MUCH = LIMIT // 2
"""So many changes are put in their place though requests come."""

PAUSE = 0.004
"""Seconds between two slices while requests come, so that those that wait go first."""


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
    ...         tidying()
    ...         print(len(store.read("history_shelves")))
    0
    1
    """

    def __init__(self, store: Store, much: int = MUCH) -> None:
        self._store, self._much = store, much
        self._before = -1

    def __call__(self) -> None:
        """Do some slices if nothing was added since the last call, or if much is pending."""
        with self._store.view() as tx:
            overlay = StorePages(tx).overlay()
            size, through = overlay.size, overlay.through
        is_idle, self._before = through == self._before, through
        if not size or not (is_idle or size > self._much):
            return
        for _ in range(AT_ONCE):
            with self._store.write() as tx:
                pages = StorePages(tx).alone()
                added = pages.overlay().through != through
                is_over = pages.tidy(SLICE)
            if is_over or (is_idle and added):
                return
            if not is_idle:
                time.sleep(PAUSE)
