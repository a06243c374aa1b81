"""Windowed features equal SQL over sources written anew, to the last bit."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalog import CATALOG
from features.facts import Facts
from features.spec import ALL, Aggregate, Closed, Direct, How, Window, Windowed
from features.windows import evaluate
from tests.features import oracle
from tests.features.tables import random_tables
from tests.strategies import FEW, marketplaces

WINDOWED: list[Windowed] = [entry.feature for entry in CATALOG if not isinstance(entry.feature, Direct)]
COLUMN: dict[How, str] = {
    **dict.fromkeys(("sum", "mean", "min", "max"), "claims.amount_cents"),
    **dict.fromkeys(("first_seen", "distinct"), "claims.device_id"),
    **dict.fromkeys(("count", "since_first", "since_last"), "claims"),
}


def must_equal(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, column in expected.items():
        np.testing.assert_array_equal(found[name], column, err_msg=name)


@FEW
@given(marketplaces())
def test_every_windowed_feature_of_the_catalogue_equals_sql(tables: dict[str, pd.DataFrame]) -> None:
    must_equal(evaluate(WINDOWED, Facts(tables, tables["claims"])), oracle.compute(WINDOWED, tables, tables["claims"]))


@pytest.mark.parametrize("closed", ["left", "right", "both", "neither"])
@FEW
@given(tables=marketplaces(), days=st.integers(1, 60) | st.none(), lag=st.integers(0, 10))
def test_every_statistic_over_any_window_equals_sql(closed: Closed, tables: dict[str, pd.DataFrame], days: int | None, lag: int) -> None:
    keys = [("customer_id",), ("product_id",), ("seller_id", "device_id"), ("customer_id", "seller_id", "address_id")]
    features = [Aggregate(on, by, how, Window(days, lag, closed)) for (how, on), by in product(COLUMN.items(), keys)]
    must_equal(evaluate(features, Facts(tables, tables["claims"])), oracle.compute(features, tables, tables["claims"]))


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
