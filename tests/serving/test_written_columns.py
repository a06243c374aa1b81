"""The law of rows taken as columns: they are the plain values of the rows, and what all rows share is found once."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from data_contracts import CONTRACTS
from serving.written import plain
from serving.written_columns import plain_columns, shared_values
from tests.strategies import MANY, sound_rows


@MANY
@given(st.data())
def test_the_columns_of_a_table_are_the_plain_values_of_its_rows(data: st.DataObject) -> None:
    contract = data.draw(st.sampled_from(list(CONTRACTS.values())))
    models = [contract.model.model_validate(row) for row in data.draw(st.lists(sound_rows(contract), max_size=4))]
    rows = [plain(model) for model in models]
    table = pa.Table.from_pylist(rows, schema=contract.arrow)
    assert plain_columns(contract, table) == [[row[column.name] for row in rows] for column in contract.columns]


values = st.one_of(st.none(), st.sampled_from([0.0, -0.0, 1.5]))


@MANY
@given(st.lists(values, min_size=1, max_size=4), st.lists(st.sampled_from([None, "a", ""]), min_size=4, max_size=4))
def test_what_all_rows_share_is_found_and_nothing_else(numbers: list[float | None], texts: list[str | None]) -> None:
    columns: dict[str, list[Any]] = {"numbers": numbers, "texts": texts[: len(numbers)]}
    table = pa.table({"numbers": pa.array(columns["numbers"], pa.float64()), "texts": pa.array(columns["texts"], pa.string())})
    found = shared_values(table)
    assert found == {name: column[0] for name, column in columns.items() if len({repr(abs(v) if v == 0 else v) for v in column}) == 1}
