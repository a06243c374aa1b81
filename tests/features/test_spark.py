"""The laws of the Spark carrier: the local matrix to the last byte, one session for all tests of this file.

A session takes seconds to start, so under xdist these tests should stay in one process (``--dist loadgroup``); elsewhere
they are merely slower.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features import spark
from features.catalog import CATALOG
from features.facts import FeatureError
from tests.features.stored import FEATURES, local_file, stored, with_gaps
from tests.features.tables import random_tables
from tests.spark import serving

pytestmark = [
    pytest.mark.xdist_group("spark"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Any, str]]:
    """A local session and its address as a server of Spark Connect."""
    with serving() as found:
        yield found


@pytest.fixture
def opened(served: tuple[Any, str]) -> Any:
    return served[0]


def test_the_file_that_spark_makes_is_the_local_file(opened: Any, tmp_path: Path) -> None:
    tables = with_gaps(random_tables(7, orders=2_000, claims=400, customers=60, entities=40), 9)
    path = tmp_path / "spark.parquet"
    told: list[tuple[str, int, int]] = []
    rows, columns = spark.build(
        opened, stored(tables, tmp_path), path, FEATURES, CATALOG.sources, buckets=3, report=lambda *s: told.append(s)
    )
    assert path.read_bytes() == local_file(tables, tmp_path / "local.parquet")
    assert (rows, columns) == (400, len(CATALOG)) and told[-1][1:] == (1, 1)
    assert not [found for found in tmp_path.iterdir() if found.name.startswith(".")]


def test_the_file_that_spark_connect_makes_is_the_local_file(served: tuple[Any, str], tmp_path: Path) -> None:
    tables = with_gaps(random_tables(8, orders=1_000, claims=200, customers=60, entities=40), 9)
    stored(tables, tmp_path)
    client = [sys.executable, "-m", "tests.features.connected", served[1], str(tmp_path)]
    done = subprocess.run(client, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "pyspark.sql.connect.session"
    assert (tmp_path / "connected.parquet").read_bytes() == local_file(tables, tmp_path / "local.parquet")


def test_what_the_tables_lack_is_left_out_as_locally(opened: Any, tmp_path: Path) -> None:
    tables = random_tables(2)
    claims = tables["claims"].drop(columns=["device_id", "narrative", "photo_hash", "phone_id", "payment_id", "address_id"])
    less = {"claims": claims, "orders": tables["orders"].iloc[:0], "sellers": tables["sellers"]}
    path = tmp_path / "spark.parquet"
    spark.build(opened, stored(less, tmp_path), path, FEATURES, CATALOG.sources)
    assert path.read_bytes() == local_file(less, tmp_path / "local.parquet")


def test_claims_that_cannot_be_placed_are_refused_and_nothing_is_left(opened: Any, tmp_path: Path) -> None:
    claims = random_tables(1)["claims"]
    held = stored({"claims": pd.concat([claims, claims.head(1)])}, tmp_path)
    with pytest.raises(FeatureError, match="'C0' twice"):
        spark.build(opened, held, tmp_path / "spark.parquet", FEATURES)
    assert not [found for found in tmp_path.iterdir() if found.name.startswith(".")]
