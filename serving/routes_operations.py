"""The routes for those who run the endpoint: whether it lives, whether it can decide, how it fares, and what decides."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version

from serving.aside import Aside
from serving.call import Call, Reply
from serving.engine import Engine
from serving.problem import RefusalError
from serving.refusals import Violation
from serving.watch import TEXT, Watch

OK = b'{"status":"ok"}'


@dataclass(frozen=True)
class OperationRoutes:
    """What the routes need."""

    engine: Engine
    aside: Aside
    watch: Watch

    async def get_health(self, _: Call) -> Reply:
        """Answer at once; says nothing about the store."""
        return Reply(OK)

    async def get_readiness(self, _: Call) -> Reply:
        """Answer once model and history are loaded (before that nobody listens), and only while the store answers."""
        if not await self.aside.do(self.engine.reachable):
            raise RefusalError(503, Violation("store", "a store that answers", "none"))
        return Reply(OK)

    async def get_ping(self, _: Call) -> Reply:
        """Answer as MLflow's scoring server does when it is healthy."""
        return Reply(b"\n", kind=b"text/plain; charset=utf-8")

    async def get_metrics(self, _: Call) -> Reply:
        """Tell counts and times in Prometheus' text format."""
        return Reply(await self.aside.do(self.watch.page), kind=TEXT)

    async def get_version(self, _: Call) -> Reply:
        """Name the versions that every decision is made with."""
        return Reply(json.dumps({"touchstone": version("touchstone"), "rules": None, **self.engine.versions()}).encode())
