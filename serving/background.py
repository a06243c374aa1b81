"""What is done again and again beside the requests, in a thread or process of its own: a failure is logged and tried again, never felt."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from threading import Event, Thread

_LOG = logging.getLogger("touchstone.background")

Tasks = Mapping[str, Callable[[], object]]
"""What to do, by name; a task that returns ``True`` has more to do."""


def rounds(tasks: Tasks, is_over: Callable[[float], bool], seconds: float) -> None:
    """Do each of some tasks in turn, again and again, until it is over.

    Parameters
    ----------
    tasks
        What to do.
    is_over
        Waits for so many seconds, or for the end if that comes first, and tells whether it has come.
    seconds
        How long to rest between two rounds, unless a task has more to do.

    Examples
    --------
    >>> waited = []
    >>> rounds({"one": lambda: len(waited) < 2}, lambda seconds: waited.append(seconds) or len(waited) == 4, 9.0)
    >>> waited
    [0.0, 0.0, 9.0, 9.0]
    """
    rest = 0.0
    while not is_over(rest):
        rest = seconds
        for name, task in tasks.items():
            try:
                if task() is True:
                    rest = 0.0
            except Exception as error:
                _LOG.warning("%s: %s", name, type(error).__name__)


class Background:
    """A thread that does some things every few seconds.

    Parameters
    ----------
    tasks
        What to do, by name.
    seconds
        How long to rest between two rounds.

    Examples
    --------
    >>> from threading import Event
    >>> done = Event()
    >>> background = Background({"once": done.set}, 60.0)
    >>> background.start()
    >>> done.wait(5.0), background.close()
    (True, None)
    """

    def __init__(self, tasks: Tasks, seconds: float) -> None:
        self._over = Event()
        work = partial(rounds, dict(tasks), self._over.wait, seconds)
        self._thread = Thread(target=work, name="background", daemon=True)

    def start(self) -> None:
        """Begin with the first round."""
        self._thread.start()

    def close(self) -> None:
        """End after the task that is being done."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
