"""The servers that are compared, each a process of its own on a port of this machine, and the load they are put under."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._peers import PeerError

HERE = Path(__file__).parent
ROOT = HERE.parent

_QUIET = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"),
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "PYTHONPATH": str(ROOT),
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",  # where MLflow looks for uvicorn
}


_LOOK, _REST, _LONGEST = 0.8, 0.1, 30.0
"""Seconds between two looks whether a server is at rest, the share of a processor that it may take then, and seconds waited at most."""


@dataclass(frozen=True)
class Peer:
    """A server and what it is asked.

    Parameters
    ----------
    name
        As the table calls it.
    command
        Starts it; ``{port}`` stands for its port.
    path
        Where requests go.
    bodies
        One request per line.
    ready
        What answers once it serves.
    is_used_up
        Whether every body may be sent once only.
    key
        Sent along as a bearer token.
    """

    name: str
    command: tuple[str, ...]
    path: str
    bodies: Path
    ready: str = "/ping"
    is_used_up: bool = False
    key: str = ""


class Running:
    """A peer that listens."""

    def __init__(self, peer: Peer, port: int, pid: int) -> None:
        self.peer, self.port, self.pid, self.sent = peer, port, pid, 0
        self.held = peer.bodies.read_bytes().count(b"\n") + 1

    def load(self, connections: int, seconds: int) -> dict[str, Any]:
        """Put it under load and return requests, seconds, percentiles and processor time of the server per request.

        What the server does later for these requests counts as well, and nobody else is measured meanwhile.
        """
        wrk = shutil.which("wrk")
        if wrk is None:
            raise PeerError("expected wrk to make the load, found none; install it, for instance apt-get install wrk")
        before = processor_seconds(self.pid)
        url = f"http://127.0.0.1:{self.port}{self.peer.path}"
        skip = self.sent if self.peer.is_used_up else 0
        command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(HERE / "_serving_load.lua"), url]
        command += ["--", str(self.peer.bodies), str(skip), self.peer.key or "none"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PeerError(f"wrk: {done.stderr.strip() or done.stdout.strip()}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        self.sent += found["requests"] + connections
        if self.peer.is_used_up and self.sent > self.held:
            raise PeerError(f"{self.peer.name}: expected a claim for every request, found {self.held} for {self.sent}; keep more back")
        cpu = 1e3 * (self._at_rest() - before) / max(1, found["requests"])
        rate = found["requests"] / found["seconds"]
        return {"peer": self.peer.name, "connections": connections, "per_second": rate, "server_cpu_ms": cpu, **found}

    def _at_rest(self) -> float:
        """Wait until the server has nothing left to do, and return its processor time."""
        found, end = processor_seconds(self.pid), time.monotonic() + _LONGEST
        while time.monotonic() < end:
            time.sleep(_LOOK)
            before, found = found, processor_seconds(self.pid)
            if found - before < _REST * _LOOK:
                break
        return found


@contextmanager
def running(peer: Peer, log: Path) -> Iterator[Running]:
    """Start a peer, wait until it answers, and stop it at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [part.format(port=port) for part in peer.command]
    with log.open("w", encoding="utf-8") as told:
        process = subprocess.Popen(command, stdout=told, stderr=told, env=os.environ | _QUIET, cwd=ROOT, start_new_session=True)
    try:
        _wait(f"http://127.0.0.1:{port}{peer.ready}", process, log)
        yield Running(peer, port, process.pid)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process and its descendants so far."""
    import psutil

    top = psutil.Process(pid)
    return float(sum(sum(process.cpu_times()[:2]) for process in [top, *top.children(recursive=True)]))


def python(*arguments: str) -> tuple[str, ...]:
    """Return a command of this Python."""
    return (sys.executable, *arguments)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 180.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise PeerError(f"{url} does not answer; its last words: {log.read_text(encoding='utf-8')[-500:]}")
