"""Kill −9 at statements and commits drawn at random: after running again, nothing differs from an undisturbed run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal
from sqlalchemy import Engine, event

from pipelines import experts, resolve
from pipelines.diary import Diary
from pipelines.firm import hire
from pipelines.parties import SimulatedParties
from serving.schema import METADATA
from serving.store import Store
from tests.serving.cases import START, WEEK, town

TOWN = town(90, seed=9, weeks=4)
FIRM = hire(0, desk=2, investigators=2)
ROOT = Path(__file__).parents[2]
POINTS = 5


def work(url: str) -> None:
    """Score, experts and resolve for eight weeks; what is done already is passed over."""
    parties = SimulatedParties(TOWN.world)
    with Store(url, synchronous="NORMAL") as store:
        for number in range(1, 9):
            as_of = START + number * WEEK
            store.record_decisions(TOWN.decisions[TOWN.decisions["decided_at"] <= as_of])
            experts.work_here(store, TOWN.world, START, as_of, firm=FIRM, diary=Diary(Path(url.removeprefix("sqlite:///") + ".json")))
            resolve.run(store, TOWN.tables, as_of, parties)


def on_every_step(act: Callable[[], None]) -> None:
    """Call ``act`` before every statement and every commit of this process."""
    event.listen(Engine, "before_cursor_execute", lambda *_: act())
    event.listen(Engine, "commit", lambda _: act())


def counted(url: str) -> int:
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    on_every_step(count)
    work(url)
    return steps


def killed_at(step: int) -> Callable[[], None]:
    """Return what to call on every step so that this process is killed without warning at the given one."""
    left = step

    def die() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return die


def dying(url: str, step: int) -> None:
    """Work, and be killed without warning before the given step."""
    on_every_step(killed_at(step))
    work(url)


def started(call: str) -> subprocess.Popen[str]:
    code = f"from tests.pipelines import test_kill_store as t; {call}"
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 here")
def test_killed_anywhere_and_run_again_every_table_equals_that_of_an_undisturbed_run(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / f'{number}.db'}" for number in range(POINTS + 1)]
    with started(f"print(t.counted({urls[-1]!r}))") as calm:
        steps = int(calm.communicate()[0])
    rng = random.Random(20210901)
    for first in range(0, POINTS, 2):
        pair = [(url, started(f"t.dying({url!r}, {rng.randint(1, steps)})")) for url in urls[first : min(first + 2, POINTS)]]
        for url, child in pair:
            with child:
                assert child.wait() == -signal.SIGKILL
            work(url)
    with Store(urls[-1]) as undisturbed:
        expected = {name: undisturbed.read(name) for name in METADATA.tables}
    assert not expected["ledger"].empty
    for url in urls[:-1]:
        with Store(url) as store:
            for name, frame in expected.items():
                assert_frame_equal(store.read(name), frame)
