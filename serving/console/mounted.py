"""The console put together over an engine, and added to the endpoint's application."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from serving.aside import Aside
from serving.console.console import Console
from serving.console.do_sign import BURST_SECONDS
from serving.console.places import ROOT
from serving.console.records import BothRecords, Records, StoreRecords
from serving.console.visit import Office
from serving.engine import Engine
from serving.limits import Limits


class _Below(BaseRoute):
    """Whatever lies at and below the console's root; no part of the API, and so not described with it."""

    def __init__(self, app: Console) -> None:
        self._app = app

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a request is for the console."""
        here = scope["type"] == "http" and (scope["path"] == ROOT or scope["path"].startswith(f"{ROOT}/"))
        return (Match.FULL if here else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)


def add_console(
    app: FastAPI, engine: Engine, aside: Aside, clock: Callable[[], datetime], secure: bool = True, records: Records | None = None
) -> None:
    """Add the console to the endpoint's application.

    Parameters
    ----------
    app
        The application, behind the gate.
    engine
        Whose store, policy and versions it shows.
    aside
        Where pages are worked out.
    clock
        Tells the present instant.
    secure
        Whether cookies are for HTTPS alone.
    records
        What is known of claims and parties beside the store.
    """
    store, policy = engine.store, engine.policy
    known: Records = StoreRecords(store)
    office = Office(
        store=store,
        policy=policy,
        records=known if records is None else BothRecords(known, records),
        versions=engine.versions,
        entropy=secrets.token_bytes,
        tries=Limits(0.0, BURST_SECONDS),
        secure=secure,
    )
    app.router.routes.append(_Below(Console(office, aside, clock)))
