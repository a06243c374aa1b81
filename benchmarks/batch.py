"""Batch scoring end to end: claims a second, and what happens to time and memory when the claims are ten times as many.

A marketplace of any size (:mod:`benchmarks._batch_log`) lies in the lake, but for its claims, which arrive as files. Measured is
everything after that: the files are read and checked against the contract, all features of the catalogue are computed, from arrays in
memory where they fit into what is stated and once more within a bound to see that memory stays flat, claims are scored, explained
where somebody will look, routed to experts under each day's capacity, and written to the case store and to the lake. Each run has a
process of its own, whose memory is watched from outside; compiled code is kept from a first run over few claims.

The peer is the script that a competent user would write (``benchmarks/peers/batch_pandas.py``): the same tables, the features that
rolling windows and merges express, the same model behind MLflow's pyfunc, the cheapest action, one Parquet file; no experts, no
reasons, no store. It is run with growing sizes until one takes too long. Spark's overhead is that of the same features on the same
machine.
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
from benchmarks._peak import watched
from benchmarks._peers import PeerError, environment, run
from benchmarks._record import record

SIZES = (100_000, 1_000_000, 5_000_000)
"""The last is more than arrays are allowed to take, so ``auto`` computes it within bounds, once."""

PEER_MOST, PEER_LIMIT = 1_000_000, 900.0
"""Largest size that the peer tries, and the seconds that it has for it."""
SPARK_SIZE = 5_000
MEMORY = 10 << 30
"""What arrays may take; what does not fit is computed within this bound."""
PEER_THREADS = os.cpu_count() or 1
LEAST_MEMORY, BYTES_HELD = 2 << 30, 2_300
"""Memory that bounded features may take. Comparing stories holds some bytes of every claim (:mod:`features.bounded`): so many here."""

AS_OF = datetime(2025, 1, 1, tzinfo=UTC)
BYTES_PER_CLAIM = 6_000
"""Disk that a run needs for log, lake, matrix, buckets and store (chosen on the safe side)."""


def memory_for(claims: int) -> int:
    """Return the bytes that the features of so many claims are allowed."""
    return max(LEAST_MEMORY, claims * BYTES_HELD + (1 << 30))


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
    build(Home(home), carrier=Carrier(Engine(engine), LEAST_MEMORY, f"local[{os.cpu_count()}]"))
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
        _, peak, printed = watched(["-m", "benchmarks.batch", what, *arguments], scratch)
    except CalledProcessError as error:
        print(f"{what:22} {claims:>10,} claims failed", flush=True)
        return {"engine": what, "claims_in_log": claims, "claims": 0, "error": f"ended with code {error.returncode}"}
    row = {"engine": what, "claims_in_log": claims, "peak_gb": peak, **json.loads(printed.splitlines()[-1])}
    print(f"{what:22} {claims:>10,} claims {row['seconds']:8.1f} s  peak {peak:5.2f} GB  {row.get('stages', '')}", flush=True)
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


def main(sizes: tuple[int, ...] = SIZES, spark_size: int = SPARK_SIZE) -> int:
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
        model, stopped = school(scratch / "school"), False
        for claims in sorted({*sizes, spark_size}):
            folder, home = scratch / f"log-{claims}", scratch / f"home-{claims}"
            folder.mkdir()
            generate(folder, claims)
            settled(folder, home, scratch / "school" / "bundles")
            if claims in sizes:
                rows.append(measured("ours", scratch, claims, str(folder), str(home), "auto", str(max(MEMORY, memory_for(claims)))))
            if claims in sizes and claims <= PEER_MOST and not stopped:
                rows.append(peer(folder, model, scratch, claims))
                stopped = "error" in rows[-1]
            if claims in sizes and memory_for(claims) <= MEMORY:
                shutil.rmtree(home)
                settled(folder, home, scratch / "school" / "bundles")
                rows.append(measured("ours, bounded", scratch, claims, str(folder), str(home), "bounded", str(memory_for(claims))))
            if claims == spark_size:
                _compiled(scratch, folder, home, claims)
                rows += _engines(scratch, folder, home, claims)
            shutil.rmtree(folder)
            shutil.rmtree(home)
    found = summary(rows, sizes)
    for name, value in (found["metrics"] | found["ratios"]).items():
        print(f"{name}: {value:.4g}")
    packages = ("duckdb", "lightgbm", "mlflow", "numba", "numpy", "pandas", "pyarrow", "pyspark", "sqlalchemy")
    record("batch", found | {"rows": rows}, packages)
    return int(any(row["engine"].startswith("ours") and row["claims"] < expected(row["claims_in_log"]) for row in rows))


def _compiled(scratch: Path, folder: Path, home: Path, claims: int) -> None:
    """Run once with each engine: what is compiled is kept, and nobody is charged for the first time on a machine."""
    for engine in ("auto", "bounded"):
        measured("ours, first", scratch, claims, str(folder), str(home), engine, str(LEAST_MEMORY))
        shutil.rmtree(home)
        settled(folder, home, scratch / "school" / "bundles")


def _engines(scratch: Path, folder: Path, home: Path, claims: int) -> list[dict[str, Any]]:
    """Compute the same features with Spark and with arrays in memory."""
    (home / "lake" / "claims").mkdir(parents=True, exist_ok=True)
    for file in folder.glob("claims-*.parquet"):
        if not (target := home / "lake" / "claims" / file.name).exists():
            target.hardlink_to(file)
    rows = []
    for engine in ("local", "spark"):
        shutil.rmtree(home / "features", ignore_errors=True)
        rows.append(measured(f"features, {engine}", scratch, claims, str(home)))
    return rows


def expected(claims: int) -> int:
    """Return how many claims of a log nobody has resolved at the very least."""
    return int(claims * 0.85)


def summary(rows: list[dict[str, Any]], sizes: tuple[int, ...]) -> dict[str, dict[str, float]]:
    """Return claims a second by size, and the ratios."""
    mine = {row["claims_in_log"]: row for row in rows if row["engine"] == "ours" and "seconds" in row}
    theirs = {
        row["claims_in_log"]: row
        for row in rows
        if row["engine"] == "pandas + mlflow" and "seconds" in row and row["claims_in_log"] in mine
    }
    bounded = {row["claims_in_log"]: row for row in rows if row["engine"] == "ours, bounded" and "seconds" in row}
    sizes = tuple(size for size in sizes if size in mine)
    carried = {row["engine"]: row["seconds"] for row in rows if row["engine"].startswith("features") and "seconds" in row}
    metrics = {f"claims_per_second_{size}": mine[size]["claims_in_log"] / mine[size]["seconds"] for size in sizes}
    metrics |= {f"cpu_seconds_{size}": mine[size]["cpu_seconds"] for size in sizes} | {"largest_claims": max(sizes, default=0)}
    metrics |= {f"peak_gb_{size}": mine[size]["peak_gb"] for size in sizes}
    metrics |= {f"bounded_claims_per_second_{size}": size / row["seconds"] for size, row in bounded.items()}
    metrics |= {f"bounded_peak_gb_{size}": row["peak_gb"] for size, row in bounded.items()}
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
    if tens and bounded.keys() >= set(tens[-1]):
        small, large = (bounded[size] for size in tens[-1])
        ratios["bounded_time_growth_10x"] = large["seconds"] / small["seconds"]
        ratios["bounded_peak_growth_10x"] = large["peak_gb"] / small["peak_gb"]
    if len(carried) == 2:
        ratios["spark_vs_local_features"] = carried["features, spark"] / carried["features, local"]
    return {"metrics": metrics, "ratios": ratios}


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
