"""The laws of the driver's statements: any number of keys, the same answers from both databases."""

from __future__ import annotations

import pytest

from serving.driver import AT_ONCE, Driver
from serving.schema import MARKS
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
