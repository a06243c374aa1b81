"""The whole endpoint beside ``mlflow models serve``, which does the model alone, and beside a server that does nothing at all.

All are real servers on this machine, put under load by wrk with one and with sixteen connections, in turn, round after round, and other
forms of ours by themselves; of the rounds the median counts. Between them a server may do what it put off; ours has to do without such
rests as well, for a minute. Ours reads the features from the history in the store, and answers only after
claim, decision, exact reasons and audit entry are committed; each of its requests is a claim of its own, sent with a key. The peers get a
model of the same size: 1,500 trees of 63 leaves over the same features.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import _peers
from benchmarks._record import record
from benchmarks._serving_peers import Peer, Running, python, running
from benchmarks._serving_postgres import copy_store
from benchmarks._serving_server import KEY
from benchmarks._serving_stages import stages
from benchmarks._serving_swap import swapped
from benchmarks._serving_world import World, make

ORDERS, CLAIMS, LIVE = 4_100_000, 300_000, 60_000
"""Size of the marketplace (about 5 million events), and claims kept back to be sent."""

ROUNDS, SECONDS, CONNECTIONS = 5, 3, (1, 16)

LASTING = 60
"""Seconds for which ours has no rest."""

WORKERS = min(2, os.cpu_count() or 1)
"""Processes of ours, as ``touchstone serve`` begins them where nobody says how many."""

OURS, SIGNATURE, ECHO = "ours, SQLite FULL", "mlflow, signature of columns", "echo"

_SERVER = "benchmarks._serving_server"
_SHOWN = ("per_second", "median_ms", "p99_ms", "server_cpu_ms")


def main(
    orders: int = int(os.environ.get("TOUCHSTONE_SERVING_ORDERS", ORDERS)),
    claims: int = int(os.environ.get("TOUCHSTONE_SERVING_CLAIMS", CLAIMS)),
    live: int = int(os.environ.get("TOUCHSTONE_SERVING_LIVE", LIVE)),
    rounds: int = int(os.environ.get("TOUCHSTONE_SERVING_ROUNDS", ROUNDS)),
    seconds: int = SECONDS,
) -> int:
    """Make the world (in ``TOUCHSTONE_SERVING_WORLD``, kept, or a temporary folder), measure, print, and write ``results/serving.json``.

    Returns 1 if any request failed or was answered by anything but exactly one version of the model.
    """
    with ExitStack() as stack:
        kept = os.environ.get("TOUCHSTONE_SERVING_WORLD")
        root = Path(kept) if kept else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="serving")))
        world = make(root / "world", orders, claims, live)
        rows = _rounds(world, rounds, seconds)
        lasting = _lasting(world)
        taken = stages(world)
        swap = swapped(world)
    result = _result(world, rows, lasting, taken, swap)
    _print(result)
    record("serving", result, ("fastapi", "uvicorn", "pydantic", "sqlalchemy", "lightgbm", "mlflow", "numba"))
    return int(bool(swap["failed"] or swap["inconsistent"] or any(row["refused"] or row["broken"] for row in rows)))


Start = Callable[[ExitStack], Peer | None]
"""Makes what a server needs, to be undone with the stack, and says how it is started; ``None`` where it cannot be had."""


def matches(world: World) -> list[list[Start]]:
    """Return who is measured in turn with whom: ours beside the peers, then every other form of ours by itself.

    A store of five million events fills a good part of this machine's memory. Several side by side would push each other out of it, and
    the disk would be measured.
    """
    folder = world.root / "mlflow"
    if not folder.is_dir():
        _peers.run("serving_mlflow", str(world.peer), str(world.rows), str(folder), python=_peers.environment(None))
    echo = Peer(ECHO, python("-m", _SERVER, "echo", "{port}"), "/", world.claims, "/", key=KEY)
    others = [echo, _mlflow(SIGNATURE, folder, "columns"), _mlflow("mlflow, signature of a tensor", folder, "tensor")]
    return [
        [*(partial(_as_it_is, peer) for peer in others), partial(_on_sqlite, OURS, world, "FULL")],
        [partial(_on_sqlite, "ours, SQLite FULL, one process", world, "FULL", workers=1)],
        [partial(_on_sqlite, "ours, SQLite FULL, no reasons", world, "FULL", reasons="none")],
        [partial(_on_sqlite, "ours, SQLite NORMAL", world, "NORMAL")],
        [partial(_on_postgres, "ours, PostgreSQL", world)],
    ]


def _as_it_is(peer: Peer, _: ExitStack) -> Peer:
    return peer


def _on_sqlite(name: str, world: World, synchronous: str, stack: ExitStack, reasons: str = "reasons", workers: int = WORKERS) -> Peer:
    stack.callback(world.forget_copy, "measured")
    return _ours(name, world, world.copy_of_store("measured"), synchronous, reasons, workers)


def _on_postgres(name: str, world: World, stack: ExitStack) -> Peer | None:
    from tests.postgres import running as postgres

    try:
        url = stack.enter_context(postgres()).database()
    except (ImportError, OSError) as error:
        print(f"   PostgreSQL is left out: {error}")
        return None
    copy_store(world.store, url)
    return _ours(name, world, url, "FULL")


def _ours(name: str, world: World, url: str, synchronous: str, reasons: str = "reasons", workers: int = WORKERS) -> Peer:
    command = python("-m", _SERVER, "ours", "{port}", str(world.root), url, synchronous, reasons, str(workers))
    return Peer(name, command, "/v1/claims:score", world.claims, "/readyz", is_used_up=True, key=KEY)


def _mlflow(name: str, folder: Path, form: str) -> Peer:
    command = python("-m", "mlflow", "models", "serve", "-m", str(folder / form), "-p", "{port}", "--env-manager", "local")
    return Peer(name, command, "/invocations", folder / f"{form}.jsonl")


def _rounds(world: World, rounds: int, seconds: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for match in matches(world):
        with ExitStack() as stack:
            rows += _in_turn([one for start in match if (one := _started(start, world, stack)) is not None], rounds, seconds)
    return rows


def _started(start: Start, world: World, stack: ExitStack) -> Running | None:
    peer = start(stack)
    if peer is None:
        return None
    print(f"   starting {peer.name} …", flush=True)
    return stack.enter_context(running(peer, world.root / f"{peer.name.replace(', ', '_').replace(' ', '_')}.log"))


def _in_turn(servers: list[Running], rounds: int, seconds: int) -> list[dict[str, Any]]:
    for server in servers:
        for connections in CONNECTIONS:
            server.load(connections, 1)  # nobody is measured cold
    rows = []
    for number in range(rounds):
        for connections in CONNECTIONS:
            rows += [server.load(connections, seconds) | {"round": number} for server in servers]
        print(f"   round {number + 1} of {rounds} done", flush=True)
    return rows


def _lasting(world: World) -> dict[str, Any]:
    """Let the whole endpoint have no rest, so that what it puts off for later has to be done meanwhile."""
    with ExitStack() as stack:
        peer = _on_sqlite(f"{OURS}, without rest", world, "FULL", stack)
        print(f"   {peer.name}, for {LASTING} seconds …", flush=True)
        server = stack.enter_context(running(peer, world.root / "lasting.log"))
        server.load(CONNECTIONS[-1], 1)
        return server.load(CONNECTIONS[-1], LASTING)


def _result(
    world: World, rows: list[dict[str, Any]], lasting: dict[str, Any], taken: dict[str, float], swap: dict[str, Any]
) -> dict[str, Any]:
    def median(peer: str, connections: int, what: str) -> float:
        return float(statistics.median(row[what] for row in rows if row["peer"] == peer and row["connections"] == connections))

    table = {
        f"{peer} · {connections}": {what: median(peer, connections, what) for what in _SHOWN}
        for connections in CONNECTIONS
        for peer in dict.fromkeys(row["peer"] for row in rows)
    }
    alone, crowd = CONNECTIONS[0], CONNECTIONS[-1]
    return {
        "ratios": {
            "throughput_vs_mlflow_signature": median(OURS, crowd, "per_second") / median(SIGNATURE, crowd, "per_second"),
            "p99_vs_mlflow_signature": median(OURS, crowd, "p99_ms") / median(SIGNATURE, crowd, "p99_ms"),
            "median_vs_echo": median(OURS, alone, "median_ms") / median(ECHO, alone, "median_ms"),
        },
        "metrics": {
            "median_ms_alone": median(OURS, alone, "median_ms"),
            "lasting_per_second": lasting["per_second"],
            "lasting_p99_ms": lasting["p99_ms"],
            **{name: world.facts[name] for name in ("events", "store_gb")},
        },
        "table": table,
        "stages_ms": taken | {"HTTP, key, line, journal": median(OURS, alone, "median_ms") - taken["engine, FULL"]},
        "hot_swap": swap,
        "rows": [*rows, lasting],
        "world": world.facts,
    }


def _print(result: dict[str, Any]) -> None:
    console = Console(width=120)
    table = Table(title=f"One request at a time, and sixteen, over {result['world']['events']:,} events", title_justify="left")
    for column in ("server · connections", "requests/s", "median ms", "p99 ms", "server's processor ms"):
        table.add_column(column, justify="left" if column.startswith("server ·") else "right")
    for name, found in result["table"].items():
        table.add_row(name, *(f"{found[what]:,.3f}" for what in _SHOWN))
    console.print(table)
    table = Table(title="Where a request's time goes (median, ms)", title_justify="left")
    table.add_column("stage")
    table.add_column("ms", justify="right")
    for name, value in result["stages_ms"].items():
        table.add_row(name, f"{value:.3f}")
    console.print(table)
    for name, value in {**result["ratios"], **result["metrics"], **{f"hot swap, {k}": v for k, v in result["hot_swap"].items()}}.items():
        console.print(f"{name.replace('_', ' ')}: {value:,.3f}" if isinstance(value, float) else f"{name.replace('_', ' ')}: {value}")
