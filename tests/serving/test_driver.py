"""The laws of the driver's statements: any number of keys, the same answers from both databases."""

from __future__ import annotations

import pytest

from serving.driver import AT_ONCE, Driver
from serving.schema import AUDIT_LOG, MARKS
from serving.store import Store

TEXT = "SELECT name, at FROM marks WHERE name IN {keys}"


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, AT_ONCE, AT_ONCE + 1])
def test_any_number_of_keys_finds_each_row_once(store_url: str, size: int) -> None:
    with Store(store_url) as store, store.write() as tx:
        driver = Driver(tx)
        driver.add(MARKS, [(f"m{i}", i) for i in range(AT_ONCE + 9)])
        found = driver.among(TEXT, [f"m{i}" for i in range(size)] + ["none"] * (size > 0))
        assert sorted(found) == sorted((f"m{i}", i) for i in range(size))


def test_a_row_is_replaced_by_its_key_and_statements_take_their_values_in_order(store_url: str) -> None:
    with Store(store_url) as store, store.write() as tx:
        driver = Driver(tx)
        driver.add(MARKS, [("a", 1), ("b", 2)])
        driver.replace(MARKS, [("b", 3), ("c", 4)])
        driver.run("UPDATE marks SET at = at + ? WHERE name = ?", [(10, "a"), (20, "c")])
        assert driver.rows("SELECT name, at FROM marks WHERE at > ? ORDER BY name", (3,)) == [("a", 11), ("c", 24)]


@pytest.mark.parametrize("size", [0, 1, 127, 128, 129, 300])
@pytest.mark.parametrize("shared", [{}, {"at": -5}, {"kind": "event", "at": 7, "body": b"{}"}])
def test_rows_loaded_as_columns_are_those_that_were_added_one_by_one(store_url: str, size: int, shared: dict[str, object]) -> None:
    numbers, bodies = list(range(size)), [bytes([i % 256]) * 3 for i in range(size)]
    names = ("seq", "kind", "subject", "at", "body", "hash")
    whole = dict(zip(names, (numbers, ["event"] * size, [f"a\tb\\{i}" for i in numbers], numbers, bodies, bodies), strict=True))
    with Store(store_url) as store, store.write() as tx:
        driver = Driver(tx)
        driver.load(AUDIT_LOG, {name: values for name, values in whole.items() if name not in shared}, shared)
        found = driver.rows("SELECT seq, kind, subject, at, body, hash FROM audit_log ORDER BY seq")
        expected = zip(*({**whole, **{name: [value] * size for name, value in shared.items()}}[name] for name in names), strict=True)
        assert [(*row[:4], bytes(row[4]), bytes(row[5])) for row in found] == list(expected)
