"""Windowed features equal SQL over sources written anew, to the last bit."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalog import CATALOG
from features.facts import Facts
from features.spec import ALL, Aggregate, Closed, Difference, How, Ratio, Window, Windowed
from features.windows import evaluate
from tests.features import oracle
from tests.features.tables import random_tables
from tests.strategies import FEW, marketplaces

WINDOWED: list[Windowed] = [entry.feature for entry in CATALOG if isinstance(entry.feature, Windowed)]
COLUMN: dict[How, str] = {
    **dict.fromkeys(("sum", "mean", "min", "max", "last"), "claims.amount_cents"),
    "rate": "claims.has_receipt",
    **dict.fromkeys(("first_seen", "distinct"), "claims.device_id"),
    **dict.fromkeys(("count", "since_first", "since_last"), "claims"),
}


def must_equal(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, column in expected.items():
        np.testing.assert_array_equal(found[name], column, err_msg=name)


@settings(FEW, max_examples=6)  # some two hundred queries each
@given(marketplaces(late=0.3))
def test_every_windowed_feature_of_the_catalogue_equals_sql(tables: dict[str, pd.DataFrame]) -> None:
    must_equal(evaluate(WINDOWED, Facts(tables, tables["claims"])), oracle.compute(WINDOWED, tables, tables["claims"]))


@pytest.mark.parametrize("closed", ["left", "right", "both", "neither"])
@FEW
@given(tables=marketplaces(late=0.3), days=st.integers(1, 60) | st.none(), lag=st.integers(0, 10))
def test_every_statistic_over_any_window_equals_sql(closed: Closed, tables: dict[str, pd.DataFrame], days: int | None, lag: int) -> None:
    keys = [("product_id",), ("seller_id", "device_id"), ("customer_id", "seller_id", "address_id")]
    features = [Aggregate(on, by, how, Window(days, lag, closed)) for (how, on), by in product(COLUMN.items(), keys)]
    must_equal(evaluate(features, Facts(tables, tables["claims"])), oracle.compute(features, tables, tables["claims"]))


@FEW
@given(tables=marketplaces(late=0.3), missing=st.sampled_from(["quantity", "amount_cents", "gift", "delivered_at"]))
def test_any_number_truth_or_instant_of_the_table_can_be_read_and_a_missing_one_is_no_value(
    tables: dict[str, pd.DataFrame], missing: str
) -> None:
    """What reads a column passes over events without a value in it, as SQL does; the other columns are not touched by that."""
    orders = tables["orders"].assign(gift=pd.array(tables["orders"].amount_cents % 2 == 0, dtype="boolean"))
    hidden = orders.order_id.str.endswith(("1", "4", "7"))
    tables = tables | {"orders": orders.assign(**{missing: orders[missing].mask(hidden)})}
    hows: list[How] = ["sum", "mean", "min", "max", "last"]
    features = [Aggregate(f"orders.{c}", ("customer_id",), how, Window(40)) for c in ("quantity", "amount_cents") for how in hows]
    features += [Aggregate("orders.gift", ("seller_id",), "rate", ALL), Aggregate("orders", ("seller_id",), "count", ALL)]
    found = evaluate(features, Facts(tables, tables["claims"]))
    must_equal(found, oracle.compute(features, tables, tables["claims"]))
    arrived = Aggregate("orders.delivered_at", ("customer_id",), "max", ALL)
    latest = evaluate([arrived], Facts(tables, tables["claims"]))[arrived.name]
    for value, claim in zip(latest, tables["claims"].itertuples(), strict=True):
        mine = tables["orders"][(tables["orders"].customer_id == claim.customer_id) & (tables["orders"].ordered_at < claim.filed_at)]
        expected = mine.delivered_at[mine.recorded_at.fillna(mine.ordered_at) < claim.filed_at].max()
        assert np.isnan(value) if pd.isna(expected) else value == expected.value // 1000


@FEW
@given(tables=marketplaces(late=0.3), days=st.integers(1, 90) | st.none())
def test_a_rate_is_of_the_outcomes_known_and_ratios_and_differences_may_be_of_one_another(
    tables: dict[str, pd.DataFrame], days: int | None
) -> None:
    over = Window(days)
    found = [Aggregate(f"standing.{what}", ("seller_id",), "rate", over, among="examined") for what in ("abusive", "unsubstantiated")]
    per_order = [
        Ratio(Aggregate("claims", ("seller_id",), "count", span), Aggregate("orders", ("seller_id",), "count", span))
        for span in (over, ALL)
    ]
    nested: list[Windowed] = [*found, Ratio(*found), Difference(*per_order), Ratio(Difference(*per_order), found[0])]
    must_equal(evaluate(nested, Facts(tables, tables["claims"])), oracle.compute(nested, tables, tables["claims"]))


def test_of_events_at_one_instant_the_last_value_is_the_largest_in_any_order_of_rows() -> None:
    claims = random_tables(1)["claims"].head(4).copy()
    now = claims.filed_at.iloc[0]
    claims["customer_id"] = pd.array(["K"] * 4, dtype="str")
    claims["filed_at"] = [now - pd.Timedelta(days=2), now - pd.Timedelta(days=1), now - pd.Timedelta(days=1), now]
    claims["amount_cents"] = [900, 300, 200, 100]
    latest = Aggregate("claims.amount_cents", ("customer_id",), "last", ALL)
    for rows in (claims, claims.iloc[::-1].reset_index(drop=True)):
        found = pd.Series(evaluate([latest], Facts({"claims": rows}, rows))[latest.name], index=rows.claim_id)[claims.claim_id].to_numpy()
        np.testing.assert_array_equal(found, [np.nan, 900, 900, 300])


def test_a_larger_marketplace_equals_sql_too() -> None:
    tables = random_tables(7, orders=4_000, claims=800, customers=300, entities=400, step_us=3_600_000_000, days=400)
    must_equal(evaluate(WINDOWED, Facts(tables, tables["claims"])), oracle.compute(WINDOWED, tables, tables["claims"]))


def test_a_claim_without_a_key_has_no_history_rather_than_an_empty_one() -> None:
    claims = random_tables(1)["claims"].head(2).copy()
    claims["phone_id"] = pd.array([None, "T9"], dtype="str")
    found = evaluate([Aggregate("claims", ("phone_id",), "count", ALL)], Facts({"claims": claims}, claims))
    np.testing.assert_array_equal(found["claims_count_phone_all"], [np.nan, 0.0])


def test_a_source_or_column_that_is_not_there_leaves_its_features_out() -> None:
    claims = random_tables(1)["claims"].drop(columns=["device_id", "amount_cents"])
    features = [
        Aggregate("orders", ("customer_id",), "count", ALL),
        Aggregate("claims", ("device_id",), "count", ALL),
        Aggregate("claims.amount_cents", ("customer_id",), "sum", ALL),
        Aggregate("claims", ("customer_id",), "count", ALL),
    ]
    assert list(evaluate(features, Facts({"claims": claims}, claims))) == ["claims_count_customer_all"]
