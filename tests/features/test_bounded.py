"""The laws of the bounded carrier: the local matrix to the last byte, nothing left behind, and no start without enough memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import bounded
from features.bounded import LEAST
from features.facts import Facts, FeatureError
from features.spec import ALL, Aggregate, Computed, Selection
from features.stored import Stored
from features.windows import evaluate
from tests.features.stored import FEATURES, local_file, stored, with_gaps
from tests.features.tables import random_tables
from tests.strategies import FEW, marketplaces


def bounded_file(tables: dict[str, pd.DataFrame], folder: Path, **options: int) -> bytes:
    path = folder / "bounded.parquet"
    bounded.build(stored(tables, folder), path, FEATURES, **options)
    return path.read_bytes()


def agree(tables: dict[str, pd.DataFrame], **options: int) -> bool:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return bounded_file(tables, folder, **options) == local_file(tables, folder / "local.parquet")


@settings(FEW, max_examples=4)
@given(marketplaces(), st.integers(1, 4), st.integers(1, 3), st.integers(2, 9))
def test_the_bounded_file_is_the_local_file(tables: dict[str, pd.DataFrame], buckets: int, cuts: int, every: int) -> None:
    assert agree(with_gaps(tables, every), buckets=buckets, cuts=cuts)


def test_the_bounded_file_of_many_orders_is_the_local_file() -> None:
    tables = random_tables(7, orders=60_000, claims=6_000, customers=900, entities=700, step_us=1_000_000, days=700)
    assert agree(with_gaps(tables, 50), buckets=2, cuts=5)


@pytest.mark.parametrize("table", ["orders", "returns", "resolutions", "seller_events", "customers", "sellers", "products"])
def test_a_missing_or_empty_table_is_missing_or_empty_in_both(table: str) -> None:
    tables = random_tables(2)
    assert agree({name: frame for name, frame in tables.items() if name != table})
    assert agree({name: frame.iloc[:0] if name == table else frame for name, frame in tables.items()})


@pytest.mark.parametrize("column", ["device_id", "narrative", "photo_hash", "order_id", "product_id", "kind", "customer_id"])
def test_a_missing_column_is_missing_in_both(column: str) -> None:
    tables = random_tables(2)
    assert agree({**tables, "claims": tables["claims"].drop(columns=column)}, buckets=2)


def test_a_source_of_a_catalogue_may_know_its_customer_otherwise_than_by_the_claim() -> None:
    tables = random_tables(5)
    moved = tables["resolutions"].assign(customer_id=tables["resolutions"]["customer_id"].iloc[::-1].to_numpy())
    tables["resolutions"] = moved
    wanted = [Aggregate(on, ("customer_id",), "count", ALL) for on in ("answers_given", "standing")]
    sources = {"answers_given": Selection("resolutions", "resolved_at")}
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "found.parquet"
        bounded.build(stored(tables, Path(name)), path, wanted, sources, buckets=3)
        found = pd.read_parquet(path)
    expected = evaluate(wanted, Facts(tables, tables["claims"], sources))
    pd.testing.assert_frame_equal(found, pd.DataFrame(expected, index=found.index), check_exact=True)
    assert not np.array_equal(found.iloc[:, 0], found.iloc[:, 1])


def test_no_claims_give_an_empty_matrix_with_every_column() -> None:
    tables = random_tables(3)
    assert agree({**tables, "claims": tables["claims"].iloc[:0]})


def test_a_table_without_files_is_empty(tmp_path: Path) -> None:
    tables = random_tables(3)
    held = stored(tables, tmp_path)
    held["returns"] = Stored((), held["returns"].schema)
    bounded.build(held, tmp_path / "found.parquet", FEATURES)
    expected = local_file({**tables, "returns": tables["returns"].iloc[:0]}, tmp_path / "local.parquet")
    assert (tmp_path / "found.parquet").read_bytes() == expected


def test_a_file_may_lack_a_column_that_another_has(tmp_path: Path) -> None:
    tables = with_gaps(random_tables(4), 3)
    held = stored(tables, tmp_path)
    for name in ("claims", "orders"):
        first = held[name].files[0]
        table = pq.read_table(first)
        pq.write_table(table.drop_columns("recorded_at"), first)
        rows = tables[name].index < len(table)
        tables[name] = tables[name].assign(recorded_at=tables[name]["recorded_at"].mask(rows))
    held = {name: Stored.of(table.files) for name, table in held.items()}
    bounded.build(held, tmp_path / "found.parquet", FEATURES, buckets=2)
    assert (tmp_path / "found.parquet").read_bytes() == local_file(tables, tmp_path / "local.parquet")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.drop(columns="filed_at"), "expected the columns claim_id and filed_at"),
        (lambda c: c.assign(filed_at=c.filed_at.where(c.index > 0)), "probes.filed_at: expected a value in every row"),
        (lambda c: pd.concat([c, c.head(1)]), "'C0' twice"),
        (lambda c: c.assign(filed_at="yesterday"), "expected times in UTC, found str"),
    ],
)
def test_claims_that_cannot_be_placed_in_time_are_refused_and_nothing_is_left(change: object, words: str, tmp_path: Path) -> None:
    tables = random_tables(1)
    with pytest.raises(FeatureError, match=words):
        bounded_file({**tables, "claims": change(tables["claims"])}, tmp_path)  # type: ignore[operator]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".") or path.name == "bounded.parquet"]


def ones(facts: Facts) -> np.ndarray:
    return np.ones(len(facts.probes))


def test_a_feature_of_the_users_is_refused_by_name(tmp_path: Path) -> None:
    held = stored(random_tables(1), tmp_path)
    with pytest.raises(FeatureError, match=r"mine: computed by the function .*ones, which only the local engine runs"):
        bounded.build(held, tmp_path / "found.parquet", [*FEATURES, Computed("mine", (), ones)])


def test_too_little_memory_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match=r"memory: expected at least 1\.0 GB, found 0\.5 GB"):
        bounded.build(stored(random_tables(1), tmp_path), tmp_path / "found.parquet", FEATURES, memory=LEAST // 2)


def test_stories_that_memory_cannot_hold_are_refused_before_they_are_compared(tmp_path: Path) -> None:
    tables = random_tables(1)
    tables["claims"] = tables["claims"].assign(narrative="it melted " * 300_000)
    held = stored(tables, tmp_path)
    with pytest.raises(FeatureError, match=r"duplicates: .* 90,\d+,\d+ bytes of narrative .*; allow 0\.40 GB more, or leave"):
        bounded.build(held, tmp_path / "found.parquet", FEATURES, memory=LEAST)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".") or path.name == "found.parquet"]


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_uses_is_not(tmp_path: Path) -> None:
    dead, alive = tmp_path / ".buckets-4194999-x", tmp_path / f".buckets-{os.getppid()}-x"
    for folder in (dead, alive):
        (folder / "customer_id").mkdir(parents=True)
    bounded_file(random_tables(1), tmp_path)
    assert alive.exists() and not dead.exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == [alive.name]


def test_progress_ends_where_it_said_it_would(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    bounded.build(stored(random_tables(1), tmp_path), tmp_path / "found.parquet", FEATURES, report=lambda *step: told.append(step))
    last = {what: (done, total) for what, done, total in told}
    assert list(last) == [
        *(f"by {k}" for k in ["customer", "seller", "product", "order", "device", "address", "payment", "phone"]),
        "links",
        "duplicates",
        "writing",
    ]
    assert all(done == total > 0 for done, total in last.values())
