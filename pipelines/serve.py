"""The endpoint in operation: fills the history once, loads the champion, answers over HTTP and keeps up with lake and models."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from random import Random
from threading import Timer

from fastapi import FastAPI

from features.catalog import CATALOG
from features.online import OnlineHistory
from features.pages import MemoryPages
from models.bundle import load
from models.policy import Policy
from models.rules import Rules
from models.shelf import Shelf
from pipelines.attendant import IsOver
from pipelines.filled import LIVE_PORTION, fill_from_lake
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.lake_records import LakeRecords
from pipelines.server import run
from serving.app import create_app, outside_of
from serving.background import Background, rounds
from serving.engine import Engine
from serving.filling import Progress
from serving.instants import micros
from serving.recognition import recogniser
from serving.roles import Roles
from serving.settings import Settings
from serving.store import CARRY_SECONDS, Store
from serving.tidying import Tidying
from serving.watch import FOLDER
from serving.webhook_delivery import Delivery
from serving.webhook_sending import Sender

_ROUNDS = 20
"""Of webhooks sent before there is a rest: who stops the endpoint need not wait for a long outbox."""

_LONG = 2.0
"""Seconds after which somebody who waits is told what for."""


def prepare(home: Home, progress: Progress | None = None, notice: Callable[[str], object] | None = None) -> int:
    """Fill the history from the lake as far as it is new, and return how many rows were; at the first start this takes a while.

    Stopped anywhere, it goes on where it was. ``progress`` is told rows taken in and rows to take in. What claims need is compiled
    first, once for all workers; ``notice`` is told so where that takes long.

    Raises
    ------
    models.bundle.BundleError
        If there is no champion, or it does not fit this code: then nothing is filled.
    """
    Shelf(home.bundles).get("champion", CATALOG.hash)
    history = OnlineHistory(MemoryPages())
    told = Timer(_LONG, notice or (lambda _: None), ["compiling, once after an update: most of a minute"])
    told.start()
    try:
        history.rehearse()
    finally:
        told.cancel()
    with Store(home.store_url, "NORMAL") as store:
        return fill_from_lake(home, store, history, datetime.now(UTC), progress=progress)


def serve(
    home: Home,
    policy: Policy,
    host: str | None = None,
    port: int | None = None,
    rules: Rules | None = None,
    workers: int | None = None,
    development: bool | None = None,
    progress: Progress | None = None,
    notice: Callable[[str], object] | None = None,
) -> None:
    """Answer over HTTP until told to stop (SIGINT or SIGTERM; requests that were accepted are finished).

    Parameters
    ----------
    home
        Lake, bundles and store.
    policy
        Prices and capacities.
    host, port, workers, development
        Where to listen, with how many processes, and whether anybody may call; by default as the environment says
        (:mod:`serving.settings`).
    rules
        Rules beside the model, if there are any.
    progress, notice
        Told how far the history is filled, and what else takes long.

    Raises
    ------
    serving.settings.SettingsError
        If a setting cannot be used.
    models.bundle.BundleError
        If there is no champion, or it does not fit this code.
    serving.recognition.LockedError
        If nobody could call.
    """
    settings = Settings.read(os.environ, host, port, workers, development, os.cpu_count() or 1)
    Shelf(home.bundles).get("champion", CATALOG.hash)
    with Store(home.store_url, "NORMAL") as store:
        recogniser(settings, store, _now)  # before the history is filled, which may take a while
    prepare(home, progress, notice)
    run(partial(compose, home, policy, settings, rules), settings, partial(tidy, home.store_url))


def compose(home: Home, policy: Policy, settings: Settings, rules: Rules | None = None) -> FastAPI:
    """Return the application over a home whose history is filled, warmed up; what it takes can be sent to another process."""
    shelf = Shelf(home.bundles)
    bundle = load(shelf.path(settings.pinned), CATALOG.hash) if settings.pinned else shelf.get("champion", CATALOG.hash)
    store = Store(home.store_url, settings.synchronous)
    engine = Engine(
        bundle, policy, store, settings.clock_skew, rules, sample=settings.parity_per_mille / 1000, side_by_side=settings.workers > 1
    )
    engine.warm_up()
    watching: dict[str, Callable[[], object]] = {
        "models": Roles(engine, shelf, CATALOG.hash, settings.pinned).look,
        "lake": partial(_keep_up, home, store, engine.history),
    }
    engine.behind(Background(watching, settings.refresh_seconds))
    delivery = Delivery(store, Sender(settings.reach), lambda: micros(_now()), Random(os.urandom(16)))
    engine.behind(Background({"webhooks": partial(delivery.run, _ROUNDS)}, settings.refresh_seconds))
    records = LakeRecords(Lake.of(home))
    return create_app(engine, _now, outside_of(settings, recogniser(settings, store, _now), os.environ.get(FOLDER), records))


def tidy(url: str, is_over: IsOver) -> None:
    """Put what claims add to the history in its place, beside the processes that answer, until it is over.

    Should the power fail, what was put there last may still be in the journal alone: nothing is lost by that, so nobody waits for the disk.
    """
    with Store(url, "NORMAL") as store:
        rounds({"history": Tidying(store), "log": store.carry}, is_over, CARRY_SECONDS)


def _now() -> datetime:
    return datetime.now(UTC)


def _keep_up(home: Home, store: Store, history: OnlineHistory) -> None:
    fill_from_lake(home, store, history, datetime.now(UTC), LIVE_PORTION)
