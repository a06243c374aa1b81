"""Kill -9 among several machines: two batches and an endpoint of two workers share one PostgreSQL store; nothing is lost or done twice.

Each batch has a home of its own, as on a machine of its own, and scores the same lake in steps of some hours; the endpoint is asked over
HTTP, for many claims again and again. At random moments a random one of the four processes is killed and another takes its place. At the
end: every answer that was given is in the store byte for byte and is given again; every claim of the lake and every claim that was
answered has one decision, one entry in the audit log and, where it goes to an expert, one case; the capacity taken is that of the
decisions; the audit chain holds.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import numpy as np
import psutil
from rich.console import Console

from benchmarks._record import record
from data_contracts import Action, Route
from models.policy import default_policy
from pipelines.home import STORE, Home
from pipelines.lake import Lake
from pipelines.score import score
from pipelines.simulated import Simulation, simulate_into
from pipelines.train import train
from pipelines.validate import validate
from serving import attachments, audit
from serving.driver import Driver
from serving.store import Store
from tests.postgres import running

KILLS, BATCHES, CALLERS, AGAIN = 50, 2, 3, 40
"""Processes killed, batches at work, callers of the endpoint, and claims asked for again and again."""

STEP, LONGEST, PATIENCE = timedelta(hours=6), 1.5, 120
"""How far a batch goes at once; the longest wait before a kill, from the first answer after the last one, and for that answer (seconds)."""

_REVIEWED = (Action.DESK.value, Action.INVESTIGATE.value)


@dataclass
class Told:
    """What the endpoint answered: digests by claim, and how many answers, refusals and broken calls."""

    digests: dict[str, set[bytes]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def answers(self) -> int:
        """How many decisions were told, again or for the first time."""
        return self.counts["answers 200"]


def prepare(folder: Path, url: str) -> list[Home]:
    """Make a marketplace with a champion, and a home for the endpoint and for each batch, all with the store at ``url``."""
    first = Home(folder / "machine-0", url)
    simulation = simulate_into(first, orders=12_000, claims=1_500, seed=3)
    validate(first, docs=False)
    train(first, simulation.live_from, tracking=False)
    homes = [first, *(Home(folder / f"machine-{number}", url) for number in range(1, BATCHES + 1))]
    for home in homes[1:]:
        shutil.copytree(first.root, home.root)
    return homes


def batch(home: Home, begin: int, out: Connection) -> None:
    """Score the lake step by step until killed, and tell each step that is done."""
    simulation, policy, step = Simulation.of(home), default_policy(), begin
    while (as_of := simulation.live_from + step * STEP) < simulation.end:
        score(home, as_of, policy, simulation.live_from)
        out.send(step)
        step += 1
    out.send(-1)


@contextmanager
def endpoint(home: Home) -> Iterator[tuple[str, psutil.Process]]:
    """Run ``touchstone serve`` with two workers; yields its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    call = [str(Path(sys.executable).with_name("touchstone")), "serve", "--development", "--workers", "2", "--port", port]
    environment = os.environ | {STORE: home.server, "TOUCHSTONE_SERVE_PARITY_PER_MILLE": "1000", "TOUCHSTONE_SERVE_LOG_LEVEL": "error"}
    server = subprocess.Popen([*call, "--home", str(home.root)], env=environment)
    try:
        address = f"http://127.0.0.1:{port}"
        _until(lambda: _is_ready(address), "an endpoint that is ready")
        yield address, psutil.Process(server.pid)
    finally:
        server.terminate()
        server.wait()


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def _until(done: Callable[[], bool], awaited: str) -> None:
    """Wait for something that must come."""
    end = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"expected {awaited} within {PATIENCE} s, found none")
        time.sleep(0.1)


def workers_of(server: psutil.Process) -> list[psutil.Process]:
    """Return the endpoint's workers that live: not its resource tracker, nor their origin, nor one killed a moment ago."""
    found = []
    for child in server.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # a zombie is one as well
            command = " ".join(child.cmdline())
            if "spawn_main" in command or ("forkserver" in command and child.ppid() != server.pid):
                found.append(child)
    return found


def ask(address: str, bodies: list[str], seed: int, told: Told, stop: Event) -> None:
    """Ask for claims at random until told to stop; a call that breaks is made again some time, as callers do."""
    rng = np.random.default_rng(seed)
    with httpx.Client(base_url=address, timeout=30, headers={"content-type": "application/json"}) as client:
        while not stop.is_set():
            body = bodies[rng.integers(0, AGAIN if rng.random() < 0.3 else len(bodies))]
            try:
                response = client.post("/v1/claims:score", content=body)
            except httpx.HTTPError:
                told.counts["calls broken by a kill"] += 1
                continue
            told.counts[f"answers {response.status_code}"] += 1
            if response.status_code == 200:
                told.digests.setdefault(json.loads(body)["claim_id"], set()).add(sha256(response.content).digest())


class Batches:
    """The batches at work, each killed and begun again behind the last step it told."""

    def __init__(self, homes: list[Home]) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["benchmarks.shared"])
        self._homes, self._steps = homes, [1] * len(homes)
        self._running = [self._begin(number) for number in range(len(homes))]

    def _begin(self, number: int) -> tuple[Any, Connection]:
        here, there = self._context.Pipe(duplex=False)
        process = self._context.Process(target=batch, args=(self._homes[number], self._steps[number], there), daemon=True)
        process.start()
        there.close()
        return process, here

    def _listen(self, number: int) -> None:
        here = self._running[number][1]
        try:
            while here.poll():
                self._steps[number] = max(self._steps[number], here.recv())
        except (EOFError, OSError):
            return

    def kill(self, number: int) -> None:
        """Kill one and begin it again one step behind what it told."""
        self._listen(number)
        process, here = self._running[number]
        process.kill()
        process.join()
        here.close()
        self._running[number] = self._begin(number)

    def end(self) -> None:
        """Kill them all."""
        for process, _ in self._running:
            process.kill()
            process.join()


