"""Files replaced in one step: whole or not there, and nothing is left lying about."""

from __future__ import annotations

import multiprocessing
import os
import platform
import signal
from pathlib import Path

import pytest

from pipelines.replacing import replacing


def test_a_failed_write_leaves_neither_draft_nor_damage(tmp_path: Path) -> None:
    target = tmp_path / "note.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), replacing(target) as draft:
        draft.write_text("half")
        raise RuntimeError
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_what_a_killed_process_left_is_gone_with_the_next_write_and_a_living_ones_draft_is_not(tmp_path: Path) -> None:
    target = tmp_path / "note.txt"
    killed = multiprocessing.get_context("fork").Process(target=die_while_writing, args=(target,))
    killed.start()
    killed.join()
    (left,) = tmp_path.iterdir()
    others = [left.with_name(f".note.txt.{owner}.tmp") for owner in (f"{os.getppid()}@{platform.node()}", "1@elsewhere", "no number@here")]
    for other in others:
        other.touch()
    with replacing(target) as draft:
        assert not left.exists() and draft not in others
        draft.write_text("done")
    assert {*tmp_path.iterdir()} == {target, *others}


def die_while_writing(target: Path) -> None:
    with replacing(target) as draft:
        draft.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
