"""Batch scoring end to end: claims a second, and what happens to time and memory when the claims are ten times as many.

A marketplace of any size (:mod:`benchmarks._batch_log`) lies in the lake, but for its claims, which arrive as files. Measured is
everything after that: the files are read and checked against the contract, all features of the catalogue are computed, claims are scored,
explained where somebody will look, routed to experts under each day's capacity, and written to the case store and to the lake. *Ours*
computes features from arrays in memory, as ``--engine auto`` does where they fit, and is left out where they do not; *ours, bounded* is
given the same two gigabytes whatever the size, to see that memory stays flat. Each run has a process of its own, whose memory is watched
from outside: ``peak_gb`` is all that is resident, files mapped into memory included, and ``anonymous_gb`` what is nowhere else. Compiled
code is kept from a first run over few claims.

The peer is the script that a competent user would write (``benchmarks/peers/batch_pandas.py``): the same tables, the features that
rolling windows and merges express, the same model behind MLflow's pyfunc, the cheapest action, one Parquet file; no experts, no
reasons, no store. It is run with growing sizes until one takes too long. Spark's overhead is that of the same features on the same
machine: at a size where starting it is all, and at one where work is.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

from benchmarks._batch_log import generate
from benchmarks._peak import observed
from benchmarks._peers import PeerError, environment, run
from benchmarks._record import record

SIZES = (100_000, 1_000_000, 5_000_000)

PEER_MOST, PEER_LIMIT = 1_000_000, 900.0
"""Largest size that the peer tries, and the seconds that it has for it."""
SPARK_SIZES = (5_000, 100_000)
IN_MEMORY = 2_000_000
"""Most claims whose features are computed from arrays in memory here: some 4 GB for each million."""
MEMORY, BOUND = 12 << 30, 2 << 30
"""Bytes that arrays may take, and that bounded features may, whatever the size."""
PEER_THREADS = os.cpu_count() or 1

AS_OF = datetime(2025, 1, 1, tzinfo=UTC)
BYTES_PER_CLAIM = 6_000
"""Disk that a run needs for log, lake, matrix, buckets and store (chosen on the safe side)."""


def school(home: Path) -> str:
    """Train a champion on a small simulated marketplace; returns the address of the model that MLflow keeps of it."""
    from pipelines.build import build
    from pipelines.home import Home
    from pipelines.simulated import simulate_into
    from pipelines.train import train
    from pipelines.validate import validate

    where = Home(home)
    simulation = simulate_into(where, 60_000, 6_000, seed=5)
    validate(where, docs=False)
    build(where)
    train(where, simulation.live_from)
    return str(next(home.glob("mlartifacts/models/*/artifacts")))


def ours(folder: Path, home: Path, engine: str, memory: int) -> None:
    """Check, build and score in this process; prints seconds by stage."""
    import alembic.command  # noqa: F401 (a second to load, which nobody is charged for)

    from models.policy import default_policy
    from pipelines.build import build
    from pipelines.engine import Carrier, Engine
    from pipelines.home import Home
    from pipelines.score import score
    from pipelines.validate import validate

    where, begin, cpu, took = Home(home), time.perf_counter(), time.process_time(), {}
    for file in sorted(folder.glob("claims-*.parquet")):
        arriving = home / "arriving" / "claims.parquet"
        arriving.parent.mkdir(exist_ok=True)
        arriving.unlink(missing_ok=True)
        arriving.hardlink_to(file)
        validate(where, arriving, batch=file.stem, docs=False)
    took["check"] = time.perf_counter() - begin
    build(where, carrier=Carrier(Engine(engine), memory, threads=os.cpu_count() or 1))
    took["features"] = time.perf_counter() - begin - took["check"]
    found = score(where, AS_OF, default_policy(), num_threads=os.cpu_count() or 1)
    took["score"] = time.perf_counter() - begin - took["check"] - took["features"]
    spent = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - cpu}
    print(json.dumps(spent | {"stages": took, "claims": found.decided}))


def spark(home: Path, engine: str) -> None:
    """Compute the features of a home's claims with one engine; prints the seconds."""
    from pipelines.build import build
    from pipelines.engine import Carrier, Engine
    from pipelines.home import Home

    begin = time.perf_counter()
    build(Home(home), carrier=Carrier(Engine(engine), BOUND, f"local[{os.cpu_count()}]"))
    print(json.dumps({"seconds": time.perf_counter() - begin}))


