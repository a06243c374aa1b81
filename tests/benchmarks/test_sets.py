"""How the ways of deciding are compared: by marketplace, each way against prices alone, and a bound is broken only beyond its share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from benchmarks.labels import paired
from benchmarks.sets import PRICES, WAYS, against_prices, broken


def test_a_bound_is_broken_by_more_than_its_share_of_its_own_class_and_by_nothing_else() -> None:
    classes = np.array(["valid"] * 10 + ["unsubstantiated"] * 5 + ["abusive"] * 5)
    actions = np.array(
        ["DENY_UNSUBSTANTIATED"] + ["PAY"] * 9 + ["PAY"] * 2 + ["DENY_UNSUBSTANTIATED"] * 3 + ["PAY"] + ["REQUEST_EVIDENCE"] * 4
    )
    assert broken(actions, classes, (0.1, 0.4, 0.2)) == 0
    assert broken(actions, classes, (0.09, 0.4, 0.2)) == 1
    assert broken(actions, classes, (0.09, 0.39, 0.19)) == 3


def test_money_is_set_against_prices_alone_over_all_marketplaces_and_within_each() -> None:
    rows = [{"seed": seed, "way": way, "cost_cents": cost, "alone_cents": cost} for seed, cost in ((0, 100.0), (1, 300.0)) for way in WAYS]
    table = pd.DataFrame(rows)
    dearer = (table["way"] == "valid 2 %") & (table["seed"] == 1)
    found = against_prices(table.assign(cost_cents=table["cost_cents"].where(~dearer, 330.0)))
    assert found["cost_valid_2_vs_prices"] == pytest.approx(430 / 400)
    assert (found["cost_valid_2_vs_prices_least"], found["cost_valid_2_vs_prices_most"]) == pytest.approx((1.0, 1.1))
    assert found["cost_alone_valid_2_vs_prices"] == 1.0 and not any(PRICES.replace(" ", "_") in name for name in found)


def test_an_interval_over_marketplaces_is_that_of_a_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(1.0, 1.0, 6), rng.normal(0.0, 1.0, 6)
    rows = pd.concat([pd.DataFrame({"seed": range(6), "way": way, "cost": cost}) for way, cost in (("a", ours), ("b", theirs))])
    found, interval = paired(rows, "cost", "b", "a", "way"), ttest_rel(ours, theirs).confidence_interval(0.95)
    assert (found["mean"], found["low"], found["high"]) == pytest.approx((float(np.mean(ours - theirs)), interval.low, interval.high))
