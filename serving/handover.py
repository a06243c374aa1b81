"""How a case changes hands outside the order of the queue: assigned, handed over, escalated, taken back for a conflict of interest.

Like everything of the queue it is done inside a write transaction and takes the time as an argument; whoever held a case before is kept
out by the fencing token of :mod:`serving.queue`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, exists, insert, select, update

from serving import queue, ties
from serving.queue import CaseState, ConflictOfInterestError, Lease, QueueError, Tier
from serving.resolution import DEADLINES, State
from serving.schema import ASSIGNMENTS, CASES, EXPERT_ANSWERS
from serving.schema_parties import ESCALATIONS
from serving.ties import Tie
from serving.webhooks import announce, case_opened

_AT_ONCE = 1_000


def assign(tx: Connection, plan: Mapping[str, str], now: int) -> tuple[str, ...]:
    """Mean waiting cases for experts: each is kept for its expert during :data:`serving.queue.MEANT_FOR`.

    Parameters
    ----------
    tx
        A write transaction.
    plan
        Claim → expert, such as :func:`models.assignment.assign` finds it. An earlier assignment of these cases is forgotten.
    now
        The present instant, microseconds UTC.

    Returns
    -------
    tuple of str
        The cases assigned, in order: those that wait and that their expert may see. A plan is older than the queue, so the others are
        left as they are and are no error.
    """
    taken: list[str] = []
    claims = sorted(plan)
    for start in range(0, len(claims), _AT_ONCE):
        some = claims[start : start + _AT_ONCE]
        query = select(CASES.c.claim_id).where(CASES.c.claim_id.in_(some), queue.waiting(now)).with_for_update()
        waits = set(tx.execute(query).scalars())
        for expert in sorted({plan[claim] for claim in some}):
            mine = [claim for claim in some if claim in waits and plan[claim] == expert]
            taken += sorted(set(mine) - barred(tx, expert, mine))
    for start in range(0, len(taken), _AT_ONCE):
        _mean(tx, {claim: plan[claim] for claim in taken[start : start + _AT_ONCE]}, now)
    return tuple(sorted(taken))


def barred(tx: Connection, expert: str, claims: list[str]) -> set[str]:
    """Return those of some cases that an expert must not be given: they are tied to a party, or have answered it before."""
    answered = exists().where(EXPERT_ANSWERS.c.claim_id == CASES.c.claim_id, EXPERT_ANSWERS.c.expert == expert)
    return set(tx.execute(select(CASES.c.claim_id).where(CASES.c.claim_id.in_(claims), ties.tied(expert) | answered)).scalars())


def _mean(tx: Connection, plan: Mapping[str, str], now: int) -> None:
    tx.execute(delete(ASSIGNMENTS).where(ASSIGNMENTS.c.claim_id.in_(list(plan))))
    tx.execute(insert(ASSIGNMENTS), [{"claim_id": claim, "expert": expert, "planned_at": now} for claim, expert in plan.items()])


def hand_over(tx: Connection, held: Lease, to: str, now: int) -> None:
    """Give a case back so that it is offered to one named expert first.

    Raises
    ------
    ConflictOfInterestError
        If that expert is tied to a party of the case or has answered it before.
    QueueError
        If it is the holder, or the claim was decided meanwhile; otherwise as :func:`serving.queue.answer`.
    """
    row = queue.must_hold(tx, held, now)
    where = f"case {held.claim_id}"
    if row.state == CaseState.WITHDRAWN:
        raise QueueError(f"{where}: expected a case that still waits for its answer, found it withdrawn")
    if to == held.holder:
        raise QueueError(f"{where}: expected somebody else to hand it over to, found its holder {to}")
    if barred(tx, to, [held.claim_id]):
        # Which of the two it is would tell the holder that theirs is a second look, or whom a colleague is tied to.
        raise ConflictOfInterestError(f"{where}: expected an expert who may see it, found {to}")
    queue.release(tx, held, now)
    _mean(tx, {held.claim_id: to}, now)


def escalate(tx: Connection, held: Lease, now: int, minutes: Mapping[str, int] = queue.MINUTES) -> None:
    """Give a desk case to the investigators: it leaves the desk unanswered, and they have as long as for a case of their own.

    Parameters
    ----------
    tx
        A write transaction.
    held
        The desk expert's lease.
    now
        The present instant, microseconds UTC.
    minutes
        Expected expert minutes by tier.

    Raises
    ------
    QueueError
        If the case is with the investigators already or was decided meanwhile; otherwise as :func:`serving.queue.answer`.
    """
    row = queue.must_hold(tx, held, now)
    if row.tier != Tier.DESK or row.state == CaseState.WITHDRAWN:
        found = "it withdrawn" if row.state == CaseState.WITHDRAWN else "one of the investigators"
        raise QueueError(f"case {held.claim_id}: expected a case of the desk to escalate, found {found}")
    queue.release(tx, held, now)
    effort = minutes[Tier.INVESTIGATION.value]
    to_investigators(tx, held.claim_id, held.holder, now, effort, queue.priority(row.value_cents, effort))


def to_investigators(tx: Connection, claim_id: str, by: str, now: int, minutes: int, priority: int) -> None:
    """Move a case of the desk that waits to the investigators, on somebody's word; it is announced, and its claim follows.

    Parameters
    ----------
    tx
        A write transaction.
    claim_id
        A case of the desk that waits.
    by
        Whose word it is.
    now
        The present instant, microseconds UTC.
    minutes, priority
        Of the case from now on.
    """
    due_at = now + DEADLINES[State.UNDER_INVESTIGATION]
    moved = {"tier": Tier.INVESTIGATION.value, "minutes": minutes, "priority": priority, "due_at": due_at}
    tx.execute(update(CASES).where(CASES.c.claim_id == claim_id).values(**moved))
    tx.execute(delete(ASSIGNMENTS).where(ASSIGNMENTS.c.claim_id == claim_id))
    tx.execute(insert(ESCALATIONS).values(claim_id=claim_id, expert=by, at=now))
    announce(tx, [case_opened(claim_id, Tier.INVESTIGATION.value, now, due_at, "escalated")])


def declare(tx: Connection, tie: Tie, now: int) -> tuple[str, ...]:
    """Keep a tie, and take back the cases that the expert must no longer see.

    Parameters
    ----------
    tx
        A write transaction.
    tie
        Who is tied to whom.
    now
        The present instant, microseconds UTC.

    Returns
    -------
    tuple of str
        The cases that the expert held and that wait again, in order.
    """
    ties.keep(tx, tie, now)
    held = (CASES.c.holder == tie.expert, CASES.c.state == CaseState.LEASED.value)
    back = tuple(sorted(tx.execute(select(CASES.c.claim_id).where(*held, ties.tied(tie.expert)).with_for_update()).scalars()))
    if back:
        tx.execute(
            update(CASES)
            .where(CASES.c.claim_id.in_(back))
            .values(state=CaseState.OPEN.value, holder=None, leased_at=None, lease_expires_at=None)
        )
    seen = select(CASES.c.claim_id).where(ties.tied(tie.expert))
    tx.execute(delete(ASSIGNMENTS).where(ASSIGNMENTS.c.expert == tie.expert, ASSIGNMENTS.c.claim_id.in_(seen)))
    return back
