"""How an error looks: problem+json (RFC 9457), naming each field, what was expected there and what was found.

One table says what each HTTP status means here. Nothing of an exception's own text reaches the caller of a request that failed
by a bug: it could hold a claimant's words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from data_contracts.contract import Contract
from serving.refusals import Violation, shown, violations_of

PROBLEM_JSON = b"application/problem+json"
"""The content type of every error."""

MOST = 100
"""No more than so many errors are listed."""


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


KINDS: Mapping[int, tuple[str, str, str]] = {
    400: ("unreadable", "The body cannot be read", "Send JSON in UTF-8."),
    401: ("unknown-caller", "We do not know who calls", "Send a valid key as Authorization: Bearer <key>."),
    403: ("not-allowed", "The key does not reach this far", "Use a key with the scope named."),
    404: ("not-found", "There is no such thing", "Check the address and the identity asked for."),
    405: ("method", "The address does not take this method", "See /openapi.json for what it takes."),
    408: ("slow", "The body did not arrive in time", "Send it again, faster."),
    409: ("conflict", "It contradicts what was received first", "Use an identity of its own, or send what was sent first."),
    413: ("too-large", "The body is too large", "Send less at once."),
    415: ("media-type", "The body is of another kind", "Send application/json."),
    422: ("invalid", "It breaks its contract", "Correct every field named and send it again; nothing was recorded."),
    429: ("busy", "Too much at once", "Wait as long as Retry-After says and send it again, with the same Idempotency-Key."),
    500: ("internal", "Something is wrong here", "Send it again: the same claim is never decided twice. Tell us if it stays."),
    503: ("not-ready", "It cannot be answered now", "Send it again later: the same claim is never decided twice."),
}
"""HTTP status → name of the kind, title, what to do."""


class RefusalError(Exception):
    """A request that is answered with a problem instead of what it asked for."""

    def __init__(self, status: int, *violations: Violation, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: " + "; ".join(f"{v.field}: expected {v.expected}, found {v.found}" for v in violations))
        self.status = status
        self.violations = violations
        self.headers = dict(headers or {})


def problem(status: int, violations: Iterable[Violation] = ()) -> Problem:
    """Return the problem of a status, with everything that was found wrong.

    Examples
    --------
    >>> from serving.refusals import Violation
    >>> problem(404, [Violation("claim_id", "a claim that is decided", "'C1'")]).type
    'urn:touchstone:problem:not-found'
    """
    kind, title, detail = KINDS.get(status, ("http", f"HTTP {status}", "See /openapi.json for what can be asked."))
    listed = [Breach(field=e.field[:80], expected=e.expected, found=e.found) for e in violations][:MOST]
    return Problem(type=f"urn:touchstone:problem:{kind}", title=title, status=status, detail=detail, errors=listed)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of error answers, with the schema written out in place."""
    schema = Problem.model_json_schema()
    schema["properties"]["errors"]["items"] = schema.pop("$defs")["Breach"]
    content = {PROBLEM_JSON.decode(): {"schema": schema}}
    return {status: {"description": KINDS[status][1], "content": content} for status in statuses}


def body_refused(error: ValidationError, contract: Contract) -> RefusalError:
    """Return the refusal of a body that is no row of a contract: 400 if it is no JSON at all, otherwise 422."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        return RefusalError(400, Violation("body", "JSON in UTF-8", shown(str(first["ctx"]["error"]))))
    return RefusalError(422, *violations_of(error, contract))
