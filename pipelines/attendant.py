"""A process beside those that answer: it does what would hold them up, is begun anew should it die, and ends with who began it."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from threading import Event, Thread
from types import TracebackType
from typing import Any

from pipelines.collector import settle
from pipelines.origin import begin

_LOG = logging.getLogger("touchstone.attendant")

LATER_SECONDS = 1.0
"""Seconds after which it is begun, and begun anew if it died: at first whoever answers needs the processors."""

IsOver = Callable[[float], bool]
"""Waits for so many seconds, or for the end if that comes first, and tells whether it has come."""

Work = Callable[[IsOver], object]
"""What the process does until it is over; it must pickle, such as a ``functools.partial`` of a function of a module."""


class Attendant:
    """A process of its own while a block lasts.

    It is begun a little later, from the origin (:mod:`pipelines.origin`). However who began it ends, killed as well, it notices and ends.
    It may be killed itself at any moment.

    Parameters
    ----------
    work
        What it does.
    later_seconds
        Seconds after which it is begun, and begun anew if it died.

    Attributes
    ----------
    pid
        The process, once it is begun.
    """

    def __init__(self, work: Work, later_seconds: float = LATER_SECONDS) -> None:
        self._work, self._later = work, later_seconds
        self._over = Event()
        self._ours: Connection | None = None
        self._thread = Thread(target=self._look_after, name="attendant", daemon=True)
        self.pid: int | None = None

    def __enter__(self) -> Attendant:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._hang_up()
        self._thread.join()

    def _look_after(self) -> None:
        while not self._over.wait(self._later):
            try:
                process = self._begun()
            except (OSError, EOFError) as error:  # no memory, no room for a pipe, or the origin died: there may be later
                _LOG.warning("attendant: %s", type(error).__name__)
                continue
            self.pid = process.pid
            if self._over.is_set():  # meanwhile, and who said so may have found nothing to close
                self._hang_up()
            process.join()
            self._hang_up()

    def _begun(self) -> Any:
        context = begin()
        theirs, self._ours = context.Pipe(duplex=False)
        process = context.Process(target=_attend, args=(self._work, theirs), name="attendant", daemon=True)  # type: ignore[attr-defined]
        process.start()
        theirs.close()
        return process

    def _hang_up(self) -> None:
        """Close our end of the pipe, which is how the process is told."""
        if self._ours is not None:
            self._ours.close()


def _attend(work: Work, told: Connection) -> None:
    """Work until who began this hangs up; an interruption from the keyboard is theirs to hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settle()
    work(lambda seconds: bool(wait([told], seconds)))