def settled(folder: Path, home: Path, champion: Path) -> None:
    """Make a home whose lake holds everything but the claims."""
    shutil.copytree(champion, home / "bundles")
    for file in sorted(folder.glob("*.parquet")):
        table, _, piece = file.stem.rpartition("-")
        if table != "claims":
            target = home / "lake" / table / f"{piece}.parquet"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(file)


def measured(what: str, scratch: Path, claims: int, *arguments: str) -> dict[str, Any]:
    """Run one of the above in a process of its own; a size that it cannot do costs the others nothing."""
    try:
        seen = observed(["-m", "benchmarks.batch", what, *arguments], scratch)
    except CalledProcessError as error:
        print(f"{what:22} {claims:>10,} claims failed", flush=True)
        return {"engine": what, "claims_in_log": claims, "claims": 0, "error": f"ended with code {error.returncode}"}
    memory = {"peak_gb": seen.peak_gb, "anonymous_gb": seen.anonymous_gb}
    row = {"engine": what, "claims_in_log": claims, **memory, **json.loads(seen.printed.splitlines()[-1])}
    print(
        f"{what:22} {claims:>10,} claims {row['seconds']:8.1f} s  "
        f"peak {seen.peak_gb:5.2f} GB resident, {seen.anonymous_gb:5.2f} GB anonymous  {row.get('stages', '')}",
        flush=True,
    )
    return row


def peer(folder: Path, model: str, scratch: Path, claims: int) -> dict[str, Any]:
    """Run the pandas script, or say why it has no result."""
    row: dict[str, Any] = {"engine": "pandas + mlflow", "claims_in_log": claims}
    try:
        arguments = (str(folder), model, str(scratch / "peer.parquet"), "-")
        row |= run("batch_pandas", *arguments, python=environment(None), threads=PEER_THREADS, limit=PEER_LIMIT)
    except PeerError as error:
        row["error"] = str(error)
    print(f"pandas + mlflow        {claims:>10,} claims {row.get('seconds', 0):8.1f} s  {row.get('error', '')}", flush=True)
    return row


