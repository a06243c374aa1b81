"""One piece of a batch ahead: while one is written down, a thread decides the next."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield what an iterator does, in its order, the next one being made in a thread while the caller works on the last.

    Parameters
    ----------
    items
        Asked by one thread at a time, none of its items ``None``; an error of its own reaches the caller where its item would have.

    Examples
    --------
    >>> list(ahead(iter("abc")))
    ['a', 'b', 'c']
    """
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item
