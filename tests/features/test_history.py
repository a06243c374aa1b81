"""The as-of kernel against plain loops, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.history import NEVER, distinct, first_seen, group, maximum, positions
from tests.strategies import MANY

N_KEYS = 4
Row = tuple[int, int, int]
event_rows = st.lists(st.tuples(st.integers(-1, N_KEYS - 1), st.integers(0, 12), st.integers(-1, 3)), max_size=40)
probe_rows = st.lists(st.tuples(st.integers(-1, N_KEYS - 1), st.integers(0, 14)), max_size=20)
edges = st.lists(st.integers(-2, 9), min_size=2, max_size=2).map(sorted)


def columns(rows: list[tuple[int, ...]], width: int) -> list[np.ndarray]:
    return [np.array([row[i] for row in rows], dtype=np.int64) for i in range(width)]


@MANY
@given(event_rows)
def test_grouping_keeps_every_event_that_has_a_key_in_order_of_key_and_time(rows: list[Row]) -> None:
    keys, times, _ = columns(rows, 3)
    found = group(keys, times, N_KEYS)
    assert sorted(found.order.tolist()) == np.flatnonzero(keys >= 0).tolist()
    told = list(zip(keys[found.order].tolist(), times[found.order].tolist(), strict=True))
    assert told == sorted(told)
    assert found.keys.tolist() == keys[found.order].tolist()


@MANY
@given(event_rows, probe_rows, edges)
def test_every_window_equals_a_plain_loop(rows: list[Row], asked: list[tuple[int, int]], ends: list[int]) -> None:
    keys, times, values = columns(rows, 3)
    past, probes = group(keys, times, N_KEYS), group(*columns(asked, 2), N_KEYS)
    upper_edge, lower_edge = ends
    found = positions(past, probes, np.array([lower_edge, upper_edge]))
    lower, upper = np.ascontiguousarray(found[:, 0]), np.ascontiguousarray(found[:, 1])
    sums, news = past.running(values), past.running(first_seen(past, values))
    several, largest = distinct(past, values, lower, upper), maximum(past, values, lower, upper)
    for place, row in enumerate(probes.order):
        key, now = asked[row]
        inside = [(t, v) for k, t, v in rows if k == key and now - lower_edge <= t < now - upper_edge]
        before = {v for k, t, v in rows if k == key and t < now - lower_edge}
        assert upper[place] - lower[place] == len(inside)
        assert sums[upper[place]] - sums[lower[place]] == sum(v for _, v in inside)
        assert several[place] == len({v for _, v in inside if v >= 0})
        assert news[upper[place]] - news[lower[place]] == len({v for _, v in inside if v >= 0} - before)
        assert largest[place] == max((v for _, v in inside), default=NEVER)


@MANY
@given(event_rows)
def test_a_first_meeting_is_flagged_once_at_the_earliest_instant(rows: list[Row]) -> None:
    keys, times, values = columns(rows, 3)
    flags = first_seen(group(keys, times, N_KEYS), values)
    met = {(k, v) for k, _, v in rows if k >= 0 and v >= 0}
    assert sorted((int(keys[i]), int(values[i])) for i in np.flatnonzero(flags)) == sorted(met)
    for i in np.flatnonzero(flags):
        assert times[i] == min(t for k, t, v in rows if k == keys[i] and v == values[i])


def test_sums_of_huge_amounts_stay_exact_where_floats_would_not() -> None:
    cents = np.array([2**60, 1, -(2**60), 1], dtype=np.int64)
    past = group(np.zeros(4, dtype=np.int64), np.arange(4), 1)
    running = past.running(cents)
    assert running[4] - running[1] == 2 - 2**60 and running[4] - running[0] == 2


def test_events_and_probes_must_be_over_the_same_keys() -> None:
    nothing = np.empty(0, dtype=np.int64)
    with pytest.raises(ValueError, match="over the same keys, found 3 and 4"):
        positions(group(nothing, nothing, 2), group(nothing, nothing, 3), np.zeros(1, dtype=np.int64))


def test_a_skewed_key_costs_no_more_per_event() -> None:
    """Twice the events of one single key visit twice the positions: each pointer moves forward only."""
    n = 200_000
    times = np.arange(n)
    past = group(np.zeros(n, dtype=np.int64), times, 1)
    found = positions(past, past, np.array([n // 2, 0]))
    several = distinct(past, times % 1000, np.ascontiguousarray(found[:, 0]), np.ascontiguousarray(found[:, 1]))
    assert several[-1] == 1000 and (np.diff(found, axis=0) >= 0).all()
