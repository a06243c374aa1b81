"""The gate in front of every route: who calls, may they, how often; then one line in the journal and one count for the answer.

It is one plain ASGI layer, because each further one costs as much as everything that this one does. Order: the request gets its
names; the caller is recognised, then allowed, then counted against their limit; the route answers; headers that browsers and
caches obey are added to every answer; whatever was raised becomes a problem, never a traceback.

Routes whose address is fixed the gate can answer by itself (:attr:`Gate.own`), so that the application's other layers are spared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import journal
from serving.auth import NOBODY, Caller, credential_of
from serving.call import CALL, Call, Handler, Reply, answer, dressed
from serving.doors import Door, door
from serving.limits import Limits
from serving.line import FullError, LateError
from serving.problem import PROBLEM_JSON, RefusalError, problem
from serving.refusals import BusyError, ConflictError, RefusedError, Violation
from serving.trace import trace_of

HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
"""Sent with every answer (OWASP, REST Security Cheat Sheet); browsers heed HSTS over TLS only."""

Recognised = Callable[[str | None], Caller | None]
"""Finds who carries a credential; ``None``: nobody we know."""


@dataclass(frozen=True)
class Bounds:
    """How much a request may take.

    Parameters
    ----------
    body, batch
        Bytes of a body: of one claim, of many rows.
    patience
        Seconds for a body to arrive.
    at_once
        Requests at work at once; further ones are told to come again.
    """

    body: int = 65_536
    batch: int = 16_777_216
    patience: float = 10.0
    at_once: int = 512


@dataclass
class Gate:
    """The layer around the routes.

    Parameters
    ----------
    app
        The routes.
    recognise
        Tells who calls.
    limits
        How often each caller may ask.
    fresh
        Makes request ids.
    answered
        Told method, route, status and seconds of every answer.
    bounds
        How much a request may take.
    own
        Method and path → what answers there without the application.
    """

    app: ASGIApp
    recognise: Recognised
    limits: Limits
    fresh: Callable[[], str]
    answered: Callable[[str, str, int, float], None]
    bounds: Bounds = field(default_factory=Bounds)
    own: Mapping[tuple[str, str], Handler] = field(default_factory=dict)
    _inside: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; anything but HTTP is passed on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin, where = perf_counter(), door(scope["path"])
        headers = dict(scope["headers"])
        most = self.bounds.batch if where.large else self.bounds.body
        call = scope[CALL] = Call(receive, headers, trace_of(headers, self.fresh), most, self.bounds.patience)
        sent: list[int] = []
        named = (*HEADERS, (b"x-request-id", call.trace.request_id.encode()))

        async def out(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent.append(message["status"])
                message["headers"] = dressed(list(message.get("headers", ())), named)
            await send(message)

        self._inside += 1
        try:
            self._admit(call, where, begin)
            handler = self.own.get((scope["method"], scope["path"]))
            if handler is None:
                await self.app(scope, receive, out)
            else:
                call.query = scope["query_string"]
                reply = await handler(call)
                sent.append(reply.status)
                await answer(send, reply, named)
        except Exception as error:
            if not _expected(error):
                journal.broke(call.trace, error)
            if not sent:
                await answer(out, refused(error))
        finally:
            self._inside -= 1
            seconds, status = perf_counter() - begin, sent[0] if sent else 499  # the caller hung up
            self.answered(_method(scope), where.path, status, seconds)
            journal.note(_method(scope), where.path, status, seconds, call.trace, call.caller.name)

    def _admit(self, call: Call, where: Door, now: float) -> None:
        if where.scope is None:
            return
        if self._inside > self.bounds.at_once:
            raise RefusalError(
                429, Violation("requests", f"at most {self.bounds.at_once} at once", f"{self._inside}"), headers={"retry-after": "1"}
            )
        call.caller = self.recognise(credential_of(call.headers)) or NOBODY
        if call.caller is NOBODY:
            challenge = {"www-authenticate": 'Bearer realm="touchstone"'}
            raise RefusalError(401, Violation("authorization", "Bearer and a valid key", "none that is known"), headers=challenge)
        if not any(call.caller.may(scope) for scope in where.scopes):
            held = ", ".join(sorted(call.caller.scopes)) or "nothing"
            raise RefusalError(403, Violation("authorization", f"a key with the scope {' or '.join(where.scopes)}", f"one for {held}"))
        self.limits.spend(call.caller, 1, now)


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in ("GET", "POST") else "other"


def _expected(error: Exception) -> bool:
    return isinstance(error, RefusalError | RefusedError | BusyError | FullError | LateError | HTTPException)


def refused(error: Exception) -> Reply:
    """Return the problem that an exception is answered with."""
    status, violations, headers = _told(error)
    return Reply(problem(status, violations).model_dump_json().encode(), status, PROBLEM_JSON, headers)


def _told(error: Exception) -> tuple[int, tuple[Violation, ...], Mapping[str, str]]:
    match error:
        case RefusalError():
            found = (error.status, error.violations, error.headers)
        case RefusedError():
            found = (409 if isinstance(error, ConflictError) else 422, error.violations, {})
        case BusyError() | FullError():
            found = (429, (), {"retry-after": str(getattr(error, "retry_after_seconds", 1))})
        case LateError():
            found = (503, (), {"retry-after": "1"})
        case HTTPException():
            found = (error.status_code, (), dict(error.headers or {}))
        case _:
            found = (500, (), {})
    return found
