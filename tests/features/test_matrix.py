"""The laws of the one entry point: as of filing, indifferent to order, the same for one claim as for all."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts import CONTRACTS
from features.catalog import CATALOG, Catalog
from features.entry import Entry
from features.facts import Facts, FeatureError
from features.matrix import build_matrix
from features.spec import Aggregate, Computed, Selection, Window
from tests.features.tables import random_tables
from tests.strategies import FEW, marketplaces

Tables = dict[str, pd.DataFrame]


def must_equal(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def known_before(tables: Tables, now: pd.Timestamp) -> Tables:
    """Delete everything that was not known strictly before an instant; a delivery still to come is not known either."""
    known = {
        name: frame[[c for c in (CONTRACTS[name].known_at, "recorded_at") if c in frame]].max(axis=1) for name, frame in tables.items()
    }
    past = {name: frame[known[name] < now].reset_index(drop=True) for name, frame in tables.items()}
    orders = past["orders"]
    return past | {"orders": orders.assign(delivered_at=orders.delivered_at.where(orders.delivered_at < now))}


@FEW
@given(marketplaces(late=0.3), st.integers(0, 10_000))
def test_nothing_from_the_instant_of_filing_on_is_ever_used(tables: Tables, draw: int) -> None:
    claims = tables["claims"]
    now = claims.filed_at.iloc[draw % len(claims)]
    asked = claims[claims.filed_at <= now].reset_index(drop=True)
    must_equal(build_matrix(known_before(tables, now), asked), build_matrix(tables, asked))


@FEW
@given(marketplaces(late=0.3), marketplaces(late=0.9), st.integers(0, 10_000))
def test_events_that_arrive_late_change_no_row_filed_before_they_were_recorded(tables: Tables, others: Tables, draw: int) -> None:
    claims = tables["claims"]
    now = claims.filed_at.iloc[draw % len(claims)]
    late = {name: others[name].copy() for name in ("orders", "returns", "claims", "resolutions")}
    for name, own in (("orders", "order_id"), ("returns", "return_id"), ("claims", "claim_id"), ("resolutions", "resolution_id")):
        late[name][own] = "L" + late[name][own]
        if name != "resolutions":
            late[name]["recorded_at"] = late[name][[CONTRACTS[name].known_at, "recorded_at"]].max(axis=1).clip(lower=now)
    late["resolutions"]["claim_id"] = "L" + late["resolutions"]["claim_id"]
    more = tables | {name: pd.concat([tables[name], frame], ignore_index=True) for name, frame in late.items()}
    asked = claims[claims.filed_at <= now].reset_index(drop=True)
    must_equal(build_matrix(more, asked), build_matrix(tables, asked))


def test_a_story_or_picture_counts_as_used_only_from_when_its_claim_was_recorded() -> None:
    claims = random_tables(1)["claims"].head(3).assign(narrative="smoke came out of the cable at night", photo_hash="00ff00ff00ff00ff")
    claims["customer_id"] = ["K1", "K2", "K3"]
    filed = pd.to_datetime(["2025-01-01", "2025-01-03", "2025-01-09"], utc=True).astype("datetime64[us, UTC]")
    recorded = pd.to_datetime(["2025-01-05", None, None], utc=True).astype("datetime64[us, UTC]")
    matrix = build_matrix({"claims": claims.assign(filed_at=filed, recorded_at=recorded)})
    for kind in ("narrative", "photo"):
        assert matrix[f"{kind}_reuse_others"].tolist() == [0, 0, 2]
        assert matrix[f"{kind}_days_since_reuse_others"].tolist()[2] == 4, "since the later of the two came in"


@FEW
@given(marketplaces(late=0.3), st.integers(0, 10_000))
def test_a_claim_alone_has_the_row_that_it_has_among_all(tables: Tables, draw: int) -> None:
    everything = build_matrix(tables)
    row = draw % len(everything)
    must_equal(build_matrix(tables, tables["claims"].iloc[[row]]), everything.iloc[[row]])
    others = {**tables, "claims": tables["claims"].drop(index=row).reset_index(drop=True)}
    alone = build_matrix(others, tables["claims"].iloc[[row]])
    # A claim still outside the tables has the same row, too, as its own events never count; its resolutions need the claim.
    must_equal(alone, everything.iloc[[row]])


@FEW
@given(marketplaces(late=0.3), st.integers(0, 10_000))
def test_the_order_of_rows_changes_nothing(tables: Tables, seed: int) -> None:
    shuffled = {name: frame.sample(frac=1.0, random_state=seed + i) for i, (name, frame) in enumerate(tables.items())}
    must_equal(build_matrix(shuffled).loc[tables["claims"].claim_id.to_numpy()], build_matrix(tables))


def letters(facts: Facts) -> np.ndarray:
    """Length of the narrative: a feature that no declaration can say."""
    return np.array([len(text or "") for text in facts.texts("probes", "narrative").to_pylist()], dtype=np.float64)


def test_a_new_feature_is_one_entry_in_a_catalogue_and_nothing_else() -> None:
    tables = random_tables(3)
    units = Entry(Aggregate("orders.quantity", ("seller_id",), "sum", Window(60)), "units sold", "count", 0, "seller_history", "units sold")
    phoned = Entry(
        Aggregate("phoned", ("customer_id",), "count", Window(90)), "calls", "count", 0, "customer_history", "claims by telephone"
    )
    length = Entry(Computed("narrative_letters", ("probes.narrative",), letters), "letters", "count", 0, "claim_form", "long story")
    catalog = Catalog((*CATALOG, units, phoned, length), {"phoned": Selection("claims", "filed_at", "channel", ("phone",))})
    matrix = build_matrix(tables, catalog=catalog)
    must_equal(matrix[list(CATALOG.names)], build_matrix(tables))
    for claim in tables["claims"].itertuples():
        orders, claims = tables["orders"], tables["claims"]
        sold = orders[(orders.seller_id == claim.seller_id) & orders.ordered_at.between(*span(claim.filed_at, 60), inclusive="left")]
        calls = claims[(claims.customer_id == claim.customer_id) & (claims.channel == "phone")]
        row = matrix.loc[claim.claim_id]
        assert row["orders_sum_quantity_seller_60d"] == sold.quantity.sum()
        assert row["phoned_count_customer_90d"] == calls.filed_at.between(*span(claim.filed_at, 90), inclusive="left").sum()
        assert row["narrative_letters"] == len(claim.narrative)


def span(now: pd.Timestamp, days: int) -> tuple[pd.Timestamp, pd.Timestamp]:
    return now - pd.Timedelta(days=days), now


def too_few(facts: Facts) -> np.ndarray:
    return np.zeros(2)


def test_a_function_must_return_one_number_per_claim_and_is_left_out_without_what_it_needs() -> None:
    tables = random_tables(3)
    broken = Catalog((Entry(Computed("two", (), too_few), "two", "count", 0, "claim_form", "two"),))
    with pytest.raises(
        FeatureError, match=r"two: expected \(30,\) numbers, one per claim, found float64 of shape \(2,\) from tests.*too_few"
    ):
        build_matrix(tables, catalog=broken)
    needy = Catalog((Entry(Computed("two", ("visits.seen_at",), too_few), "two", "count", 0, "claim_form", "two"),))
    assert list(build_matrix(tables, catalog=needy)) == []


def test_columns_are_the_catalogue_in_its_order_and_all_float() -> None:
    tables = random_tables(1)
    matrix = build_matrix(tables)
    assert tuple(matrix.columns) == CATALOG.names
    assert matrix.index.tolist() == tables["claims"].claim_id.tolist() and matrix.index.name == "claim_id"
    assert (matrix.dtypes == "float64").all()
    assert not np.isinf(matrix.to_numpy()).any()


def test_inputs_stay_as_they_were() -> None:
    tables = random_tables(1)
    before = {name: frame.copy(deep=True) for name, frame in tables.items()}
    build_matrix(tables)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(tables[name], frame)


@pytest.mark.parametrize("table", ["orders", "returns", "resolutions", "seller_events", "customers", "sellers", "products"])
def test_a_missing_table_takes_only_its_own_features_along(table: str) -> None:
    tables = random_tables(2)
    everything = build_matrix(tables)
    less = build_matrix({name: frame for name, frame in tables.items() if name != table})
    assert 0 < everything.shape[1] - less.shape[1] < 45
    assert set(less) < set(everything)


@pytest.mark.parametrize("column", ["device_id", "phone_id", "narrative", "photo_hash", "order_id", "amount_cents", "product_id", "kind"])
def test_a_missing_column_of_the_claims_takes_only_its_own_features_along(column: str) -> None:
    tables = random_tables(2)
    everything = build_matrix(tables)
    less = build_matrix({**tables, "claims": tables["claims"].drop(columns=column)})
    assert 0 < everything.shape[1] - less.shape[1] < 40
    # What remains and does not combine several linking entities is as it was.
    same = [name for name in less if not name.startswith(("link_", "burst_", "sightings_"))]
    must_equal(less[same], everything[same])


def test_empty_tables_are_histories_in_which_nothing_happened() -> None:
    tables = random_tables(3)
    empty = {name: frame if name == "claims" else frame.iloc[:0] for name, frame in tables.items()}
    matrix = build_matrix(empty)
    assert tuple(matrix.columns) == CATALOG.names
    assert (matrix["orders_count_customer_all"] == 0).all() and (matrix["standing_sum_abusive_customer_all"] == 0).all()
    assert matrix["orders_since_last_customer_all"].isna().all() and matrix["order_amount"].isna().all()


def test_no_claims_give_an_empty_matrix_with_every_column() -> None:
    tables = random_tables(3)
    matrix = build_matrix({**tables, "claims": tables["claims"].iloc[:0], "resolutions": tables["resolutions"].iloc[:0]})
    assert matrix.shape == (0, len(CATALOG)) and (matrix.dtypes == "float64").all()
    assert build_matrix(tables, tables["claims"].iloc[:0]).shape == (0, len(CATALOG))


def test_claims_with_hardly_a_column_are_enough_and_bring_their_own() -> None:
    claims = pd.DataFrame(
        {
            "claim_id": ["C1", "C2"],
            "filed_at": pd.to_datetime(["2016-01-01", "2016-02-01"], utc=True),
            "site": ["local", None],
            "age": [3, 5],
        }
    )
    matrix = build_matrix({"claims": claims}, extras={"site": "categorical", "age": "numeric"})
    assert list(matrix.columns) == ["claim_hour", "claim_weekend", "site", "age"]
    assert matrix["site"].dtype == "category" and matrix["site"].isna().tolist() == [False, True]
    assert matrix["age"].tolist() == [3.0, 5.0]


def test_leaving_groups_out_changes_no_other_column() -> None:
    tables = random_tables(4)
    less = build_matrix(tables, catalog=CATALOG.without("links", "duplicates"))
    must_equal(less, build_matrix(tables)[list(less.columns)])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.drop(columns="filed_at"), "expected the columns claim_id and filed_at"),
        (lambda c: c.assign(filed_at=c.filed_at.where(c.index > 0)), "expected a value in every row, found 1 missing"),
        (lambda c: pd.concat([c, c.head(1)]), "'C0' twice"),
        (lambda c: c.assign(filed_at="yesterday"), "expected times in UTC, found str such as 'yesterday'"),
    ],
)
def test_claims_that_cannot_be_placed_in_time_are_refused(change: object, words: str) -> None:
    with pytest.raises(FeatureError, match=words):
        build_matrix({"claims": change(random_tables(1)["claims"])})  # type: ignore[operator]


def test_what_is_missing_is_named() -> None:
    with pytest.raises(FeatureError, match="expected a table 'claims' or probes, found \\['orders'\\]"):
        build_matrix({"orders": random_tables(1)["orders"]})
    with pytest.raises(FeatureError, match="found no site, age"):
        build_matrix(random_tables(1), extras={"site": "categorical", "age": "numeric"})


def test_importing_the_features_loads_no_slow_library() -> None:
    code = "import sys, features.matrix; print([m for m in ('mlflow', 'great_expectations', 'sklearn', 'lightgbm') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "[]"
