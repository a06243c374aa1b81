"""The clocks of cases: an alarm is raised once it is time, ends when what it waits for happened in time, and a breach stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from data_contracts import Label
from serving import queue
from serving.clocks import ACKNOWLEDGED_WITHIN, Clock, Level, alarms, level
from serving.instants import DAY, micros
from serving.queue import URGENT, Tier
from serving.resolution import DEADLINES, State
from serving.store import Store
from tests.serving.cases import town

TOWN = town(60, seed=3, weeks=1)
OPENED = micros(TOWN.decisions["decided_at"].max())
INSTANTS = st.integers(0, 100)


@given(INSTANTS, st.none() | INSTANTS, INSTANTS)
def test_what_was_met_in_time_is_silent_and_what_was_met_late_is_a_breach_for_ever(due: int, met: int | None, now: int) -> None:
    found = level(due * DAY, None if met is None else met * DAY, now * DAY)
    if met is not None:
        assert found is (None if met < due else Level.BREACH)
    else:
        left = (due - now) * DAY
        assert found is (Level.BREACH if left <= 0 else Level.WARNING if left <= URGENT else None)


def counted(store: Store, now: int) -> dict[tuple[Clock, Level], int]:
    with store.view() as tx:
        found = alarms(tx, now)
    assert list(found) == sorted(found, key=lambda alarm: alarm.due_at)
    return {(clock, how): sum((a.clock, a.level) == (clock, how) for a in found) for clock in Clock for how in Level}


def test_every_case_is_acknowledged_within_15_days_and_answered_within_its_deadline_or_there_is_an_alarm(store_url: str) -> None:
    with Store(store_url, "NORMAL") as store:
        store.record_decisions(TOWN.decisions)
        desk = len(store.read("cases").query("tier == 'desk'"))
        every = len(store.read("cases"))
        taken, answered = Clock.ACKNOWLEDGEMENT, Clock.DECISION
        assert set(counted(store, OPENED).values()) == {0}
        with store.write() as tx:
            first, second = queue.lease(tx, Tier.DESK, "ann", OPENED + DAY, DAY, limit=2)
            queue.answer(tx, first, Label.VALID, 9, 9, OPENED + DAY)
            queue.release(tx, second, OPENED + DAY)
        assert counted(store, OPENED + ACKNOWLEDGED_WITHIN - DAY)[taken, Level.WARNING] == every - 2
        assert counted(store, OPENED + ACKNOWLEDGED_WITHIN)[taken, Level.BREACH] == every - 2
        deadline = OPENED + DEADLINES[State.UNDER_REVIEW]
        assert counted(store, deadline - 1)[answered, Level.WARNING] == desk - 1
        assert counted(store, deadline)[answered, Level.BREACH] == desk - 1
        with store.write() as tx:
            queue.withdraw(tx, [second.claim_id])
        assert counted(store, deadline)[answered, Level.BREACH] == desk - 2


def test_a_case_taken_late_stays_a_breach_with_the_instant_it_was_taken(store_url: str) -> None:
    with Store(store_url, "NORMAL") as store:
        store.record_decisions(TOWN.decisions)
        late = OPENED + ACKNOWLEDGED_WITHIN + DAY
        with store.write() as tx:
            (held,) = queue.lease(tx, Tier.DESK, "ann", late, DAY)
            queue.release(tx, held, late)
            queue.lease(tx, Tier.DESK, "bob", late + 1, DAY, limit=99)
        with store.view() as tx:
            found = [a for a in alarms(tx, late + DAY) if a.claim_id == held.claim_id and a.clock is Clock.ACKNOWLEDGEMENT]
        assert [(a.level, a.met_at) for a in found] == [(Level.BREACH, late)]
