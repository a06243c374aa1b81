"""Kill -9 under load: two processes decide from one store and are killed at random moments; nothing answered may be lost.

Each process opens the store, decides claims in groups of random size, many of them asked for again and again, and tells each answer after
it was given. One after the other is killed at a random moment and a new one takes its place. At the end: every answer that was told is
in the store byte for byte, every claim has one decision and one answer however often it was asked for, the audit chain holds, and
every feature row that was decided with is that of a batch over the store's own tables.
"""

from __future__ import annotations

import json
import multiprocessing
import pickle
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from benchmarks._record import record
from data_contracts.claims import Claim
from features.catalog import CATALOG
from features.matrix import build_matrix
from features.online import OnlineHistory
from features.pages import MemoryPages
from models.policy import default_policy
from models.shelf import Shelf
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.simulated import simulate_into
from pipelines.train import train
from pipelines.validate import validate
from serving import audit
from serving.background import Background
from serving.driver import Driver
from serving.engine import Engine
from serving.filling import fill
from serving.store import Store
from serving.tidying import Tidying

KILLS, WORKERS, AGAIN, COPIES = 50, 2, 50, 400
"""Processes killed, processes at work, claims asked for again and again, and how often each claim of the marketplace is filed."""

TIDIED = 500
"""Changes of the history that may be pending before they are put in their place, so few that processes are killed while they do."""


@dataclass(frozen=True)
class Scene:
    """What a worker needs: the store, the champion's shelf, the claims (JSON of their contract) and the present instant."""

    url: str
    bundles: Path
    claims: tuple[str, ...]
    now: datetime


@dataclass
class Told:
    """What was answered: digests by claim, how many answers, and of every process that was killed how it ended."""

    digests: dict[str, set[bytes]] = field(default_factory=dict)
    answers: int = 0
    ends: list[dict[str, float]] = field(default_factory=list)

    def take(self, answers: Iterable[tuple[str, bytes]]) -> None:
        """Note answers."""
        for claim_id, digest in answers:
            self.digests.setdefault(claim_id, set()).add(digest)
            self.answers += 1


def work(scene: Scene, seed: int, out: Connection) -> None:
    """Decide claims at random until killed, and tell every answer."""
    rng = np.random.default_rng(seed)
    claims = [Claim.model_validate_json(text) for text in scene.claims]
    store = Store(scene.url, "NORMAL")
    engine = Engine(Shelf(scene.bundles).get("champion", CATALOG.hash), default_policy(), store, sample=1.0, side_by_side=True)
    engine.behind(Background({"history": Tidying(store, TIDIED)}, 0.02))
    while True:
        # Half of what is asked for is asked for by everybody, again and again.
        group = [claims[rng.integers(0, AGAIN if rng.random() < 0.5 else len(claims))] for _ in range(rng.integers(1, 6))]
        answers = engine.score_many(group, scene.now)
        told = [(c.claim_id, sha256(a).digest()) for c, a in zip(group, answers, strict=True) if isinstance(a, bytes)]
        if told:
            out.send(told)


