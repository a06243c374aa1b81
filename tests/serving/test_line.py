"""The line: everybody gets their own answer, together where they wait together; bounded; nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from threading import Event
from typing import Any

import pytest

from serving.line import TOGETHER, Answer, FullError, LateError, Line


class Desk:
    """Stands for the engine: answers a claim (any text) with itself, notes the groups, waits to be let go."""

    def __init__(self, free: bool = True) -> None:
        self.groups: list[list[Any]] = []
        self.go, self.begun = Event(), Event()
        if free:
            self.go.set()

    def decide(self, claims: Sequence[Any], keys: Sequence[str | None]) -> Sequence[Answer]:
        self.groups.append(list(claims))
        self.begun.set()
        assert self.go.wait(10)
        if "poison" in claims:
            raise ArithmeticError("poison")
        return [ValueError(claim) if claim == "wrong" else f"{claim} under {key}".encode() for claim, key in zip(claims, keys, strict=True)]

    def line(self, length: int = 1000, patience: float = 10.0, **more: Any) -> Line:
        return Line(self.decide, length, patience, **more)


def test_everybody_gets_their_own_answer_and_those_who_waited_share_a_group() -> None:
    desk = Desk(free=False)
    line = desk.line()

    async def ask() -> list[Sequence[Answer]]:
        first = asyncio.create_task(line.ask(["first"], ["k"]))
        await asyncio.to_thread(desk.begun.wait)
        others = [asyncio.create_task(line.ask([f"c{n}"], [None])) for n in range(100)]
        await asyncio.sleep(0)
        assert line.depth == 101
        desk.go.set()
        return await asyncio.gather(first, *others)

    answers = asyncio.run(ask())
    assert answers == [[b"first under k"], *([f"c{n} under None".encode()] for n in range(100))]
    assert [len(group) for group in desk.groups] == [1, TOGETHER, TOGETHER, TOGETHER, 100 - 3 * TOGETHER]
    line.close()
    assert line.depth == 0


def test_those_who_were_answered_together_and_ask_again_at_once_are_decided_together_again() -> None:
    desk = Desk(free=False)
    line = desk.line(linger=10.0)

    async def caller(name: str) -> None:
        for _ in range(3):
            await line.ask([name], [None])

    async def ask() -> None:
        first = asyncio.create_task(line.ask(["first"], [None]))
        await asyncio.to_thread(desk.begun.wait)
        callers = [asyncio.create_task(caller(f"c{n}")) for n in range(8)]
        await asyncio.sleep(0)
        desk.go.set()
        await asyncio.gather(first, *callers)
        last = asyncio.create_task(line.ask(["alone"], [None]))  # lingers for seven others, until the line is closed
        await asyncio.sleep(0)
        await asyncio.to_thread(line.close)
        await last

    asyncio.run(ask())
    assert [len(group) for group in desk.groups] == [1, 8, 8, 8, 1]


def test_a_group_is_never_larger_than_it_may_be_and_no_batch_is_torn() -> None:
    desk = Desk(free=False)
    line = desk.line()

    async def ask() -> None:
        first = asyncio.create_task(line.ask(["first"], [None]))
        await asyncio.to_thread(desk.begun.wait)
        batches = [asyncio.create_task(line.ask([f"{n}"] * size, [None] * size)) for n, size in enumerate((20, 20, 12, 1))]
        await asyncio.sleep(0)
        desk.go.set()
        found = await asyncio.gather(first, *batches)
        assert [len(answers) for answers in found] == [1, 20, 20, 12, 1]

    asyncio.run(ask())
    assert desk.groups[1:] == [["0"] * 20, ["1"] * 20 + ["2"] * 12, ["3"]]
    line.close()


def test_a_refusal_and_even_a_bug_touch_only_whom_they_concern() -> None:
    desk = Desk(free=False)
    line = desk.line()

    async def ask() -> list[Sequence[Answer]]:
        first = asyncio.create_task(line.ask(["first"], [None]))
        await asyncio.to_thread(desk.begun.wait)
        others = [asyncio.create_task(line.ask([name], [None])) for name in ("good", "wrong", "poison", "fine")]
        await asyncio.sleep(0)
        desk.go.set()
        return (await asyncio.gather(first, *others))[1:]

    (good,), (wrong,), (poison,), (fine,) = asyncio.run(ask())
    assert (good, fine) == (b"good under None", b"fine under None")
    assert isinstance(wrong, ValueError) and isinstance(poison, ArithmeticError)
    line.close()


def test_a_full_line_refuses_at_once_and_has_place_again_when_it_was_served() -> None:
    desk = Desk(free=False)
    line = desk.line(length=2)

    async def ask() -> None:
        tasks = [asyncio.create_task(line.ask(["a"], [None])) for _ in range(2)]
        await asyncio.to_thread(desk.begun.wait)
        with pytest.raises(FullError, match="at most 2 claims at once, found 3"):
            await line.ask(["b"], [None])
        desk.go.set()
        await asyncio.gather(*tasks)
        while line.depth:
            await asyncio.sleep(0)
        assert await line.ask(["c"], [None]) == [b"c under None"]

    asyncio.run(ask())
    line.close()


def test_nobody_waits_for_ever_and_what_nobody_waits_for_is_not_begun() -> None:
    desk = Desk(free=False)
    line = desk.line(patience=0.01)

    async def ask() -> None:
        first = asyncio.create_task(line.ask(["first"], [None]))
        await asyncio.to_thread(desk.begun.wait)
        with pytest.raises(LateError):
            await line.ask(["late"], [None])
        with pytest.raises(LateError):
            await first
        gone = asyncio.create_task(line.ask(["gone"], [None]))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone

    asyncio.run(ask())
    desk.go.set()
    line.close()
    assert desk.groups == [["first"]] and line.depth == 0


def test_closing_serves_those_who_were_there() -> None:
    desk = Desk(free=False)
    line = desk.line()

    async def ask() -> Sequence[Sequence[Answer]]:
        first = asyncio.create_task(line.ask(["first"], [None]))
        await asyncio.to_thread(desk.begun.wait)
        others = [asyncio.create_task(line.ask([f"c{n}"], [None])) for n in range(5)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(line.close))
        await asyncio.sleep(0)
        desk.go.set()
        await closing
        return await asyncio.gather(first, *others)

    assert len(asyncio.run(ask())) == 6
