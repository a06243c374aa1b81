"""Several workers: one that dies has a successor, whatever the supervisor was waiting for."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
import uvicorn
from fastapi import FastAPI

from pipelines.server import STARTING_SECONDS, run
from pipelines.supervisor import port_of
from serving.settings import Settings

SOON = STARTING_SECONDS / 4
"""Long for a busy machine to begin a worker in, short beside the patience of the supervisor."""

Found = TypeVar("Found")


def build(folder: Path) -> FastAPI:
    """Tell who began; the first of all stops before it can say anything."""
    (folder / str(os.getpid())).touch()
    try:
        (folder / "first").touch(exist_ok=False)
    except FileExistsError:
        return FastAPI()
    (folder / f"stopped-{os.getpid()}").touch()
    os.kill(os.getpid(), signal.SIGSTOP)
    return FastAPI()


def soon(find: Callable[[], Found | None]) -> Found:
    """Wait for something to be found."""
    end = time.monotonic() + SOON
    while (found := find()) is None:
        assert time.monotonic() < end, f"nothing after {SOON} s"
        time.sleep(0.05)
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="stops a process by a signal")
def test_a_worker_killed_while_the_supervisor_waits_for_it_has_a_successor_and_a_stop_is_heard(tmp_path: Path) -> None:
    supervisor = subprocess.Popen([sys.executable, "-m", "tests.pipelines.test_supervisor", str(tmp_path)])
    try:
        stopped = soon(lambda: next((path.name.partition("-")[2] for path in tmp_path.glob("stopped-*")), None))
        soon(lambda: psutil.Process(int(stopped)).status() == psutil.STATUS_STOPPED or None)
        time.sleep(1)  # it is asked every half a second
        os.kill(int(stopped), signal.SIGKILL)
        soon(lambda: len([path for path in tmp_path.iterdir() if path.name.isdecimal()]) == 3 or None)
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(SOON) == 0
    finally:
        supervisor.kill()
        supervisor.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux deals connections out")
def test_whoever_is_sent_the_port_has_a_socket_of_its_own_and_callers_are_dealt_out_among_all_of_them() -> None:
    with port_of(uvicorn.Config("", port=0)) as held:
        workers = [pickle.loads(ForkingPickler.dumps(held)) for _ in range(2)]
        try:
            for worker in workers:
                worker.listen()
                worker.settimeout(0.0)
            callers = [socket.create_connection(held.getsockname(), 5.0) for _ in range(64)]
            accepted = [sum(1 for _ in iter(partial(_accepted, worker), None)) for worker in workers]
            assert sum(accepted) == len(callers) and min(accepted) > 0
            for caller in callers:
                caller.close()
        finally:
            for worker in workers:
                worker.close()


def _accepted(worker: socket.socket) -> object | None:
    try:
        worker.accept()[0].close()
    except BlockingIOError:
        return None
    return True


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # uvicorn leaves its socket to the end of the process
def test_a_port_that_somebody_else_listens_on_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(SystemExit):
        port_of(uvicorn.Config("", port=other.getsockname()[1]))


if __name__ == "__main__":
    run(partial(build, Path(sys.argv[1])), Settings(port=0, workers=2, shutdown_seconds=5))
