"""Sources know a fact from the instant it was learned, and a standing sums to what stood."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from features.facts import Facts, FeatureError
from features.history import NEVER
from features.sources import SOURCES, STANDING_COLUMNS, select
from features.spec import Selection
from tests.features.tables import random_tables
from tests.strategies import FEW, marketplaces

Tables = dict[str, pd.DataFrame]


def microseconds(times: pd.Series) -> np.ndarray:
    return times.dt.as_unit("us").astype("int64").to_numpy()


@FEW
@given(marketplaces(late=0.3))
def test_changes_before_an_instant_sum_to_what_stood_then(tables: Tables) -> None:
    facts = Facts(tables, tables["claims"])
    standing = select(facts, "standing")
    assert standing is not None
    history = tables["resolutions"].sort_values(["known_at", "resolution_id"])
    recorded = history.claim_id.map(tables["claims"].set_index("claim_id").recorded_at)
    history = history.assign(t=microseconds(pd.concat([history.known_at, recorded], axis=1).max(axis=1)))
    for now in sorted({*history.t, *(history.t + 1)}):
        known = history[history.t < now]
        state = pd.DataFrame(
            {"outcome": known.groupby("claim_id").outcome.last(), "paid_cents": known.groupby("claim_id").paid_cents.last()}
        )
        labels = known.dropna(subset="label").groupby("claim_id").label.last()
        expected = {
            "examined": len(labels),
            "abusive": (labels == "abusive").sum(),
            "unsubstantiated": (labels == "unsubstantiated").sum(),
            "paid": (state.outcome == "paid").sum(),
            "denied": (state.outcome != "paid").sum(),
            "paid_cents": state.paid_cents.sum(),
        }
        assert {n: standing.columns[n][standing.times < now].sum() for n in STANDING_COLUMNS} == expected


def test_an_overturned_finding_no_longer_counts_and_a_payment_without_label_overturns_nothing() -> None:
    tables = random_tables(1)
    claim = tables["claims"].iloc[0]
    known = claim.filed_at + pd.to_timedelta([1, 2, 3], unit="D")
    tables["resolutions"] = (
        tables["resolutions"]
        .head(3)
        .assign(
            claim_id=claim.claim_id,
            known_at=known,
            label=pd.array(["abusive", None, "valid"], dtype="str"),
            outcome=["denied_abusive", "paid", "paid"],
        )
    )
    standing = select(Facts(tables, tables["claims"]), "standing")
    assert standing is not None
    assert standing.columns["abusive"].tolist() == [1, 0, -1]
    assert standing.columns["examined"].tolist() == [1, 0, 0]
    assert standing.columns["denied"].tolist() == [1, -1, 0]


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_is_in_time_order_and_absent_without_its_table(source: str) -> None:
    tables = random_tables(5)
    events = select(Facts(tables, tables["claims"]), source)
    assert events is not None and len(events.times) and (np.diff(events.times) >= 0).all()
    assert all(len(column) == len(events.times) for column in events.columns.values())
    assert select(Facts({}, tables["claims"]), source) is None


def test_a_row_counts_from_when_it_was_recorded_if_that_was_later_than_it_happened() -> None:
    tables = random_tables(5, late=0.5)
    for source, at in (("orders", "ordered_at"), ("returns", "returned_at"), ("claims", "filed_at")):
        events = select(Facts(tables, tables["claims"]), source)
        late = tables[source].recorded_at > tables[source][at]
        expected = tables[source][at].where(~late, tables[source].recorded_at)
        assert events is not None and late.any() and events.times.tolist() == sorted(microseconds(expected))


def test_a_source_of_the_catalogue_is_read_like_any_other_and_needs_no_registration_of_its_numbers() -> None:
    tables = random_tables(5)
    visits = tables["orders"].rename(columns={"ordered_at": "seen_at", "quantity": "pages"})
    facts = Facts({"visits": visits}, tables["claims"], {"visits": Selection("visits", "seen_at")})
    events = select(facts, "visits", ["pages"])
    assert events is not None and events.columns["pages"].sum() == visits.pages.sum()
    with pytest.raises(FeatureError, match=r"source 'visits': expected columns of order_id, .*pages.*; found 'page'"):
        select(facts, "visits", ["page"])
    assert select(Facts({}, tables["claims"], facts.sources), "visits") is None


def test_a_column_that_only_these_tables_lack_is_left_out_and_one_that_nobody_knows_is_refused() -> None:
    tables = random_tables(5)
    facts = Facts({"orders": tables["orders"].drop(columns="quantity")}, tables["claims"])
    events = select(facts, "orders", ["quantity", "amount_cents"])
    assert events is not None and "quantity" not in events.columns and "amount_cents" in events.columns
    for source in ("orders", "standing"):
        with pytest.raises(FeatureError, match=f"source '{source}': expected columns of .*; found 'quantty'"):
            select(Facts(tables, tables["claims"]), source, ["quantty"])
    with pytest.raises(FeatureError, match="expected whole numbers or truths, found str such as 'late'"):
        select(Facts(tables, tables["claims"]), "returns", ["reason"])


def test_events_of_unknown_time_are_left_out() -> None:
    tables = random_tables(5)
    orders = tables["orders"].assign(ordered_at=tables["orders"].ordered_at.where(tables["orders"].index % 2 == 0))
    events = select(Facts({"orders": orders}, tables["claims"]), "orders")
    assert events is not None and len(events.times) == orders.ordered_at.notna().sum() and NEVER not in events.times


def test_a_source_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(FeatureError, match=r"expected one of orders, returns, .* found 'oders'"):
        select(Facts({}, random_tables(1)["claims"]), "oders")
