"""As many claims are invented as asked, and those who work together share what honest people do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipelines.simulate.adversaries import Stage, coached, plan_plots
from pipelines.simulate.drafts import ABUSIVE, COLLUSION, FABRICATION, ORGANISED, PADDING, RING, SABOTAGE, abusive_rate, draft
from pipelines.simulate.frames import NEVER
from pipelines.simulate.orders import usual_identity
from tests.pipelines.simulate.conftest import Trade

IDENTITY = ("device", "address", "payment", "phone")


@pytest.fixture(scope="module")
def stage(trade: Trade) -> Stage:
    """What plots are planned on; three hundred accounts are free to be used."""
    accounts = np.random.default_rng(1).permutation(len(trade.customers))[:300]
    growth = abusive_rate(trade.horizon, trade.market)
    return Stage(trade.sellers, trade.products, trade.horizon, trade.market, growth, accounts, fresh=30 * len(trade.customers))


def with_others(who: pd.Series, value: np.ndarray) -> float:
    """The share of claims whose device (address …) is on a claim of another customer as well."""
    return float((who.groupby(value).transform("nunique") > 1).mean())


@pytest.mark.parametrize("count", [0, 1, 7, 400])
def test_as_many_claims_are_planned_as_asked_each_ordered_before_its_incident_and_filed_in_time(count: int, stage: Stage) -> None:
    plots = plan_plots(count, stage, np.random.default_rng(count))
    assert len(plots) == count
    assert (plots["truth"] == ABUSIVE).all() and plots["scheme"].isin([FABRICATION, *ORGANISED]).all()
    assert (stage.horizon.orders_from <= plots["ordered"]).all() and (plots["ordered"] < plots["incident"]).all()
    assert (plots["incident"] < plots["filed"]).all() and (plots["filed"] < stage.horizon.end).all()
    assert (plots["filed"] >= stage.horizon.start).all()
    assert plots["customer"].isin(stage.accounts).all()
    assert (stage.products.listed[plots["product"]] <= plots["ordered"]).all()


def test_schemes_share_the_invented_claims_as_the_market_says(stage: Stage) -> None:
    market, share = stage.market, plan_plots(1_000, stage, np.random.default_rng(3))["scheme"].value_counts(normalize=True)
    lone = market.fabrication_share / (1 - market.padding_share)
    assert share[FABRICATION] == pytest.approx(lone, abs=0.002)
    assert share[RING] == pytest.approx((1 - lone) * market.ring_share, abs=0.002)
    assert share[COLLUSION] == pytest.approx((1 - lone) * market.collusion_share, abs=0.002)


def test_rings_share_every_kind_of_identity_far_more_than_honest_customers_and_never_with_another_ring(stage: Stage, trade: Trade) -> None:
    plots = plan_plots(600, stage, np.random.default_rng(4))
    ring = plots[plots["scheme"] == RING]
    honest = pd.Series(np.random.default_rng(5).integers(0, len(trade.customers), len(ring)))
    usual = usual_identity(honest.to_numpy(), trade.customers, trade.market, np.random.default_rng(6))
    for name, ordinary in zip(IDENTITY, usual, strict=True):
        assert with_others(ring["customer"], ring[name].where(ring[name] != NEVER)) > 3 * with_others(honest, ordinary) + 0.2, name
        own = ring[ring[name] != NEVER]
        assert own.groupby(name)["entity"].nunique().max() == 1
    assert (ring["ceiling"].between(30_000, 100_000)).all()
    burnt = ring[ring["denial"] != NEVER]
    assert len(burnt) and (burnt["denial"] > burnt["filed"]).all(), "a ring moves on after a denial, not before"
    loyal = plots[plots["scheme"].isin([COLLUSION, SABOTAGE])]
    seller = pd.Series(trade.products.seller[loyal["product"]], index=loyal.index)
    assert seller.groupby(loyal["entity"]).nunique().max() == 1, "colluders and saboteurs keep to one seller"


def test_a_coach_serves_many_padders_with_one_telephone_and_leaves_everything_else_as_it_was(stage: Stage) -> None:
    filed = np.random.default_rng(7).integers(stage.horizon.start, stage.horizon.end, 400)
    columns = dict.fromkeys(("product", "ordered", "incident", "filed"), filed) | {"customer": np.arange(400)}
    before = draft(PADDING, ABUSIVE, columns)
    after = coached(before, stage.market, stage.fresh, np.random.default_rng(8))
    changed = ["entity", "device", "phone"]
    pd.testing.assert_frame_equal(after.drop(columns=changed), before.drop(columns=changed))
    served = after[after["phone"] != NEVER]
    assert len(served) == round(stage.market.coached_share * 400)
    pairs = served[["entity", "phone"]].drop_duplicates()
    assert pairs["entity"].is_unique and pairs["phone"].is_unique
    assert 6 < served.groupby("entity").size().median() < 20
    assert (after["device"].ne(NEVER) <= after["phone"].ne(NEVER)).all(), "nobody else gets a coach's device"
