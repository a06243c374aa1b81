"""Dealing rows to buckets: a row that a claim may ask about is always kept, what nobody asks about is mostly left out."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.duck import Duck, in_order
from features.shares import Share
from features.stored import Stored
from tests.strategies import FEW

CLAIMS, ORDERS = 500, 20_000


def duck(folder: Path, asked: list[str | None], ordered: list[str | None]) -> Duck:
    tables = {
        "claims": pa.table({"claim_id": [f"C{i}" for i in range(len(asked))], "customer_id": pa.array(asked, pa.string())}),
        "orders": pa.table({"customer_id": pa.array(ordered, pa.string()), "number": np.arange(len(ordered))}),
    }
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    scratch = folder / "scratch"
    scratch.mkdir()
    return Duck({name: Stored.of([folder / f"{name}.parquet"]) for name in tables}, scratch, 1 << 28)


SHARE = Share("customer_id", (), (), {"orders": ("customer_id", "number"), "claims": ("claim_id", "customer_id")})


@pytest.mark.parametrize("buckets", [1, 7])
def test_every_row_of_a_key_that_is_asked_about_lies_once_in_the_bucket_of_its_claims(buckets: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    asked = [f"K{i}" for i in rng.integers(0, 4_000, CLAIMS)]
    ordered = [f"K{i}" for i in rng.integers(0, 4_000, ORDERS)]
    found: list[int] = []
    for bucket in duck(tmp_path, asked, ordered).dealt(SHARE, buckets):
        tables = bucket.tables()
        here = set(tables["claims"]["customer_id"])
        found += tables["orders"]["number"][tables["orders"]["customer_id"].isin(here)].tolist()
    assert sorted(found) == [number for number, key in enumerate(ordered) if key in set(asked)]


def test_rows_that_nobody_asks_about_are_mostly_left_out(tmp_path: Path) -> None:
    ordered = [*(f"K{i}" for i in range(ORDERS)), *[None] * ORDERS]
    asked: list[str | None] = [f"K{i}" for i in range(CLAIMS - 1)]
    bucket = next(duck(tmp_path, [*asked, None], ordered).dealt(SHARE, 1))
    kept = bucket.tables()["orders"]["customer_id"]
    assert kept.notna().sum() < ORDERS / 2  # half of the places are marked at most, wherever the hashes fall
    assert kept.isna().sum() in (0, ORDERS)  # one hash, so all or none of them
    assert set(asked) <= set(kept)


@given(st.lists(st.integers(-5, 5) | st.integers(-(2**62), 2**62), max_size=300), st.integers(1, 40))
@settings(FEW)
def test_rows_in_order_of_a_column_are_all_rows_sorted_and_equal_ones_come_together(values: list[int], rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        pq.write_table(pa.table({"at": pa.array(values, pa.int64()), "row": np.arange(len(values))}), file, row_group_size=37)
        pieces = [*in_order(file, "at", rows)]
        assert [path.name for path in Path(folder).iterdir()] == ["rows.parquet"]
    found = pa.concat_tables(pieces).to_pydict() if pieces else {"at": [], "row": []}
    assert found["at"] == sorted(values)
    assert [values[row] for row in found["row"]] == found["at"] and sorted(found["row"]) == list(range(len(values)))
    for one, other in pairwise(pieces):
        assert one["at"][-1].as_py() < other["at"][0].as_py()
