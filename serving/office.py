"""An endpoint for people outside that decides no claims: experts, parties and webhooks over a store, without history or model.

Who runs the scoring endpoint inside may run this one outside. The simulated firm talks to one of its own where no other is named.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from fastapi import FastAPI

from models.policy import Policy
from serving.app import Outside, frame
from serving.aside import Aside
from serving.limits import Limits
from serving.outside_routes import add_cases, add_resolutions
from serving.routes_cases import CaseRoutes
from serving.routes_resolutions import ResolutionRoutes
from serving.simulated_clock import now_of
from serving.store import Store


def create_office(store: Store, policy: Policy, clock: Callable[[], datetime], outside: Outside, aside: Aside | None = None) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    store
        Cases and proceedings; stays open.
    policy
        Fees and minutes.
    clock
        The present instant, UTC.
    outside
        How it meets the world.
    aside
        Does what blocks; by default on threads of its own.
    """
    aside = aside or Aside(outside.readers, outside.patience)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        aside.close()

    app = frame(life, Limits(outside.per_second), lambda *_: None, outside)
    now = now_of(clock, outside.simulated)
    add_cases(app, CaseRoutes(store, policy, aside, now))
    add_resolutions(app, ResolutionRoutes(store, aside, now))
    return app
