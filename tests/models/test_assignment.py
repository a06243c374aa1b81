"""The best assignment, proven: against brute force, a linear program and its own prices."""

from __future__ import annotations

import time
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, linear_sum_assignment, milp
from scipy.sparse import coo_array

from models.assignment import Promises, assign, cases_in

SEEDS = st.integers(0, 100_000)


def problem(seed: int, cases: int, experts: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = rng.normal(20, 60, (cases, experts)).round(rng.integers(-1, 3))
    return np.where(rng.random(values.shape) < 0.15, np.nan, values), rng.integers(0, 4, experts)


def by_trying_everything(values: np.ndarray, room: np.ndarray, promises: Promises | None = None) -> tuple[int, float]:
    """Fewest broken promises, then most value, over all assignments."""
    cases, experts = values.shape
    best = (-(10**9), 0.0)
    for chosen in product(range(-1, experts), repeat=cases):
        pairs = [(i, j) for i, j in enumerate(chosen) if j >= 0]
        if any(np.isnan(values[i, j]) for i, j in pairs) or any(chosen.count(j) > room[j] for j in range(experts)):
            continue
        left = [i for i, j in enumerate(chosen) if j < 0]
        best = max(best, (-broken(left, promises), float(sum(values[i, j] for i, j in pairs))))
    return -best[0], best[1]


def broken(left: list[int], promises: Promises | None) -> int:
    """How many cases would have to vanish for the rest to be allowed to wait."""
    if promises is None:
        return 0
    waiting, gone = 0, 0
    for group, limit in enumerate(promises.may_wait):
        waiting += sum(promises.group[i] == group for i in left)
        gone += max(0, waiting - int(limit))
        waiting = min(waiting, int(limit))
    return gone


def by_linear_program(values: np.ndarray, room: np.ndarray) -> float:
    rows, columns = np.nonzero(np.isfinite(values))
    pairs, one = np.arange(len(rows)), np.ones(len(rows))
    cases, experts = values.shape
    table = coo_array((np.tile(one, 2), (np.r_[rows, cases + columns], np.tile(pairs, 2))), shape=(cases + experts, len(rows)))
    found = milp(-values[rows, columns], constraints=LinearConstraint(table.tocsc(), ub=np.r_[np.ones(cases), room]), integrality=0)
    return float(-found.fun)


@settings(max_examples=60)
@given(SEEDS)
def test_no_assignment_is_worth_more(seed: int) -> None:
    values, room = problem(seed, 5, 3)
    found = assign(values, room)
    assert found.value == pytest.approx(by_trying_everything(values, room)[1], abs=1e-6)
    assert found.gap == 0.0


@settings(max_examples=60)
@given(SEEDS)
def test_no_assignment_keeps_more_promises_nor_is_worth_more_at_as_many(seed: int) -> None:
    values, room = problem(seed, 5, 2)
    rng = np.random.default_rng(seed)
    promises = Promises(rng.integers(0, 3, 5), np.cumsum(rng.integers(0, 3, 3)))
    found = assign(values, room, promises)
    assert (found.broken, found.value) == pytest.approx(by_trying_everything(values, room, promises), abs=1e-6)
    assert broken([i for i, j in enumerate(found.expert) if j < 0], promises) == found.broken
    assert found.gap == 0.0


@settings(max_examples=15)
@given(SEEDS)
def test_a_general_solver_of_linear_programs_finds_the_same_value(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, room = rng.lognormal(3, 1, (120, 6)) - 15, rng.integers(5, 20, 6)
    assert assign(values, room).value == pytest.approx(by_linear_program(values, room), rel=1e-5)


@given(SEEDS)
def test_with_one_case_each_it_is_the_classical_assignment_problem(seed: int) -> None:
    values = np.random.default_rng(seed).uniform(0, 100, (7, 7)).round(2)
    rows, columns = linear_sum_assignment(values, maximize=True)
    assert assign(values, np.ones(7, dtype=int)).value == pytest.approx(values[rows, columns].sum(), abs=1e-6)


@given(SEEDS)
def test_nobody_takes_more_than_he_can_nor_sees_what_he_may_not_nor_is_given_what_costs_more_than_it_saves(seed: int) -> None:
    values, room = problem(seed, 12, 4)
    found = assign(values, room)
    taken = found.expert >= 0
    assert (np.bincount(found.expert[taken], minlength=4) <= room).all()
    assert (values[taken, found.expert[taken]] >= 0).all()


@given(SEEDS)
def test_more_capacity_never_is_worth_less_and_never_more_than_its_price(seed: int) -> None:
    values, room = problem(seed, 10, 3)
    before = assign(values, room)
    for expert in range(3):
        more = assign(values, room + (np.arange(3) == expert))
        assert -1e-9 <= more.value - before.value <= before.prices[expert] + 1e-9


@given(SEEDS)
def test_the_order_of_cases_and_experts_does_not_change_the_value(seed: int) -> None:
    values, room = problem(seed, 9, 4)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(9), rng.permutation(4)
    assert assign(values[rows][:, columns], room[columns]).value == assign(values, room).value


def test_where_there_is_time_left_it_costs_nothing() -> None:
    found = assign(np.array([[50.0, 90.0], [40.0, 80.0]]), [5, 1])
    assert found.prices.tolist() == [0.0, 40.0]


def test_without_cases_or_without_experts_nobody_sees_anything() -> None:
    assert assign(np.empty((0, 2)), [1, 1]).value == 0.0
    assert assign(np.empty((3, 0)), []).expert.tolist() == [-1, -1, -1]


@pytest.mark.parametrize(
    ("values", "room", "what"),
    [
        (np.zeros((2, 2)), [1], "room"),
        (np.zeros((2, 1)), [-1], "room"),
        (np.full((1, 1), 1e12), [1], "values"),
        (np.full((1, 1), np.inf), [1], "values"),
    ],
)
def test_what_cannot_be_meant_is_refused(values: np.ndarray, room: list[int], what: str) -> None:
    with pytest.raises(ValueError, match=f"^{what}: expected"):
        assign(values, room)


def test_promises_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ValueError, match="never falling"):
        Promises(np.array([0]), np.array([2, 1]))
    with pytest.raises(ValueError, match="expected 0 to 0"):
        Promises(np.array([1]), np.array([0]))


def test_minutes_become_whole_cases() -> None:
    assert cases_in(np.array([59.0, 60.0, 0.1 * 3 * 100]), np.array([30.0, 30.0, 30.0])).tolist() == [1, 2, 1]


def test_ten_thousand_cases_and_fifty_experts_are_a_matter_of_moments() -> None:
    rng = np.random.default_rng(0)
    values = rng.lognormal(6, 1.2, (10_000, 1)) * rng.uniform(20, 60, (1, 50)) * rng.uniform(0.5, 1.5, (10_000, 50)) - 6_000
    assign(values[:10], np.ones(50, dtype=int))  # compiled
    began = time.process_time()
    found = assign(values, np.full(50, 150))
    assert time.process_time() - began < 10.0  # five times the promise of the benchmark, for a busy machine
    assert found.gap == 0.0
