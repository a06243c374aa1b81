"""Cases as they are opened: whose they are is known from the store's own claims, or from whoever decided."""

from __future__ import annotations

from serving.opening import Parties
from serving.store import Store, add_claims
from tests.serving.cases import town

TOWN = town(60, seed=3, weeks=1)
WHOSE: Parties = {row.claim_id: (row.customer_id, row.seller_id) for row in TOWN.claims.itertuples()}


def whose(store: Store) -> Parties:
    return {row.claim_id: (row.customer_id, row.seller_id) for row in store.read("cases").itertuples()}


def test_the_parties_are_those_of_the_claim_however_it_came(store_url: str) -> None:
    with Store(store_url, "NORMAL") as received:
        with received.write() as tx:
            add_claims(tx, TOWN.claims)
        received.record_decisions(TOWN.decisions)
        known = whose(received)
    with Store("sqlite://") as batch:
        batch.record_decisions(TOWN.decisions, parties=WHOSE)
        assert whose(batch) == known == {claim: WHOSE[claim] for claim in known} != {}
