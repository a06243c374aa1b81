"""What is known of claims and parties: the store's rows and the lake's as one, and never what was not known yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipelines.lake import Lake
from pipelines.lake_records import LakeRecords
from serving.console.records import TOLD, BothRecords, Records, StoreRecords
from serving.instants import micros
from tests.serving.console.houses import OLD, House


@pytest.fixture(scope="module")
def sources(shown: House) -> Iterator[dict[str, Records]]:
    here, lake = StoreRecords(shown.store), LakeRecords(Lake(shown.market.home.root))
    yield {"store": here, "lake": lake, "both": BothRecords(here, lake)}


NAMES = ["store", "lake", "both"]


@pytest.mark.parametrize("name", NAMES)
def test_only_what_was_known_before_the_instant_is_found_the_latest_first(sources: dict[str, Records], shown: House, name: str) -> None:
    now = micros(shown.now)
    everything = sources[name].latest(now, 10_000)
    filed = [row["filed_at"] for row in everything]
    assert filed == sorted(filed, reverse=True) and len({row["claim_id"] for row in everything}) == len(everything) > 100
    assert all(set(row) == set(TOLD) and isinstance(row["filed_at"], int) for row in everything)
    middle = filed[len(filed) // 2]
    assert [row["claim_id"] for row in sources[name].latest(middle, 10_000)] == [
        row["claim_id"] for row in everything if row["filed_at"] < middle
    ]
    assert sources[name].latest(now, 3) == everything[:3]


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_those_of_the_values_asked_for(sources: dict[str, Records], shown: House, name: str) -> None:
    now = micros(shown.now)
    claims = [row["claim_id"] for row in sources[name].latest(now, 10_000)]
    asked = claims[::7]
    found = sources[name].rows("claims", "claim_id", asked, now, 10_000)
    assert sorted(row["claim_id"] for row in found) == sorted(asked)
    assert sources[name].rows("claims", "claim_id", asked, 0, 10) == [] == sources[name].rows("claims", "claim_id", [], now, 10)
    assert len(sources[name].rows("claims", "claim_id", asked, now, 2)) == 2


def test_a_claim_that_both_know_is_the_stores_and_is_told_once(sources: dict[str, Records], shown: House) -> None:
    now, claim_id = micros(shown.now), shown.market.live["claim_id"].iloc[0]
    assert sources["lake"].rows("claims", "claim_id", [claim_id], now, 5) and sources["store"].rows(
        "claims", "claim_id", [claim_id], now, 5
    )
    assert len(sources["both"].rows("claims", "claim_id", [claim_id], now, 5)) == 1
    assert sources["both"].rows("claims", "claim_id", [OLD.claims["claim_id"].iloc[0]], now, 5)


def test_the_lake_and_the_store_say_the_same_of_a_claim(sources: dict[str, Records], shown: House) -> None:
    now, claims = micros(shown.now), shown.market.live["claim_id"].tolist()
    by = {name: {row["claim_id"]: row for row in sources[name].rows("claims", "claim_id", claims, now, 999)} for name in ("store", "lake")}
    assert len(by["store"]) == len(claims)
    for claim_id in claims:
        alike = {name: value for name, value in by["lake"][claim_id].items() if name != "recorded_at"}  # the endpoint's own
        assert alike == {name: by["store"][claim_id][name] for name in alike}
