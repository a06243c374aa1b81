"""The law of written rows: what is written as JSON is read back by the row model as it was, and equal rows are equal bytes."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from data_contracts import CONTRACTS
from serving.written import bodies_of, json_of, plain
from tests.strategies import MANY, sound_rows


@MANY
@given(st.data())
def test_a_row_written_as_json_is_read_back_as_it_was(data: st.DataObject) -> None:
    contract = data.draw(st.sampled_from(list(CONTRACTS.values())))
    row = contract.model.model_validate(data.draw(sound_rows(contract)))
    body = json_of(contract, plain(row))
    assert contract.model.model_validate_json(body) == row == contract.model.model_validate(json.loads(body))
    assert json_of(contract, plain(contract.model.model_validate_json(body))) == body
    assert list(json.loads(body)) == [column.name for column in contract.columns]


@MANY
@given(st.data())
def test_rows_written_column_after_column_are_the_bytes_of_each_written_alone(data: st.DataObject) -> None:
    contract = data.draw(st.sampled_from(list(CONTRACTS.values())))
    rows = [plain(contract.model.model_validate(row)) for row in data.draw(st.lists(sound_rows(contract), max_size=4))]
    columns = {column.name: [row[column.name] for row in rows] for column in contract.columns}
    assert bodies_of(contract, columns) == [json_of(contract, row) for row in rows]
