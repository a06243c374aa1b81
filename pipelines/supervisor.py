"""uvicorn's supervisor of several workers, which notices at once that one has died, and a port that they share evenly.

It asks a worker how it does over a pipe and waits for the answer. As long as it holds the worker's end of that pipe as well, a worker
that is killed while it is asked never hangs up: no other worker is begun, and no signal heard, until patience runs out.

Workers that accept from one socket do not share evenly: whoever wakes first takes every connection that waits, and callers who keep
theirs stay with one worker while the others idle. Where Linux deals connections out, each worker has a socket of its own.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from uvicorn import Config, _subprocess
from uvicorn.supervisors import Multiprocess

from pipelines.origin import begin


class Supervisor(Multiprocess):
    """Begins workers, begins another for each that died or hangs, and ends them all when told to."""

    def run(self) -> None:
        """Begin workers and look after them until told to stop; they come from the origin (:mod:`pipelines.origin`)."""
        _subprocess.spawn = begin()  # type: ignore[assignment]  # uvicorn begins every worker from nothing, and cannot be told otherwise
        super().run()

    def init_processes(self) -> None:
        """Begin the workers."""
        super().init_processes()
        self._let_go()

    def keep_subprocess_alive(self) -> None:
        """Begin another worker for each that died or hangs."""
        super().keep_subprocess_alive()
        self._let_go()

    def _let_go(self) -> None:
        """Leave the worker's end of each pipe to the worker: it is closed with the worker then, which whoever waits is told."""
        for process in self.processes:
            process.child_conn.close()


class Dealt(socket.socket):
    """A socket bound to a port that others are bound to as well; a process that it is sent to gets one of its own.

    Linux deals connections out among those that listen, by a hash of both addresses. The one that the supervisor holds never listens: it
    keeps the port while workers are exchanged.
    """

    def __reduce_ex__(self, _protocol: Any) -> tuple[Any, ...]:
        return dealt, (self.family, self.getsockname())


def dealt(family: int, address: Any) -> Dealt:
    """Return a socket bound to an address beside others."""
    found = Dealt(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    found.bind(address)
    return found


def port_of(config: Config) -> socket.socket:
    """Return the socket that workers are given: it is told first, and the process ended, if somebody else has the port."""
    alone = config.bind_socket()
    if sys.platform != "linux":
        return alone
    family, address = alone.family, alone.getsockname()
    alone.close()
    return dealt(family, address)
