"""A value that is loaded again now and then, aside, so that nobody waits for it: API keys, a provider's public keys."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock, Thread
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Refreshed(Generic[Value]):
    """The last value that could be loaded.

    Parameters
    ----------
    load
        Loads it; called at once, and what it raises then is raised. If a later call fails, the value stays.
    every
        Seconds after which it is loaded again, on a thread of its own.
    steady
        A clock that only rises, seconds.

    Examples
    --------
    >>> from itertools import count
    >>> time, value = iter([0.0, 1.0, 9.0]), count()
    >>> counted = Refreshed(lambda: next(value), every=5.0, steady=lambda: next(time))
    >>> counted()
    0
    """

    def __init__(self, load: Callable[[], Value], every: float, steady: Callable[[], float]) -> None:
        self._load, self._every, self._steady = load, every, steady
        self._lock = Lock()
        self._value = load()
        self._due = steady() + every

    def __call__(self) -> Value:
        """Return the value; where it is old, begin to load it anew."""
        if self._steady() >= self._due and self._lock.acquire(blocking=False):
            self._due = self._steady() + self._every
            Thread(target=self._refresh, name="refreshing", daemon=True).start()
        return self._value

    def _refresh(self) -> None:
        try:
            self._value = self._load()
        except Exception as error:
            logging.getLogger("touchstone.refreshed").warning("not refreshed", extra={"error": type(error).__name__})
        finally:
            self._lock.release()
