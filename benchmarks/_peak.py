"""Run a command and watch how much memory it and all its children take together."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil

_EVERY_SECONDS = 0.05


def watched(arguments: list[str], folder: Path) -> tuple[float, float, str]:
    """Run ``python ARGUMENTS``; return its seconds, its peak resident memory in gigabytes with that of its children, and what it printed.

    Raises
    ------
    CalledProcessError
        If it failed; what it wrote to standard error is shown.
    """
    began = time.perf_counter()
    with (folder / "printed").open("w+") as printed, (folder / "errors").open("w+") as errors:
        with subprocess.Popen([sys.executable, *arguments], stdout=printed, stderr=errors) as child:
            root, peak = psutil.Process(child.pid), 0
            while child.poll() is None:
                peak = max(peak, _resident(root))
                time.sleep(_EVERY_SECONDS)
        seconds = time.perf_counter() - began
        printed.seek(0)
        errors.seek(0)
        if child.returncode:
            print(errors.read(), file=sys.stderr)
            raise subprocess.CalledProcessError(child.returncode, arguments)
        return seconds, peak / 1e9, printed.read()


def _resident(root: psutil.Process) -> int:
    """Add up what a process and its children hold; one that ends while being looked at holds nothing."""
    total = 0
    try:
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in family:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
