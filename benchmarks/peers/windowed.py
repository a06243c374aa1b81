"""What every engine of ``benchmarks/features.py`` is given and has to return, and how it is timed.

The log lies in memory in whatever form suits the engine before the clock starts; when it stops, the engine's own result
lies in memory, in any order of rows. Turning that into the same integers for all, to compare them, is not timed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

DAY_US = 86_400_000_000
DAYS = (7, 30, 90, 365)
KEYS = (("customer", "seller"), ("seller", "customer"))
"""Each key with its counterpart."""
REPEATS, ENOUGH_SECONDS = 3, 30.0
"""The best of so many runs counts, or of as many as fit into so many seconds, but of one at least."""


@dataclass(frozen=True)
class Log:
    """Columns of the log (``time`` in microseconds, ``customer``, ``seller``, ``cents``) and the rows that ask."""

    time: np.ndarray
    customer: np.ndarray
    seller: np.ndarray
    cents: np.ndarray
    probes: np.ndarray

    def head(self, rows: int) -> Log:
        """Return its first rows."""
        cut = {name: getattr(self, name)[:rows] for name in ("time", "customer", "seller", "cents")}
        return Log(**cut, probes=self.probes[self.probes < rows])


def threads() -> int:
    """How many threads the engine may use."""
    return int(os.environ.get("TOUCHSTONE_PEER_THREADS", "1"))


def run(
    prepare: Callable[[Log], object],
    work: Callable[[object], object],
    columns: Callable[[object, Log], Iterable[np.ndarray]] | None,
    clock: Callable[[], float] = time.process_time,
) -> None:
    """Time ``work(prepare(log))`` on the log named on the command line and print one line of JSON.

    ``columns`` yields the result as (probes,) integers in the order of the probes: by customer, then by seller, 4 counts,
    4 sums of cents, microseconds since the last event (−1 without one), 4 numbers of new counterparts.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("log", type=Path)
    parser.add_argument("--probes", type=int, help="ask only for the last so many")
    options = parser.parse_args()
    log = _read(options.log, options.probes)
    warm = log.head(min(len(log.time), 5_000))
    if len(warm.probes):
        work(prepare(warm))  # imports, compilation and first-use costs are nobody's
    state = prepare(log)
    wall, counted, answer = [], [], None
    while len(wall) < REPEATS and (not wall or sum(counted) + min(counted) < ENOUGH_SECONDS):
        answer = None
        begun, used = time.perf_counter(), clock()
        answer = work(state)
        wall.append(time.perf_counter() - begun)
        counted.append(clock() - used)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    digest = hashlib.sha256()
    for column in columns(answer, log) if columns else ():
        digest.update(np.ascontiguousarray(column, dtype=np.int64).tobytes())
    found = {"seconds": min(counted), "wall_seconds": min(wall), "runs": len(wall), "peak_rss_mb": round(peak)}
    print(json.dumps(found | {"probes": len(log.probes), "digest": digest.hexdigest() if columns else None}))


def _read(path: Path, probes: int | None) -> Log:
    table = pq.read_table(path)
    held = {name: table[name].to_numpy() for name in ("time", "customer", "seller", "cents")}
    rows = np.flatnonzero(table["asks"].to_numpy())
    return Log(**held, probes=rows if probes is None else rows[-probes:])


def since(now: np.ndarray, last: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Microseconds since the last event, −1 without one."""
    return np.where(known, now - np.where(known, last, 0), -1)
