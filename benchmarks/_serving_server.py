"""A server of the serving benchmark: ``python -m benchmarks._serving_server KIND PORT [WORLD URL SYNCHRONOUS REASONS [WORKERS]]``.

KIND is ``echo``, ``ours``, or ``swap`` for ours that follows the champion.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from benchmarks._serving_world import World, model
from models.policy import default_policy
from models.scorer import Scorer
from models.shelf import Shelf
from pipelines.serve import tidy
from pipelines.server import run
from serving.app import create_app, outside_of
from serving.auth import Scope
from serving.background import Background
from serving.database import Synchronous
from serving.engine import Engine
from serving.keys import ENTROPY, add_key, kept_keys, make
from serving.recognition import recogniser
from serving.roles import Roles
from serving.settings import Settings
from serving.store import Store
from serving.watch import FOLDER

ECHO = b'{"status":"ok"}' + b" " * 1000
"""What the echo answers: about as much as a decision."""

KEY, _ROW = make(bytes(ENTROPY), "benchmark", [Scope.ADMIN], 0, per_second=1_000_000)
"""The key that the load is sent with."""


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Read the body, answer, and nothing else."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body", False):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ECHO))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ECHO})


def ours(world: str, url: str, synchronous: Synchronous, reasons: bool, swap: bool, settings: Settings) -> FastAPI:
    """Return the whole endpoint over a store that is filled already, with keys; ``swap``: it follows the champion of the world's shelf."""
    store = Store(url, synchronous)
    if _ROW.key_id not in kept_keys(store):
        add_key(store, _ROW)
    bundle, policy = model(World(Path(world))), default_policy()
    engine = Engine(bundle, policy, store, side_by_side=settings.workers > 1)
    if not reasons:
        engine._decider = replace(engine._decider, scorer=Scorer(bundle, policy, None, engine.history.names, most_reasons=0))
    engine.warm_up()
    if swap:
        roles = Roles(engine, Shelf(World(Path(world)).root / "shelf"), bundle.catalog_hash)
        engine.behind(Background({"models": roles.look}, 0.1))

    def clock() -> datetime:
        return datetime.now(UTC)

    return create_app(engine, clock, outside_of(settings, recogniser(settings, store, clock), os.environ.get(FOLDER)))


def main(kind: str, port: str, *rest: str) -> None:
    """Serve until told to stop."""
    if kind == "echo":
        import uvicorn

        uvicorn.run(echo, host="127.0.0.1", port=int(port), log_level="warning", access_log=False, loop="uvloop", http="httptools")
    else:
        world, url, synchronous, reasons, *workers = rest
        settings = Settings(port=int(port), requests_per_second=0, workers=int(workers[0]) if workers else 1)
        serves = partial(ours, world, url, synchronous, reasons == "reasons", kind == "swap", settings)
        run(serves, settings, partial(tidy, url))


if __name__ == "__main__":
    main(*sys.argv[1:])
