"""Claims that the endpoint received: each reaches the lake once, in the month it was filed, unless it came another way."""

from __future__ import annotations

from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.received import RECEIVED, export_received
from serving.store import Store, add_claims
from tests.serving.cases import town

CLAIMS = town(60, 5).claims


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_every_received_claim_is_in_the_lake_once_and_a_second_export_writes_nothing(home: Home) -> None:
    lake = Lake(home.root)
    with Store(home.store_url) as store:
        with store.write() as tx:
            add_claims(tx, CLAIMS)
        assert export_received(home, store) == len(CLAIMS)
        assert export_received(home, store) == 0
    assert_frame_equal(lake.read("claims").sort_values("claim_id", ignore_index=True), CLAIMS.sort_values("claim_id", ignore_index=True))
    assert lake.batches("claims") == sorted({f"{RECEIVED}{month}" for month in CLAIMS["filed_at"].dt.strftime("%Y-%m")})


def test_a_claim_that_came_another_way_is_left_where_it_is(home: Home) -> None:
    lake = Lake(home.root)
    lake.append("claims", CLAIMS.iloc[:40], "delivered")
    with Store(home.store_url) as store:
        with store.write() as tx:
            add_claims(tx, CLAIMS)
        assert export_received(home, store) == len(CLAIMS) - 40
    found = lake.read("claims")["claim_id"]
    assert found.is_unique and set(found) == set(CLAIMS["claim_id"])


def test_without_received_claims_nothing_is_written(home: Home) -> None:
    with Store("sqlite://") as store:
        assert export_received(home, store) == 0
    assert Lake(home.root).batches("claims") == []
