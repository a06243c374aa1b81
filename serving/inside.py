"""Calls an application in the same process, by its protocol (ASGI) and without a socket: everything behind the socket is the real thing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from fastapi import FastAPI
from starlette.types import Message

from serving.aside import Aside

Found = TypeVar("Found")


class AtOnce(Aside):
    """Does what blocks on the spot: where one caller at a time asks, nobody else is kept waiting."""

    def __init__(self) -> None:
        super().__init__(threads=1, patience=0.0)

    async def do(self, work: Callable[[], Found]) -> Found:
        """Do the work and return what it found."""
        return work()


class Inside:
    """Carries requests to an application; fit for :attr:`serving.client.Client.exchange`, from one thread.

    Parameters
    ----------
    app
        The application; it lives as long as this.

    Examples
    --------
    >>> app = FastAPI()
    >>> with Inside(app) as inside:
    ...     inside("GET", "/nowhere", None, {})[0]
    404
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._life = app.router.lifespan_context(app)
        self._loop.run_until_complete(self._life.__aenter__())

    def __enter__(self) -> Inside:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the application's life."""
        self._loop.run_until_complete(self._life.__aexit__(None, None, None))
        self._loop.close()

    def __call__(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the answer to one request."""
        return self._loop.run_until_complete(self._ask(method, path, body or b"", headers))

    async def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(path)
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(parts.path),
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 80),
        }
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in sent[0].get("headers", ())}
        return sent[0]["status"], told, b"".join(message.get("body", b"") for message in sent[1:])
