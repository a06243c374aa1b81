"""Instants as integers."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.instants import instants, micros


@given(st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)), max_size=5))
def test_an_instant_survives_storage_to_the_microsecond(times: list[datetime]) -> None:
    back = instants([micros(t) for t in times])
    assert back.dtype == "datetime64[us, UTC]"
    assert back.tolist() == [pd.Timestamp(t) for t in times]


def test_the_zone_of_an_instant_does_not_matter_but_its_absence_does() -> None:
    noon = pd.Timestamp("2025-03-01T12:00:00Z")
    assert micros(noon) == micros(noon.tz_convert("Asia/Tokyo")) == noon.value // 1000
    with pytest.raises(ValueError, match="time zone"):
        micros(pd.Timestamp("2025-03-01"))


def test_a_missing_instant_stays_missing() -> None:
    assert instants([None, 0]).isna().tolist() == [True, False]
    assert instants([]).dtype == "datetime64[us, UTC]"
