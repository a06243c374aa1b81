"""uvicorn's supervisor of several workers, which notices at once that one has died.

It asks a worker how it does over a pipe and waits for the answer. As long as it holds the worker's end of that pipe as well, a worker
that is killed while it is asked never hangs up: no other worker is begun, and no signal heard, until patience runs out.
"""

from __future__ import annotations

from uvicorn.supervisors import Multiprocess


class Supervisor(Multiprocess):
    """Begins workers, begins another for each that died or hangs, and ends them all when told to."""

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
