"""The store's tables: those that hold a contract hold it column by column, and every claim of a log refers to a known one."""

from __future__ import annotations

import pytest
from sqlalchemy import BigInteger, Boolean, Double, String

from data_contracts import ANSWERS, CLAIMS, DECISIONS, RESOLUTIONS, Contract
from serving.schema import METADATA

CONTRACTS = pytest.mark.parametrize("contract", [CLAIMS, DECISIONS, ANSWERS, RESOLUTIONS], ids=lambda contract: contract.name)


@CONTRACTS
def test_a_contracts_table_has_its_columns_in_its_order_as_nullable_as_it_says(contract: Contract) -> None:
    columns = METADATA.tables[contract.name].columns
    assert [(c.name, bool(c.nullable)) for c in columns] == [(c.name, c.nullable) for c in contract.columns]
    assert [c.name for c in METADATA.tables[contract.name].primary_key] == [contract.key]


@CONTRACTS
def test_instants_and_money_are_whole_numbers_of_64_bits_and_only_instants_are_read_back_as_such(contract: Contract) -> None:
    expected = {"string": String, "integer": BigInteger, "number": Double, "boolean": Boolean, "instant": BigInteger}
    columns = METADATA.tables[contract.name].columns
    assert all(isinstance(columns[c.name].type, expected[c.kind]) for c in contract.columns)
    assert [bool(columns[c.name].info.get("instant")) for c in contract.columns] == [c.kind == "instant" for c in contract.columns]


def test_every_table_has_a_key_and_no_key_is_given_out_by_the_database() -> None:
    for table in METADATA.tables.values():
        assert len(table.primary_key) > 0, table.name
        assert not any(column.nullable for column in table.primary_key), table.name
        assert table.autoincrement_column is None, table.name
