"""Aside: what blocks does not block the loop, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from threading import Event

import pytest

from serving.aside import Aside
from serving.line import FullError, LateError


def test_the_loop_goes_on_while_a_thread_waits() -> None:
    go = Event()

    async def ask() -> str:
        aside = Aside(1, patience=10.0)
        waiting = asyncio.create_task(aside.do(lambda: "went on" if go.wait(10) else "hung"))
        await asyncio.sleep(0)
        go.set()
        return await waiting

    assert asyncio.run(ask()) == "went on"


def test_what_is_raised_aside_is_raised_here() -> None:
    async def ask() -> None:
        with pytest.raises(KeyError, match="why"):
            await Aside(1, patience=10.0).do(lambda: {}["why"])

    asyncio.run(ask())


def test_a_look_up_that_hangs_is_given_up_and_only_so_many_may_wait() -> None:
    go = Event()

    async def ask() -> None:
        aside = Aside(1, patience=0.01, waiting=2)
        for _ in range(2):
            with pytest.raises(LateError):
                await aside.do(lambda: go.wait(10))
        with pytest.raises(FullError):
            await aside.do(lambda: None)
        go.set()
        await asyncio.to_thread(aside.close)
        await asyncio.sleep(0.01)  # its callbacks come through the loop
        assert aside._inside == 0

    asyncio.run(ask())