def trial(scene: Scene, kills: int, seed: int, longest: float = 0.5) -> Told:
    """Let two processes work, kill one after the other, and return everything that was answered."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.crash"])
    rng, told = np.random.default_rng(seed), Told()
    workers: list[tuple[Any, Connection]] = []
    for number in range(kills + WORKERS):
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(scene, seed + number, there), daemon=True)
        process.start()
        there.close()
        workers.append((process, here))
        if len(workers) > WORKERS:
            process, here = workers.pop(int(rng.integers(0, WORKERS)))
            before, longer = told.answers, rng.uniform(0.0, longest)
            told.take(here.recv())  # it has begun to answer
            moment = time.perf_counter() + longer
            while time.perf_counter() < moment:
                if here.poll(max(0.0, moment - time.perf_counter())):
                    told.take(here.recv())
            process.kill()
            process.join()
            _drain(here, told)
            told.ends.append({"kill": len(told.ends), "seconds_after_an_answer": longer, "answers": told.answers - before})
    for process, here in workers:
        process.kill()
        process.join()
        _drain(here, told)
    return told


def _drain(here: Connection, told: Told) -> None:
    """Take what was told before the end; a message cut off by it was never told."""
    try:
        while here.poll():
            told.take(here.recv())
    except (EOFError, pickle.UnpicklingError, OSError):
        pass


def judged(scene: Scene, told: Told, tables: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Count what is wrong: every number but those of claims and answers must be 0."""
    claims = {claim.claim_id: claim for claim in map(Claim.model_validate_json, scene.claims)}
    with Store(scene.url, "NORMAL") as store:
        with store.view() as tx:
            kept = audit.answers(Driver(tx), claims)
            chain = audit.verify(tx)
            entered = Driver(tx).rows("SELECT COUNT(*) FROM audit_log WHERE kind = 'decision'")[0][0]
        engine = Engine(Shelf(scene.bundles).get("champion", CATALOG.hash), default_policy(), store)
        again = dict(zip(kept, engine.score_many([claims[claim_id] for claim_id in kept], scene.now), strict=True))
        decisions, received, samples = store.read("decisions"), store.read("claims"), store.read("parity_samples")
    log = {claim_id: sha256(body).digest() for claim_id, body in kept.items()}
    whole = {**tables, "claims": pd.concat([tables["claims"], received], ignore_index=True)}
    expected = build_matrix(whole, received).to_numpy()
    rows = np.array([np.frombuffer(vector, dtype="<f8") for vector in samples["vector"]])
    return {
        "claims_decided": len(kept),
        "answers_told": told.answers,
        "answers_lost": sum(claim_id not in log for claim_id in told.digests),
        "answers_that_differ": sum(digests != {log.get(claim_id)} for claim_id, digests in told.digests.items()),
        "retries_that_differ": sum(again[claim_id] != body for claim_id, body in kept.items()),
        "claims_decided_twice_or_half": abs(len(decisions) - entered) + abs(len(received) - len(kept)),
        "chain_broken": int(bool(chain.broken)),
        "feature_rows_that_differ": int((~((rows == expected) | (np.isnan(rows) & np.isnan(expected)))).any(axis=1).sum()),
    }


def scene_of(root: Path, orders: int = 3_000, claims: int = 300) -> tuple[Scene, dict[str, pd.DataFrame]]:
    """Simulate a marketplace, train a champion, fill the store with the past; the claims nobody decided are asked about."""
    home = Home(root)
    market = simulate_into(home, orders, claims, seed=3)
    validate(home, docs=False)
    train(home, market.live_from, tracking=False)
    tables = Lake(root).tables()
    return past_of(home, tables, market.live_from, market.end + timedelta(days=1))


def past_of(
    home: Home, tables: Mapping[str, pd.DataFrame], live_from: datetime, now: datetime, copies: int = COPIES
) -> tuple[Scene, dict[str, pd.DataFrame]]:
    """Fill the store of a home with everything but the claims that nobody decided, which are asked about."""
    live = tables["claims"][tables["claims"]["filed_at"] >= live_from]
    past = {**tables, "claims": tables["claims"].drop(live.index)}
    with Store(home.store_url, "NORMAL") as store:
        fill(store, OnlineHistory(MemoryPages()), past, 0)
    rows = json.loads(live.to_json(orient="records", date_format="iso", date_unit="us"))
    asked = tuple(json.dumps(row | {"claim_id": f"{row['claim_id']}-{copy}"}) for row in rows for copy in range(copies))
    return Scene(home.store_url, home.bundles, asked, now), past


def main(kills: int = KILLS) -> int:
    """Kill, judge, print and write ``results/crash.json``; 1 if anything is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        scene, past = scene_of(Path(folder))
        told = trial(scene, kills, seed=7)
        found = judged(scene, told, past)
    for name, count in {"kills": kills, **found}.items():
        Console().print(f"{name.replace('_', ' ')}: {count:,}")
    record("crash", {"ratios": {}, "metrics": {"kills": kills, **found}, "rows": told.ends}, ("sqlalchemy", "numpy", "pandas"))
    return int(any(count for name, count in found.items() if name not in ("claims_decided", "answers_told")))


if __name__ == "__main__":
    raise SystemExit(main())
