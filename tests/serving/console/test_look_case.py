"""The page of a case: what is known of it, and what whoever looks may know."""

from __future__ import annotations

import re

from tests.serving.cases import town
from tests.serving.console.houses import WHY, House, lease


def test_a_case_shows_what_is_known_of_it(house: House) -> None:
    visitor = house.visitor("aude")
    live = {row["claim_id"] for row in house.rows("cases")} & set(house.market.live["claim_id"])
    claims = house.store.read("claims").set_index("claim_id")
    for claim_id in sorted(live)[:6]:
        page, claim = visitor.get(f"/cases/{claim_id}").text, claims.loc[claim_id]
        assert claim["seller_id"] in page and f"${claim['amount_cents'] / 100:,.2f}" in page and 'class="timeline"' in page
        # Somebody else shared its things, told its story and showed its photograph before: all three are seen.
        assert 'class="graph"' in page and 'class="proba"' in page
        assert ("100\xa0% of the words in common" in page) is bool(claim["narrative"])
        assert ("none of 64 bits differ" in page) is isinstance(claim["photo_hash"], str)


def test_an_expert_is_not_told_who_people_are(house: House) -> None:
    visitor, olga = house.visitor("ann"), house.visitor("olga")
    claims = house.store.read("claims").set_index("claim_id")
    live = [name for _ in range(5) for name in house.taken("ann", limit=20) if name in set(house.market.live["claim_id"])]
    for claim_id in live[:4]:
        page = visitor.get(f"/cases/{claim_id}").text
        for name in ("customer_id", "order_id", "device_id", "address_id", "payment_id", "phone_id", "photo_hash"):
            assert str(claims.loc[claim_id, name]) not in page
        others = set(re.findall(r"/console/cases/([^/\"]+)", page)) - {claim_id}
        assert others == set()
    assert live and claims.loc[live[0], "customer_id"] in olga.get(f"/cases/{live[0]}").text


def test_an_expert_is_not_told_what_others_found(house: House) -> None:
    first = house.taken("ann", limit=8)[-1]
    ann = house.visitor("ann")
    ann.send(f"/cases/{first}/answer", token=lease(ann.get(f"/cases/{first}").text), label="abusive", minutes="3", rationale=WHY)
    house.visitor("olga").send(f"/cases/{first}/second-opinion", rationale="Please look at the receipt.")
    assert first in house.taken("bob", limit=20)
    assert WHY not in house.visitor("bob").get(f"/cases/{first}").text
    assert WHY in house.visitor("aude").get(f"/cases/{first}").text


def test_a_claim_that_is_not_known_here_has_a_case_all_the_same(house: House) -> None:
    lone = town(400, seed=9, weeks=1)
    decisions = lone.decisions.assign(claim_id=["X" + name for name in lone.decisions["claim_id"]])
    house.store.record_decisions(decisions)
    claim_id = next(row["claim_id"] for row in house.rows("cases") if row["claim_id"].startswith("X"))
    found = house.visitor("olga").get(f"/cases/{claim_id}")
    assert found.status_code == 200 and "The claim itself is not known here" in found.text
