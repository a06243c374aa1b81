"""The window engine against the engines a user would pick, and against the least that sorting costs.

A log of events with Zipf-distributed sellers, in order of time as logs are (once also shuffled); every fifth event asks, for
its customer and for its seller, for counts, sums of cents and new counterparts over 7, 30, 90 and 365 days and for the time
since the last event, all strictly before itself: 26 numbers per claim. Ours is the product's own road, the declared
aggregates evaluated by :mod:`features.windows`. The floor is NumPy sorting the log by each key and time, and doing nothing
with it. Every engine runs in a process of its own with one thread (ours also with two) on data that it already holds in
memory, and leaves its result in memory; all that finish must return the same integers.

Times are seconds of processor time, the best of up to three runs, which on one thread is what a clock would show on an idle
machine; what the clock did show is kept beside them. Processes keep memory that was given back, so the best run is one with
warm memory. Engines that would need too long run on a smaller log, and their time at a larger one is extrapolated in
proportion and marked.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks._peers import PeerError, environment, run
from benchmarks._record import record

M = 1_000_000
SIZES = (1 * M, 5 * M, 20 * M)
SHUFFLED = 5 * M
SEED, SPAN_DAYS, ASKING = 20211007, 730, 0.2
LIMIT = 600.0


@dataclass(frozen=True)
class Engine:
    """An engine, or one formulation for it: its script, environment, largest log, number of claims (all), threads."""

    title: str
    script: str
    home: str | None = None
    largest: int = SIZES[-1]
    claims: int | None = None
    threads: int = 1
    rounds: int = 1


OURS = Engine("Touchstone", "windowed_ours", rounds=2)
FLOOR = Engine("NumPy lexsort (the floor)", "windowed_floor", rounds=2)
DUCKDB = (
    Engine("DuckDB, ASOF over running sums", "windowed_duckdb_asof"),
    Engine("DuckDB, RANGE frames", "windowed_duckdb_range", largest=1 * M),
)
POLARS = (
    Engine("Polars, join_asof over running sums", "windowed_polars_asof", "polars"),
    Engine("Polars, rolling_sum_by", "windowed_polars_rolling", "polars", largest=5 * M),
)
FEATURETOOLS = Engine("Featuretools, cutoff times", "windowed_featuretools", "featuretools", largest=1 * M, claims=50)
ENGINES = (
    *(OURS, FLOOR, Engine("Touchstone, two threads", "windowed_ours", threads=2, rounds=2), *POLARS, *DUCKDB),
    Engine("pandas, groupby rolling", "windowed_pandas", largest=1 * M),
    FEATURETOOLS,
    Engine("getML, FastProp", "windowed_getml", "getml", largest=M // 10),
)

Row = dict[str, Any]


def write_log(path: Path, events: int, shuffled: bool = False) -> Path:
    """Write a log; the same number of events gives the same file. Times are whole seconds, so that many are equal."""
    rng = np.random.default_rng(SEED)
    columns = {
        "time": 1_600_000_000_000_000 + np.sort(rng.integers(0, SPAN_DAYS * 86_400, events)) * 1_000_000,
        "customer": rng.integers(0, events // 20, events),
        "seller": (rng.zipf(1.2, events) - 1) % (events // 1_000),
        "cents": rng.integers(1, 100_000, events),
        "asks": rng.random(events) < ASKING,
    }
    order = rng.permutation(events) if shuffled else np.arange(events)
    pq.write_table(pa.table({name: values[order] for name, values in columns.items()}), path)
    return path


def main() -> int:
    """Run everything, compare, print the table, write ``results/features.json``; 1 if an engine disagrees."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for events in (M // 10, *SIZES):
            log = write_log(Path(folder) / f"{events}.parquet", events)
            for engine in ENGINES:
                if engine.largest == events or engine.largest > events >= SIZES[0]:
                    rows += _measured(engine, log, events)
            if events in {engine.largest for engine in ENGINES if engine.claims or engine.largest < SIZES[0]}:
                rows += _companions(log, events)
        log = write_log(Path(folder) / "shuffled.parquet", SHUFFLED, shuffled=True)
        for engine in (OURS, FLOOR, DUCKDB[0], POLARS[0]):
            rows += [row | {"shuffled": True} for row in _measured(engine, log, SHUFFLED)]
    disagreeing = _compare(rows)
    _print(rows)
    found = summary(rows)
    record("features", found | {"rows": rows}, ("numpy", "numba", "duckdb", "pandas", "pyarrow"))
    for name, value in (found["ratios"] | found["metrics"]).items():
        print(f"{name}: {value:.3g}")
    for row in disagreeing:
        print(f"{row['engine']} at {row['events']:,} events: other numbers than Touchstone's")
    return int(bool(disagreeing))


def _companions(log: Path, events: int) -> list[Row]:
    """Ask ours for what engines on this size were asked for, to compare."""
    wanted = {engine.claims for engine in ENGINES if engine.largest == events} - ({None} if events >= SIZES[0] else set())
    return [row for claims in wanted for row in _measured(Engine(OURS.title, OURS.script, claims=claims), log, events)]


