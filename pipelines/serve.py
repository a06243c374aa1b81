"""The endpoint in operation: loads champion and history, answers over HTTP."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from fastapi import FastAPI

from features.catalog import CATALOG
from models.policy import Policy
from models.rules import Rules
from models.shelf import Shelf
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.received import export_claims
from serving.app import create_app
from serving.engine import Engine
from serving.settings import Settings
from serving.store import Store


def serve(home: Home, policy: Policy, host: str | None = None, port: int | None = None, rules: Rules | None = None) -> None:
    """Answer over HTTP until told to stop (SIGINT or SIGTERM; requests that were accepted are finished).

    Parameters
    ----------
    home
        Lake, bundles and store.
    policy
        Prices and capacities.
    host, port
        Where to listen; by default as the environment says (:mod:`serving.settings`).
    rules
        Rules beside the model, if there are any.

    Raises
    ------
    serving.settings.SettingsError
        If a setting cannot be used.
    models.bundle.BundleError
        If there is no champion, or it does not fit this code.
    """
    import uvicorn

    settings = Settings.read(os.environ, host, port)
    with Store(home.store_url, settings.synchronous) as store:
        app = compose(home, policy, store, settings, rules)
        uvicorn.run(app, host=settings.host, port=settings.port, access_log=False)


def compose(home: Home, policy: Policy, store: Store, settings: Settings, rules: Rules | None = None) -> FastAPI:
    """Return the application over a home, warmed up: its champion, and its lake with every claim received before."""
    bundle = Shelf(home.bundles).get("champion", CATALOG.hash)
    export_claims(home, store)
    engine = Engine(bundle, policy, Lake(home.root).tables(), store, settings.clock_skew, rules)
    engine.warm_up()
    return create_app(engine, lambda: datetime.now(UTC))
