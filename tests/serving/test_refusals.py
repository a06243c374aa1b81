"""What is said of a refused row: every field that is wrong, in the words of its contract, and nothing too long."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data_contracts import CONTRACTS, SELLERS
from serving.refusals import InvalidRowError, Violation, shown, violations_of
from tests.strategies import MANY, spoilt_rows

SELLER = {"seller_id": "S1", "joined_at": "2025-01-01T00:00:00Z", "country": "US", "category": "home"}


@MANY
@given(st.data())
def test_whatever_a_row_model_finds_is_told_by_field_and_in_the_contracts_words(data: st.DataObject) -> None:
    contract = data.draw(st.sampled_from(list(CONTRACTS.values())))
    row = data.draw(spoilt_rows(contract))
    try:
        contract.model.model_validate(row)
    except ValidationError as error:
        found = violations_of(error, contract)
        columns = {column.name: column.expected for column in contract.columns}
        orderings = {f"{rule.earlier} ≤ {rule.later}" for rule in contract.orderings}
        assert found and all(v.expected in (columns[v.field], *orderings) and 0 < len(v.found) <= 81 for v in found)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"colour": "red"},
            Violation("colour", "one of the fields seller_id, joined_at, country, category, recorded_at", "a field of another name"),
        ),
        ({"recorded_at": "2024-01-01T00:00:00Z"}, ("recorded_at", "joined_at ≤ recorded_at")),
        ({"category": None}, ("category", "text of 1 to 32 characters")),
    ],
)
def test_each_kind_of_fault_names_its_field(changed: dict[str, Any], told: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        SELLERS.model.model_validate(SELLER | changed)
    (found,) = violations_of(refused.value, SELLERS)
    assert found == told or (found.field, found.expected) == told


def test_what_is_no_row_at_all_is_told_as_such_and_all_reasons_stand_in_the_message() -> None:
    with pytest.raises(ValidationError) as refused:
        SELLERS.model.model_validate("x" * 500)
    (found,) = violations_of(refused.value, SELLERS)
    assert found.field == "row" and "sellers" in found.expected
    error = InvalidRowError("sellers S1", [found, Violation("country", "text", shown(5))])
    assert "sellers S1: row: expected" in str(error) and "country: expected text, found 5" in str(error)
