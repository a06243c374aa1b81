"""The clocks of a case that waits for an expert: taken up within 15 days, answered by its deadline (40 days at the desk).

What a clock says is computed whenever it is asked for, from what the queue holds anyway; the deadline is the one that
:mod:`serving.resolution` acts on, so that the two can never say different things.

References
----------
NAIC, Unfair Property/Casualty Claims Settlement Practices Model Regulation (902), §6: acknowledge within 15 days; California Code of
Regulations, title 10, §2695.7(b): accept or deny within 40 days.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, func, select

from serving.instants import DAY
from serving.queue import URGENT, CaseState
from serving.schema import CASES, EXPERT_ANSWERS

ACKNOWLEDGED_WITHIN = 15 * DAY
"""An expert must have taken up a case within this time of its opening."""


class Clock(StrEnum):
    """What a clock waits for."""

    ACKNOWLEDGEMENT = "acknowledgement"
    DECISION = "decision"


class Level(StrEnum):
    """How bad it is: less than :data:`serving.queue.URGENT` is left, or the time is over."""

    WARNING = "warning"
    BREACH = "breach"


@dataclass(frozen=True)
class Alarm:
    """A clock that is about to run out, or did.

    Parameters
    ----------
    claim_id
        The case.
    clock, level
        Which clock, and how bad.
    due_at
        When it runs out, microseconds UTC.
    met_at
        When what it waits for happened after all; ``None``: not yet.
    """

    claim_id: str
    clock: Clock
    level: Level
    due_at: int
    met_at: int | None


def level(due_at: int, met_at: int | None, now: int) -> Level | None:
    """Return what a clock says at an instant; all in microseconds UTC.

    What was met in time is never an alarm again, and what was met late stays a breach for ever.

    Examples
    --------
    >>> [level(10 * DAY, None, now * DAY) for now in (4, 5, 10)]
    [None, <Level.WARNING: 'warning'>, <Level.BREACH: 'breach'>]
    >>> level(10 * DAY, 9 * DAY, 30 * DAY), level(10 * DAY, 11 * DAY, 30 * DAY)
    (None, <Level.BREACH: 'breach'>)
    """
    if met_at is not None:
        return Level.BREACH if met_at >= due_at else None
    if now >= due_at:
        return Level.BREACH
    return Level.WARNING if now >= due_at - URGENT else None


def alarms(tx: Connection, now: int) -> tuple[Alarm, ...]:
    """Return every clock that is about to run out or did, the earliest first.

    Parameters
    ----------
    tx
        A transaction of the store.
    now
        The present instant, microseconds UTC.

    Notes
    -----
    A case that was withdrawn was decided without an expert: nobody waits for it, and it has no clocks. A second opinion has
    the deadline that it was asked for with.
    """
    answered = select(EXPERT_ANSWERS.c.claim_id, func.max(EXPERT_ANSWERS.c.answered_at).label("answered_at"))
    last = answered.group_by(EXPERT_ANSWERS.c.claim_id).subquery()
    query = (
        select(CASES.c.claim_id, CASES.c.state, CASES.c.opened_at, CASES.c.due_at, CASES.c.acknowledged_at, last.c.answered_at)
        .outerjoin(last, last.c.claim_id == CASES.c.claim_id)
        .where(CASES.c.state != CaseState.WITHDRAWN.value, CASES.c.opened_at <= now)
    )
    found = []
    for row in tx.execute(query):
        decided = row.answered_at if row.state == CaseState.ANSWERED else None
        clocks = (
            (Clock.ACKNOWLEDGEMENT, row.opened_at + ACKNOWLEDGED_WITHIN, row.acknowledged_at),
            (Clock.DECISION, row.due_at, decided),
        )
        for clock, due_at, met_at in clocks:
            bad = level(due_at, met_at, now)
            if bad is not None:
                found.append(Alarm(row.claim_id, clock, bad, due_at, met_at))
    return tuple(sorted(found, key=lambda alarm: (alarm.due_at, alarm.claim_id, alarm.clock)))
