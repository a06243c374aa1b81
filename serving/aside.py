"""What blocks is done aside: look-ups in the store run on a few threads of their own, so that the loop goes on answering."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serving.line import FullError, LateError

Found = TypeVar("Found")


class Aside:
    """A few threads for what only reads, with an end to waiting.

    Parameters
    ----------
    threads
        How many read at once.
    patience
        Seconds that a request waits for its answer.
    waiting
        Requests that may wait or be at work; a thread that hangs can so hold up a bounded number of them only.

    Examples
    --------
    >>> async def ask() -> int:
    ...     aside = Aside(threads=1, patience=5.0)
    ...     found = await aside.do(lambda: 42)
    ...     aside.close()
    ...     return found
    >>> asyncio.run(ask())
    42
    """

    def __init__(self, threads: int, patience: float, waiting: int = 256) -> None:
        self._pool = ThreadPoolExecutor(threads, "reading")
        self._patience, self._waiting = patience, waiting
        self._inside = 0

    async def do(self, work: Callable[[], Found]) -> Found:
        """Do blocking work on a thread and return what it found.

        Raises
        ------
        FullError
            If too many wait already.
        LateError
            If it takes longer than the patience; the work itself goes on.
        """
        if self._inside >= self._waiting:
            raise FullError(f"expected at most {self._waiting} look-ups at once, found one more")
        self._inside += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        future.add_done_callback(self._left)
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.shield(future)
        except TimeoutError:
            raise LateError(f"expected an answer within {self._patience:g} seconds, found none") from None

    def close(self) -> None:
        """Finish what was begun, and end the threads."""
        self._pool.shutdown()

    def _left(self, future: asyncio.Future[Found]) -> None:
        self._inside -= 1
        if not future.cancelled():
            future.exception()  # taken note of, should nobody wait any more
