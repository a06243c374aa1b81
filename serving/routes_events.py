"""The route by which the marketplace tells what happened: orders, returns, seller events, resolutions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any

from serving.aside import Aside
from serving.call import Call, Reply
from serving.engine import RECEIVES, Engine
from serving.gate import refused
from serving.problem import RefusalError
from serving.refusals import Violation, shown
from serving.routes_claims import Spend, json_of, rows_of


@dataclass(frozen=True)
class EventRoutes:
    """What the route needs; ``clock`` tells the instant of arrival."""

    engine: Engine
    aside: Aside
    spend: Spend
    clock: Any

    async def receive_events(self, call: Call) -> Reply:
        """Take up to 1,000 rows of one contract, in any order of time. A row that came before is known and changes nothing."""
        body = await call.json()
        whole = json_of(body)
        table = whole.get("table") if isinstance(whole, dict) else None
        if not isinstance(table, str) or table not in RECEIVES:
            raise RefusalError(422, Violation("table", f"one of {', '.join(RECEIVES)}", shown(table)))
        rows = rows_of(body, "rows")
        self.spend(call.caller, len(rows) - 1, perf_counter())
        now: datetime = self.clock()
        found = await self.aside.do(lambda: self.engine.receive(table, rows, now))
        return Reply(b'{"results":[' + b",".join(_result(outcome) for outcome in found) + b"]}")


def _result(outcome: Any) -> bytes:
    if not isinstance(outcome, Exception):
        return b'{"status":200,"known":%b,"problem":null}' % (b"true" if outcome.status == "known" else b"false")
    reply = refused(outcome)
    return b'{"status":%d,"known":null,"problem":%b}' % (reply.status, reply.body)
