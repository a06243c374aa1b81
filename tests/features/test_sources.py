"""Sources know a fact from the instant it was learned, and a standing sums to what stood."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from features.facts import Facts, FeatureError
from features.history import NEVER
from features.sources import SOURCES, STANDING_COLUMNS, select
from tests.features.tables import random_tables
from tests.strategies import FEW, marketplaces

Tables = dict[str, pd.DataFrame]


def microseconds(times: pd.Series) -> np.ndarray:
    return times.dt.as_unit("us").astype("int64").to_numpy()


@FEW
@given(marketplaces())
def test_changes_before_an_instant_sum_to_what_stood_then(tables: Tables) -> None:
    facts = Facts(tables, tables["claims"])
    standing = select(facts, "standing")
    assert standing is not None
    history = tables["resolutions"].sort_values(["known_at", "resolution_id"]).assign(t=lambda r: microseconds(r.known_at))
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


def test_events_of_unknown_time_are_left_out() -> None:
    tables = random_tables(5)
    orders = tables["orders"].assign(ordered_at=tables["orders"].ordered_at.where(tables["orders"].index % 2 == 0))
    events = select(Facts({"orders": orders}, tables["claims"]), "orders")
    assert events is not None and len(events.times) == orders.ordered_at.notna().sum() and NEVER not in events.times


def test_a_source_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(FeatureError, match=r"expected one of orders, returns, .* found 'oders'"):
        select(Facts({}, random_tables(1)["claims"]), "oders")
