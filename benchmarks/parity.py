"""Parity with the book: its 14 features over all card transactions, from our kernel on every carrier, equal to their definition.

The definition is computed apart, by integer SQL (:func:`benchmarks._handbook_features.defined`). Counts, sums of cents and
sums of frauds are compared as integers, means and shares to the last bit. Each carrier runs in a process of its own, whose
memory is watched from outside together with that of its children. Seconds are those from the log (for local in memory, else
in a Parquet file) to the matrix (likewise); what Spark takes to start up is told apart.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks._handbook_features import HANDBOOK, book, defined, differing, load
from benchmarks._peak import watched
from benchmarks._record import record, yardsticks
from features import bounded, spark
from features.matrix import build_matrix
from features.spark_session import session
from features.stored import Stored

_MATRIX = "matrix.parquet"


def local(frame: pd.DataFrame, folder: Path) -> tuple[float, float]:
    """Compute the matrix of :data:`HANDBOOK` from arrays in memory."""
    began = time.perf_counter()
    matrix = build_matrix({"claims": frame}, catalog=HANDBOOK)
    seconds = time.perf_counter() - began
    matrix.to_parquet(folder / _MATRIX)
    return 0.0, seconds


def in_bounded_memory(frame: pd.DataFrame, folder: Path) -> tuple[float, float]:
    """Compute it in a bounded memory of 2 GB, from a Parquet file into another."""
    stored, began = _stored(frame, folder), time.perf_counter()
    bounded.build(stored, folder / _MATRIX, _FEATURES, HANDBOOK.sources, memory=2 << 30)
    return 0.0, time.perf_counter() - began


def on_spark(frame: pd.DataFrame, folder: Path) -> tuple[float, float]:
    """Compute it on Apache Spark, here and with two tasks at a time, from a Parquet file into another."""
    stored, began = _stored(frame, folder), time.perf_counter()
    with session("local[2]", 2 << 30) as opened:
        opened.range(1).count()  # the first job of all waits for much that is loaded only then
        started = time.perf_counter()
        spark.build(opened, stored, folder / _MATRIX, _FEATURES, HANDBOOK.sources)
        return started - began, time.perf_counter() - started


_FEATURES = [entry.feature for entry in HANDBOOK]


def _stored(frame: pd.DataFrame, folder: Path) -> dict[str, Stored]:
    frame.to_parquet(folder / "claims.parquet", index=False)
    return {"claims": Stored.of([folder / "claims.parquet"])}


CARRIERS: dict[str, Callable[[pd.DataFrame, Path], tuple[float, float]]] = {"local": local, "bounded": in_bounded_memory, "spark": on_spark}
"""What computes the matrix into an empty folder, in the order of the log: seconds of starting up, then of the work itself."""


def carry(name: str, folder: Path) -> None:
    """Let one carrier compute the matrix into a folder, and print how long that took; the child process of :func:`main`."""
    frame = load(yardsticks())
    starting, seconds = CARRIERS[name](frame, folder)
    print(json.dumps({"seconds": seconds, "starting_seconds": starting}))


def measure(name: str, expected: dict[str, np.ndarray]) -> dict[str, Any]:
    """Run one carrier and compare: seconds, peak gigabytes, and by feature the rows that differ."""
    with tempfile.TemporaryDirectory() as folder:
        _, peak, printed = watched(["-m", "benchmarks.parity", name, folder], Path(folder))
        matrix = pd.read_parquet(Path(folder) / _MATRIX)
    found = {str(column): matrix[column].to_numpy() for column in matrix.columns}
    apart = differing(found, expected) | differing(book(found), book(expected))
    return json.loads(printed.splitlines()[-1]) | {"peak_gb": peak, "differing": apart, "rows": len(matrix)}


def main() -> int:
    """Measure every carrier, print the table and write ``results/parity.json``; 0 also where the data are absent, 1 if a row differs."""
    if not (yardsticks() / "handbook").is_dir():
        print(f"skipped: no card transactions at {yardsticks() / 'handbook'}; set TOUCHSTONE_YARDSTICKS to the folder of outside data")
        return 0
    began = time.perf_counter()
    expected = defined(load(yardsticks()))
    seconds = time.perf_counter() - began
    found = {name: measure(name, expected) for name in CARRIERS}
    title = f"The book's {len(book(expected))} features, and the sums behind them, over {len(expected['claim_hour']):,} transactions"
    table = Table("carrier", "rows", "rows that differ", "starting up, s", "seconds", "peak GB", title=title, title_justify="left")
    for name, one in found.items():
        table.add_row(
            name,
            f"{one['rows']:,}",
            str(sum(one["differing"].values())),
            f"{one['starting_seconds']:.1f}",
            f"{one['seconds']:.1f}",
            f"{one['peak_gb']:.2f}",
        )
    table.add_row("definition in SQL (DuckDB)", f"{len(expected['claim_hour']):,}", "", "", f"{seconds:.1f}", "")
    Console(width=110).print(table)
    result = {
        "metrics": {
            f"{what}_{name}": one[what] for name, one in found.items() for what in ("seconds", "starting_seconds", "peak_gb", "rows")
        }
        | {f"rows_that_differ_{name}": sum(one["differing"].values()) for name, one in found.items()},
        "rows": [{"carrier": name} | one for name, one in found.items()],
        "seconds_definition": seconds,
        "ratios": {f"{name}_vs_local": one["seconds"] / found["local"]["seconds"] for name, one in found.items() if name != "local"},
    }
    print(f"written: {record('parity', result, ('duckdb', 'numpy', 'pandas', 'pyspark')).name}")
    return int(any(one["differing"] for one in found.values()))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        carry(sys.argv[1], Path(sys.argv[2]))
    else:
        sys.exit(main())
