"""The law of whole tables: they are sound exactly where the check accepts every row of them as it is."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from data_contracts import CLAIMS, CONTRACTS, SELLERS
from data_contracts.check import check, to_arrow
from data_contracts.contract import Contract
from data_contracts.sound import is_sound
from tests.strategies import JUNK, MANY, instants, sound_rows

OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.sampled_from([text for text in JUNK if isinstance(text, str)]),
    "integer": st.sampled_from([-1, 0, 1, 100, 101, 100_000_001, 2**62]),
    "number": st.sampled_from([float("nan"), float("inf"), -0.0, -1e-9, 1.0, 1.0000001, 1e-7]),
    "boolean": st.booleans(),
    "instant": instants(),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[Contract, pa.Table]:
    """Some rows in the types of a contract, most of them sound, up to two values of one replaced."""
    contract = draw(st.sampled_from(list(CONTRACTS.values())))
    rows = draw(st.lists(sound_rows(contract), max_size=4))
    for name in draw(st.lists(st.sampled_from([column.name for column in contract.columns]), max_size=2)) if rows else ():
        rows[0][name] = draw(st.none() | OTHERS[contract.column(name).kind])
    return contract, pa.Table.from_pylist(rows, schema=contract.arrow)


@MANY
@given(tables())
def test_a_table_is_sound_exactly_where_every_row_is_accepted_as_it_is(drawn: tuple[Contract, pa.Table]) -> None:
    contract, table = drawn
    found = check(table.to_pandas(date_as_object=False), contract)
    accepted = not len(found.quarantined) and to_arrow(found.accepted, contract).equals(table)
    assert is_sound(table, contract) == accepted


def test_other_columns_or_types_are_not_sound() -> None:
    empty = CLAIMS.arrow.empty_table()
    assert is_sound(empty, CLAIMS)
    assert not is_sound(empty.select(list(reversed(empty.schema.names))), CLAIMS)
    assert not is_sound(empty.drop_columns("recorded_at"), CLAIMS)
    assert not is_sound(empty.set_column(0, "claim_id", pa.array([], pa.large_string())), CLAIMS)


def test_keys_are_compared_across_the_pieces_of_a_table() -> None:
    row = {"seller_id": "S1", "joined_at": 1, "country": "US", "category": "home", "recorded_at": None}
    one, other = (pa.Table.from_pylist([row | {"seller_id": key}], schema=SELLERS.arrow) for key in ("S1", "S2"))
    assert is_sound(pa.concat_tables([one, other]), SELLERS) and not is_sound(pa.concat_tables([one, other, one]), SELLERS)
