"""The as-of kernel against plain loops, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.history import group, positions
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
def test_a_position_counts_the_events_of_the_key_before_an_edge(rows: list[Row], asked: list[tuple[int, int]], ends: list[int]) -> None:
    keys, times, _ = columns(rows, 3)
    past, probes = group(keys, times, N_KEYS), group(*columns(asked, 2), N_KEYS)
    upper_edge, lower_edge = ends
    found = positions(past, probes, np.array([lower_edge, upper_edge]))
    assert found.shape == (len(probes.order), 2)
    for place, row in enumerate(probes.order):
        key, now = asked[row]
        mine = [t for k, t, _ in rows if k == key]
        start = past.starts[key]
        assert (found[place] - start).tolist() == [sum(t < now - edge for t in mine) for edge in (lower_edge, upper_edge)]


def test_events_and_probes_must_be_over_the_same_keys() -> None:
    nothing = np.empty(0, dtype=np.int64)
    with pytest.raises(ValueError, match="over the same keys, found 3 and 4"):
        positions(group(nothing, nothing, 2), group(nothing, nothing, 3), np.zeros(1, dtype=np.int64))
