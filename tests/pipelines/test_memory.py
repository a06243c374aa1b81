"""What is free is never told too high, and what arrays take never too low."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from features.catalog import CATALOG
from features.stored import Stored
from pipelines.memory import available, needed_by_arrays
from tests.pipelines.conftest import Market

PEAK = """
import sys
from pathlib import Path
from pipelines.build import build
from pipelines.home import Home
build(Home(Path(sys.argv[1])))
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""


def tables(market: Market) -> dict[str, Stored]:
    folders = (market.home.root / "lake").iterdir()
    return {folder.name: Stored.of(sorted(folder.glob("*.parquet"))) for folder in folders if any(folder.glob("*.parquet"))}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of a process from /proc")
def test_no_process_takes_more_than_was_estimated(market: Market) -> None:
    (market.home.features / "matrix.parquet").unlink()
    told = subprocess.run([sys.executable, "-c", PEAK, str(market.home.root)], capture_output=True, text=True, check=True)
    peak = int(told.stdout) << 10
    assert peak < needed_by_arrays(tables(market), len(CATALOG.names)) < 3 * peak


def test_more_rows_longer_stories_and_more_features_take_more(market: Market) -> None:
    held = tables(market)
    claims = held["claims"]
    once = needed_by_arrays(held, 10)
    assert needed_by_arrays(held, 11) - once == 24 * sum(claims.rows)
    assert needed_by_arrays(held | {"claims": Stored(claims.files * 2, claims.schema)}, 10) > once + 12 * 2 * sum(claims.rows)
    assert needed_by_arrays({name: table for name, table in held.items() if name != "claims"}, 10) < once


def test_free_memory_is_the_machines_or_that_of_its_control_group_whichever_is_less(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       16000 kB\nMemAvailable:    8000 kB\n")
    assert available(meminfo, tmp_path) == 8000 << 10
    (tmp_path / "memory.current").write_text("1000\n")
    for limit, free in (("max", 8000 << 10), ("5000000", 4_999_000), ("500", 0), ("999999999999", 8000 << 10)):
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        assert available(meminfo, tmp_path) == free


def test_without_linuxs_account_free_pages_are_counted(tmp_path: Path) -> None:
    assert available(tmp_path / "none", tmp_path) > 0
