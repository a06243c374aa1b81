"""The application as a server calls it: a bare route whose address is fixed is answered by the gate itself, past all other layers.

FastAPI and Starlette put six layers around every route: for traces, for what breaks, for the size of bodies, for exceptions, for files
to be closed, for finding the route. The gate does for a bare route whatever of it is needed. Where traces are asked for, every request
takes the long way, which makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fastapi import FastAPI
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.call import Bare, Handler
from serving.gate import Gate


class Endpoint(FastAPI):
    """An application behind a gate.

    Parameters
    ----------
    gate
        Makes the gate, from what it stands in front of and the routes that it answers by itself (``own``).
    is_traced
        Whether every request takes the long way.
    told
        What FastAPI is told.
    """

    def __init__(self, gate: Callable[..., Gate], is_traced: bool, **told: Any) -> None:
        super().__init__(**told)
        self._make, self._is_traced = gate, is_traced
        self._gate: Gate | None = None
        self.add_middleware(self._placed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, by the short way if there is one."""
        gate = self._gate
        if gate is not None and scope["type"] == "http" and (scope["method"], scope["path"]) in gate.own:
            await gate(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def _placed(self, app: ASGIApp) -> Gate:
        """Make the gate when the layers are: with the first request or before it, when all routes are there."""
        self._gate = self._make(app, own={} if self._is_traced else fixed(self.routes))
        return self._gate


def fixed(routes: Iterable[BaseRoute]) -> dict[tuple[str, str], Handler]:
    """Return what answers at each method and path of the bare routes that have no parameters in their paths."""
    bare = [route for route in routes if isinstance(route, Bare) and "{" not in route.path]
    return {(method, route.path): route.handler for route in bare for method in route.methods or ()}
