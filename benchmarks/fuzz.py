"""The endpoint under anything: a hundred thousand requests, right, wrong and broken, and its memory while it answers them.

The real server in a process of its own, callers on several connections. Requests are bodies that were right, changed at random: values
exchanged for others of any kind, fields lost and found, bytes flipped, text cut, numbers without bound, wrong headers, wrong methods,
wrong addresses. Counted: statuses, answers that are no problem+json where they should be, connections that broke, answers that took longer
than the endpoint's patience. Seeded: the same requests every time.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks._record import record
from benchmarks._serving_peers import Peer, python, running
from benchmarks._serving_server import KEY
from benchmarks._serving_world import World, make
from serving.doors import DOORS
from serving.problem import Problem

REQUESTS, CALLERS, SECONDS, PATIENCE = 100_000, 4, 0.0, 10.0
"""Requests at least, callers at once, seconds at least, seconds that an answer may take."""

ODD = (
    None,
    True,
    False,
    0,
    -1,
    1e308,
    10**30,
    -(2**63),
    2**63,
    0.1,
    "",
    "\x00",
    "é",
    "𝄞" * 50,
    "x" * 5000,
    [],
    {},
    [[]],
    {"a": 1},
    "1",
    "2025-01-01",
)
"""Values that somebody did not think of."""


@dataclass
class Tally:
    """What was seen."""

    statuses: Counter[int] = field(default_factory=Counter)
    unfair: list[str] = field(default_factory=list)
    broken: int = 0
    slowest: float = 0.0


def main(
    requests: int = int(os.environ.get("TOUCHSTONE_FUZZ_REQUESTS", REQUESTS)),
    seconds: float = float(os.environ.get("TOUCHSTONE_FUZZ_SECONDS", SECONDS)),
) -> int:
    """Send, count, print, write ``results/fuzz.json``; 1 if anything was answered by a 5xx, unfairly, late or not at all."""
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        kept = os.environ.get("TOUCHSTONE_SERVING_WORLD")  # that of the serving benchmark does as well
        world = World(Path(kept) / "world") if kept else make(Path(folder) / "world", 60_000, 10_000, 8_000)
        bodies = world.claims.read_text(encoding="utf-8").splitlines()
        command = python(
            "-m", "benchmarks._serving_server", "ours", "{port}", str(world.root), world.copy_of_store("fuzz"), "NORMAL", "reasons"
        )
        peer = Peer("ours", command, "/", world.claims, "/readyz")
        with running(peer, world.root / "fuzz.log") as server, ThreadPoolExecutor(CALLERS) as pool:
            begin, memory = time.monotonic(), []
            callers = [pool.submit(_call, server.port, bodies, seed, requests // CALLERS, begin + seconds) for seed in range(CALLERS)]
            while not all(caller.done() for caller in callers):
                memory.append(psutil.Process(server.pid).memory_info().rss / 1e6)
                time.sleep(1.0)
            took = time.monotonic() - begin
            tallies = [caller.result() for caller in callers]
    result = _result(tallies, took, memory)
    print(json.dumps(result["metrics"], indent=1))
    record("fuzz", result, ("fastapi", "uvicorn", "pydantic"))
    metrics = result["metrics"]
    return int(bool(metrics["server_errors"] or metrics["unfair"] or metrics["broken"] or metrics["slowest_seconds"] > PATIENCE))


def _result(tallies: list[Tally], took: float, memory: list[float]) -> dict[str, Any]:
    statuses: Counter[int] = sum((tally.statuses for tally in tallies), Counter())
    unfair = [words for tally in tallies for words in tally.unfair]
    third = max(1, len(memory) // 3)
    metrics = {
        "requests": statuses.total(),
        "seconds": took,
        "server_errors": sum(count for status, count in statuses.items() if status >= 500),
        "unfair": len(unfair),
        "broken": sum(tally.broken for tally in tallies),
        "slowest_seconds": max(tally.slowest for tally in tallies),
        "memory_mb_second_third": float(np.median(memory[third : 2 * third] or memory)),
        "memory_mb_last_third": float(np.median(memory[-third:])),
    }
    statuses_told = {str(status): count for status, count in sorted(statuses.items())}
    ratios = {"memory_last_vs_second_third": metrics["memory_mb_last_third"] / metrics["memory_mb_second_third"]}
    rows = [{"second": second, "memory_mb": held} for second, held in enumerate(memory)]
    return {"ratios": ratios, "metrics": metrics, "statuses": statuses_told, "unfair": unfair[:20], "rows": rows}


def _call(port: int, bodies: list[str], seed: int, requests: int, end: float) -> Tally:
    rng, tally = random.Random(seed), Tally()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while tally.statuses.total() + tally.broken < requests or time.monotonic() < end:
        method, path, body, headers = request(rng, bodies)
        begin = time.monotonic()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            tally.broken += 1
            connection.close()
            continue
        tally.slowest = max(tally.slowest, time.monotonic() - begin)
        tally.statuses[response.status] += 1
        if response.status >= 400 and (response.status >= 500 or not (method == "HEAD" or _is_problem(response, content))):
            tally.unfair.append(f"{method} {path} {headers} {body[:200]!r}: {response.status} {content[:200]!r}")
    connection.close()
    return tally


def _is_problem(response: http.client.HTTPResponse, content: bytes) -> bool:
    try:
        return Problem.model_validate_json(content).status == response.status
    except ValueError:
        return False


def request(rng: random.Random, bodies: list[str]) -> tuple[str, str, bytes, dict[str, str]]:
    """Return a request: often nearly right, sometimes nothing like it."""
    door = rng.choice(DOORS)
    method = door.method if rng.random() < 0.97 else rng.choice(["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "GET"])
    path = door.path.replace("{claim_id}", rng.choice(["C1", "C-000001", "%00", "%F0%9F%8C%8D", "x" * 65, "..%2f..", "a/b"]))
    path = path if rng.random() < 0.97 else rng.choice(["/", "/v1", "//", "/v1/claims:", "/%2e%2e", path + "/", path + "?a=" + "b" * 50])
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    if rng.random() < 0.1:
        headers[rng.choice(["idempotency-key", "x-request-id", "traceparent", "content-type", "authorization", "accept"])] = rng.choice(
            ["", "a" * 300, "é", "application/json; charset=utf-16", "Bearer tsk_0_0", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"]
        )
    return method, path, b"" if method == "GET" else _content(rng, path, bodies), headers


def _content(rng: random.Random, path: str, bodies: list[str]) -> bytes:
    claims = [_changed(rng, json.loads(rng.choice(bodies))) for _ in range(1 if path.endswith(":score") else rng.randint(1, 4))]
    whole: Any = claims[0]
    if "batch" in path:
        whole = {"claims": claims}
    elif "events" in path:
        whole = {"table": rng.choice(["orders", "returns", "sellers", "claims", "", None, []]), "rows": claims}
    elif "invocations" in path:
        whole = {rng.choice(["dataframe_records", "dataframe_split", "instances"]): claims}
    if rng.random() < 0.05:
        whole = rng.choice(ODD)
    content = json.dumps(whole, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    chance = rng.random()
    if chance < 0.05:
        return content[: rng.randrange(len(content) + 1)]
    if chance < 0.1:
        place = rng.randrange(len(content))
        return content[:place] + bytes([rng.randrange(256)]) + content[place + 1 :]
    return content


def _changed(rng: random.Random, claim: dict[str, Any]) -> Any:
    chance = rng.random()
    if chance < 0.2:
        return claim | {"claim_id": f"F{rng.randrange(10**9)}"}
    for _ in range(rng.randint(1, 3)):
        name = rng.choice(list(claim))
        if rng.random() < 0.2:
            claim.pop(name)
        else:
            claim[name if rng.random() < 0.9 else "x"] = rng.choice(ODD)
    return claim
