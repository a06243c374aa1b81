"""The endpoint's routes, and how an error looks; all meaning is in :mod:`serving.engine`.

Errors are problem+json (RFC 9457): each names the field, what was expected there and what was found. The body of a request
is the row model of the contract ``claims``, the body of an answer that of ``decisions``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi import HTTPException as Answer
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from data_contracts import CLAIMS
from data_contracts.claims import Claim
from data_contracts.contract import Identifier
from data_contracts.decisions import Decision
from serving.engine import ConflictError, Engine, RefusedError, Violation, shown

Clock = Callable[[], datetime]
"""Tells the present instant, in UTC."""

PROBLEM_JSON = "application/problem+json"


class Breach(BaseModel):
    """One thing wrong with a request."""

    field: str = Field(description="the field, or where in the request")
    expected: str = Field(description="what it must be")
    found: str = Field(description="what it was, shortened")


class Problem(BaseModel):
    """Why a request was not answered, in the form of RFC 9457."""

    type: str = Field(description="which kind of problem; a stable name")
    title: str = Field(description="the kind of problem in words")
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="what to do")
    errors: list[Breach] = Field(description="everything that is wrong")


class Health(BaseModel):
    """Whether the endpoint is up, or ready to decide."""

    status: str = Field(description="ok")


class Versions(BaseModel):
    """What decides: the package, the model, the prices, the features and the contracts."""

    touchstone: str = Field(description="version of the package")
    bundle: str = Field(description="hash of the model bundle")
    policy: str = Field(description="version and hash of the policy")
    catalog: str = Field(description="hash of the feature catalogue")
    contracts: str = Field(description="hash of the data contracts")


def create_app(engine: Engine, clock: Clock) -> FastAPI:
    """Return the application that answers from an engine.

    Parameters
    ----------
    engine
        Decides; shared by all requests.
    clock
        Tells each request's instant: the only clock of the decision.
    """
    app = FastAPI(
        title="Touchstone",
        summary="Decides marketplace claims: probabilities, action, reasons.",
        version=version("touchstone"),
        docs_url=None,  # the pages would load scripts from elsewhere
        redoc_url=None,
    )
    _routes(app, engine, clock)
    for kind in (RequestValidationError, RefusedError, HTTPException, Exception):
        app.add_exception_handler(kind, _on_error)
    return app


def _routes(app: FastAPI, engine: Engine, clock: Clock) -> None:
    @app.post("/v1/claims:score", operation_id="scoreClaim", summary="Decide a claim", responses=_problems(400, 409, 422))
    def score_claim(claim: Claim) -> Decision:
        """Decide a claim and record the decision before answering; the same claim again is answered with its first decision."""
        return engine.score(claim, clock())

    @app.get("/v1/decisions/{claim_id}", operation_id="getDecision", summary="Look a decision up", responses=_problems(404, 422))
    def get_decision(claim_id: Identifier) -> Decision:
        """Return the decision on a claim, whether the endpoint or a batch made it."""
        decision = engine.decision(claim_id)
        if decision is None:
            raise Answer(404, detail=Violation("claim_id", "a claim that is decided", shown(claim_id)))
        return decision

    @app.get("/healthz", operation_id="getHealth", summary="Is the process alive?")
    def healthz() -> Health:
        """Answer at once; says nothing about the store."""
        return Health(status="ok")

    @app.get("/readyz", operation_id="getReadiness", summary="Can it decide?", responses=_problems(503))
    def readyz() -> Health:
        """Answer once model and history are loaded (before that nobody listens), and only while the store answers."""
        if not engine.reachable():
            raise Answer(503, detail=Violation("store", "a store that answers", "none"))
        return Health(status="ok")

    @app.get("/version", operation_id="getVersion", summary="What decides?")
    def get_version() -> Versions:
        """Name the versions that every decision is made with."""
        return Versions(touchstone=version("touchstone"), **engine.versions())


_KINDS: Mapping[int, tuple[str, str, str]] = {
    400: ("unreadable", "The body cannot be read", "Send JSON in UTF-8."),
    404: ("not-found", "There is no such thing", "Check the address and the identity asked for."),
    405: ("method", "The address does not take this method", "See /openapi.json for what it takes."),
    409: ("conflict", "The claim contradicts one that was received first", "Use a claim_id of its own, or send what was sent first."),
    422: ("invalid", "The claim breaks its contract", "Correct every field named and send it again; nothing was recorded."),
    500: ("internal", "Something is wrong here", "Send it again: the same claim is never decided twice. Tell us if it stays."),
    503: ("not-ready", "The store does not answer", "Try again later."),
}


def _problem(status: int, errors: Sequence[Violation], headers: Mapping[str, str] | None = None) -> JSONResponse:
    kind, title, detail = _KINDS.get(status, ("http", f"HTTP {status}", "See /openapi.json for what can be asked."))
    breaches = [Breach(field=e.field, expected=e.expected, found=e.found) for e in errors]
    problem = Problem(type=f"urn:touchstone:problem:{kind}", title=title, status=status, detail=detail, errors=breaches)
    return JSONResponse(problem.model_dump(), status, headers, PROBLEM_JSON)


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of error answers, with the schema written out in place."""
    schema = Problem.model_json_schema()
    schema["properties"]["errors"]["items"] = schema.pop("$defs")["Breach"]
    return {status: {"description": _KINDS[status][1], "content": {PROBLEM_JSON: {"schema": schema}}} for status in statuses}


async def _on_error(_: Request, error: Exception) -> JSONResponse:
    match error:
        case RequestValidationError():
            return _problem(422, [_violation(found) for found in error.errors()])
        case ConflictError():
            return _problem(409, error.violations)
        case RefusedError():
            return _problem(422, error.violations)
        case HTTPException(status_code=400):  # the body's bytes are no JSON in any encoding
            return _problem(400, [Violation("body", "JSON in UTF-8", "something else")])
        case HTTPException():
            return _problem(error.status_code, [error.detail] if isinstance(error.detail, Violation) else [], error.headers)
        case _:
            return _problem(500, [])


def _violation(error: Mapping[str, Any]) -> Violation:
    """Say in the contract's words what pydantic found wrong with a body."""
    place = [str(part) for part in error["loc"][1:]]
    columns = {column.name: column for column in CLAIMS.columns}
    if error["type"] == "json_invalid":
        return Violation("body", "JSON", str(error.get("ctx", {}).get("error", "something else")))
    if not place:
        return _of_the_whole(error)
    if place[0] not in columns:
        return Violation(place[0], f"one of the fields {', '.join(columns)}", "a field of another name")
    found = "nothing" if error["type"] == "missing" else shown(error["input"])
    return Violation(place[0], columns[place[0]].expected, found)


def _of_the_whole(error: Mapping[str, Any]) -> Violation:
    """Name the later field of two that are out of order; anything else concerns the body as such."""
    for rule in CLAIMS.orderings:
        expected = f"{rule.earlier} ≤ {rule.later}"
        if expected in error["msg"]:
            return Violation(rule.later, expected, str(error["msg"]).partition(", found ")[2])
    return Violation("body", "a JSON object with the fields of the contract claims", shown(error["input"]))
