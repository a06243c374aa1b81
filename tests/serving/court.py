"""An endpoint for the parties of claims over a small town, and everybody's key: for the tests of what parties and webhooks do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx
import pandas as pd
from sqlalchemy import insert

from models.policy import default_policy
from pipelines import resolve
from serving import casework
from serving.app import Outside
from serving.auth import Scope, anyone
from serving.instants import micros
from serving.keys import ENTROPY, Keyring, make
from serving.office import create_office
from serving.schema_parties import SELLER_INSURERS
from serving.store import Store, add_claims
from tests.serving.asking import Asking
from tests.serving.cases import START, WEEK, Town, town
from tests.serving.test_app import Client

TOWN = town(110, seed=5, weeks=2)
DECIDED = START + 2.01 * WEEK
"""When every claim of the town is decided."""

INSURER = "I-1"
SERVICE, JUDGE, ROOT = "customer-service", "judge", "root"


class Court(Asking):
    """What parties say and see."""

    def say(self, who: str, verb: str, claim_id: str, key: str | None = None, /, **asked: Any) -> httpx.Response:
        return self.ask(who, "POST", f"/v1/resolutions:{verb}", key, json={"claim_id": claim_id, **asked})

    def look(self, who: str, claim_id: str) -> dict[str, Any]:
        found = self.ask(who, "GET", f"/v1/resolutions/{claim_id}")
        assert found.status_code == 200, found.text
        return dict(found.json())

    def listed(self, who: str, status: str = "open", limit: int = 100) -> list[dict[str, Any]]:
        claims: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            query = f"/v1/resolutions?status={status}&limit={limit}" + (f"&cursor={cursor}" if cursor else "")
            page = self.ask(who, "GET", query).json()
            claims += page["claims"]
            assert len(page["claims"]) == limit or page["next_cursor"] is None
            cursor = page["next_cursor"]
        return claims

    def carried(self, until: datetime | pd.Timestamp, parties: casework.Respond | None = None) -> resolve.Resolution:
        """Run ``touchstone resolve`` for an instant, which is the present from then on."""
        self.now = pd.Timestamp(until).to_pydatetime()
        return resolve.run(self.store, TOWN.tables, pd.Timestamp(until), parties)

    def standing(self, state: str) -> pd.DataFrame:
        """The proceedings that stand in a state."""
        rows = self.store.read("proceedings")
        return rows[rows["state"] == state].reset_index(drop=True)


def sellers(there: Town = TOWN) -> list[str]:
    return sorted(set(there.claims["seller_id"]))


def insure_all(store: Store, insurer: str) -> None:
    """Let every seller have named an insurer."""
    with store.write() as tx:
        named = [{"seller_id": seller, "insurer": insurer, "policy_number": "P", "named_at": 0} for seller in sellers()]
        tx.execute(insert(SELLER_INSURERS), named)


@contextmanager
def court_over(store_url: str) -> Iterator[Court]:
    """Open the endpoint over an empty store into which the town's decisions are put."""
    people = dict.fromkeys(sellers(), (Scope.SELLER,))
    people |= {
        INSURER: (Scope.INSURER,),
        "I-2": (Scope.INSURER,),
        SERVICE: (Scope.CUSTOMERS,),
        JUDGE: (Scope.RULINGS,),
        ROOT: (Scope.ADMIN,),
    }
    made = {who: make(n.to_bytes(2) * (ENTROPY // 2), who, scopes, 0) for n, (who, scopes) in enumerate(people.items())}
    kept = {key.key_id: key for _, key in made.values()}
    with Store(store_url, "NORMAL") as store:
        with store.write() as tx:
            add_claims(tx, TOWN.claims)
        store.record_decisions(TOWN.decisions)
        here = Court(store, None, {who: text for who, (text, _) in made.items()}, DECIDED.to_pydatetime())  # type: ignore[arg-type]
        ring = Keyring(lambda: kept, lambda: micros(here.now))
        outside = Outside(lambda credential: anyone(credential, (ring,)))
        here.client = Client(create_office(store, default_policy(), lambda: here.now, outside))
        yield here
