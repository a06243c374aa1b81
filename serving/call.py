"""One request as the routes see it, and a route that FastAPI describes but does not slow down.

FastAPI writes the OpenAPI document of every route from a signature. Reading the body into models through its dependencies,
hopping to a thread and encoding the answer again cost more than the whole journey of a request through this endpoint, so a
:class:`Bare` route does none of it: bytes in, bytes out.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.types import Message, Receive, Scope, Send

from serving.auth import NOBODY, Caller
from serving.problem import RefusalError, documented
from serving.refusals import Violation
from serving.trace import Trace

JSON = b"application/json"
"""The content type of every answer that is no error."""

CALL = "touchstone.call"
"""Where a request's scope holds its :class:`Call`."""


Header = tuple[bytes, bytes]
"""Name and value."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, ready to be sent."""

    body: bytes
    status: int = 200
    kind: bytes = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Call:
    """One request: who asks, for what, and how much may be sent.

    Parameters
    ----------
    receive
        Hands out the body, as ASGI says.
    headers
        Name in lower case → value, as bytes.
    trace
        Names the request in logs and answers.
    most
        Bytes that the body may have.
    patience
        Seconds within which the body must have arrived.
    caller
        Who asks.
    path
        Values of the parameters in the path.
    query
        What stands behind the question mark, as sent.
    """

    receive: Receive
    headers: Mapping[bytes, bytes]
    trace: Trace
    most: int
    patience: float
    caller: Caller = NOBODY
    path: Mapping[str, str] = field(default_factory=dict)
    query: bytes = b""

    async def body(self) -> bytes:
        """Return the whole body.

        Raises
        ------
        RefusalError
            413 if it is larger than :attr:`most`, 408 if it does not arrive in time, 400 if the caller hangs up.
        """
        declared = self.headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self.most:
            raise self._too_large(declared.decode())
        message = await self._next()
        if not message.get("more_body", False) and len(message.get("body", b"")) <= self.most:
            return message.get("body", b"")  # type: ignore[no-any-return]
        return await self._rest(message)

    async def json(self) -> bytes:
        """Return the body, which must be declared as JSON: 415 if it is not."""
        kind = self.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != JSON:
            declared = ascii(kind.decode("latin-1"))[:80] if kind else "nothing"
            raise RefusalError(415, Violation("content-type", JSON.decode(), declared))
        return await self.body()

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout(self.patience):
                message = await self.receive()
        except TimeoutError:
            raise RefusalError(408, Violation("body", f"all of it within {self.patience:g} seconds", "a part of it")) from None
        if message["type"] != "http.request":
            raise RefusalError(400, Violation("body", "all of it", "a caller who hung up"))
        return message

    async def _rest(self, message: Message) -> bytes:
        parts, size = [], 0
        while True:
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.most:
                raise self._too_large(f"at least {size}")
            if not message.get("more_body", False):
                return b"".join(parts)
            message = await self._next()

    def _too_large(self, found: str) -> RefusalError:
        return RefusalError(413, Violation("body", f"at most {self.most} bytes", f"{found} bytes"), headers={"connection": "close"})


Handler = Callable[[Call], Awaitable[Reply]]
"""Answers a request."""


class Bare(APIRoute):
    """A route whose endpoint only describes it; :attr:`handler` answers."""

    handler: Handler

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of this path; another method than the route's is left to the framework, which refuses it."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        call: Call = scope[CALL]
        call.path, call.query = scope["path_params"], scope["query_string"]
        await answer(send, await self.handler(call))


async def answer(send: Send, reply: Reply, more: Sequence[Header] = ()) -> None:
    """Send an answer, with further headers where it has none of their names."""
    headers = [(b"content-type", reply.kind), (b"content-length", b"%d" % len(reply.body))]
    headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": dressed(headers, more)})
    await send({"type": "http.response.body", "body": reply.body})


def dressed(own: Sequence[Header], more: Sequence[Header]) -> list[Header]:
    """Return an answer's own headers and those of the others whose names it does not have.

    >>> dressed([(b"ETag", b"1")], [(b"etag", b"2"), (b"vary", b"*")])
    [(b'ETag', b'1'), (b'vary', b'*')]
    """
    held = {name.lower() for name, _ in own}  # pages have a policy of their own, and their pictures may be kept
    return [*own, *(each for each in more if each[0] not in held)]


def add(
    app: FastAPI,
    method: str,
    path: str,
    handler: Handler,
    answers: type[BaseModel] | type[str],
    takes: Mapping[str, Any] | None = None,
    refuses: tuple[int, ...] = (),
    **documents: Any,
) -> None:
    """Add a route.

    Parameters
    ----------
    app
        The application.
    method, path
        What it answers.
    handler
        Answers it; its docstring and name are the route's description and operation.
    answers
        What the answer's body is: a model, or plain text.
    takes
        Name → type of the parameters and the body, for the document alone.
    refuses
        Statuses of the problems that it may answer with.
    documents
        Anything else for the document, as FastAPI takes it.
    """

    def described() -> None:
        raise NotImplementedError  # stands for its signature

    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation) for name, annotation in (takes or {}).items()
    ]
    described.__signature__ = inspect.Signature(parameters, return_annotation=answers)  # type: ignore[attr-defined]
    described.__doc__ = inspect.getdoc(handler)
    words = handler.__name__.split("_")
    app.router.add_api_route(
        path,
        described,
        methods=[method],
        responses=documented(*refuses),
        operation_id=words[0] + "".join(word.title() for word in words[1:]),
        route_class_override=Bare,
        **documents,
    )
    app.router.routes[-1].handler = handler  # type: ignore[attr-defined]
