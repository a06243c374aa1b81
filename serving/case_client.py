"""What an external expert's program needs of the endpoint: the cases of :class:`serving.client.Client`'s caller."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel

from data_contracts import Label
from serving.case_messages import MOST_LISTED, Answered, Escalated, Given, Held, Kept, Leases, Left, Listed, Page, Renewed, Status, Wanted
from serving.casefile import CaseFile
from serving.client import Client
from serving.queue import Tier
from serving.simulated_clock import SIMULATED_NOW

Told = TypeVar("Told", bound=BaseModel)


@dataclass(frozen=True)
class CaseClient:
    """Works the queue as the person whose key the client has; every method raises as :meth:`serving.client.Client.score` does.

    Parameters
    ----------
    client
        Carries the requests.
    simulated
        What time it is; only an endpoint in development mode believes it. ``None``: now.
    """

    client: Client
    simulated: datetime | None = None

    def at(self, instant: datetime) -> CaseClient:
        """Return the same for another simulated instant."""
        return replace(self, simulated=instant)

    def lease(self, tier: Tier, limit: int = 1, key: str | None = None) -> list[CaseFile]:
        """Lease the next cases."""
        return self._do("lease", Wanted(tier=tier, limit=limit), Leases, key).cases

    def renew(self, claim_id: str, token: int) -> Renewed:
        """Prolong a lease."""
        return self._do("renew", Held(claim_id=claim_id, token=token), Renewed)

    def answer(self, claim_id: str, token: int, label: Label, minutes: int, rationale: str) -> Kept:
        """Say what was found."""
        return self._do("answer", Answered(claim_id=claim_id, token=token, label=label, minutes=minutes, rationale=rationale), Kept)

    def release(self, claim_id: str, token: int, to: str | None = None) -> Left:
        """Give a case back, or hand it over."""
        return self._do("release", Given(claim_id=claim_id, token=token, to=to), Left)

    def escalate(self, claim_id: str, token: int, rationale: str) -> Left:
        """Ask for an investigation."""
        return self._do("escalate", Escalated(claim_id=claim_id, token=token, rationale=rationale), Left)

    def file(self, claim_id: str) -> CaseFile:
        """Return the file of a case that is held."""
        return CaseFile.model_validate_json(self.client.call("GET", f"/v1/cases/{quote(claim_id, safe='')}", also=self._clock()))

    def listed(self, status: Status = Status.HELD, tier: Tier = Tier.DESK) -> Iterator[Listed]:
        """Go through a list, page by page, in order of the claims."""
        asked = {"status": status.value, "tier": tier.value, "limit": str(MOST_LISTED)}
        while True:
            page = Page.model_validate_json(self.client.call("GET", f"/v1/cases?{urlencode(asked)}", also=self._clock()))
            yield from page.cases
            if page.next_cursor is None:
                return
            asked["cursor"] = page.next_cursor

    def _do(self, verb: str, asked: BaseModel, told: type[Told], key: str | None = None) -> Told:
        body = asked.model_dump_json().encode()
        return told.model_validate_json(self.client.call("POST", f"/v1/cases:{verb}", body, key, self._clock()))

    def _clock(self) -> dict[str, str]:
        return {} if self.simulated is None else {SIMULATED_NOW: self.simulated.isoformat()}