def _measured(engine: Engine, log: Path, events: int) -> list[Row]:
    """Run an engine; the better of its rounds, or the reason why there is none."""
    row: Row = {"engine": engine.title, "script": engine.script, "events": events, "threads": engine.threads, "shuffled": False}
    asked = ("--probes", str(engine.claims)) if engine.claims else ()
    try:
        python = environment(engine.home)
        rounds = [run(engine.script, str(log), *asked, python=python, threads=engine.threads, limit=LIMIT) for _ in range(engine.rounds)]
    except PeerError as error:
        print(f"   {events:>10,} events  {engine.title:<36} {error}", flush=True)
        return [row | {"error": str(error), "claims": engine.claims}]
    best = min(rounds, key=lambda found: found["seconds"]) | {"wall_seconds": min(found["wall_seconds"] for found in rounds)}
    print(f"   {events:>10,} events  {engine.title:<36} {best['seconds']:9.2f} s", flush=True)
    return [row | best | {"claims": best.pop("probes")}]


def _compare(rows: list[Row]) -> list[Row]:
    """Mark each row as equal to ours on the same log and claims or not; return those that are not."""
    ours = {(r["events"], r.get("claims"), r["shuffled"]): r["digest"] for r in rows if r["engine"] == OURS.title and "digest" in r}
    for row in rows:
        if row.get("digest"):
            row["equal"] = row["digest"] == ours.get((row["events"], row["claims"], row["shuffled"]))
    return [row for row in rows if row.get("equal") is False]


def summary(rows: list[Row]) -> dict[str, dict[str, float]]:
    """Return the ratios at the largest size that both finished, and what time per event does as the log grows."""
    found: dict[tuple[str, int], Row] = {}
    for row in rows:
        if "seconds" in row and not row["shuffled"] and (row["engine"], row["events"]) not in found:
            found[row["engine"], row["events"]] = row

    def best(engines: tuple[Engine, ...], what: str = "seconds") -> tuple[int, float]:
        size = max(events for title, events in found if title in {engine.title for engine in engines})
        return size, min(found[engine.title, size][what] for engine in engines if (engine.title, size) in found)

    def ours(size: int, what: str = "seconds") -> float:
        return float(found[OURS.title, size][what])

    ratios = {}
    for name, engines in (("vs_duckdb_best", DUCKDB), ("vs_polars_best", POLARS)):
        size, seconds = best(engines)
        ratios[name] = seconds / ours(size)
    size, seconds = best((FLOOR,))
    ratios["vs_lexsort"] = ours(size) / seconds
    size, seconds = best((FEATURETOOLS,))
    claims = found[FEATURETOOLS.title, size]["claims"], found[OURS.title, size]["claims"]
    ratios["vs_featuretools_per_claim"] = (seconds / claims[0]) / (ours(size) / claims[1])
    small, large = SIZES[0], SIZES[-1]
    metrics = {
        "growth_per_event_1m_20m": (ours(large) / large) / (ours(small) / small),
        "nanoseconds_per_event_20m": ours(large) / large * 1e9,
        "claims_per_second_20m": found[OURS.title, large]["claims"] / ours(large),
        "speedup_two_threads_20m": ours(large, "wall_seconds") / found["Touchstone, two threads", large]["wall_seconds"],
        "peak_rss_mb_20m": ours(large, "peak_rss_mb"),
    }
    return {"ratios": ratios, "metrics": metrics}


def _print(rows: list[Row]) -> None:
    table = Table(title="26 windowed numbers per claim, one claim per five events (processor seconds, one thread)", title_justify="left")
    for name in ("events", "engine", "claims", "s", "µs per claim", "× ours", "20 M events, s", "peak MB", "equal"):
        table.add_column(name, justify="left" if name == "engine" else "right")
    ours = {(r["events"], r["shuffled"]): r for r in reversed(rows) if r["engine"] == OURS.title and "seconds" in r}
    for row in rows:
        events = f"{row['events']:,}" + (" shuffled" if row["shuffled"] else "")
        if "error" in row:
            table.add_row(events, row["engine"], "", row["error"], "", "", "", "", "")
            continue
        base, each = ours[row["events"], row["shuffled"]], row["seconds"] / row["claims"]
        all_claims = each * ASKING * SIZES[-1]
        table.add_row(
            events,
            row["engine"],
            f"{row['claims']:,}",
            f"{row['seconds']:.2f}",
            f"{each * 1e6:,.2f}",
            f"{each / (base['seconds'] / base['claims']):,.2f}",
            f"{all_claims:,.0f}" + ("" if row["events"] == SIZES[-1] else " extrapolated"),
            f"{row['peak_rss_mb']:,}",
            {True: "yes", False: "NO", None: "–"}[row.get("equal")],
        )
    Console(width=150).print(table)
