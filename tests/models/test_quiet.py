"""Windows: equal lengths, equal distances, quiet pairs wholly before the training's end, and clear refusals."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.quiet import LayoutSettings, Span, layout

FIRST = pd.Timestamp("2024-01-01", tz="UTC")
FILED = pd.Series(pd.date_range("2024-01-01", "2025-12-31", freq="5h", tz="UTC"))
DAY = pd.Timedelta(days=1)


@given(st.integers(300, 500), st.integers(1, 200), st.integers(7, 60), st.integers(20, 120))
def test_quiet_pairs_are_as_long_and_as_far_apart_and_end_before_the_training_did(trained: int, later: int, current: int, ref: int) -> None:
    settings = LayoutSettings(current_days=current, reference_days=ref, fewest_claims=4)
    found = layout(FILED, FIRST + trained * DAY, FIRST + (trained + later) * DAY, settings)
    assert found.reference == Span(FIRST + (trained - ref) * DAY, FIRST + trained * DAY)
    assert found.current.end == FIRST + (trained + later) * DAY
    assert found.current.start == max(FIRST + trained * DAY, found.current.end - current * DAY)
    apart = found.current.start - found.reference.end if found.same_distance else 0 * DAY
    for before, after in found.quiet:
        assert before.end - before.start == ref * DAY
        assert after.end - after.start == found.current.end - found.current.start
        assert after.start - before.end == apart
        assert before.start >= FILED.min()
        assert after.end <= found.reference.end
    assert found.quiet[0][1].end == found.reference.end


def test_a_history_too_short_for_pairs_as_far_apart_falls_back_to_adjacent_ones_and_says_so() -> None:
    trained = FIRST + 200 * DAY
    assert layout(FILED, trained, trained + 28 * DAY).same_distance
    assert not layout(FILED, trained, trained + 150 * DAY).same_distance


def test_what_cannot_be_compared_is_refused_with_what_to_do() -> None:
    trained = FIRST + 60 * DAY
    with pytest.raises(ValueError, match="expected an instant after the training of 2024-03-01, found 2024-03-01; choose a later"):
        layout(FILED, trained, trained)
    with pytest.raises(ValueError, match=r"expected at least 2 pairs of windows of 84 and 28 days .* found 0; monitor with shorter"):
        layout(FILED, trained, trained + 28 * DAY)


def test_a_span_holds_its_start_and_not_its_end() -> None:
    span = Span(FIRST, FIRST + DAY)
    assert span.holds(pd.Series([FIRST, FIRST + DAY, FIRST - DAY])).tolist() == [True, False, False]
    assert span.moved(2) == Span(FIRST + 2 * DAY, FIRST + 3 * DAY)
