"""One claim's features from a store of five million events: time by stage, and every row compared with the batch.

A simulated marketplace with one hot seller (100,000 events) is loaded into a SQLite case store. The last 20,000 claims are
replayed in order, block by block: first everything that became known up to the end of a block is appended, then each of its
claims is read as of its filing, so that the store always holds a future that must not be seen. Each row must equal, to the
last bit, the row of one batch over all tables. The peer is that batch asked for a single claim.

As in the service, a first claim is read before anything is timed, and the objects made until then are left out of Python's search
for cycles.
"""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks._record import record
from data_contracts import CONTRACTS
from features.matrix import build_matrix
from features.online import OnlineHistory
from features.online_groups import Group, Measuring, in_rounds
from features.pages import MemoryPages
from pipelines.simulate import simulate
from serving.history import StorePages
from serving.store import Store

ORDERS, CLAIMS, HOT, ASKED, BLOCK, STAGED, SINGLE = 4_100_000, 273_000, 100_000, 20_000, 500, 2_000, 1_000
"""Orders and claims simulated, events of the hot seller, claims replayed and per block, claims timed by stage, appended alone."""

HOTTEST = "SHOT"

Tables = dict[str, pd.DataFrame]


def main(orders: int = ORDERS, claims: int = CLAIMS, asked: int = ASKED, hot: int = HOT) -> int:
    """Load, replay, compare, print the table and write ``results/online.json``; 1 if any row differs."""
    tables = with_hot_seller(simulate(orders, claims, seed=11, dirt=0.0).tables, hot)
    replayed = tables["claims"].sort_values(["filed_at", "claim_id"]).tail(asked).reset_index(drop=True)
    with tempfile.TemporaryDirectory() as folder, Store(f"sqlite:///{folder}/store.db", "NORMAL") as store:
        result = measure(store, Path(folder) / "store.db", tables, replayed)
    _print(result)
    record("online", result, ("numpy", "numba", "pandas", "sqlalchemy", "pyarrow"))
    return int(result["metrics"]["mismatches"] > 0)


