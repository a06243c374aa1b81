"""Delays are recovered although the long ones of recent claims are not in sight."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.maturity import estimate_delays

PAIRS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), min_size=1, max_size=60)


def brute(delay: np.ndarray, age: np.ndarray, day: float) -> float:
    product = 1.0
    for longer in sorted(set(delay[delay > day])):
        at_risk = ((delay <= longer) & (age >= longer)).sum()
        product *= 1 - (delay == longer).sum() / at_risk
    return product if (delay <= day).any() else 0.0


@given(PAIRS)
def test_it_is_the_product_over_all_longer_delays(pairs: list[tuple[int, int]]) -> None:
    delay = np.array([float(d) for d, _ in pairs])
    age = delay + np.array([float(more) for _, more in pairs])
    found = estimate_delays(delay, age)
    for day in range(-1, 42):
        assert found.within(np.array([float(day)]))[0] == pytest.approx(brute(delay, age, day))
    assert found.share[-1] == 1.0 and (np.diff(found.share) >= 0).all() and (np.diff(found.days) > 0).all()


@given(st.lists(st.floats(0.1, 50), min_size=1, max_size=40))
def test_where_every_claim_is_old_it_is_the_empirical_distribution(delays: list[float]) -> None:
    delay = np.array(delays)
    found = estimate_delays(delay, np.full(len(delay), 100.0))
    for day in (*delays, 0.05, 60.0):
        assert found.within(np.array([day]))[0] == pytest.approx((delay <= day).mean())


def test_truncated_delays_are_recovered_where_counting_is_wrong() -> None:
    rng = np.random.default_rng(0)
    delay, age = rng.uniform(10, 50, 40_000), rng.uniform(0, 120, 40_000)
    seen = delay < age
    found = estimate_delays(delay[seen], age[seen])
    days = np.array([15.0, 20.0, 30.0, 40.0])
    true, counted = (days - 10) / 40, np.array([(delay[seen] <= day).mean() for day in days])
    np.testing.assert_allclose(found.within(days), true, atol=0.02)
    assert (counted - true > 0.04).any()


def test_weighting_by_one_over_the_chance_restores_the_size_of_every_cohort() -> None:
    rng = np.random.default_rng(1)
    delay, age = rng.gamma(3.0, 5.0, 60_000), rng.uniform(0, 90, 60_000)
    seen = delay < age
    chance = estimate_delays(delay[seen], age[seen]).within(age[seen])
    for low in (15, 30, 60):
        cohort = (age >= low) & (age < low + 15)
        weight = (1 / chance)[(age[seen] >= low) & (age[seen] < low + 15)]
        assert weight.sum() == pytest.approx(cohort.sum(), rel=0.03)


def test_labels_of_the_future_and_no_labels_are_errors() -> None:
    with pytest.raises(ValueError, match="found 0 of which 0"):
        estimate_delays(np.array([]), np.array([]))
    with pytest.raises(ValueError, match="found 2 of which 1 come later"):
        estimate_delays(np.array([1.0, 5.0]), np.array([2.0, 4.0]))
