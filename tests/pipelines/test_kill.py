"""Kill −9 at ten random points of ``touchstone score``, ``experts`` and ``resolve``: run again, nothing differs from a calm run.

The store alone is killed statement by statement in :mod:`tests.pipelines.test_kill_store`; here the commands of the command
line run on a home, and the points are statements, commits and files of store *and* lake. Children are forked from one
process that has everything imported, so that a run takes a second.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from pipelines.home import Home
from pipelines.lake import Lake
from serving.schema import METADATA
from serving.store import Store
from tests.console import touchstone
from tests.pipelines.conftest import Market
from tests.pipelines.test_kill_store import killed_at, on_every_step

ROOT = Path(__file__).parents[2]
POINTS, SEED = 10, 20240917
WEEKS = (1, 3)
"""Score, experts and resolve run at these weeks of the live months, one after the other."""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def plan(market: Market) -> list[list[str]]:
    """The calls of the command line, in order."""
    return [
        [verb, "--as-of", (market.simulation.live_from + timedelta(weeks=week)).isoformat()]
        for week in WEEKS
        for verb in ("score", "experts", "resolve")
    ]


def run(home: str, calls: list[list[str]]) -> None:
    """Run calls of the command line in this process."""
    from pipelines.cli import app

    for call in calls:
        app([*call, "--home", home], standalone_mode=False)


def on_every_step_of_store_and_lake(act: Callable[[], None]) -> None:
    """Call ``act`` before every statement, every commit and every step of a file into its place, or out of it."""
    on_every_step(act)
    sys.addaudithook(lambda event, _: act() if event in ("os.rename", "os.remove") else None)


def forked(act: Callable[[], None]) -> int:
    """Run in a child of its own; return how it ended: 0, or minus the signal."""
    child = os.fork()
    if child == 0:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        try:
            act()
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def count(home: str, calls: list[list[str]], note: Path) -> None:
    """Run undisturbed and write down after how many steps each call was done."""
    steps, ends = 0, []

    def step() -> None:
        nonlocal steps
        steps += 1

    on_every_step_of_store_and_lake(step)
    for call in calls:
        run(home, [call])
        ends.append(steps)
    note.write_text(json.dumps(ends))


def die(home: str, calls: list[list[str]], last: int) -> None:
    """Run until a step and end there without warning."""
    on_every_step_of_store_and_lake(killed_at(last))
    run(home, calls)


def drive(calm: str, homes: list[str], calls: list[list[str]], note: str) -> None:
    """Run once undisturbed, then kill every other home's run, each call in turn, and run it again; print how each child ended."""
    import pipelines.experts
    import pipelines.resolve
    import pipelines.score  # noqa: F401 - imported once, before forking
    from features.matrix import build_matrix

    build_matrix(Lake(Path(calm)).tables())  # the compiled kernels are loaded once as well
    ends = [forked(lambda: count(calm, calls, Path(note)))]
    edges = list(pairwise([0, *json.loads(Path(note).read_text())]))
    rng = random.Random(SEED)
    points = [rng.randint(first + 1, last) for first, last in (edges[place % len(edges)] for place in range(len(homes)))]
    for home, point in zip(homes, points, strict=True):
        ends += [forked(lambda home=home, point=point: die(home, calls, point)), forked(lambda home=home: run(home, calls))]
    sys.stdout.write(json.dumps(ends))


def contents(home: Home) -> dict[str, pd.DataFrame]:
    """Every table of the store, and what the lake says was decided and resolved."""
    with closing(Store(home.store_url)) as store:
        tables = {name: store.read(name) for name in METADATA.tables}
    lake = Lake(home.root)
    return {**tables, **{f"lake {name}": lake.read(name) for name in ("decisions", "resolutions")}}


def test_killed_at_ten_random_points_and_run_again_store_and_lake_equal_those_of_an_undisturbed_run(small: Market, tmp_path: Path) -> None:
    markets = [small.copy(tmp_path / str(number)) for number in range(POINTS + 1)]
    calm, *homes = (str(market.home.root) for market in markets)
    arguments = ", ".join(map(repr, (calm, homes, plan(small), str(tmp_path / "steps"))))
    code = f"from tests.pipelines import test_kill as t; t.drive({arguments})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [0, *[-signal.SIGKILL, 0] * POINTS], done.stderr
    expected = contents(markets[0].home)
    for name in ("decisions", "expert_answers", "case_events", "ledger", "resolutions", "lake decisions", "lake resolutions"):
        assert not expected[name].empty, name
    for market in markets[1:]:
        for name, frame in contents(market.home).items():
            assert_frame_equal(frame, expected[name], obj=f"{name} in {market.home.root.name}")


DAY_BY_DAY = """
import sys
from datetime import datetime
from pathlib import Path
from models.policy import default_policy
from pipelines.home import Home
from pipelines.score import score
score(Home(Path(sys.argv[1])), datetime.fromisoformat(sys.argv[2]), default_policy(), datetime.fromisoformat(sys.argv[3]), piece=1)
"""
"""Scoring in the smallest pieces there are, so that a kill falls between two of them."""


def test_scoring_killed_between_two_pieces_is_taken_up_by_the_command_where_it_was(market: Market, tmp_path: Path) -> None:
    calm = market.copy(tmp_path / "calm")
    until = (market.simulation.live_from + timedelta(weeks=WEEKS[-1])).isoformat()
    call = ["score", "--as-of", until, "--home"]
    command = [sys.executable, "-c", DAY_BY_DAY, str(market.home.root), until, market.simulation.live_from.isoformat()]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        while child.poll() is None and decided(market.home) == 0:
            try:
                child.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
        child.kill()
        killed = child.wait() == -signal.SIGKILL
    partly = decided(market.home)
    for home in (market.home, calm.home):
        assert touchstone(*call, str(home.root)).code == 0
    assert_frame_equal(contents(market.home)["decisions"], contents(calm.home)["decisions"])
    assert_frame_equal(contents(market.home)["lake decisions"], contents(calm.home)["lake decisions"])
    assert killed and 0 < partly < decided(market.home)


def decided(home: Home) -> int:
    """How many claims a running command has decided so far; looks without taking part."""
    if not home.store.exists():
        return 0
    with closing(sqlite3.connect(f"file:{home.store}?mode=ro", uri=True)) as view:
        try:
            return int(view.execute("SELECT count(*) FROM decisions").fetchone()[0])
        except sqlite3.OperationalError:  # no tables yet
            return 0
