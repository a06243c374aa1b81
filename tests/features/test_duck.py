"""Dealing rows to buckets: a row that a claim may ask about is always kept, what nobody asks about is mostly left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.duck import Duck
from features.shares import Share
from features.stored import Stored

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
