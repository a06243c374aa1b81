"""The laws of the attendant: it works while its block lasts, is begun anew should it die, and outlives nobody."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from functools import partial
from multiprocessing.context import BaseContext
from pathlib import Path

import psutil
import pytest

from pipelines import attendant, origin
from pipelines.attendant import Attendant, IsOver
from tests.pipelines.test_supervisor import soon

ROOT = Path(__file__).parents[2]


def work(folder: Path, is_over: IsOver) -> None:
    """Tell who began, and who ended because it was over."""
    (folder / f"begun-{os.getpid()}").touch()
    while not is_over(0.02):
        pass
    (folder / f"over-{os.getpid()}").touch()


def told(folder: Path, what: str) -> set[int]:
    return {int(path.name.partition("-")[2]) for path in folder.glob(f"{what}-*")}


def test_one_that_dies_has_a_successor_which_ends_with_the_block(tmp_path: Path) -> None:
    with Attendant(partial(work, tmp_path), 0.01):
        (first,) = soon(lambda: told(tmp_path, "begun") or None)
        psutil.Process(first).kill()
        second = soon(lambda: told(tmp_path, "begun") - {first} or None)
    assert told(tmp_path, "over") == second and not psutil.pid_exists(second.pop())


def test_one_that_cannot_be_begun_is_begun_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    refusals = iter([OSError("no memory"), EOFError("the origin died")])

    def refusing() -> BaseContext:
        for refusal in refusals:
            raise refusal
        return origin.begin()

    monkeypatch.setattr(attendant, "begin", refusing)
    with caplog.at_level(logging.WARNING), Attendant(partial(work, tmp_path), 0.01):
        begun = soon(lambda: told(tmp_path, "begun") or None)
    assert told(tmp_path, "over") == begun and len(begun) == 1
    assert [record.getMessage() for record in caplog.records] == ["attendant: OSError", "attendant: EOFError"]


def test_an_interruption_from_the_keyboard_is_for_who_began_it(tmp_path: Path) -> None:
    with Attendant(partial(work, tmp_path), 0.01):
        (one,) = soon(lambda: told(tmp_path, "begun") or None)
        if sys.platform != "win32":
            os.kill(one, signal.SIGINT)
        time.sleep(0.1)
        assert not told(tmp_path, "over")
    assert told(tmp_path, "begun") == told(tmp_path, "over") == {one}


def test_a_block_that_ends_before_it_was_begun_waits_for_nobody(tmp_path: Path) -> None:
    begin = time.monotonic()
    with Attendant(partial(work, tmp_path), 60.0) as later:
        assert later.pid is None
    assert time.monotonic() - begin < 30.0 and not told(tmp_path, "begun")


def test_it_ends_when_who_began_it_is_killed(tmp_path: Path) -> None:
    starter = subprocess.Popen([sys.executable, "-m", "tests.pipelines.test_attendant", str(tmp_path)], cwd=ROOT)
    try:
        begun = soon(lambda: told(tmp_path, "begun") or None)
        starter.kill()
        assert soon(lambda: told(tmp_path, "over") or None) == begun
    finally:
        starter.kill()
        starter.wait()


if __name__ == "__main__":
    with Attendant(partial(work, Path(sys.argv[1])), 0.01):
        time.sleep(600)