def trial(homes: list[Home], bodies: list[str], kills: int, seed: int) -> tuple[Told, Counter[str]]:
    """Let everybody work, kill at random, and return what was answered and who was killed how often."""
    rng, told, killed, stop = np.random.default_rng(seed), Told(), Counter[str](), Event()
    with endpoint(homes[0]) as (address, server), ExitStack() as stack:
        batches = Batches(homes[1:])
        stack.callback(batches.end)
        callers = [Thread(target=ask, args=(address, bodies, seed + number, told, stop)) for number in range(CALLERS)]
        for caller in callers:
            caller.start()
            stack.callback(caller.join)
        stack.callback(stop.set)
        for _ in range(kills):
            before = told.answers
            _until(lambda before=before: told.answers > before, "an answer")  # type: ignore[misc]
            time.sleep(rng.uniform(0.0, LONGEST))
            number = int(rng.integers(-BATCHES, BATCHES))
            workers = workers_of(server)
            if number >= 0:
                batches.kill(number)
            elif workers:
                workers[number % len(workers)].kill()
            killed["batch" if number >= 0 else "worker of the endpoint"] += 1
    return told, killed


def judged(homes: list[Home], bodies: list[str], told: Told) -> dict[str, int]:
    """Let one batch finish undisturbed and count what is wrong: every number but the first two must be 0."""
    home, simulation = homes[1], Simulation.of(homes[1])
    score(home, simulation.end, default_policy(), simulation.live_from)
    claims = Lake(home.root).read("claims", ("claim_id", "filed_at"))
    asked = {json.loads(body)["claim_id"] for body in bodies}
    lake = set(claims.loc[claims["filed_at"] >= simulation.live_from, "claim_id"]) - asked
    with Store(home.store_url) as store:
        decisions, cases, received, taken = (store.read(name) for name in ("decisions", "cases", "claims", "experts_taken"))
        with store.view() as tx:
            chain, kept = audit.verify(tx), audit.answers(Driver(tx), decisions["claim_id"].tolist())
            alone = Driver(tx).rows("SELECT COUNT(*) FROM audit_log WHERE kind = 'decision'")[0][0]
            entered = alone + attachments.decisions(Driver(tx))
    log = {claim_id: sha256(body).digest() for claim_id, body in kept.items()}
    reviewed = set(decisions.loc[decisions["action"].isin(_REVIEWED), "claim_id"])
    ids = decisions["claim_id"]
    return {
        "claims_decided": len(ids),
        "claims_decided_over_http": len(received),
        "answers_lost": sum(claim_id not in log for claim_id in told.digests),
        "answers_that_differ": sum(digests != {log.get(claim_id)} for claim_id, digests in told.digests.items()),
        "claims_lost": len((lake | set(told.digests) | set(received["claim_id"])) - set(ids)),
        "claims_decided_twice": int(ids.duplicated().sum()) + abs(entered - len(ids)),
        "cases_lost_or_double": len(reviewed ^ set(cases["claim_id"])) + int(cases["claim_id"].duplicated().sum()),
        "capacity_taken_wrongly": abs(int(taken["cases"].sum()) - _of_capacity(decisions)),
        "chain_broken": int(bool(chain.broken)),
    }


def _of_capacity(decisions: Any) -> int:
    return int((decisions["action"].isin(_REVIEWED) & (decisions["route"] != Route.RULE.value)).sum())


def again(home: Home, told: Told, bodies: list[str]) -> int:
    """Start the endpoint anew, ask for everything that was answered, and count the answers that are not the first one's bytes."""
    with endpoint(home) as (address, _), httpx.Client(base_url=address, timeout=30) as client:
        answers = {
            claim_id: sha256(client.post("/v1/claims:score", content=body, headers={"content-type": "application/json"}).content).digest()
            for body in bodies
            if (claim_id := json.loads(body)["claim_id"]) in told.digests
        }
    return sum({digest} != told.digests[claim_id] for claim_id, digest in answers.items())


def main(kills: int = KILLS, copies: int = 20) -> int:
    """Kill, judge, print and write ``results/shared.json``; 1 if anything is wrong."""
    with running() as server, tempfile.TemporaryDirectory() as folder:
        homes = prepare(Path(folder), server.database())
        simulation, claims = Simulation.of(homes[0]), Lake(homes[0].root).read("claims")
        live = claims[claims["filed_at"] >= simulation.live_from]
        rows = json.loads(live.to_json(orient="records", date_format="iso", date_unit="us"))
        bodies = [json.dumps(row | {"claim_id": f"{row['claim_id']}-{copy}"}) for copy in range(copies) for row in rows]
        told, killed = trial(homes, bodies, kills, seed=11)
        found = judged(homes, bodies, told)
        found["retries_that_differ"] = again(homes[0], told, bodies)
    for name, count in {**{f"killed: {who}": n for who, n in killed.items()}, **told.counts, **found}.items():
        Console().print(f"{name.replace('_', ' ')}: {count:,}")
    metrics = {"kills": kills, **found}
    record(
        "shared",
        {"metrics": metrics, "ratios": {}, "rows": [{"killed": dict(killed), "calls": dict(told.counts)}]},
        ("sqlalchemy", "psycopg", "fastapi", "uvicorn"),
    )
    return int(any(count for name, count in found.items() if not name.startswith("claims_decided") or name.endswith("twice")))


if __name__ == "__main__":
    raise SystemExit(main())
