"""The value of a look, and who gets one."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from data_contracts import LABELS
from models.costs import AUTOMATIC, cost_matrix, expected_costs
from models.experts import after_answer
from models.policy import default_policy
from models.review import Capacity, action_after, capacity_left, review_values, route

POLICY = default_policy()
MINUTES = [tier.minutes for tier in POLICY.tiers]
FREE = replace(POLICY, desk=replace(POLICY.desk, fee_cents=0, delay_cents=0))
SEEDS = st.integers(0, 100_000)


def claims(seed: int, rows: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet([1, 0.6, 0.4], rows), rng.integers(100, 2_000_000, rows), rng.random(rows) < 0.5


def slow_value(proba: np.ndarray, costs: np.ndarray, tier: int) -> float:
    """One claim, by enumerating every plan of one action per answer."""
    stated, expert = POLICY.tiers[tier], np.array(POLICY.tiers[tier].confusion)
    plans = product(range(4), repeat=3)
    best = min(sum(proba[y] * expert[y, said] * costs[plan[said], y] for said in range(3) for y in range(3)) for plan in plans)
    now = min(sum(proba[y] * costs[k, y] for y in range(3)) for k in range(4))
    return now - stated.fee_cents - stated.delay_cents - best


@settings(max_examples=25)
@given(SEEDS)
def test_the_value_of_review_equals_the_best_of_all_plans(seed: int) -> None:
    proba, amounts, insured = claims(seed, 2)
    costs = cost_matrix(POLICY, amounts, insured)
    found = review_values(POLICY, proba, costs)
    for row, tier in product(range(2), range(2)):
        assert found[row, tier] == pytest.approx(slow_value(proba[row], costs[row], tier), rel=1e-9, abs=1e-6)


@given(SEEDS)
def test_a_free_look_is_never_worth_less_than_nothing_and_a_perfect_one_is_worth_most(seed: int) -> None:
    proba, amounts, insured = claims(seed)
    costs = cost_matrix(FREE, amounts, insured)
    real = review_values(FREE, proba, costs)[:, 0]
    perfect = review_values(FREE, proba, costs, [np.eye(3), np.eye(3)])[:, 0]
    useless = review_values(FREE, proba, costs, [np.full((3, 3), 1 / 3), np.eye(3)])[:, 0]
    assert (real >= -1e-6).all()
    assert (perfect >= real - 1e-6).all()
    np.testing.assert_allclose(useless, 0.0, atol=1e-5)
    least = (proba * costs.min(axis=1)).sum(axis=1)
    np.testing.assert_allclose(perfect, expected_costs(proba, costs).min(axis=1) - least, rtol=1e-9, atol=1e-5)


@given(st.integers(0, 2), st.integers(1, 10_000_000), st.booleans())
def test_a_look_at_what_is_certain_is_worth_its_price_and_no_more(truth: int, amount: int, insured: bool) -> None:
    costs = cost_matrix(POLICY, np.array([amount]), np.array([insured]))
    found = review_values(POLICY, np.eye(3)[[truth]], costs)[0]
    np.testing.assert_allclose(found, [-(tier.fee_cents + tier.delay_cents) for tier in POLICY.tiers], atol=1e-6)


@settings(max_examples=150)
@given(SEEDS, st.integers(0, 6), st.integers(0, 6))
def test_more_capacity_never_costs_more(seed: int, desk: int, investigations: int) -> None:
    values = np.random.default_rng(seed).normal(0, 100, (6, 2))

    def total(capacity: Capacity) -> float:
        chosen = route(values, MINUTES, capacity)
        return float(sum(values[row, tier] for row, tier in enumerate(chosen) if tier >= 0))

    here = total(Capacity(desk, investigations))
    assert total(Capacity(desk + 1, investigations)) >= here - 1e-9
    assert total(Capacity(desk, investigations + 1)) >= here - 1e-9
    assert here >= 0


@settings(max_examples=100)
@given(SEEDS, st.integers(0, 5), st.integers(0, 5))
def test_routing_keeps_to_capacity_and_routes_only_what_is_worth_it(seed: int, desk: int, investigations: int) -> None:
    values = np.random.default_rng(seed).normal(0, 100, (8, 2))
    chosen = route(values, MINUTES, Capacity(desk, investigations))
    assert (chosen == 0).sum() <= desk
    assert (chosen == 1).sum() <= investigations
    assert all(values[row, tier] > 0 for row, tier in enumerate(chosen) if tier >= 0)


@settings(max_examples=60)
@given(SEEDS, st.integers(0, 5))
def test_with_a_roomy_desk_or_without_investigations_routing_is_the_optimal_assignment(seed: int, some: int) -> None:
    values = np.random.default_rng(seed).normal(0, 100, (5, 2))
    for capacity in (Capacity(5, some), Capacity(some, 0)):
        slots = [0] * capacity.desk + [1] * capacity.investigations
        gains = np.maximum(values[:, slots], 0.0)
        best = gains[linear_sum_assignment(-gains)].sum() if slots else 0.0
        chosen = route(values, MINUTES, capacity)
        assert sum(values[row, tier] for row, tier in enumerate(chosen) if tier >= 0) == pytest.approx(best)


def test_the_action_after_an_answer_is_the_cheapest_under_the_posterior() -> None:
    proba, amounts, insured = claims(4, 200)
    answer = np.array(LABELS)[np.arange(200) % 3]
    found = action_after(POLICY, proba, "DESK", answer, amounts, insured)
    posterior = after_answer(proba, answer, np.array(POLICY.desk.confusion))
    expected = expected_costs(posterior, cost_matrix(POLICY, amounts, insured))
    assert found.automatic_action.tolist() == [AUTOMATIC[k] for k in expected.argmin(axis=1)]


def test_a_full_investigation_does_not_pay_below_about_three_thousand_dollars() -> None:
    grid = np.array([[v, u, 1 - v - u] for v in np.linspace(0, 1, 21) for u in np.linspace(0, 1 - v, 21)])
    worth = [
        review_values(POLICY, grid, cost_matrix(POLICY, np.full(len(grid), amount), np.full(len(grid), True)))[:, 1].max()
        for amount in (50_000, 100_000, 300_000, 5_000_000)
    ]
    assert max(worth[:3]) < 0 < worth[3]


def test_capacity_counts_whole_cases_and_refuses_negative_ones() -> None:
    assert Capacity.of(POLICY, 30) == Capacity(720, 17)
    assert Capacity.of(POLICY, 1) == Capacity(24, 0)
    with pytest.raises(ValueError, match="expected 0 or more cases"):
        Capacity(-1, 0)


@settings(max_examples=20)
@given(SEEDS)
def test_asked_before_every_decision_no_day_and_no_month_sends_more_than_it_can(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tight = replace(POLICY, desk=replace(POLICY.desk, cases=2, days=1, experts=1))
    taken = pd.DataFrame({"action": pd.Series(dtype="str"), "decided_at": pd.Series(dtype="datetime64[us, UTC]")})
    for minutes in np.sort(rng.integers(0, 70 * 1440, 40)):
        at = pd.Timestamp("2025-01-10", tz="UTC") + pd.Timedelta(minutes=int(minutes))
        left = capacity_left(tight, taken, at)
        action = "DESK" if rng.random() < 0.6 else "INVESTIGATE"
        if (left.desk if action == "DESK" else left.investigations) > 0:
            taken = pd.concat([taken, pd.DataFrame({"action": [action], "decided_at": [at]})], ignore_index=True)
    days = (taken["decided_at"] - pd.Timedelta(microseconds=1)).dt
    assert taken[taken["action"] == "DESK"].groupby(days.strftime("%Y-%m-%d")).size().le(2).all()
    month = Capacity.of(tight, days=31).investigations
    assert taken[taken["action"] == "INVESTIGATE"].groupby(days.strftime("%Y-%m")).size().le(month).all()
