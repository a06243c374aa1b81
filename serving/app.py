"""The endpoint put together: routes, gate, line; all meaning is in :mod:`serving.engine`.

The body of a request is the row model of its contract, the body of an answer that of ``decisions``. Errors are problem+json
(:mod:`serving.problem`); who may reach which route says :mod:`serving.doors`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from importlib.metadata import version
from itertools import count
from typing import Annotated
from uuid import uuid4

from fastapi import Body, FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response

from data_contracts.claims import Claim
from data_contracts.contract import Identifier
from data_contracts.decisions import Decision
from serving.aside import Aside
from serving.auth import DEVELOPER
from serving.call import add
from serving.console.mounted import add_console
from serving.console.records import Records
from serving.described import described
from serving.endpoint import Endpoint
from serving.engine import RECEIVES, Engine
from serving.gate import Bounds, Gate, Recognised, refused
from serving.limits import Limits
from serving.line import Answer, Line
from serving.messages import ClaimBatch, Decisions, Health, Invocation, Predictions, Receipts, Versions, events_of
from serving.outside_routes import KEY_HEADER, add_cases, add_resolutions
from serving.routes_cases import CaseRoutes
from serving.routes_claims import ClaimRoutes
from serving.routes_events import EventRoutes
from serving.routes_mlflow import MlflowRoutes
from serving.routes_operations import OperationRoutes
from serving.routes_resolutions import ResolutionRoutes
from serving.settings import Settings
from serving.simulated_clock import now_of
from serving.watch import Watch

Clock = Callable[[], datetime]
"""Tells the present instant, in UTC."""


@dataclass(frozen=True)
class Outside:
    """How the endpoint meets the world; the defaults are those of tests and of development on one machine.

    Parameters
    ----------
    recognise
        Tells who calls; by default everybody may do everything.
    bounds
        How much a request may take.
    per_second
        Requests per second of a caller whose key says nothing else; 0: no limit.
    waiting
        Claims that may wait or be at work before further ones are refused with 429.
    patience
        Seconds after which a request is answered with 503.
    readers
        Threads for look-ups and events.
    counted_in
        Folder in which several processes count together; ``None``: this is the only one.
    tracing
        Whether spans go to OpenTelemetry, to the exporters that its environment variables name.
    simulated
        Whether experts and parties may say what time it is (:mod:`serving.simulated_clock`); for development alone.
    secure
        Whether the console's cookies are for HTTPS alone.
    records
        What the console knows of claims and parties beside the store.
    """

    recognise: Recognised = lambda _credential: DEVELOPER
    bounds: Bounds = field(default_factory=Bounds)
    per_second: int = 0
    waiting: int = 256
    patience: float = 10.0
    readers: int = 4
    counted_in: str | None = None
    tracing: bool = False
    simulated: bool = False
    secure: bool = True
    records: Records | None = None


def outside_of(settings: Settings, recognise: Recognised, counted_in: str | None = None, records: Records | None = None) -> Outside:
    """Return how an endpoint with these settings meets the world.

    >>> outside_of(Settings(waiting=7), lambda _credential: None).waiting
    7
    """
    bounds = Bounds(settings.body_bytes, settings.batch_bytes, float(settings.patience_seconds), settings.at_once)
    rate, patience = settings.requests_per_second, float(settings.patience_seconds)
    return Outside(
        recognise,
        bounds,
        rate,
        settings.waiting,
        patience,
        counted_in=counted_in,
        tracing=settings.tracing,
        simulated=settings.development,
        secure=not settings.development,
        records=records,
    )


def create_app(engine: Engine, clock: Clock, outside: Outside | None = None) -> FastAPI:
    """Return the application that answers from an engine.

    Parameters
    ----------
    engine
        Decides; shared by all requests, and closed with the application.
    clock
        Tells the instant of each decision: its only clock.
    outside
        How it meets the world.
    """
    outside = outside or Outside()

    def decide(claims: Sequence[Claim], keys: Sequence[str | None]) -> Sequence[Answer]:
        return engine.score_many(claims, clock(), keys)

    line = Line(decide, outside.waiting, outside.patience)
    limits = Limits(outside.per_second)
    aside = Aside(outside.readers, outside.patience)
    watch = Watch(engine.versions, engine.counters, engine.parity, lambda: line.depth, outside.counted_in)
    line.served = watch.decided

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        line.close()
        aside.close()
        engine.close()

    app = frame(life, limits, watch.answered, outside)
    claims = ClaimRoutes(engine, line, aside, limits.spend)
    _add_claims(app, claims)
    _add_others(app, EventRoutes(engine, aside, limits.spend, clock), MlflowRoutes(claims), OperationRoutes(engine, aside, watch))
    now = now_of(clock, outside.simulated)
    add_cases(app, CaseRoutes(engine.store, engine.policy, aside, now))
    add_resolutions(app, ResolutionRoutes(engine.store, aside, now))
    add_console(app, engine, aside, clock, outside.secure, outside.records)
    return app


def frame(
    life: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    limits: Limits,
    answered: Callable[[str, str, int, float], None],
    outside: Outside,
) -> FastAPI:
    """Return an application without routes behind the gate.

    Parameters
    ----------
    life
        What is closed with it.
    limits
        How often each caller may ask.
    answered
        Told method, route, status and seconds of every answer.
    outside
        How it meets the world.
    """
    fresh, bounds = _request_ids(), outside.bounds
    app = Endpoint(
        partial(Gate, recognise=outside.recognise, limits=limits, fresh=fresh, answered=answered, bounds=bounds),
        is_traced=outside.tracing,
        title="Touchstone",
        summary="Decides marketplace claims: probabilities, action, reasons.",
        version=version("touchstone"),
        docs_url=None,  # the pages would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # the redirection would repeat the caller's own Host header
        lifespan=life,
        # Logs would hold the texts of exceptions, metrics are Prometheus' here, and bare routes have no inner operations.
        telemetry={
            "tracing": outside.tracing,
            "auto_configure": outside.tracing,
            "logs": False,
            "metrics": False,
            "operation_spans": False,
        },
    )
    app.openapi = lambda: described(app)  # type: ignore[method-assign]  # as FastAPI's documentation extends it
    app.add_exception_handler(HTTPException, _no_such_route)
    return app


def _add_claims(app: FastAPI, routes: ClaimRoutes) -> None:
    refuses = (400, 408, 409, 413, 415, 422, 503)
    one = {"claim": Claim, "idempotency_key": KEY_HEADER}
    add(app, "POST", "/v1/claims:score", routes.score_claim, Decision, one, refuses, summary="Decide a claim")
    many = {"batch": ClaimBatch}
    add(app, "POST", "/v1/claims:batchScore", routes.score_claims, Decisions, many, refuses, summary="Decide up to 1,000 claims")
    look_up = {"claim_id": Identifier}
    add(app, "GET", "/v1/decisions/{claim_id}", routes.get_decision, Decision, look_up, (404, 422, 503), summary="Look a decision up")
    add(app, "GET", "/v1/claims/{claim_id}", routes.get_claim, Claim, look_up, (404, 422, 503), summary="Look a claim up")


def _add_others(app: FastAPI, events: EventRoutes, mlflow: MlflowRoutes, operations: OperationRoutes) -> None:
    refuses = (400, 408, 413, 415, 422, 503)
    told = {"events": Annotated[events_of(RECEIVES), Body()]}
    add(app, "POST", "/v1/events", events.receive_events, Receipts, told, refuses, summary="Tell what happened")
    add(
        app, "POST", "/invocations", mlflow.invoke, Predictions, {"rows": Invocation}, (*refuses, 409), summary="Predict, as MLflow does it"
    )
    add(app, "GET", "/healthz", operations.get_health, Health, summary="Is the process alive?")
    add(app, "GET", "/readyz", operations.get_readiness, Health, None, (503,), summary="Can it decide?")
    add(app, "GET", "/version", operations.get_version, Versions, summary="What decides?")
    text = {"response_class": PlainTextResponse}
    add(app, "GET", "/ping", operations.get_ping, str, None, (), summary="Is the process alive, as MLflow asks it?", **text)
    add(app, "GET", "/metrics", operations.get_metrics, str, None, (503,), summary="How does it fare?", **text)


def _request_ids() -> Callable[[], str]:
    """Return a maker of names that no other process makes: a random beginning, then a number."""
    begins, numbers = uuid4().hex[:16], count(1)
    return lambda: f"{begins}-{next(numbers)}"


async def _no_such_route(_: Request, error: Exception) -> Response:
    reply = refused(error)
    return Response(reply.body, reply.status, dict(reply.headers), reply.kind.decode())
