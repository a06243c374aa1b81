"""Limits: never more than rate and burst allow, never less than was promised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.auth import DEVELOPER
from serving.limits import MOST_CALLERS, Limits
from serving.problem import RefusalError

MOMENTS = st.lists(st.floats(0, 20), min_size=1, max_size=200).map(sorted)


@given(MOMENTS, st.integers(1, 20), st.floats(1.0, 3.0))
def test_in_any_span_no_more_get_through_than_the_burst_and_the_rate_times_the_span(moments: list[float], rate: int, burst: float) -> None:
    limits = Limits(rate, burst)
    passed = [at for at in moments if limits.wait("a", 1, at) == 0]
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            assert last - first + 1 <= rate * burst + rate * (passed[last] - passed[first]) + 1e-6


@given(MOMENTS, st.integers(1, 20))
def test_who_waits_as_long_as_told_gets_through(moments: list[float], rate: int) -> None:
    limits = Limits(rate)
    for at in moments:
        wait = limits.wait("a", 1, at)
        if wait:
            assert limits.wait("a", 1, at + wait + 1e-9) == 0
            return


def test_callers_do_not_spend_each_others_and_a_key_may_have_a_rate_of_its_own() -> None:
    limits = Limits(1, 1.0)
    assert [limits.wait("a", 1, 0.0), limits.wait("b", 1, 0.0)] == [0, 0]
    assert limits.wait("a", 1, 0.0) == 1.0
    assert [limits.wait("c", 1, 0.0, per_second=2), limits.wait("c", 1, 0.0, per_second=2)] == [0, 0]


def test_without_a_rate_nobody_waits() -> None:
    assert not any(Limits(0).wait("a", 1000, 0.0) for _ in range(10))


def test_what_costs_more_than_a_full_bucket_gets_through_once_and_leaves_a_debt() -> None:
    limits = Limits(10, 2.0)
    assert limits.wait("a", 100, 0.0) == 0
    assert limits.wait("a", 1, 0.0) == pytest.approx(8.1)


def test_no_number_of_callers_fills_the_memory() -> None:
    limits = Limits(1)
    for number in range(MOST_CALLERS + 10):
        limits.wait(str(number), 1, 0.0)
    assert len(limits._buckets) == MOST_CALLERS


def test_a_refusal_says_when_to_come_again_in_whole_seconds() -> None:
    limits = Limits(1, 1.0)
    limits.spend(DEVELOPER, 1, 0.0)
    with pytest.raises(RefusalError) as refused:
        limits.spend(DEVELOPER, 1, 0.5)
    assert refused.value.status == 429 and refused.value.headers == {"retry-after": "1"}
