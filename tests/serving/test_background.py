"""The laws of the background: every task has its turn, a failing one hurts nobody, the end waits for what is being done."""

from __future__ import annotations

import logging
from threading import Event

import pytest

from serving.background import Background


def test_a_task_that_fails_is_told_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    turns, done = [0], Event()

    def fails() -> None:
        turns[0] += 1
        raise ValueError("a secret")

    with caplog.at_level(logging.WARNING):
        background = Background({"fails": fails, "works": lambda: turns[0] > 2 and done.set()}, 0.001)
        background.start()
        assert done.wait(20.0)
        background.close()
    assert "fails: ValueError" in caplog.text and "secret" not in caplog.text


def test_after_the_end_nothing_is_done_and_one_that_never_began_ends_as_well() -> None:
    turns, begun = [0], Event()

    def work() -> None:
        turns[0] += 1
        begun.set()

    background = Background({"work": work}, 0.001)
    background.start()
    assert begun.wait(20.0)
    background.close()
    after = turns[0]
    assert not background._thread.is_alive() and turns[0] == after
    Background({"work": work}, 1.0).close()
    assert turns[0] == after
