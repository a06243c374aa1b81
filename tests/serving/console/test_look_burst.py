"""The test of a burst as the page of a case shows it: strangers clear a product's claimants, links do not, and no burst is no section."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from models.rings import Burst as Verdict
from serving.console.look_burst import MONTH, burst_of
from serving.console.records import Row
from serving.instants import DAY
from tests.serving.console.houses import House

NOW = 400 * DAY


def claim(number: int, at: int, shared: str | None = None) -> Row:
    things = {name: shared or f"{name}-{number}" for name in ("device_id", "address_id", "payment_id", "phone_id")}
    whose = {"claim_id": f"C{number}", "customer_id": f"K{number}", "product_id": "P", "amount_cents": 1_000 * number}
    return {**things, **whose, "filed_at": at}


@dataclass(frozen=True)
class Kept:
    claims: list[Row]

    def rows(self, table: str, column: str, values: Collection[str], before: int, most: int) -> list[Row]:
        found = [row for row in self.claims if row[column] in values and row["filed_at"] < before]
        return sorted(found, key=lambda row: -row["filed_at"])[:most]

    def latest(self, before: int, most: int) -> list[Row]:
        return []


def test_strangers_who_claim_for_one_product_look_like_a_defect_and_linked_ones_like_a_ring() -> None:
    strangers = [claim(n, NOW - n * DAY) for n in range(1, 9)]
    found = burst_of(Kept(strangers), strangers[0], NOW)
    assert found is not None and found.test.verdict is Verdict.DEFECT
    assert (found.claims, found.test.claimants, found.test.strangers, found.claimed_cents) == (8, 8, 8, 36_000)
    linked = [claim(n, NOW - n * DAY, "D" if n < 7 else None) for n in range(1, 9)]
    again = burst_of(Kept(linked), linked[0], NOW)
    assert again is not None and (again.test.verdict, again.test.strangers) == (Verdict.RING, 2)


def test_a_burst_is_of_one_product_and_one_month_and_of_what_is_known() -> None:
    mine = claim(1, NOW - 40 * DAY)
    others = [
        claim(2, mine["filed_at"] - MONTH - 1),
        claim(3, mine["filed_at"] + MONTH),
        claim(4, NOW + DAY),
        claim(5, NOW) | {"product_id": "Q"},
    ]
    assert burst_of(Kept([mine, *others]), mine, NOW) is None
    near = claim(6, mine["filed_at"] - MONTH)
    found = burst_of(Kept([mine, near, *others]), mine, NOW)
    assert found is not None and (found.claims, found.test.verdict) == (2, Verdict.OPEN)


def test_whoever_holds_a_case_reads_the_test_before_they_decide(house: House) -> None:
    market = set(house.market.live["claim_id"])
    live = [name for _ in range(5) for name in house.taken("ann", limit=20) if name in market]
    pages = [house.visitor("ann").get(f"/cases/{claim_id}").text for claim_id in live[:6]]
    assert any("Burst on the product" in page and "linked with no other of them" in page for page in pages)
