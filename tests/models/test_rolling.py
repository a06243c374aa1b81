"""Nobody starves: value decides the order of work only as far as deadlines allow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.assignment import assign
from models.rolling import assign_today, promises

Choose = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Values, room of each expert today, days to each deadline, room of later days → whether each case is looked at today."""


def world(seed: int, patience: int) -> tuple[np.ndarray, np.ndarray]:
    """Room (days, experts) and arrivals (days,), on average about as many as there is room for."""
    rng = np.random.default_rng(seed)
    room = rng.integers(0, 4, (14, 2))
    arrivals = rng.poisson(room.sum(axis=1).mean() * rng.uniform(0.6, 1.1), 14 - patience)
    return room, arrivals


def missed(room: np.ndarray, arrivals: np.ndarray, patience: int, seed: int, choose: Choose) -> int:
    """How many cases are not looked at by their deadline."""
    rng = np.random.default_rng([seed, 1])
    due, values, late = np.empty(0, dtype=np.int64), np.empty((0, 2)), 0
    for day in range(len(room)):
        new = int(arrivals[day]) if day < len(arrivals) else 0
        due = np.r_[due, np.full(new, day + patience)]
        values = np.r_[values, rng.lognormal(2, 1, (new, 2))]
        seen = choose(values, room[day], due - day, room[day + 1 :].sum(axis=1))
        overdue = ~seen & (due <= day)
        late += int(overdue.sum())
        due, values = due[~seen & ~overdue], values[~seen & ~overdue]
    return late


def earliest_first(values: np.ndarray, room: np.ndarray, due: np.ndarray, later: np.ndarray) -> np.ndarray:
    seen = np.zeros(len(due), dtype=bool)
    seen[np.argsort(due, kind="stable")[: room.sum()]] = True
    return seen


def by_value_alone(values: np.ndarray, room: np.ndarray, due: np.ndarray, later: np.ndarray) -> np.ndarray:
    return assign(values, room).expert >= 0


def ours(values: np.ndarray, room: np.ndarray, due: np.ndarray, later: np.ndarray) -> np.ndarray:
    return assign_today(values, room, due, later).expert >= 0


@settings(max_examples=150)
@given(st.integers(0, 100_000), st.integers(0, 5))
def test_a_case_misses_its_deadline_only_if_it_would_by_the_earliest_deadline_first(seed: int, patience: int) -> None:
    room, arrivals = world(seed, patience)
    if missed(room, arrivals, patience, seed, earliest_first) == 0:
        assert missed(room, arrivals, patience, seed, ours) == 0


def test_by_value_alone_cases_starve_that_could_have_been_seen() -> None:
    starved = 0
    for seed in range(40):
        room, arrivals = world(seed, 4)
        if missed(room, arrivals, 4, seed, earliest_first) == 0:
            starved += missed(room, arrivals, 4, seed, by_value_alone)
    assert starved > 10


def test_a_case_that_is_worth_nothing_is_seen_on_its_last_day_if_there_is_time() -> None:
    values = np.array([[-50.0], [80.0]])
    assert assign_today(values, [2], np.array([0, 0]), [2]).expert.tolist() == [0, 0]
    assert assign_today(values, [2], np.array([1, 0]), [2]).expert.tolist() == [-1, 0]


def test_while_there_is_slack_the_most_valuable_goes_first() -> None:
    values = np.array([[10.0], [30.0], [20.0]])
    assert assign_today(values, [1], np.array([2, 2, 2]), [1, 1]).expert.tolist() == [-1, 0, -1]


def test_what_cannot_be_kept_is_counted() -> None:
    values = np.array([[10.0], [30.0], [20.0]])
    found = assign_today(values, [1], np.array([0, 0, -3]), [5])
    assert (found.broken, found.expert.tolist()) == (2, [-1, 0, -1])


@given(st.lists(st.integers(-2, 9), max_size=8), st.lists(st.integers(0, 3), max_size=5))
def test_promises_are_horns_condition(due: list[int], later: list[int]) -> None:
    made = promises(np.array(due, dtype=np.int64), later)
    for day in range(len(later) + 1):
        assert made.may_wait[day] == sum(later[:day])
    assert made.may_wait[-1] >= len(due)


def test_a_negative_plan_is_refused() -> None:
    with pytest.raises(ValueError, match="later_room: expected"):
        promises(np.array([1]), [-1])
