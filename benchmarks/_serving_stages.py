"""Where the time of one request goes: every part of the engine timed alone, over claims that nobody has decided yet."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from benchmarks._serving_world import World, model
from data_contracts.claims import Claim
from models.policy import default_policy
from models.review import Capacity
from models.scorer import Scorer
from serving.engine import Engine
from serving.reading import Around, Asked, Reading
from serving.store import Store

TIMED = 400
"""Claims that are timed."""


def stages(world: World) -> dict[str, float]:
    """Return the median wall milliseconds of each part, and of the whole engine with both promises of SQLite."""
    lines = world.claims.read_text(encoding="utf-8").splitlines()[-TIMED:]
    engine_normal, parts = _whole(world, "NORMAL", lines, in_parts=True)
    engine_full, _ = _whole(world, "FULL", lines, in_parts=False)
    known = sum(parts.values())
    body = parts["body to claim"]
    return {
        **parts,
        "write and commit, NORMAL": engine_normal - (known - body),
        "what FULL adds": engine_full - engine_normal,
        "engine, NORMAL": engine_normal,
        "engine, FULL": engine_full,
    }


def _whole(world: World, synchronous: Any, lines: list[str], in_parts: bool) -> tuple[float, dict[str, float]]:
    url = world.copy_of_store(f"stages_{synchronous}")
    bundle, policy = model(world), default_policy()
    whole: list[float] = []
    parts: dict[str, list[float]] = {}
    with Store(url, synchronous) as store, Engine(bundle, policy, store) as engine:
        engine.warm_up()
        scorer = Scorer(bundle, policy, None, engine.history.names)
        for line in lines:
            if in_parts:
                _parts(parts, line, store, engine, scorer)
            claim = Claim.model_validate_json(line)
            begin = time.perf_counter()
            answer = engine.score_many([claim], datetime.now(UTC))[0]
            whole.append(time.perf_counter() - begin)
            if isinstance(answer, Exception):
                raise answer
    return 1e3 * statistics.median(whole), {name: 1e3 * statistics.median(values) for name, values in parts.items()}


def _parts(parts: dict[str, list[float]], line: str, store: Store, engine: Engine, scorer: Scorer) -> None:
    def timed(name: str, work: Callable[[], Any]) -> Any:
        begin = time.perf_counter()
        found = work()
        parts.setdefault(name, []).append(time.perf_counter() - begin)
        return found

    claim = timed("body to claim", lambda: Claim.model_validate_json(line))
    with store.view() as view:
        asked = timed("print of the claim", lambda: Asked.of(0, claim, None))
        reading = timed("head, watermark", lambda: Reading(view, engine.history, engine.policy))
        timed("what it refers to", lambda: Around.of(reading.driver, [asked]))
        vector = timed("features from the history", lambda: reading.history.vector(asked.values))

    def decide(explain: bool) -> Any:
        return scorer.score_one(vector, asked.values, insured=False, capacity=Capacity(5, 5), decided_at=claim.filed_at, explain=explain)

    timed("model, prices, decision", lambda: decide(explain=False))
    begin = time.perf_counter()
    decide(explain=True)
    parts.setdefault("exact reasons", []).append(time.perf_counter() - begin - parts["model, prices, decision"][-1])
