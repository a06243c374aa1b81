"""A challenger's decisions lie beside the champion's, once, and change nothing of what is done."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from models.policy import default_policy
from models.shelf import Shelf
from pipelines import beside
from pipelines.lake import Lake
from pipelines.report import report
from pipelines.score import score
from pipelines.train import train
from serving.store import Store
from tests.pipelines.conftest import Market
from tests.pipelines.test_train import QUICK

POLICY = default_policy()


@pytest.fixture(scope="module")
def shadowed(small: Market, tmp_path_factory: pytest.TempPathFactory) -> tuple[Market, Market]:
    """The same three weeks decided without and with a challenger."""
    alone, both = (small.copy(tmp_path_factory.mktemp("beside") / name) for name in ("alone", "both"))
    train(both.home, both.simulation.live_from, settings=QUICK, tracking=False)
    for market in (alone, both):
        score(market.home, market.simulation.live_from + timedelta(weeks=3), POLICY, since=market.simulation.live_from)
    return alone, both


def test_every_decision_has_its_shadow_and_decisions_are_those_without_it(shadowed: tuple[Market, Market]) -> None:
    tables = []
    for market in shadowed:
        with Store(market.home.store_url) as store:
            tables.append({name: store.read(name) for name in ("decisions", "cases", "shadow_decisions")})
    alone, both = tables
    assert_frame_equal(alone["decisions"], both["decisions"])
    assert_frame_equal(alone["cases"], both["cases"])
    assert alone["shadow_decisions"].empty and set(both["shadow_decisions"]["claim_id"]) == set(both["decisions"]["claim_id"])
    assert set(both["shadow_decisions"]["bundle"]) == {Shelf(shadowed[1].home.bundles).aliases()["challenger"]}
    assert (both["shadow_decisions"].set_index("claim_id")["decided_at"] == both["decisions"].set_index("claim_id")["decided_at"]).all()


def test_a_shadow_is_kept_once(shadowed: tuple[Market, Market], tmp_path: Path) -> None:
    home = shadowed[1].copy(tmp_path / "home").home
    with Store(home.store_url) as store:
        again = store.read("shadow_decisions")
        assert beside.keep(store, again) == 0 == beside.keep(store, again.head(0))
        assert beside.keep(store, again.assign(bundle="another")) == len(again)
        assert_frame_equal(store.read("shadow_decisions", {"bundle": again["bundle"].unique()}), again)


def test_the_report_tells_of_the_challenger_only_where_there_is_one(shadowed: tuple[Market, Market]) -> None:
    for market, told in zip(shadowed, (False, True), strict=True):
        with Store(market.home.store_url) as store:
            page = report(market.home, market.simulation.end, POLICY, store, Lake(market.home.root).tables())
        assert ("What a challenger would have done" in page.read_text(encoding="utf-8")) == told
