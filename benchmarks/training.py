"""Training on a million claims: our classifier beside scikit-learn's HistGradientBoosting and XGBoost, in the same run.

Each contestant trains in a process of its own, on the same file, with one thread and with two. Time is that of training
alone, by the clock and, because other work may share the machine, of all cores together; memory is the peak of the whole
process, the data (twice for whoever copies them) included.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks._peak import watched
from benchmarks._record import record
from benchmarks._training_contest import BINS, CONTESTANTS, LEARNING_RATE, LEAVES, ROUNDS, synthetic

ROWS, FEATURES, LATER_ROWS = 1_000_000, 120, 50_000
THREADS = (1, 2)


def main() -> int:
    """Measure, print the table and write ``results/training.json``."""
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder))
        rows = [_measure(name, threads, Path(folder)) for threads in THREADS for name in CONTESTANTS]
    best = {name: min((row for row in rows if row["name"] == name), key=lambda row: row["seconds"]) for name in CONTESTANTS}
    peers = [name for name in CONTESTANTS if name != "ours"]
    ratios = {f"vs_{peer}": best[peer]["seconds"] / best["ours"]["seconds"] for peer in peers}
    for threads in THREADS:
        of = {row["name"]: row["seconds"] for row in rows if row["threads"] == threads}
        ratios |= {f"vs_{peer}_{threads}_threads": of[peer] / of["ours"] for peer in peers}
        cores = {row["name"]: row["cpu_seconds"] for row in rows if row["threads"] == threads}
        ratios |= {f"vs_{peer}_{threads}_threads_cpu": cores[peer] / cores["ours"] for peer in peers}
    metrics = {"peak_gb": max(row["peak_gb"] for row in rows if row["name"] == "ours"), "seconds": best["ours"]["seconds"]}
    metrics |= {f"auc_abusive_{name}": row["auc"]["abusive"] for name, row in best.items()}
    _print(rows, ratios)
    shape = {"rows": ROWS, "features": FEATURES, "rounds": ROUNDS, "leaves": LEAVES, "learning_rate": LEARNING_RATE, "bins": BINS}
    result = {"metrics": metrics, "ratios": ratios, "rows": rows, "shape": shape}
    print(f"written: {record('training', result, ('lightgbm', 'scikit-learn', 'xgboost-cpu', 'numpy')).name}")
    return 0


def _write(folder: Path) -> None:
    for prefix, count, seed in (("", ROWS, 1), ("later_", LATER_ROWS, 2)):
        matrix, labels = synthetic(count, FEATURES, seed)
        np.save(folder / f"{prefix}matrix.npy", matrix)
        np.save(folder / f"{prefix}labels.npy", labels)


def _measure(name: str, threads: int, folder: Path) -> dict[str, Any]:
    _, peak, printed = watched(["-m", "benchmarks._training_contest", name, str(threads), str(folder)], folder)
    row = {"name": name, "threads": threads, "peak_gb": peak, **json.loads(printed)}
    print(f"   {name}, threads {threads}: {row['seconds']:.1f} s, {peak:.2f} GB", flush=True)
    return row


def _print(rows: list[dict[str, Any]], ratios: dict[str, float]) -> None:
    title = f"Training {ROWS:,} rows × {FEATURES} features, three classes, {ROUNDS} rounds of {LEAVES} leaves"
    table = Table(
        "classifier",
        "trees",
        "threads",
        "seconds",
        "of all cores",
        "peak GB",
        "theirs / ours",
        "AUC abusive",
        title=title,
        title_justify="left",
    )
    for row in rows:
        ratio = ratios.get(f"vs_{row['name']}_{row['threads']}_threads", 1.0)
        figures = (
            f"{row['seconds']:.1f}",
            f"{row['cpu_seconds']:.1f}",
            f"{row['peak_gb']:.2f}",
            f"{ratio:.2f}",
            f"{row['auc']['abusive']:.4f}",
        )
        table.add_row(row["name"].replace("_", " "), str(row["trees"]), str(row["threads"]), *figures)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
