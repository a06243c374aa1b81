"""The laws of what is known by name: references are judged as the batch judges them, and a repetition is told from a contradiction."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts import CONTRACTS, Contract
from data_contracts.check import check
from pipelines.simulate import simulate
from serving.driver import Driver
from serving.known import KnownRow, broken_references, change, differing, keep, kept_of, look_up, named, print_of, prints_of, stamped
from serving.store import Store, columns_of, rows_of
from tests.strategies import MANY, sound_rows

TABLES = simulate(orders=300, claims=50, seed=6, dirt=0.0).tables
REFERRING = [contract for contract in CONTRACTS.values() if contract.references and contract.name in TABLES and len(TABLES[contract.name])]
KNOWN = {
    named(name, row[CONTRACTS[name].key]): KnownRow(kept_of(name, row), b"")
    for name, frame in TABLES.items()
    if name in ("customers", "sellers", "products", "orders", "claims")
    for row in rows_of(CONTRACTS[name], frame)
}


@MANY
@given(st.sampled_from(REFERRING), st.data())
def test_references_of_one_row_are_judged_as_the_check_judges_a_table(contract: Contract, data: st.DataObject) -> None:
    frame = TABLES[contract.name]
    row = frame.iloc[[data.draw(st.integers(0, len(frame) - 1))]].reset_index(drop=True)
    other = frame.iloc[data.draw(st.integers(0, len(frame) - 1))]
    for rule in contract.references:
        for name in (rule.column, *rule.agree):
            row.loc[0, name] = data.draw(st.sampled_from([row.loc[0, name], other[name], "nobody"]))
        for own, _ in rule.not_before:
            row.loc[0, own] -= pd.Timedelta(days=data.draw(st.sampled_from([0, 0, 3000])))
    found = broken_references(contract, rows_of(contract, row)[0], KNOWN)
    told = check(row, contract, TABLES).tally
    orderings = {f"{rule.later}: expected {rule.earlier} ≤ {rule.later}" for rule in contract.orderings}
    assert {f"{v.field}: expected {v.expected}" for v in found} == set(told) - orderings


@MANY
@given(st.sampled_from(list(CONTRACTS.values())), st.data())
def test_a_print_names_exactly_the_columns_that_differ_less_those_the_marketplace_stamps(contract: Contract, data: st.DataObject) -> None:
    one, other = data.draw(sound_rows(contract)), data.draw(sound_rows(contract))
    names = data.draw(st.sets(st.sampled_from([column.name for column in contract.columns])))
    mixed: dict[str, Any] = {name: other[name] if name in names else one[name] for name in one}
    found = differing(contract, print_of(contract, one), print_of(contract, mixed))
    assert found == [c.name for c in contract.columns if mixed[c.name] != one[c.name] and c.name not in stamped(contract)]


def test_the_prints_of_many_rows_are_those_of_each() -> None:
    for name, frame in TABLES.items():
        contract = CONTRACTS[name]
        assert prints_of(contract, columns_of(contract, frame)) == [print_of(contract, row) for row in rows_of(contract, frame)]


def test_rows_are_found_by_name_and_the_last_word_counts(store_url: str) -> None:
    with Store(store_url) as store, store.write() as tx:
        driver = Driver(tx)
        keep(driver, [(f"orders/O{i}", [f"C{i}", None, i], b"\x00\xff") for i in range(3000)])
        change(driver, [("orders/O5", ["other"], b"x"), ("orders/new", [], b"")])
        found = look_up(driver, [*(f"orders/O{i}" for i in range(2999, -1, -1)), "orders/none", "orders/new", "orders/new"])
        assert len(found) == 3001
        assert found["orders/O7"] == KnownRow(["C7", None, 7], b"\x00\xff")
        assert found["orders/O5"] == KnownRow(["other"], b"x")
        assert look_up(driver, []) == {}


def test_a_name_is_kept_once(store_url: str) -> None:
    with Store(store_url) as store, pytest.raises(Exception, match=r"(?i)unique"), store.write() as tx:
        keep(Driver(tx), [("a/b", [], b""), ("a/b", [], b"")])
