"""The origin of workers: everything imported, nothing counted, nothing begun, and every worker hears that it shall end."""

from __future__ import annotations

import subprocess
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest

from pipelines import origin

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers begin from nothing")

_TOLD = """
import os, signal, sys, threading  # as multiprocessing.forkserver begins it
import pipelines.preloaded
print(signal.getsignal(signal.SIGTERM) is signal.SIG_IGN, threading.active_count(), "prometheus_client" in sys.modules, flush=True)
print([name for name in pipelines.preloaded.NEEDED if name not in sys.modules], flush=True)
child = os.fork()
if not child:
    print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


def test_the_origin_outlives_the_end_has_no_threads_and_leaves_counting_to_the_workers() -> None:
    told = subprocess.run([sys.executable, "-c", _TOLD], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    assert told == ["True 1 False", "[]", "True", ""]


def test_whoever_else_imports_what_workers_share_hears_that_it_shall_end() -> None:
    code = "import signal, pipelines.preloaded; print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told == "True\n"


def _named(sender: object) -> None:
    sender.send((sorted({"pandas", "numba", "serving.engine", "prometheus_client"} & set(sys.modules)), psutil.Process().ppid()))  # type: ignore[attr-defined]


def test_a_worker_has_what_it_needs_before_it_asks_and_comes_from_the_origin() -> None:
    context = origin.begin()
    receiver, sender = context.Pipe(duplex=False)
    worker: BaseProcess = context.Process(target=_named, args=(sender,))  # type: ignore[attr-defined]
    worker.start()
    assert receiver.poll(60)
    held, parent = receiver.recv()
    worker.join(30)
    assert worker.exitcode == 0 and parent not in (worker.pid, psutil.Process().pid)
    assert {"pandas", "numba", "serving.engine"} <= set(held)
