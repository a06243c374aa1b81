"""Bounded memory: the same matrix from ten and from a hundred million events, within the memory that was allowed.

The log of ``make bench-features`` (Zipf-distributed sellers, the busiest with a sixth of all events) is written straight to
Parquet, every fifth order is also a claim. Counts, sums, time since the last order and new distinct counterparts are
computed for customers and sellers over 7, 30, 90 and 365 days. Each engine runs in a process of its own, whose memory is
watched from outside together with that of its children; reading the tables and writing the matrix are part of it.
"""

from __future__ import annotations

import resource
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks._peak import watched
from benchmarks._record import record
from features import bounded
from features.facts import Facts
from features.ordered import slices, write
from features.spec import ALL, Aggregate, Feature, Window
from features.stored import Stored
from features.windows import evaluate

SMALL, LARGE = 10_000_000, 100_000_000
ALLOWED = 2 << 30
SEED, SPAN_DAYS, CLAIM_EVERY, PIECE = 20210901, 1_095, 5, 5_000_000
MEASURED = (("nothing", SMALL), ("local", SMALL), ("bounded", SMALL), ("bounded", LARGE))
BYTES_PER_EVENT = 300
"""Disk that a run needs for the log, what is dealt to buckets, and the matrix (chosen on the safe side)."""

WINDOWS = tuple(Window(days) for days in (7, 30, 90, 365))
FEATURES: tuple[Feature, ...] = tuple(
    Aggregate(on, by, how, over)
    for by, other in ((("customer_id",), "seller_id"), (("seller_id",), "customer_id"))
    for on, how, over in (
        *(("orders", "count", window) for window in WINDOWS),
        *(("orders.amount_cents", "sum", window) for window in WINDOWS),
        ("orders", "since_last", ALL),
        *((f"orders.{other}", "first_seen", window) for window in WINDOWS),
    )
)


def generate(folder: Path, events: int) -> None:
    """Write a log of orders and claims piece by piece, in order of time; the same number of events gives the same files."""
    rng = np.random.default_rng(SEED)
    pieces = -(-events // PIECE)
    for piece in range(pieces):
        n, start = min(PIECE, events - piece * PIECE), piece * PIECE
        seconds = np.sort(rng.integers(0, SPAN_DAYS * 86_400 // pieces, n)) + piece * (SPAN_DAYS * 86_400 // pieces)
        orders = pa.table(
            {
                "customer_id": _text("K", rng.integers(0, events // 20, n)),
                "seller_id": _text("S", (rng.zipf(1.2, n) - 1) % (events // 1_000)),
                "ordered_at": pa.array(1_600_000_000_000_000 + seconds * 1_000_000).cast(pa.timestamp("us", "UTC")),
                "amount_cents": rng.integers(1, 100_000, n),
            }
        )
        kept = np.arange(0, n, CLAIM_EVERY)
        claims = (
            orders.select(["customer_id", "seller_id", "ordered_at"]).take(kept).rename_columns(["customer_id", "seller_id", "filed_at"])
        )
        pq.write_table(orders, folder / f"orders-{piece:04d}.parquet")
        pq.write_table(claims.append_column("claim_id", _text("C", start + kept)), folder / f"claims-{piece:04d}.parquet")


def _text(prefix: str, codes: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(prefix, pa.array(codes).cast(pa.string()), "")


def carry(engine: str, folder: Path) -> None:
    """Build the matrix of a log with one engine; the child process of :func:`main`. ``nothing`` only loads the libraries."""
    files = {name: sorted(folder.glob(f"{name}-*.parquet")) for name in ("orders", "claims")}
    target = folder / f"{engine}.parquet"
    if engine == "local":
        tables = {name: pa.concat_tables([pq.read_table(file) for file in held]).to_pandas() for name, held in files.items()}
        values = evaluate(FEATURES, Facts(tables, tables["claims"]))
        write(slices(pd.DataFrame(values, index=pd.Index(tables["claims"]["claim_id"], dtype="str"))), target, {})
    elif engine == "bounded":
        bounded.build({name: Stored.of(held) for name, held in files.items()}, target, FEATURES, memory=ALLOWED)


def measure(engine: str, folder: Path, events: int) -> dict[str, Any]:
    """Measure one engine over one log: seconds on the clock and of processors, peak gigabytes; one line is printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds, peak, _ = watched(["-m", "benchmarks.bounded", engine, str(folder)], folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{engine:8} {events:>12,} events  {seconds:8.1f} s  {used:8.1f} s of processors  peak {peak:5.2f} GB", flush=True)
    return {"engine": engine, "events": events, "seconds": seconds, "processor_seconds": used, "peak_gb": peak}


def differing(folder: Path) -> int:
    """Count the columns of the matrix in which local and bounded differ in any bit."""
    one, other = (pq.read_table(folder / f"{engine}.parquet") for engine in ("local", "bounded"))
    if one.column_names != other.column_names:
        return max(len(one.column_names), len(other.column_names))
    return sum(not _bits(one[name]).equals(_bits(other[name])) for name in one.column_names)


def _bits(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return pa.array(whole.to_numpy(zero_copy_only=False).view(np.int64)) if pa.types.is_floating(whole.type) else whole


def main() -> int:
    """Measure, compare with the local engine, and record; 1 if a bit differs or more memory was taken than allowed."""
    with tempfile.TemporaryDirectory() as home:
        free = shutil.disk_usage(home).free
        if free < LARGE * BYTES_PER_EVENT:
            print(f"{home}: expected {LARGE * BYTES_PER_EVENT / 1e9:.0f} GB free, found {free / 1e9:.0f} GB; set TMPDIR", file=sys.stderr)
            return 1
        folders = {events: Path(home) / f"{events:_}" for events in (SMALL, LARGE)}
        for events, folder in folders.items():
            folder.mkdir()
            generate(folder, events)
        rows = [measure(engine, folders[events], events) for engine, events in MEASURED]
        wrong = differing(folders[SMALL])
    found = summary(rows)
    found["metrics"]["columns_that_differ_10m"] = wrong
    for name, value in (found["metrics"] | found["ratios"]).items():
        print(f"{name}: {value:.3g}")
    record("bounded", found | {"rows": rows}, ("duckdb", "numba", "numpy", "pandas", "pyarrow"))
    return int(wrong > 0 or found["metrics"]["peak_gb_100m"] > found["metrics"]["allowed_gb"])


def summary(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return what grows, and what does not, as the log becomes ten times as long."""
    found = {(row["engine"], row["events"]): row for row in rows}
    none, local, small, large = (found[which] for which in MEASURED)
    metrics = {
        "allowed_gb": ALLOWED / 1e9,
        "floor_gb": none["peak_gb"],
        "peak_gb_10m": small["peak_gb"],
        "peak_gb_100m": large["peak_gb"],
        "peak_gb_local_10m": local["peak_gb"],
        "microseconds_per_event_10m": small["seconds"] / SMALL * 1e6,
        "microseconds_per_event_100m": large["seconds"] / LARGE * 1e6,
    }
    ratios = {
        "time_growth_10x": large["seconds"] / small["seconds"],
        "processor_time_growth_10x": large["processor_seconds"] / small["processor_seconds"],
        "peak_growth_10x": large["peak_gb"] / small["peak_gb"],
        "vs_local_10m": small["seconds"] / local["seconds"],
    }
    return {"metrics": metrics, "ratios": ratios}


if __name__ == "__main__":
    if len(sys.argv) == 3:
        carry(sys.argv[1], Path(sys.argv[2]))
    else:
        sys.exit(main())
