"""Peers run in processes and environments of their own, so that neither their packages nor their memory touch ours.

``benchmarks/peers/<environment>.txt`` pins what an environment holds; it is built under ``.venv-peers`` on first use and
built anew when the pins change. A script of a peer prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PEERS = Path(__file__).parent / "peers"

_KEPT = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 37)}
"""Memory that was given back stays with its process (GNU C library), for every peer alike: from the second run on nobody pays the
system for fresh pages, which costs more than the work itself on some virtual machines."""


class PeerError(RuntimeError):
    """A peer that could not be installed, broke or did not finish; the message says which."""


def environment(name: str | None) -> Path:
    """Return the Python of a peer's environment, built if needed; without a name, the one that runs this."""
    if name is None:
        return Path(sys.executable)
    folder, pins = ROOT / ".venv-peers" / name, (PEERS / f"{name}.txt").read_text(encoding="utf-8")
    python, ready = folder / "bin" / "python", folder / "pins.txt"
    if not ready.exists() or ready.read_text(encoding="utf-8") != pins:
        print(f"   building the environment of {name} …", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", PEERS / f"{name}.txt"]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PeerError(f"{name} cannot be installed: {_last_line(done.stderr)}")
        ready.write_text(pins, encoding="utf-8")
    return python


def run(script: str, *arguments: str, python: Path, threads: int = 1, limit: float = 300.0) -> dict[str, Any]:
    """Run ``benchmarks/peers/<script>.py`` and return what it printed.

    Parameters
    ----------
    script, arguments
        What to run, on what.
    python
        From :func:`environment`.
    threads
        How many threads its libraries may use.
    limit
        Seconds after which it is stopped.

    Raises
    ------
    PeerError
        If it breaks or does not finish.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "TOUCHSTONE_PEER_THREADS")
    variables = os.environ | dict.fromkeys(names, str(threads)) | _KEPT | {"PYTHONPATH": str(ROOT)}
    command = [str(python), str(PEERS / f"{script}.py"), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=limit, check=False)
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"did not finish within {limit:.0f} s") from error
    if done.returncode:
        raise PeerError(_last_line(done.stderr) or f"ended with code {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1][:200]
