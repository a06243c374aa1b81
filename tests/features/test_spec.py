"""Declarations name themselves and refuse what has no meaning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.spec import ALL, DAY_US, Aggregate, Computed, Difference, Ratio, SpecError, Window

windows = st.builds(
    Window, st.integers(1, 400) | st.none(), lag_days=st.integers(0, 30), closed=st.sampled_from(["left", "right", "both", "neither"])
)


@given(windows, st.integers(-3, 800 * DAY_US))
def test_an_edge_admits_exactly_what_the_ends_say(window: Window, ago: int) -> None:
    lower, upper = window.edges
    held = (lower is None or ago <= lower) and ago > upper
    start, end = (None if window.days is None else (window.days + window.lag_days) * DAY_US), window.lag_days * DAY_US
    meant = (start is None or ago < start or (ago == start and window.closed in ("left", "both"))) and (
        ago > end or (ago == end and window.closed in ("right", "both"))
    )
    assert held == meant


@given(windows)
def test_a_strict_window_never_sees_the_instant_itself(window: Window) -> None:
    lower, upper = window.edges
    assert window.is_strict == (not ((lower is None or lower >= 0) and upper < 0))


@given(st.lists(windows, unique=True, max_size=20))
def test_different_windows_have_different_names(found: list[Window]) -> None:
    assert len({window.name for window in found}) == len(found)


def test_names_say_source_statistic_column_key_and_window() -> None:
    lagged = Aggregate("claims.amount_cents", ("customer_id", "seller_id"), "mean", Window(7, lag_days=7, closed="right"))
    assert lagged.name == "claims_mean_amount_cents_customer_seller_7d_lag7d_right"
    claims, orders = (Aggregate(on, ("seller_id",), "count", Window(30)) for on in ("claims", "orders"))
    assert Ratio(claims, orders).name == "claims_count_per_orders_count_seller_30d"
    everything = Aggregate("orders", ("seller_id",), "count", ALL)
    assert Ratio(claims, everything).name == "claims_count_seller_30d_per_orders_count_seller_all"
    lift = Ratio(Aggregate("orders", ("customer_id", "seller_id"), "count", ALL), Ratio(everything, claims))
    assert lift.name == "orders_count_customer_seller_all_per_orders_count_seller_all_per_claims_count_seller_30d"
    assert Difference(everything, orders).name == "orders_count_seller_all_minus_orders_count_seller_30d"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Window(0), "days > 0"),
        (lambda: Window(1, lag_days=-1), "lag_days"),
        (lambda: Aggregate("claims", (), "count", ALL), "at least one key column"),
        (lambda: Aggregate("claims", ("customer_id",), "sum", ALL), "expected a column"),
        (lambda: Aggregate("claims.amount_cents", ("customer_id",), "count", ALL), "expected no column"),
        (lambda: Aggregate("claims", ("channel",), "count", ALL), "of customer_id, .*; found .'channel'"),
        (lambda: Aggregate("claims.device_id", ("customer_id",), "sum", ALL), "a column of numbers, not of identifiers"),
        (lambda: Aggregate("claims.amount_cents", ("customer_id",), "distinct", ALL), "expected one of customer_id"),
        (lambda: Aggregate("claims.amount_cents", ("customer_id",), "sum", ALL, among="examined"), "among only with 'rate'"),
        (lambda: Computed("nameless", (), lambda facts: np.zeros(1)), "expected a function defined with a name"),
    ],
)
def test_a_declaration_without_meaning_is_refused(make: object, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        make()  # type: ignore[operator]
