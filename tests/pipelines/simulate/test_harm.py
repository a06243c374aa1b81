"""Matching incidents with the orders that caused them."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.simulate.frames import NEVER
from pipelines.simulate.harm import LATEST_DAYS, filing_lags, match
from pipelines.simulate.market import DAY
from pipelines.simulate.orders import Orders


def orders(count: int, rng: np.random.Generator) -> Orders:
    delivered = rng.integers(0, 400 * DAY, count)
    zero = np.zeros(count, dtype=np.int64)
    return Orders(zero, zero, delivered - DAY, delivered, zero + 1, zero, zero, zero, zero)


@pytest.mark.parametrize("seed", range(5))
def test_an_order_is_delivered_before_its_incident_never_excluded_and_never_taken_twice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stock = orders(5_000, rng)
    incident = rng.integers(100 * DAY, 400 * DAY, 300)
    weight = rng.gamma(1.0, 1.0, 5_000) * (rng.random(5_000) < 0.7)
    chosen = match(incident, weight, stock, rng)
    assert (chosen != NEVER).all()
    assert (stock.delivered[chosen] <= incident).all()
    assert (weight[chosen] > 0).all()
    assert len(np.unique(chosen)) == len(chosen)


def test_where_nothing_was_delivered_before_there_is_no_order() -> None:
    rng = np.random.default_rng(0)
    chosen = match(np.array([-DAY, 500 * DAY]), np.ones(100), orders(100, rng), rng)
    assert chosen[0] == NEVER and chosen[1] != NEVER


@pytest.mark.parametrize("careless", [True, False])
def test_nobody_files_before_the_incident_or_after_the_deadline(careless: bool) -> None:
    lags = filing_lags(20_000, careless, 0.1, np.random.default_rng(1))
    assert lags.min() >= 0 and lags.max() <= LATEST_DAYS * DAY
