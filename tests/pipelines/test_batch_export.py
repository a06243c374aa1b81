"""The lake's copy of the decisions follows the store, and is mended where it fell behind."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from data_contracts import DECISIONS
from data_contracts.check import to_arrow
from models.policy import default_policy
from pipelines.batch_export import append_decisions, mend_decisions
from pipelines.lake import Lake
from pipelines.score import score
from serving.attachments import packed
from serving.store import Store
from tests.pipelines.conftest import Market


@pytest.fixture(scope="module")
def decided(small: Market, tmp_path_factory: pytest.TempPathFactory) -> Market:
    """Three weeks decided, in several pieces; only to be read."""
    market = small.copy(tmp_path_factory.mktemp("export") / "home")
    score(market.home, market.simulation.live_from + timedelta(days=21), default_policy(), market.simulation.live_from, piece=5)
    return market


def both(market: Market) -> tuple[pd.DataFrame, pd.DataFrame]:
    with Store(market.home.store_url) as store:
        return Lake(market.home.root).read("decisions").sort_values("claim_id", ignore_index=True), store.read("decisions")


def test_each_piece_is_a_batch_named_by_its_first_day(decided: Market) -> None:
    lake = Lake(decided.home.root)
    batches = lake.batches("decisions")
    assert len(batches) > 2 and sum(lake.count("decisions", batch) for batch in batches) == len(lake.read("decisions"))
    for batch in batches:
        assert f"{lake.read('decisions', only=batch)['decided_at'].min():%Y-%m-%d}" == batch


def test_a_batch_that_was_lost_is_written_again_and_a_whole_copy_is_left_alone(decided: Market, tmp_path: Path) -> None:
    market = decided.copy(tmp_path / "home")
    files = sorted((market.home.root / "lake" / "decisions").glob("*.parquet"))
    lost = Lake(market.home.root).count("decisions", files[1].stem)
    files[1].unlink()
    with Store(market.home.store_url) as store:
        assert mend_decisions(market.home, store) == lost > 0
        assert_frame_equal(*both(market))
        assert mend_decisions(market.home, store) == 0


def test_what_the_endpoint_decided_reaches_the_lake_with_the_next_run(decided: Market, tmp_path: Path) -> None:
    market = decided.copy(tmp_path / "home")
    one = Lake(market.home.root).read("decisions").head(1)
    claims = Lake(market.home.root).read("claims")
    late = claims.loc[claims["filed_at"] >= market.simulation.live_from + timedelta(days=30), "claim_id"].iloc[0]
    with Store(market.home.store_url) as store:
        store.record_decisions(one.assign(claim_id=late))
    score(market.home, market.simulation.live_from + timedelta(days=21), default_policy(), market.simulation.live_from)
    lake, store_ = both(market)
    assert late in set(lake["claim_id"])
    assert_frame_equal(lake, store_)


def test_decisions_of_a_day_that_has_a_batch_are_added_to_it(decided: Market, tmp_path: Path) -> None:
    lake, rows = Lake(tmp_path), Lake(decided.home.root).read("decisions").head(4)
    same = rows.assign(decided_at=rows["decided_at"].iloc[0])
    for some in (same.head(3), same.tail(1), same.head(0)):
        append_decisions(lake, to_arrow(some, DECISIONS))
    assert len(lake.batches("decisions")) == 1
    assert_frame_equal(lake.read("decisions"), same)


def test_what_is_packed_already_is_kept_as_it_is(decided: Market, tmp_path: Path) -> None:
    lake, rows = Lake(tmp_path), to_arrow(Lake(decided.home.root).read("decisions").head(4), DECISIONS)
    append_decisions(lake, rows, packed(rows))
    (file,) = (tmp_path / "lake" / "decisions").iterdir()
    assert file.read_bytes() == packed(rows)
    assert_frame_equal(lake.read("decisions"), Lake(decided.home.root).read("decisions").head(4))
