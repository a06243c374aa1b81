"""The experts' quality as a page."""

from __future__ import annotations

import re

from tests.serving.console.houses import WHY, House, lease


def test_experts_are_listed_with_what_they_answered_and_earned(house: House) -> None:
    assert "No answers yet" in house.visitor("olga").get("/experts").text
    for name, label in (("ann", "valid"), ("bob", "abusive")):
        visitor = house.visitor(name)
        for claim_id in house.taken(name, limit=3):
            told = {"token": lease(visitor.get(f"/cases/{claim_id}").text), "label": label, "minutes": "7", "rationale": WHY}
            assert visitor.send(f"/cases/{claim_id}/answer", **told).status_code == 303
    page = house.visitor("olga").get("/experts").text
    rows = re.findall(r'<a href="#desk-(\w+)">.*?</tr>', page, re.DOTALL)
    assert rows == ["ann", "bob"] and page.count("$180") == 2 and "Estimated from 6 answers" in page
