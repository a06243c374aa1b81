"""Clients of Spark Connect: tables are checked and claims priced by a server's workers as they are in this process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from pipelines.lake import Lake
from serving.store import Store
from tests.console import touchstone
from tests.pipelines.conftest import Market, command_line
from tests.spark import serving

pytestmark = [
    pytest.mark.xdist_group("spark"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving() as (_, found):
        yield found


def test_claims_are_priced_and_tables_checked_over_spark_connect_as_in_this_process(address: str, small: Market, tmp_path: Path) -> None:
    far, near = small.copy(tmp_path / "far"), small.copy(tmp_path / "near")
    arrived = tmp_path / "arrived"
    arrived.mkdir()
    shutil.copy(small.home.raw / "products.parquet", arrived)
    week = f"{small.simulation.live_from + timedelta(days=7):%Y-%m-%d}"
    verbs = (("score", "--as-of", week), ("validate", "--source", str(arrived), "--batch", "again", "--no-docs"))
    for verb in verbs:  # a process in which a classic session is open cannot open one of Spark Connect
        ran = command_line(*verb, "--engine", "spark", "--master", address, "--home", str(far.home.root))
        assert ran.returncode == 0, ran.stderr
        assert touchstone(*verb, "--home", str(near.home.root)).code == 0
    lakes = [Lake(market.home.root) for market in (far, near)]
    assert_frame_equal(*(lake.quarantined("products") for lake in lakes))
    assert len(lakes[0].quarantined("products")) > 10 and not lakes[0].count("products", "again")  # all of them were there already
    with Store(far.home.store_url) as there, Store(near.home.store_url) as here:
        assert len(here.read("decisions")) > 10
        assert_frame_equal(there.read("decisions"), here.read("decisions"))
