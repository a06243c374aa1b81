"""The lake as the console asks it, against the tables read whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from data_contracts import CONTRACTS
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.lake_records import LakeRecords
from pipelines.simulated import simulate_into
from pipelines.validate import validate
from serving.instants import micros

ASKED = [
    ("claims", "customer_id"),
    ("claims", "device_id"),
    ("orders", "customer_id"),
    ("returns", "customer_id"),
    ("customers", "customer_id"),
    ("sellers", "seller_id"),
    ("seller_events", "seller_id"),
    ("products", "product_id"),
    ("resolutions", "claim_id"),
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    home = Home(tmp_path_factory.mktemp("lake"))
    simulate_into(home, 800, 80, seed=1)
    validate(home, docs=False)
    return Lake(home.root)


@pytest.mark.parametrize(("table", "column"), ASKED)
def test_rows_are_the_tables_own_as_known_before_the_instant(lake: Lake, table: str, column: str) -> None:
    contract, whole = CONTRACTS[table], lake.tables()[table]
    known = whole[contract.known_at]
    before = known.sort_values().iloc[len(known) // 2]
    values = sorted(set(whole[column]))[::3]
    found = LakeRecords(lake).rows(table, column, values, micros(before.to_pydatetime()), 10_000)
    expected = whole[whole[column].isin(values) & (known < before)]
    assert sorted(row[contract.key] for row in found) == sorted(expected[contract.key])
    events = [row[contract.event_time] for row in found]
    assert events == sorted(events, reverse=True)
    for row in found[:20]:
        mine = expected[expected[contract.key] == row[contract.key]].iloc[0]
        for name, value in row.items():
            told = mine[name]
            assert value is None if pd.isna(told) else value == (micros(told.to_pydatetime()) if isinstance(told, pd.Timestamp) else told)


def test_a_column_that_is_none_is_refused_and_never_part_of_a_query(lake: Lake) -> None:
    with pytest.raises(KeyError):
        LakeRecords(lake).rows("claims", "1=1) --", ["x"], 9, 9)


def test_values_are_never_part_of_a_query(lake: Lake) -> None:
    assert LakeRecords(lake).rows("claims", "claim_id", ["' OR 1=1 --", '"', "\x00"], 2**60, 9) == []


def test_without_a_batch_there_is_nothing(tmp_path: Path) -> None:
    records = LakeRecords(Lake(tmp_path))
    assert records.latest(2**60, 5) == [] == records.rows("orders", "customer_id", ["K1"], 2**60, 5)


def test_many_may_ask_at_once(lake: Lake) -> None:
    records = LakeRecords(lake)
    alone = records.latest(2**60, 50)
    with ThreadPoolExecutor(4) as threads:
        assert all(found == alone for found in threads.map(lambda _: records.latest(2**60, 50), range(16)))
