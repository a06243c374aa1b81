"""The marketplace learns of a seller's standing late, and only of what happened."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipelines.simulate.frames import NEVER
from pipelines.simulate.harm import Recalls
from pipelines.simulate.market import DAY
from pipelines.simulate.standing import KINDS, draw_events
from tests.pipelines.simulate.conftest import Trade


@pytest.fixture(scope="module")
def recalls(trade: Trade) -> Recalls:
    """Five recalls, each known ten days later, the last one after the horizon."""
    occurred = trade.horizon.start + np.array([10, 100, 200, 300, round(trade.horizon.days) - 5]) * DAY
    return Recalls(np.array([4, 8, 15, 16, 23]), occurred, occurred + 10 * DAY)


@pytest.fixture(scope="module")
def events(trade: Trade, recalls: Recalls) -> pd.DataFrame:
    """All events with their kinds as words."""
    drawn = draw_events(trade.sellers, trade.products, recalls, trade.horizon, np.random.default_rng(9))
    return drawn.assign(kind=[KINDS[number] for number in drawn["kind"]])


def test_nothing_is_known_before_it_occurs_or_told_after_the_horizon(events: pd.DataFrame, trade: Trade) -> None:
    assert (events["occurred"] <= events["known"]).all()
    assert events["known"].is_monotonic_increasing and events["known"].iloc[-1] < trade.horizon.end
    assert (events["occurred"] >= trade.sellers.joined[events["seller"]]).all()


def test_a_forgery_is_as_old_as_the_proof_and_found_two_months_later_at_the_earliest(events: pd.DataFrame, trade: Trade) -> None:
    forged = events[events["kind"] == "insurance_forged"]
    assert len(forged) and trade.sellers.forged[forged["seller"]].all() and forged["seller"].is_unique
    assert (forged["occurred"] == trade.sellers.insured_at[forged["seller"]]).all()
    assert (forged["known"] - forged["occurred"] >= 60 * DAY).all()
    lapsed = events[events["kind"] == "insurance_lapsed"]
    assert (lapsed["known"] - lapsed["occurred"] >= 5 * DAY).all()


def test_only_recalls_name_a_product_and_it_is_the_sellers_own(events: pd.DataFrame, recalls: Recalls, trade: Trade) -> None:
    recall = events["kind"] == "recall"
    assert ((events["product"] != NEVER) == recall).all()
    assert events["product"][recall].tolist() == recalls.product[:4].tolist(), "what is known after the end is not told"
    assert (trade.products.seller[events["product"][recall]] == events["seller"][recall]).all()


def test_rogues_violate_policy_more_often_and_no_seller_is_cleared_more_often_than_accused(events: pd.DataFrame, trade: Trade) -> None:
    count = {
        kind: np.bincount(events.loc[events["kind"] == kind, "seller"], minlength=len(trade.sellers))
        for kind in ("policy_violation", "policy_cleared")
    }
    violated = count["policy_violation"]
    assert violated[trade.sellers.rogue].mean() > 2 * violated[~trade.sellers.rogue].mean()
    assert (count["policy_cleared"] <= violated).all()
