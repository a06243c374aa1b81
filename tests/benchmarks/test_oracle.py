"""The oracle is the best that can be done on what is observable: nobody beats it under its own posterior, only knowing the class does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.oracle import Judged, distances, learn_law, measure
from models.policy import default_policy


@pytest.fixture(scope="module")
def market() -> Judged:
    law = learn_law(range(1_000, 1_003), 12_000, 1_000, num_threads=1)
    return measure(3, 12_000, 1_000, default_policy(), {"oracle": law}, days=10)


def test_alone_no_way_is_expected_to_cost_less_on_any_claim_than_the_oracle_but_knowing_the_class(market: Judged) -> None:
    oracle = market.money["oracle"]["expected_alone"].to_numpy()
    for way in ("pay everything", "touchstone", "every true label"):
        assert (market.money[way]["expected_alone"].to_numpy() >= oracle - 0.5).all(), way
    assert (market.money["class known"]["expected_alone"].to_numpy() <= oracle + 1e-6).all()


def test_distances_are_ratios_of_the_money_of_all_claims_inside_their_intervals(market: Judged) -> None:
    found = distances([market, market], np.random.default_rng(0), draws=50)
    cents = {way: frame["realised"].sum() for way, frame in market.money.items()}
    ratio = found["cost_touchstone_vs_oracle_realised"]
    assert ratio.estimate == pytest.approx(cents["touchstone"] / cents["oracle"]) and ratio.low <= ratio.estimate <= ratio.high
    saved = (cents["pay everything"] - cents["touchstone"]) / (cents["pay everything"] - cents["oracle"])
    assert found["attained_touchstone_realised"].estimate == pytest.approx(saved)


def test_a_way_that_decides_as_the_oracle_does_is_at_no_distance(market: Judged) -> None:
    same = replace(market, money={**market.money, "touchstone": market.money["oracle"]})
    found = distances([same], np.random.default_rng(0), draws=20)["cost_touchstone_vs_oracle_expected"]
    assert (found.estimate, found.low, found.high) == (1.0, 1.0, 1.0)
