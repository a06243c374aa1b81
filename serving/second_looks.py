"""Second looks: answered cases that somebody else examines too, without knowing of it, and which answers count together.

Some are drawn by lot, because experts are measured by each other; some are bought, because a first answer leaves more in doubt than
another costs; some are asked for by people; and gold ones are of claims whose truth has come to light otherwise. But for gold, what was
found first waits for the second look, and both are judged together. It waits within the clock of the case: a look that is not answered
by its own end leaves the first answer alone to count.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, exists, insert, or_, select, update

from data_contracts import Label
from serving import queue
from serving.case import Message
from serving.instants import DAY
from serving.queue import CaseState, QueueError
from serving.schema import CASES, EXPERT_ANSWERS, PROCEEDINGS
from serving.schema_parties import SECOND_LOOKS

PATIENCE = 14 * DAY
"""How long a second look may take: desk answers take two to ten days, and a weekend may come before."""

_SHORTEST, _MARGIN = 5 * DAY, DAY


class Why(StrEnum):
    """What a second look is for."""

    DRAWN = "drawn"
    BOUGHT = "bought"
    ASKED = "asked"
    GOLD = "gold"


@dataclass(frozen=True)
class Look:
    """A second look: which answers came before it (``token`` and below), what for, since when and until when they wait for it (µs UTC)."""

    claim_id: str
    token: int
    why: Why
    asked_at: int
    due_at: int


def ask(tx: Connection, claim_id: str, why: Why, now: int) -> Look | None:
    """Give an answered case to somebody else as well, if there is time for it.

    Parameters
    ----------
    tx
        A write transaction.
    claim_id
        The case.
    why
        What for.
    now
        The present instant, microseconds UTC.

    Returns
    -------
    Look or None
        What was asked for; ``None`` where nobody else is known who could answer, or the claim would have to be judged before. What people
        ask for is always asked: where time is short the claim does not wait for it. A claim that is judged already waits for nothing.

    Raises
    ------
    serving.queue.UnknownCaseError, serving.queue.QueueError
        As :func:`serving.queue.reopen`; also if the case is being looked at a second time already.
    """
    row = queue.answered(tx, claim_id)
    if any(look.token == row.token for look in looks(tx, [claim_id])):
        raise QueueError(f"case {claim_id}: expected one that waits for nobody, found one of which a second look was asked for")
    if why is not Why.ASKED and not _somebody_else(tx, claim_id, row.tier):
        return None
    until = ends = now + PATIENCE
    judged = tx.execute(select(PROCEEDINGS.c.found).where(PROCEEDINGS.c.claim_id == claim_id)).scalar_one_or_none()
    if judged is None and why is not Why.GOLD:
        until = min(until, row.due_at - _MARGIN)
    if until < now + _SHORTEST:
        if why is not Why.ASKED:
            return None
        until = now
    look = Look(claim_id, row.token, why, now, until)
    tx.execute(insert(SECOND_LOOKS).values(claim_id=claim_id, token=row.token, why=why.value, asked_at=now, due_at=until))
    queue.reopen(tx, claim_id, ends, now)
    return look


def _somebody_else(tx: Connection, claim_id: str, tier: str) -> bool:
    """Tell whether anybody works in a tier who has not answered a case."""
    said = select(EXPERT_ANSWERS.c.expert).where(EXPERT_ANSWERS.c.claim_id == claim_id)
    theirs = select(CASES.c.claim_id).where(CASES.c.tier == tier)
    answered = exists().where(EXPERT_ANSWERS.c.claim_id.in_(theirs), EXPERT_ANSWERS.c.expert.not_in(said))
    holds = exists().where(CASES.c.tier == tier, CASES.c.holder.is_not(None), CASES.c.holder.not_in(said))
    return bool(tx.execute(select(or_(answered, holds))).scalar_one())


def looks(tx: Connection, claim_ids: Sequence[str]) -> tuple[Look, ...]:
    """Return the second looks that were asked for of some cases, in order."""
    if not claim_ids:
        return ()
    query = select(SECOND_LOOKS).where(SECOND_LOOKS.c.claim_id.in_(claim_ids)).order_by(SECOND_LOOKS.c.claim_id, SECOND_LOOKS.c.token)
    return tuple(Look(row.claim_id, row.token, Why(row.why), row.asked_at, row.due_at) for row in tx.execute(query))


def lapse(tx: Connection, now: int) -> int:
    """End the second looks that nobody took up in time, and return how many: their cases are answered ones again."""
    # A case with second looks that waits, waits for the last of them.
    over = (CASES.c.claim_id.in_(select(SECOND_LOOKS.c.claim_id)), CASES.c.due_at <= now, queue.waiting(now))
    done = {"state": CaseState.ANSWERED.value, "holder": None, "leased_at": None, "lease_expires_at": None}
    return int(tx.execute(update(CASES).where(*over).values(**done)).rowcount)


def measured(tx: Connection) -> frozenset[str]:
    """Return the keys of the answers that were given to gold cases."""
    gold = list(tx.execute(select(SECOND_LOOKS.c.claim_id).where(SECOND_LOOKS.c.why == Why.GOLD.value).distinct()).scalars())
    if not gold:
        return frozenset()
    asked = looks(tx, gold)
    answers = tx.execute(select(EXPERT_ANSWERS).where(EXPERT_ANSWERS.c.claim_id.in_(gold))).all()
    return frozenset(
        row.answer_id
        for row in answers
        if [look.why for look in asked if look.claim_id == row.claim_id and look.token < row.token][-1:] == [Why.GOLD]
    )


def counted(answers: Sequence[Any], asked: Sequence[Look], judged: Collection[str], as_of: int) -> list[Message]:
    """Return what experts' answers to one case mean, as far as it is known by an instant.

    Parameters
    ----------
    answers
        Rows of the experts' answers to the case given by ``as_of``, in order of their tokens.
    asked
        Its second looks, in order of their tokens.
    judged
        Keys of the answers by which the claim was judged already.
    as_of
        The instant, microseconds UTC.

    Notes
    -----
    What it says of an answer never changes later, so it does not matter how often cases are carried forward.
    """
    found: list[Message] = []
    earlier: tuple[Label, ...] = ()
    for place, row in enumerate(answers):
        label, look = Label(row.label), next((one for one in asked if one.token == row.token and one.why is not Why.GOLD), None)
        one = Message(row.answer_id, row.answered_at, None, label, row.fee_cents, earlier)
        before = [one.why for one in asked if one.token < row.token]
        if before[-1:] == [Why.GOLD]:
            found.append(replace(one, earlier=(), counts=False))
        elif look is None or row.answer_id in judged:
            found.append(one)
            earlier = ()
        elif place + 1 < len(answers) and answers[place + 1].answered_at <= look.due_at:
            found.append(replace(one, counts=False))
            earlier = (*earlier, label)
        elif as_of < look.due_at:
            break
        else:
            found.append(replace(one, at=max(one.at, look.due_at)))
            earlier = ()
    return found
