"""A refreshed value: nobody waits for a new one, and the old one stays while none can be had."""

from __future__ import annotations

from threading import Event

import pytest

from serving.refreshed import Refreshed


class Source:
    def __init__(self) -> None:
        self.time, self.value, self.fails, self.asked = 0.0, 1, False, Event()

    def load(self) -> int:
        self.asked.set()
        if self.fails:
            raise OSError("gone")
        return self.value

    def settled(self, refreshed: Refreshed[int]) -> int:
        """The value after the thread that loads it has ended."""
        assert self.asked.wait(10) and refreshed._lock.acquire(timeout=10)
        refreshed._lock.release()
        return refreshed._value


def test_a_value_is_loaded_again_when_it_is_old_and_not_before() -> None:
    source = Source()
    held = Refreshed(source.load, every=5.0, steady=lambda: source.time)
    source.value = 2
    source.asked.clear()
    source.time = 4.9
    assert held() == 1 and not source.asked.is_set()
    source.time = 5.0
    assert held() in (1, 2) and source.settled(held) == 2 == held()


def test_the_value_stays_while_none_can_be_loaded_and_the_first_must_be() -> None:
    source = Source()
    held = Refreshed(source.load, every=5.0, steady=lambda: source.time)
    source.fails, source.time = True, 6.0
    source.asked.clear()
    assert held() == 1 and source.settled(held) == 1
    source.fails, source.value, source.time = False, 3, 12.0
    source.asked.clear()
    held()
    assert source.settled(held) == 3
    source.fails = True
    with pytest.raises(OSError, match="gone"):
        Refreshed(source.load, every=5.0, steady=lambda: source.time)
