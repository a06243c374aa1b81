"""Two small marketplaces in homes of their own, made once for all tests, whichever process runs them."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.build import build
from pipelines.home import Home
from pipelines.simulated import Simulation, simulate_into
from pipelines.train import train
from pipelines.validate import validate

ORDERS, CLAIMS, SEED = 12_000, 1_000, 3


@dataclass(frozen=True)
class Market:
    """A home and the time line of its marketplace."""

    home: Home
    simulation: Simulation

    @classmethod
    def at(cls, folder: Path) -> Market:
        return cls(Home(folder), Simulation.of(Home(folder)))

    def copy(self, folder: Path) -> Market:
        """Copy everything, times of writing included, so that the kept matrix stays right."""
        shutil.copytree(self.home.root, folder)
        return Market.at(folder)


@dataclass(frozen=True)
class Played:
    """A whole demo: its home, what it printed, and its summary."""

    market: Market
    printed: str
    summary: dict[str, Any]


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Market:
    """A marketplace, validated, built and with a champion; only to be read."""
    return Market.at(once(tmp_path_factory, "small", trained_home))


@pytest.fixture
def market(small: Market, tmp_path: Path) -> Market:
    """A copy of the small marketplace, to be written to."""
    return small.copy(tmp_path / "home")


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The demo as a stranger runs it, on a small marketplace; only to be read."""
    folder = once(tmp_path_factory, "played", play)
    summary = json.loads((folder / "summary.json").read_text())
    return Played(Market.at(folder / "demo"), (folder / "printed.txt").read_text(), summary)


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Let one process make a folder that all processes of this test run share."""
    base = factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder, done = shared / name, shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            done.touch()
    return folder


def trained_home(folder: Path) -> None:
    home = Home(folder)
    simulation = simulate_into(home, ORDERS, CLAIMS, SEED)
    validate(home, docs=False)
    build(home)
    train(home, simulation.live_from, tracking=False)


def play(folder: Path) -> None:
    folder.mkdir()
    size = ("--orders", str(ORDERS), "--claims", str(CLAIMS), "--seed", str(SEED))
    where = ("--home", str(folder), "--summary", str(folder / "summary.json"))
    ran = command_line("demo", *size, *where)
    if ran.returncode:
        raise RuntimeError(f"the demo ended with {ran.returncode}: {ran.stderr}")
    (folder / "printed.txt").write_text(ran.stdout)


def command_line(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``touchstone`` in a process of its own."""
    # The installed script, as a user runs it; pyspark takes a program given by -c for a doctest and may end it with code 0.
    call = [str(Path(sys.executable).with_name("touchstone")), *arguments]
    return subprocess.run(call, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}, check=False)
