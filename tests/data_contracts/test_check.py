"""The check: nothing is lost, every reason is told, and the columns judge as the row model does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from data_contracts import CLAIMS, CONTRACTS, CUSTOMERS, ORDERS, SELLERS, ContractError
from data_contracts.check import REASONS, check, to_arrow
from data_contracts.contract import Contract
from pipelines.source import read_file
from tests.strategies import as_text, frames, sound_rows, spoilt_rows, text_frame

TABLES = list(CONTRACTS.values())
any_table = st.sampled_from(TABLES)


def seller(**changes: Any) -> dict[str, Any]:
    return {"seller_id": "S1", "joined_at": "2025-01-01T00:00:00Z", "country": "US", "category": "home"} | changes


def model_accepts(row: dict[str, Any], contract: Contract) -> bool:
    try:
        contract.model.model_validate(row)
    except ValidationError:
        return False
    return True


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_accepted_and_quarantined_are_together_what_was_read(data: st.DataObject) -> None:
    contract = data.draw(any_table)
    frame = data.draw(frames(contract))
    before = frame.copy()
    found = check(frame, contract)
    assert len(found.accepted) + len(found.quarantined) == len(frame) == found.read
    pd.testing.assert_frame_equal(frame, before)
    assert found.quarantined[REASONS].str.contains("expected").all()
    assert {c.name: c.pandas for c in contract.columns} == found.accepted.dtypes.astype(str).to_dict()
    to_arrow(found.accepted, contract).validate(full=True)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_the_columns_judge_each_row_as_the_row_model_does(data: st.DataObject) -> None:
    contract = data.draw(any_table)
    sound, row = data.draw(sound_rows(contract)), data.draw(spoilt_rows(contract))
    around = [sound | {contract.key: key} for key in ("one..", "two..")]
    found = check(text_frame([around[0], row, around[1]], contract), contract)
    texts = {name: as_text(value) for name, value in row.items()}
    judged = model_accepts(texts, contract)
    assert (len(found.accepted) == 3) == judged, (texts, found.quarantined[REASONS].tolist())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_order_of_the_rows_changes_nothing_but_their_order(data: st.DataObject) -> None:
    contract = data.draw(any_table)
    frame = data.draw(frames(contract))
    order = data.draw(st.permutations(range(len(frame))))
    one, two = check(frame, contract), check(frame.iloc[list(order)], contract)
    for left, right in ((one.accepted, two.accepted), (one.quarantined, two.quarantined)):
        assert sorted(left.astype("str").fillna("").itertuples(index=False)) == sorted(
            right.astype("str").fillna("").itertuples(index=False)
        )
    assert one.tally == two.tally


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_checked_frame_is_accepted_whole_when_checked_again(data: st.DataObject) -> None:
    contract = data.draw(any_table)
    accepted = check(data.draw(frames(contract)), contract).accepted
    again = check(accepted, contract)
    assert len(again.quarantined) == 0
    pd.testing.assert_frame_equal(again.accepted, accepted)


@pytest.mark.parametrize("contract", TABLES, ids=lambda c: c.name)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_csv_and_parquet_of_the_same_rows_are_accepted_alike(contract: Contract, data: st.DataObject, tmp_path_factory: Any) -> None:
    rows = data.draw(st.lists(sound_rows(contract), min_size=1, max_size=5, unique_by=lambda row: row[contract.key]))
    folder: Path = tmp_path_factory.mktemp("rows")
    typed = check(text_frame(rows, contract), contract).accepted
    assert len(typed) == len(rows)
    pq.write_table(to_arrow(typed, contract), folder / "rows.parquet")
    text_frame(rows, contract).to_csv(folder / "rows.csv", index=False)
    for name in ("rows.parquet", "rows.csv"):
        again = check(read_file(folder / name, contract).frame, contract)
        pd.testing.assert_frame_equal(again.accepted, typed)


def test_every_reason_of_a_row_is_told() -> None:
    rows = pd.DataFrame([seller(), seller(seller_id="two words", joined_at="soon", country="usa", category=""), seller(seller_id="S3")])
    [reasons] = check(rows, SELLERS).quarantined[REASONS]
    assert [reason.split(":")[0] for reason in reasons.split("; ")] == ["seller_id", "joined_at", "country", "category"]


@settings(max_examples=40, deadline=None)
@given(st.sets(st.sampled_from(["seller_id", "joined_at", "country", "category"])))
def test_there_is_exactly_one_reason_for_each_spoilt_column(names: set[str]) -> None:
    spoilt = seller(seller_id="S2") | dict.fromkeys(names, "?? ")
    names = names - {"category"}
    found = check(pd.DataFrame([seller(), spoilt]), SELLERS)
    told = [r.split(":")[0] for text in found.quarantined[REASONS] for r in text.split("; ")]
    assert sorted(told) == sorted(names)
    assert sum(found.tally.values()) == len(names)


def test_of_a_repeated_key_the_first_in_time_stays_wherever_it_stands() -> None:
    rows = [seller(joined_at="2025-01-02T00:00:00Z"), seller(category="toys"), seller(seller_id="S2")]
    for order in ([0, 1, 2], [1, 0, 2], [2, 0, 1]):
        found = check(pd.DataFrame([rows[i] for i in order]), SELLERS)
        assert sorted(found.accepted.category) == ["home", "toys"]
        assert "expected a key not used before" in found.quarantined[REASONS].item()


def test_a_row_quarantined_for_another_reason_does_not_take_the_key_from_a_sound_one() -> None:
    parents = {"customers": pd.DataFrame({"customer_id": ["C1"], "created_at": pd.to_datetime(["2024-01-01T00:00Z"])})}
    order = dict.fromkeys(ORDERS.model.model_fields, "x") | {
        "order_id": "O1", "ordered_at": "2025-01-01T00:00:00Z", "delivered_at": None, "quantity": "1", "amount_cents": "5",
        "recorded_at": None,
    }  # fmt: skip
    found = check(pd.DataFrame([order | {"customer_id": "nobody"}, order | {"customer_id": "C1"}]), ORDERS, parents)
    assert found.accepted.customer_id.tolist() == ["C1"]
    assert found.quarantined[REASONS].str.contains("expected a row of customers").all()
    assert found.quarantined[REASONS].str.contains("not used before").all()


def test_a_key_of_an_earlier_batch_is_quarantined() -> None:
    found = check(pd.DataFrame([seller(), seller(seller_id="S2")]), SELLERS, taken=pd.Index(["S2", "S9"], dtype="str"))
    assert found.accepted.seller_id.tolist() == ["S1"]
    assert "already in the lake, found 'S2'" in found.quarantined[REASONS].item()


def test_references_must_resolve_agree_and_be_in_time() -> None:
    moment = pd.to_datetime(["2025-03-01T00:00:00Z"])
    parents = {
        "customers": pd.DataFrame({"customer_id": ["C1"], "created_at": moment}),
        "products": pd.DataFrame({"product_id": ["P1"], "seller_id": ["S1"], "listed_at": moment}),
    }
    good = {
        "order_id": "O1", "customer_id": "C1", "seller_id": "S1", "product_id": "P1", "ordered_at": "2025-03-01T00:00:00Z",
        "delivered_at": None, "quantity": "1", "amount_cents": "100", "device_id": "d", "address_id": "a", "payment_id": "p",
    }  # fmt: skip
    rows = [
        good,
        good | {"order_id": "O2", "customer_id": "C2"},
        good | {"order_id": "O3", "seller_id": "S2"},
        good | {"order_id": "O4", "ordered_at": "2025-02-28T23:59:59.999999Z"},
        good | {"order_id": "O5", "delivered_at": "2025-02-28T00:00:00Z"},
    ]
    found = check(pd.DataFrame(rows), ORDERS, parents)
    assert found.accepted.order_id.tolist() == ["O1"]
    lost, other, early, backwards = found.quarantined[REASONS]
    assert lost == "customer_id: expected a row of customers, found 'C2'"
    assert other == "seller_id: expected the seller_id of the row of products that product_id names, found 'S2'"
    assert early.split("; ")[0].startswith("ordered_at: expected not before created_at of customers") and len(early.split("; ")) == 2
    assert backwards.startswith("delivered_at: expected ordered_at ≤ delivered_at")
    assert len(check(pd.DataFrame(rows), ORDERS, {"customers": parents["customers"].iloc[:0]}).accepted) == 0


def test_an_optional_column_may_be_left_out_and_is_then_there_and_empty() -> None:
    order = dict.fromkeys(ORDERS.model.model_fields, "x") | {
        "ordered_at": "2025-01-01T00:00:00Z", "delivered_at": None, "quantity": "1", "amount_cents": "5", "recorded_at": None
    }  # fmt: skip
    without = pd.DataFrame([order, order | {"order_id": "?"}]).drop(columns="recorded_at")
    found, said = check(without, ORDERS), check(pd.DataFrame([order, order | {"order_id": "?"}]), ORDERS)
    pd.testing.assert_frame_equal(found.accepted, said.accepted)
    assert list(found.accepted.columns) == ORDERS.arrow.names and str(found.accepted.recorded_at.dtype) == "datetime64[us, UTC]"
    assert list(found.quarantined.columns) == [*without.columns, REASONS], "what is quarantined is what was read"


def test_a_row_recorded_before_it_happened_is_quarantined() -> None:
    order = dict.fromkeys(ORDERS.model.model_fields, "x") | {"ordered_at": "2025-01-01T00:00:00Z", "delivered_at": None}
    order |= {"quantity": "1", "amount_cents": "5"}
    late = ["2025-01-01T00:00:00Z", "2024-12-31T23:59:59Z"]
    found = check(pd.DataFrame([order | {"order_id": str(i), "recorded_at": at} for i, at in enumerate(late)]), ORDERS)
    assert found.accepted.order_id.tolist() == ["0"]
    assert found.quarantined[REASONS].item().startswith("recorded_at: expected ordered_at ≤ recorded_at")


def test_a_missing_unknown_or_doubled_column_is_one_clear_error() -> None:
    frame = pd.DataFrame([seller(), seller(seller_id="S2")])
    with pytest.raises(ContractError, match=r"sellers: expected the columns .* missing: country; unknown: land; rename"):
        check(frame.rename(columns={"country": "land"}), SELLERS)
    with pytest.raises(ContractError, match="more than once: country"):
        check(pd.concat([frame, frame[["country"]]], axis=1), SELLERS)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("joined_at", ["yesterday", "today"]),
        ("joined_at", [1, 2]),
        ("joined_at", pd.to_datetime(["2025-01-01", "2025-01-02"])),
        ("country", [1, 2]),
        ("country", [True, False]),
        ("country", [["US"], ["DE", "FR"]]),
    ],
)
def test_a_column_without_a_single_value_of_its_type_is_refused(column: str, values: Any) -> None:
    frame = pd.DataFrame([seller(), seller(seller_id="S2")])
    frame[column] = values
    with pytest.raises(ContractError, match=f"sellers.{column}: expected .* no value of the column has the right type"):
        check(frame, SELLERS)


def test_a_single_bad_value_never_refuses_a_file() -> None:
    order = dict.fromkeys(ORDERS.model.model_fields, "x") | {
        "ordered_at": "2025-01-01T00:00:00Z", "delivered_at": None, "quantity": "1", "amount_cents": "5",
        "recorded_at": None,
    }  # fmt: skip
    found = check(pd.DataFrame([order | {"order_id": "1", "delivered_at": "soon"}, order | {"order_id": "2"}]), ORDERS)
    assert found.accepted.order_id.tolist() == ["2"]


@pytest.mark.parametrize("contract", TABLES, ids=lambda c: c.name)
def test_a_table_without_rows_is_accepted_as_it_is(contract: Contract) -> None:
    found = check(pd.DataFrame(columns=contract.arrow.names), contract)
    assert found.read == 0
    assert found.accepted.dtypes.astype(str).to_dict() == {c.name: c.pandas for c in contract.columns}


def test_money_keeps_to_whole_cents_between_zero_and_the_cap() -> None:
    claim = dict.fromkeys(CLAIMS.model.model_fields, "x") | {
        "kind": "injury", "channel": "app", "incident_at": "2025-01-01T00:00:00Z", "filed_at": "2025-01-02T00:00:00Z", "photo_hash": None,
        "photo_count": "0", "has_receipt": "true", "has_dated_photo": "false", "has_medical_record": "false",
        "recorded_at": None,
    }  # fmt: skip
    amounts = ["1", "100000000", "0", "100000001", "-5", "1.5", "99999999999999999999", "1e999", ""]
    found = check(pd.DataFrame([claim | {"claim_id": str(i), "amount_cents": a} for i, a in enumerate(amounts)]), CLAIMS)
    assert found.accepted.amount_cents.tolist() == [1, 100_000_000]


def test_moments_survive_to_the_microsecond_and_other_zones_are_told_apart() -> None:
    texts = ["2025-01-01T00:00:00.123456Z", "2025-01-01T00:00:00+00:00", "2025-01-01T01:00:00+01:00", "2025-01-01T00:00:00"]
    rows = pd.DataFrame([{"customer_id": str(i), "created_at": t, "region": "r", "email_verified": "true"} for i, t in enumerate(texts)])
    found = check(rows, CUSTOMERS)
    assert found.accepted.created_at.dt.microsecond.tolist() == [123456, 0]
    zoned = rows.assign(created_at=pd.to_datetime(["2025-01-01T01:00+01:00"] * 4)).assign(email_verified=[True, False] * 2)
    assert (check(zoned, CUSTOMERS).accepted.created_at == datetime(2025, 1, 1, tzinfo=UTC)).all()


def test_a_nullable_integer_and_boolean_keep_their_gaps() -> None:
    from pydantic import Field

    wide = SELLERS.adapted(extra={"stars": (int | None, Field(ge=0, le=5)), "vip": (bool | None, Field())})
    rows = pd.DataFrame(
        [seller(stars="3", vip="true"), seller(seller_id="S2", stars=None, vip=""), seller(seller_id="S3", stars="9", vip="no?")]
    )
    found = check(rows, wide)
    assert found.accepted.stars.tolist() == [3, pd.NA]
    assert found.accepted.dtypes[["stars", "vip"]].astype(str).tolist() == ["Int64", "boolean"]
    assert to_arrow(found.accepted, wide).column("stars").to_pylist() == [3, None]
    assert len(found.quarantined[REASONS].item().split("; ")) == 2


def test_floats_that_hold_whole_numbers_are_integers_and_others_are_not() -> None:
    rows = pd.DataFrame(
        {
            "product_id": ["1", "2", "3", "4"],
            "seller_id": "S",
            "category": "c",
            "listed_at": pd.to_datetime(["2025-01-01T00:00Z"] * 4),
            "price_cents": [5.0, 5.5, np.nan, np.inf],
        }
    )
    found = check(rows, CONTRACTS["products"])
    assert found.accepted.price_cents.tolist() == [5]
    assert pa.types.is_int64(to_arrow(found.accepted, CONTRACTS["products"]).schema.field("price_cents").type)
