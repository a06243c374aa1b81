"""From ``touchstone serve`` to the first ready answer, with one worker and with two: the history is filled, compiled code is kept.

Each start is a new process tree; it is asked whether it is ready every hundredth of a second. Beside the seconds that pass, the processor
seconds of all its processes are told.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks._record import record
from pipelines.home import Home
from pipelines.simulated import simulate_into
from pipelines.train import train
from pipelines.validate import validate

ORDERS, CLAIMS, ROUNDS, WORKERS = 12_000, 1_500, 5, (1, 2)
"""Size of the marketplace, starts that are timed with each number of workers, and these numbers."""

LOOK, LONGEST = 0.01, 120.0
"""Seconds between two looks whether it is ready, and seconds waited at most."""


def main(rounds: int = int(os.environ.get("TOUCHSTONE_START_ROUNDS", ROUNDS))) -> int:
    """Make a home, start the endpoint over it again and again, print, and write ``results/start.json``."""
    with tempfile.TemporaryDirectory(prefix="start") as folder:
        home = Home(Path(folder) / "home")
        market = simulate_into(home, ORDERS, CLAIMS, seed=3)
        validate(home, docs=False)
        train(home, market.live_from, tracking=False)
        for workers in WORKERS:
            _started(home, workers)  # fills the history, and keeps what is compiled
        rows = [_started(home, workers) | {"workers": workers, "round": turn} for turn in range(rounds) for workers in WORKERS]
    metrics = {
        f"{what}_{workers}": statistics.median(row[what] for row in rows if row["workers"] == workers)
        for workers in WORKERS
        for what in ("ready_seconds", "processor_seconds")
    }
    table = Table(title="touchstone serve until it is ready (median)", title_justify="left")
    for column in ("workers", "seconds", "processor seconds, all processes"):
        table.add_column(column, justify="right")
    for workers in WORKERS:
        table.add_row(str(workers), f"{metrics[f'ready_seconds_{workers}']:.2f}", f"{metrics[f'processor_seconds_{workers}']:.2f}")
    Console(width=100).print(table)
    record("start", {"metrics": metrics, "rows": rows}, ("uvicorn", "fastapi", "pandas", "numba", "sqlalchemy"))
    return 0


def _started(home: Home, workers: int) -> dict[str, Any]:
    """Start the endpoint, wait until it is ready, stop it, and return seconds until then."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [str(Path(sys.executable).with_name("touchstone")), "serve", "--development", "--workers", str(workers), "--port", port]
    begin = time.perf_counter()
    server = subprocess.Popen([*command, "--home", str(home.root)], env=os.environ | {"TOUCHSTONE_SERVE_LOG_LEVEL": "error"})
    try:
        while not _is_ready(port):
            if server.poll() is not None or time.perf_counter() - begin > LONGEST:
                raise TimeoutError(f"touchstone serve: expected it to be ready within {LONGEST:g} seconds, found it is not")
            time.sleep(LOOK)
        seconds, top = time.perf_counter() - begin, psutil.Process(server.pid)
        spent = sum(sum(process.cpu_times()[:2]) for process in [top, *top.children(recursive=True)])
    finally:
        server.terminate()
        server.wait()
    return {"ready_seconds": seconds, "processor_seconds": spent}


def _is_ready(port: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
