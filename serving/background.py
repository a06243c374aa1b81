"""What is done again and again beside the requests, in a thread of its own: a failure is logged and tried again, never felt."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from threading import Event, Thread

_LOG = logging.getLogger("touchstone.background")


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

    def __init__(self, tasks: Mapping[str, Callable[[], object]], seconds: float) -> None:
        self._tasks, self._seconds = dict(tasks), seconds
        self._over = Event()
        self._thread = Thread(target=self._work, name="background", daemon=True)

    def start(self) -> None:
        """Begin with the first round."""
        self._thread.start()

    def close(self) -> None:
        """End after the task that is being done."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while not self._over.is_set():
            for name, task in self._tasks.items():
                try:
                    task()
                except Exception as error:
                    _LOG.warning("%s: %s", name, type(error).__name__)
            self._over.wait(self._seconds)