def main(sizes: tuple[int, ...] = SIZES, spark_sizes: tuple[int, ...] = SPARK_SIZES) -> int:
    """Measure every size, print, and write ``results/batch.json``; 1 if a claim was lost."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        scratch, free = Path(place), shutil.disk_usage(place).free
        if free < max(sizes) * BYTES_PER_CLAIM:
            print(
                f"{place}: expected {max(sizes) * BYTES_PER_CLAIM / 1e9:.0f} GB free, found {free / 1e9:.0f} GB; set TMPDIR",
                file=sys.stderr,
            )
            return 1
        model = school(scratch / "school")
        _compiled(scratch)
        for claims in sorted({*sizes, *spark_sizes}):
            folder = scratch / f"log-{claims}"
            folder.mkdir()
            generate(folder, claims)
            if claims in sizes:
                rows += _in_turn(scratch, folder, claims)
            if claims in sizes and claims <= PEER_MOST and not any("error" in row for row in rows if row["engine"] == "pandas + mlflow"):
                rows.append(peer(folder, model, scratch, claims))
            if claims in spark_sizes:
                rows += _engines(scratch, folder, claims)
            shutil.rmtree(folder)
    found = summary(rows, sizes)
    for name, value in (found["metrics"] | found["ratios"]).items():
        print(f"{name}: {value:.4g}")
    packages = ("duckdb", "lightgbm", "mlflow", "numba", "numpy", "pandas", "pyarrow", "pyspark", "sqlalchemy")
    record("batch", found | {"rows": rows}, packages)
    return int(any(row["engine"].startswith("ours") and row["claims"] < expected(row["claims_in_log"]) for row in rows))


def _in_turn(scratch: Path, folder: Path, claims: int) -> list[dict[str, Any]]:
    """Run ours over a log: from arrays where they fit, and within bounds."""
    wanted = {"ours": ("auto", MEMORY)} if claims <= IN_MEMORY else {}
    rows = []
    for what, (engine, memory) in (wanted | {"ours, bounded": ("bounded", BOUND)}).items():
        home = scratch / f"home-{claims}"
        settled(folder, home, scratch / "school" / "bundles")
        rows.append(measured(what, scratch, claims, str(folder), str(home), engine, str(memory)))
        shutil.rmtree(home)
    return rows


def _compiled(scratch: Path) -> None:
    """Run once with each engine over few claims: what is compiled is kept, and nobody is charged for the first time on a machine."""
    folder = scratch / "log-first"
    folder.mkdir()
    generate(folder, 5_000)
    _in_turn(scratch, folder, 5_000)
    shutil.rmtree(folder)


def _engines(scratch: Path, folder: Path, claims: int) -> list[dict[str, Any]]:
    """Compute the same features with Spark and with arrays in memory."""
    home, rows = scratch / f"home-{claims}", []
    settled(folder, home, scratch / "school" / "bundles")
    (home / "lake" / "claims").mkdir(parents=True)
    for file in folder.glob("claims-*.parquet"):
        (home / "lake" / "claims" / file.name).hardlink_to(file)
    for engine in ("local", "spark"):
        shutil.rmtree(home / "features", ignore_errors=True)
        rows.append(measured(f"features, {engine}", scratch, claims, str(home)))
    shutil.rmtree(home)
    return rows


def expected(claims: int) -> int:
    """Return how many claims of a log nobody has resolved at the very least."""
    return int(claims * 0.85)


def summary(rows: list[dict[str, Any]], sizes: tuple[int, ...]) -> dict[str, dict[str, float]]:
    """Return claims a second by size, and the ratios."""
    mine, theirs, bounded = (_by_size(rows, engine) for engine in ("ours", "pandas + mlflow", "ours, bounded"))
    theirs = {size: row for size, row in theirs.items() if size in mine}
    sizes = tuple(size for size in sizes if size in mine)
    metrics = {f"claims_per_second_{size}": size / mine[size]["seconds"] for size in sizes}
    metrics |= {f"cpu_seconds_{size}": mine[size]["cpu_seconds"] for size in sizes}
    metrics["largest_claims"] = max((*sizes, *bounded), default=0)
    metrics |= {f"peak_gb_{size}": mine[size]["peak_gb"] for size in sizes}
    metrics |= {f"bounded_claims_per_second_{size}": size / row["seconds"] for size, row in bounded.items()}
    metrics |= {f"bounded_{what}_{size}": row[what] for what in ("peak_gb", "anonymous_gb") for size, row in bounded.items()}
    ratios = {}
    if theirs:
        largest = max(theirs)
        metrics |= {"peer_claims": largest, "peer_claims_per_second": largest / theirs[largest]["seconds"]}
        metrics |= {"peer_peak_gb": theirs[largest]["peak_gb"], "peer_features": theirs[largest]["features"]}
        ratios["vs_pandas_mlflow"] = theirs[largest]["seconds"] / mine[largest]["seconds"]
        ratios["vs_pandas_mlflow_cpu"] = theirs[largest]["cpu_seconds"] / mine[largest]["cpu_seconds"]
    tens = [(size, 10 * size) for size in sizes if 10 * size in mine]
    if tens:
        ratios["time_growth_10x"] = mine[tens[-1][1]]["seconds"] / mine[tens[-1][0]]["seconds"]
    return {"metrics": metrics, "ratios": ratios | _growth(bounded) | _overhead(rows)}


def _by_size(rows: list[dict[str, Any]], engine: str) -> dict[int, dict[str, Any]]:
    """Return what an engine finished, by the size of the log."""
    return {row["claims_in_log"]: row for row in rows if row["engine"] == engine and "seconds" in row}


def _growth(bounded: dict[int, dict[str, Any]]) -> dict[str, float]:
    """Return what ten times the claims do to time and memory within bounds, and what the largest log does to memory."""
    ratios, tens = {}, [size for size in sorted(bounded) if 10 * size in bounded]
    if tens:
        small, large = bounded[tens[-1]], bounded[10 * tens[-1]]
        ratios["bounded_time_growth_10x"] = large["seconds"] / small["seconds"]
        ratios["bounded_peak_growth_10x"] = large["peak_gb"] / small["peak_gb"]
        ratios["bounded_anonymous_growth_10x"] = large["anonymous_gb"] / small["anonymous_gb"]
    return ratios


def _overhead(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return how many times as long Spark takes for features as arrays: where work dominates, and where starting does."""
    local, spark = _by_size(rows, "features, local"), _by_size(rows, "features, spark")
    times = {size: spark[size]["seconds"] / local[size]["seconds"] for size in sorted(local.keys() & spark.keys())}
    if not times:
        return {}
    return {"spark_vs_local_features": times[max(times)]} | {f"spark_vs_local_features_{size}": found for size, found in times.items()}


if __name__ == "__main__":
    what, *rest = sys.argv[1:] or ("main",)
    if what.startswith("ours"):
        ours(Path(rest[0]), Path(rest[1]), rest[2], int(rest[3]))
    elif what.startswith("features"):
        spark(Path(rest[0]), what.rpartition(" ")[2])
    elif what == "sizes":
        sys.exit(main(tuple(map(int, rest))))
    else:
        sys.exit(main())