def with_hot_seller(tables: Tables, events: int) -> Tables:
    """Give one new seller so many orders and claims, copied from those of others in time order and under new names."""
    rng = np.random.default_rng(5)
    orders, claims = tables["orders"], tables["claims"]
    sold = orders.iloc[np.sort(rng.choice(len(orders), events - events // 20, replace=False))]
    sold = sold.assign(order_id="H" + sold["order_id"], seller_id=HOTTEST, product_id="P" + HOTTEST)
    made = claims.iloc[np.sort(rng.choice(len(claims), events // 20, replace=False))]
    made = made.assign(claim_id="H" + made["claim_id"], order_id="H" + made["order_id"], seller_id=HOTTEST, product_id="P" + HOTTEST)
    return {**tables, "orders": pd.concat([orders, sold], ignore_index=True), "claims": pd.concat([claims, made], ignore_index=True)}


def measure(store: Store, path: Path, tables: Tables, replayed: pd.DataFrame) -> dict[str, Any]:
    """Load everything before the replay, replay, compare with the batch and with the peer."""
    cuts = [*replayed["filed_at"].iloc[::BLOCK].tolist(), None]
    seconds, _ = timed(lambda: append(store, known(tables, None, cuts[0])))
    loaded = path.stat().st_size
    settle(store, plain(replayed.head(1))[0])
    rows: list[np.ndarray] = []
    walls: list[float] = []
    cpus: list[float] = []
    for number, (begin, end) in enumerate(pairwise(cuts)):
        append(store, known(tables, begin, end))
        block = replayed.iloc[number * BLOCK : (number + 1) * BLOCK]
        for claim in plain(block):
            with store.view() as tx:
                wall, cpu = time.perf_counter(), time.thread_time()
                rows.append(HISTORY.within(StorePages(tx)).vector(claim))
                cpus.append(time.thread_time() - cpu)
                walls.append(time.perf_counter() - wall)
    batch_seconds, expected = timed(lambda: build_matrix(tables, replayed))
    peer, _ = timed(lambda: build_matrix(tables, replayed.tail(1)))
    found = np.array(rows)
    differ = ~((found == expected.to_numpy()) | (np.isnan(found) & np.isnan(expected.to_numpy())))
    hottest = (replayed["seller_id"] == HOTTEST).to_numpy()
    wall, cpu = np.asarray(walls) * 1e3, np.asarray(cpus) * 1e3
    events = sum(len(tables[name]) for name in ("orders", "claims", "returns", "resolutions", "seller_events"))
    return {
        "metrics": {
            "events": events,
            "claims": len(replayed),
            "features": found.shape[1],
            "mismatches": int(differ.any(axis=1).sum()),
            **spread("", wall),
            **spread("cpu_", cpu),
            "hottest_seller_ms": float(np.median(wall[hottest])),
            "hottest_seller_p99_ms": float(np.percentile(wall[hottest], 99)),
            "hottest_seller_cpu_ms": float(np.median(cpu[hottest])),
            "hottest_seller_claims": int(hottest.sum()),
            "load_average": os.getloadavg()[0],
            "load_seconds": seconds,
            "store_gb": loaded / 1e9,
            "batch_seconds": batch_seconds,
            "one_row_build_matrix_seconds": peer,
        },
        "ratios": {"vs_build_matrix_one_row": peer / (float(np.median(wall)) / 1e3)},
        "rows": blocks(wall, cpu, hottest),
        "stages": stages(store, replayed.tail(STAGED)),
        "append": appended(store, replayed.tail(SINGLE)),
    }


HISTORY = OnlineHistory(MemoryPages())
"""Prepared once, and used within each transaction in turn, as the endpoint does it."""


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return seconds taken and the result."""
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def spread(prefix: str, milliseconds: np.ndarray) -> dict[str, float]:
    """Return median, 99th percentile and maximum."""
    return {
        f"{prefix}median_ms": float(np.median(milliseconds)),
        f"{prefix}p99_ms": float(np.percentile(milliseconds, 99)),
        f"{prefix}max_ms": float(milliseconds.max()),
    }


def settle(store: Store, claim: dict[str, Any]) -> None:
    """Begin as the service does: everything compiled, and nothing made so far gone through in search of cycles."""
    with store.view() as tx:
        HISTORY.within(StorePages(tx)).vector(claim)
    gc.collect()
    gc.freeze()


def blocks(wall: np.ndarray, cpu: np.ndarray, hottest: np.ndarray) -> list[dict[str, float]]:
    """Return what was measured, block by block in the order of the replay."""
    parts = [slice(begin, begin + BLOCK) for begin in range(0, len(wall), BLOCK)]
    return [
        {"claims": len(wall[p]), "hottest_seller_claims": int(hottest[p].sum()), **spread("", wall[p]), **spread("cpu_", cpu[p])}
        for p in parts
    ]


def append(store: Store, events: Tables) -> None:
    """Append a batch in one transaction."""
    if events:
        with store.write() as tx:
            HISTORY.within(StorePages(tx)).append(events)


def known(tables: Tables, begin: Any, end: Any) -> Tables:
    """Return what became known from one instant to, not including, another."""
    found = {}
    for name, frame in tables.items():
        at = frame[CONTRACTS[name].known_at]
        held = np.ones(len(frame), dtype=bool) if begin is None else (at >= begin).to_numpy()
        if end is not None:
            held = held & (at < end).to_numpy()
        if held.any():
            found[name] = frame[held]
    return found


def plain(claims: pd.DataFrame) -> list[dict[str, Any]]:
    """Return claims as plain values, as a request brings them."""
    columns = {name: [None if pd.isna(value) else value for value in claims[name].tolist()] for name in claims}
    for name in claims:
        if claims[name].dtype.kind == "M":
            columns[name] = [value and value.to_pydatetime() for value in columns[name]]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def stages(store: Store, claims: pd.DataFrame) -> dict[str, float]:
    """Return the median processor time of each part read alone (µs), and of its look-ups."""
    found: dict[str, list[float]] = {}
    with store.view() as tx:
        history = HISTORY.within(StorePages(tx))
        for claim in plain(claims):
            measuring = Measuring(history.plans, [claim], Group.of(history.plans, [claim]))
            for name, family in measuring.families.items():
                begin = time.thread_time()
                in_rounds(lambda arena, mine=family: not mine(arena.pool), StorePages(tx))  # type: ignore[misc]
                found.setdefault(name, []).append(time.thread_time() - begin)
            begin = time.thread_time()
            HISTORY.within(StorePages(tx)).vector(claim)
            found.setdefault("all together", []).append(time.thread_time() - begin)
    return {name: 1e6 * float(np.median(values)) for name, values in found.items()}


def appended(store: Store, claims: pd.DataFrame) -> dict[str, float]:
    """Take claims one by one as the endpoint does, each read and appended in a transaction of its own; milliseconds of each.

    They come under new names and one microsecond after each other, with contents that were never told before.
    """
    walls, cpus = [], {"read": [], "append": [], "commit": []}
    with store.view() as tx:
        now = HISTORY.within(StorePages(tx)).watermark()
    other = plain(simulate(10 * len(claims), len(claims), seed=12, dirt=0.0).tables["claims"])
    for claim, new in zip(plain(claims), other, strict=True):
        now += 1
        row = {**claim, "claim_id": "A" + claim["claim_id"], "filed_at": now, **{name: new[name] for name in ("narrative", "photo_hash")}}
        begin = time.perf_counter()
        with store.write() as tx:
            history, marks = HISTORY.within(StorePages(tx)), [time.thread_time()]
            read = history.read(row)
            marks.append(time.thread_time())
            history.append_read(read)
            marks.append(time.thread_time())
        marks.append(time.thread_time())
        walls.append(1e3 * (time.perf_counter() - begin))
        for name, (one, next_one) in zip(cpus, pairwise(marks), strict=True):
            cpus[name].append(1e3 * (next_one - one))
    parts = {f"cpu_{name}_median_ms": float(np.median(spent)) for name, spent in cpus.items()}
    return {**spread("", np.array(walls)), **parts}


def _print(result: dict[str, Any]) -> None:
    table = Table(title="One claim's features from the case store", title_justify="left")
    table.add_column("what")
    table.add_column("value", justify="right")
    for name, value in {**result["metrics"], **result["ratios"]}.items():
        table.add_row(name.replace("_", " "), f"{value:,.3f}" if isinstance(value, float) else f"{value:,}")
    for name, value in result["stages"].items():
        table.add_row(f"processor µs, {name}", f"{value:,.0f}")
    for name, value in result["append"].items():
        table.add_row(f"one claim taken, {name.replace('_', ' ')}", f"{value:,.3f}")
    Console(width=100).print(table)
