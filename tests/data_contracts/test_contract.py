"""The vocabulary: what is derived from a row model, and what a row model may not contain."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import pandas as pd
import pyarrow as pa
import pytest
from annotated_types import Gt
from pydantic import Field, ValidationError

from data_contracts import CLAIMS, CONTRACTS, LABELS, RESOLUTIONS, ContractError
from data_contracts.contract import Column, Contract, Instant, Row

TABLES = list(CONTRACTS.values())


@pytest.mark.parametrize("contract", TABLES, ids=lambda c: c.name)
def test_key_and_times_are_required_columns_of_their_table(contract: Contract) -> None:
    assert contract.column(contract.key).kind == "string"
    for name in (contract.key, contract.event_time, contract.known_at):
        assert not contract.column(name).nullable
    for name in (contract.event_time, contract.known_at):
        assert contract.column(name).kind == "instant"


@pytest.mark.parametrize("contract", TABLES, ids=lambda c: c.name)
def test_references_and_orderings_name_columns_that_exist_and_tables_that_come_first(contract: Contract) -> None:
    before = list(CONTRACTS)[: list(CONTRACTS).index(contract.name)]
    for rule in contract.references:
        assert rule.table in before
        there = CONTRACTS[rule.table]
        assert rule.column == there.key, "a reference names the other table's key"
        for name in rule.agree:
            assert contract.column(name).kind == there.column(name).kind
        for own, theirs in rule.not_before:
            assert contract.column(own).kind == there.column(theirs).kind == "instant"
    for order in contract.orderings:
        assert contract.column(order.earlier).kind == contract.column(order.later).kind == "instant"


@pytest.mark.parametrize("contract", TABLES, ids=lambda c: c.name)
def test_every_column_is_described_and_has_an_arrow_and_a_pandas_type(contract: Contract) -> None:
    assert contract.description.endswith(".") or contract.description
    for column in contract.columns:
        assert column.description, f"{contract.name}.{column.name} needs a description"
        assert column.arrow.nullable is column.nullable
        assert str(pd.Series([], dtype=column.pandas).dtype) == column.pandas
    assert contract.arrow.names == list(contract.model.model_fields)


def test_labels_are_the_three_classes_in_the_order_of_every_probability_vector() -> None:
    assert LABELS == ("valid", "unsubstantiated", "abusive")
    assert RESOLUTIONS.column("label").choices == LABELS


def test_no_amount_of_money_is_above_the_cap() -> None:
    for contract in TABLES:
        for column in contract.columns:
            if column.name.endswith("_cents") and contract.name != "decisions":
                assert column.kind == "integer", f"{contract.name}.{column.name}"
                assert column.ge is not None and column.ge >= 0 and column.le == 100_000_000, f"{contract.name}.{column.name}"


def test_a_row_out_of_order_in_time_is_refused_by_the_row_model() -> None:
    row = {"order_id": "o", "customer_id": "c", "seller_id": "s", "product_id": "p", "ordered_at": "2025-01-02T00:00:00Z", "quantity": 1,
           "delivered_at": "2025-01-01T00:00:00Z", "amount_cents": 1, "device_id": "d", "address_id": "a", "payment_id": "p"}  # fmt: skip
    with pytest.raises(ValidationError, match="expected ordered_at ≤ delivered_at"):
        CONTRACTS["orders"].model.model_validate(row)
    CONTRACTS["orders"].model.model_validate(row | {"delivered_at": None})


@pytest.mark.parametrize("value", [0, 1704067200, "1704067200", 1.5, "2024-01-01", "2024-01-01T00:00:00", "2024-01-01T00:00:00+01:00"])
def test_an_instant_is_written_out_in_utc_never_a_bare_number(value: Any) -> None:
    with pytest.raises(ValidationError, match="joined_at"):
        CONTRACTS["sellers"].model.model_validate({"seller_id": "s", "joined_at": value, "country": "US", "category": "c"})


def test_a_rule_that_whole_columns_could_not_judge_is_refused_at_definition() -> None:
    class Odd(Row):
        """A row with a rule that has no column form."""

        key_column: ClassVar[str] = "odd_id"
        event_column: ClassVar[str] = "at"
        known_column: ClassVar[str] = "at"
        odd_id: str
        at: Instant
        size: Annotated[int, Gt(3)]

    with pytest.raises(TypeError, match="expected ge, le"):
        _ = Contract("odd", Odd).columns
    with pytest.raises(TypeError, match="a contract's column is text"):
        Column.of("x", Field(annotation=list))  # type: ignore[call-overload]


def test_an_adapted_contract_drops_what_it_lacks_with_the_rules_that_need_it_and_adds_what_it_brings() -> None:
    adapted = CLAIMS.adapted(absent=("order_id", "incident_at"), extra={"age": (float | None, Field(ge=0, description="age"))})
    assert [c.name for c in adapted.columns if c.name not in {c.name for c in CLAIMS.columns}] == ["age"]
    assert [(rule.earlier, rule.later) for rule in adapted.orderings] == [("filed_at", "recorded_at")]
    assert "orders" not in {rule.table for rule in adapted.references}
    assert (adapted.key, adapted.event_time, adapted.known_at) == (CLAIMS.key, CLAIMS.event_time, CLAIMS.known_at)
    assert adapted.arrow.field("age").type == pa.float64()
    for absent in (("claim_id",), ("filed_at",), ("nonsense",)):
        with pytest.raises(ContractError, match="cannot leave out"):
            CLAIMS.adapted(absent=absent)


def test_an_unknown_column_is_a_key_error_that_names_the_table() -> None:
    with pytest.raises(KeyError, match="claims has no column 'colour'"):
        CLAIMS.column("colour")
