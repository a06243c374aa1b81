"""Run a command and watch how much memory it and all its children take together.

What is *resident* includes pages of files that are mapped into memory, which the system takes back whenever somebody else wants the
memory; what is *anonymous* lies nowhere else, and is what a run needs.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_EVERY_SECONDS = 0.05


@dataclass(frozen=True)
class Watched:
    """What was seen of a command: its seconds, its peaks of resident and of anonymous memory in gigabytes, and what it printed."""

    seconds: float
    peak_gb: float
    anonymous_gb: float
    printed: str


def watched(arguments: list[str], folder: Path) -> tuple[float, float, str]:
    """Run ``python ARGUMENTS``; return its seconds, its peak resident memory in gigabytes with that of its children, and what it printed.

    Raises
    ------
    CalledProcessError
        If it failed; what it wrote to standard error is shown.
    """
    found = observed(arguments, folder)
    return found.seconds, found.peak_gb, found.printed


def observed(arguments: list[str], folder: Path) -> Watched:
    """Run ``python ARGUMENTS`` as :func:`watched` does; return all that was seen."""
    began = time.perf_counter()
    with (folder / "printed").open("w+") as printed, (folder / "errors").open("w+") as errors:
        with subprocess.Popen([sys.executable, *arguments], stdout=printed, stderr=errors) as child:
            root, peak, anonymous = psutil.Process(child.pid), 0, 0
            while child.poll() is None:
                resident, mapped = _taken(root)
                peak, anonymous = max(peak, resident), max(anonymous, resident - mapped)
                time.sleep(_EVERY_SECONDS)
        seconds = time.perf_counter() - began
        printed.seek(0)
        errors.seek(0)
        if child.returncode:
            print(errors.read(), file=sys.stderr)
            raise subprocess.CalledProcessError(child.returncode, arguments)
        return Watched(seconds, peak / 1e9, anonymous / 1e9, printed.read())


def _taken(root: psutil.Process) -> tuple[int, int]:
    """Add up what a process and its children hold, and how much of it is files; one that ends while being looked at holds nothing."""
    total = mapped = 0
    try:
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0, 0
    for process in family:
        try:
            memory = process.memory_info()
        except psutil.NoSuchProcess:
            continue
        total, mapped = total + memory.rss, mapped + memory.shared
    return total, mapped
