"""The law of rows written column by column: each is, to the last byte, what it is when it is written alone."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts import CONTRACTS, DECISIONS
from data_contracts.contract import Contract
from serving.written import json_of, plain
from serving.written_columns import bodies_in, plain_columns
from tests.serving.cases import town
from tests.strategies import MANY, sound_rows

numbers = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.0, -0.0, 1.0, 1e-4, 9.999e-5, 1e15, 1e16, 0.1]))
texts = st.text(alphabet=st.characters(codec="utf-8"), max_size=6)


def table_of(contract: Contract, rows: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=contract.arrow)


@MANY
@given(st.data())
def test_every_row_of_a_table_is_the_bytes_of_that_row_written_alone(data: st.DataObject) -> None:
    contract = data.draw(st.sampled_from(list(CONTRACTS.values())))
    models = [contract.model.model_validate(row) for row in data.draw(st.lists(sound_rows(contract), max_size=4))]
    rows = [plain(model) for model in models]
    table = table_of(contract, rows)
    assert bodies_in(contract, table).to_pylist() == [json_of(contract, row) for row in rows]
    assert plain_columns(contract, table) == [[row[column.name] for row in rows] for column in contract.columns]


@MANY
@given(st.lists(st.tuples(numbers, texts), min_size=1, max_size=12))
def test_numbers_of_every_size_and_texts_of_every_kind_are_written_as_python_writes_them(drawn: list[tuple[float, str]]) -> None:
    some = pa.Table.from_pandas(town(1, 5).decisions, schema=DECISIONS.arrow, preserve_index=False).to_pylist()[0]
    rows = [some | {"p_valid": number, "reasons": text} for number, text in drawn]
    found = [json.loads(body) for body in bodies_in(DECISIONS, table_of(DECISIONS, rows)).to_pylist()]
    assert [(repr(row["p_valid"]), row["reasons"]) for row in found] == [(repr(number), text) for number, text in drawn]
    plainly = [
        dict(zip(row, values, strict=True))
        for row, values in zip(rows, zip(*plain_columns(DECISIONS, table_of(DECISIONS, rows)), strict=True), strict=True)
    ]
    assert bodies_in(DECISIONS, table_of(DECISIONS, rows)).to_pylist() == [json_of(DECISIONS, row) for row in plainly]


def test_a_number_that_is_none_is_refused() -> None:
    table = pa.Table.from_pandas(town(3, 5).decisions.assign(p_valid=pd.Series([0.1, float("inf"), 0.2])), schema=DECISIONS.arrow)
    with pytest.raises(ValueError, match="Out of range float"):
        bodies_in(DECISIONS, table)
