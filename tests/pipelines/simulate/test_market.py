"""The time line is in order and its months are calendar months."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.simulate.market import DAY, Horizon, instant, months_after

STARTS = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))


@given(STARTS, st.integers(0, 60))
def test_months_later_is_what_the_calendar_says_up_to_the_twenty_eighth(start: datetime, months: int) -> None:
    start = start.replace(day=min(start.day, 28))
    assert months_after(start, months) == (pd.Timestamp(start) + pd.DateOffset(months=months)).to_pydatetime()


@given(STARTS, st.integers(2, 48), st.integers(0, 200))
def test_orders_begin_before_claims_claims_before_live_and_live_before_the_end(start: datetime, months: int, lead: int) -> None:
    horizon = Horizon.of(start, months, None, lead_days=lead)
    assert horizon.start - horizon.orders_from == lead * DAY
    assert horizon.start < horizon.live_from < horizon.end
    assert horizon.live_from >= instant(months_after(start, 1)), "there is a month of history at the least"


@given(STARTS, st.integers(-12, 12))
def test_an_instant_does_not_depend_on_the_zone_it_is_told_in(time: datetime, hours: int) -> None:
    assert instant(time.astimezone(timezone(timedelta(hours=hours)))) == instant(time)
    assert pd.Timestamp(instant(time), unit="us", tz="UTC").to_pydatetime() == time


def test_a_time_line_that_cannot_be_is_refused_with_what_was_found() -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="at least 2, found 1"):
        Horizon.of(start, 1, None, 90)
    with pytest.raises(ValueError, match="naive"):
        Horizon.of(start, 6, datetime(2024, 3, 1), 90)
    with pytest.raises(ValueError, match="live_from: expected a time between"):
        Horizon.of(start, 6, start, 90)
