"""Working one piece ahead changes nothing but the time it takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pipelines.batch_ahead import ahead


def test_everything_comes_once_and_in_order_errors_at_their_place() -> None:
    def broken() -> Iterator[int]:
        yield from range(3)
        raise ValueError("the fourth")

    found = []
    with pytest.raises(ValueError, match="the fourth"):
        found.extend(ahead(broken()))
    assert list(ahead(iter(range(1, 100)))) == list(range(1, 100))
    assert list(ahead(iter(()))) == []
    seen = ahead(broken())
    assert [next(seen), next(seen), next(seen)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the fourth"):
        next(seen)


def test_the_next_is_being_made_while_the_last_is_worked_on() -> None:
    second_begun, first_done = threading.Event(), threading.Event()

    def items() -> Iterator[str]:
        yield "first"
        second_begun.set()
        assert first_done.wait(10)
        yield "second"

    coming = ahead(items())
    assert next(coming) == "first"
    assert second_begun.wait(10)
    first_done.set()
    assert list(coming) == ["second"]


def test_never_more_than_one_is_made_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    for number in ahead(items()):
        assert len(made) <= number + 2
    assert made == list(range(10))
