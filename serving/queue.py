"""The durable expert queue: cases are leased for a while, and a fencing token keeps out whoever held one before.

A lease is a promise with an end: when it expires, the case goes back and may be leased again under a higher token; an
answer under the old token is refused. So two experts never hold one case, and a crashed or absent expert loses nothing.
Nobody is given a case of a party they are tied to, one that they have answered before, or one that is meant for somebody else.
Every function works inside a write transaction of the store and takes the time as an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, delete, exists, func, insert, literal, or_, select, update

from data_contracts import Label
from models.policy import Policy
from serving import ties
from serving.instants import DAY
from serving.schema import ASSIGNMENTS, CASES, EXPERT_ANSWERS
from serving.webhooks import announce, case_answered, case_opened

URGENT = 5 * DAY
"""A case due within this time goes before every case that is not, the earliest due first: nothing starves before its deadline."""

MEANT_FOR = 2 * DAY
"""How long an assigned case is kept for its expert; then anybody may take it."""


class QueueError(ValueError):
    """A request that the queue refuses."""


class UnknownCaseError(QueueError):
    """No such case was ever opened."""


class StaleLeaseError(QueueError):
    """The lease has expired, was released, was already answered, or the case is leased to somebody else."""


class ConflictOfInterestError(QueueError):
    """The expert must not see the case: they are tied to its customer or seller, or are to hear nothing of a second look at it."""


class Tier(StrEnum):
    """The two external tiers."""

    DESK = "desk"
    INVESTIGATION = "investigation"


class CaseState(StrEnum):
    """Where a case of the queue stands; ``leased`` counts as open again once the lease has expired."""

    OPEN = "open"
    LEASED = "leased"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"


MINUTES: dict[str, int] = {Tier.DESK.value: 33, Tier.INVESTIGATION.value: 590}
"""Expected minutes per case: desk 20–45; an investigator does about 17 cases in a month of 21 days of 8 hours."""


@dataclass(frozen=True)
class Lease:
    """The right to answer one case until ``expires_at`` (microseconds UTC), proven by ``token``."""

    claim_id: str
    tier: Tier
    holder: str
    token: int
    leased_at: int
    expires_at: int


def minutes_of(policy: Policy) -> dict[str, int]:
    """Return the expected minutes per case by tier as a policy states them."""
    return {Tier.DESK.value: policy.desk.minutes, Tier.INVESTIGATION.value: policy.investigation.minutes}


def priority(value_cents: int, minutes: int) -> int:
    """Return thousandths of a cent per expert-minute: an integer, so that every database sorts alike.

    >>> priority(200, 33)
    6060
    """
    return value_cents * 1000 // minutes


def lease(tx: Connection, tier: Tier, holder: str, now: int, ttl: int, limit: int = 1) -> tuple[Lease, ...]:
    """Lease the next cases of a tier.

    Cases due within :data:`URGENT` come first, earliest due first; then those meant for the holder; then the highest value of review
    per expert-minute.

    Parameters
    ----------
    tx
        A write transaction.
    tier
        Whose queue.
    holder
        Who will answer.
    now, ttl
        The present instant and how long the lease lasts, microseconds.
    limit
        At most so many cases.

    Returns
    -------
    tuple of Lease
        In the order of the queue; empty if nothing waits.
    """
    chosen = sorted(_first(tx, tier, holder, now, limit), key=lambda row: _rank(row, now))[:limit]
    return _taken(tx, chosen, tier, holder, now, ttl)


def lease_these(tx: Connection, claim_ids: Sequence[str], tier: Tier, holder: str, now: int, ttl: int) -> tuple[Lease, ...]:
    """Lease named cases, as far as they may be leased by the holder; in the order of their names. Parameters as in :func:`lease`."""
    if not claim_ids:
        return ()
    query = select(CASES.c.claim_id, CASES.c.token).where(CASES.c.claim_id.in_(claim_ids), offered(tier, holder, now))
    return _taken(
        tx, tx.execute(query.order_by(CASES.c.claim_id).with_for_update(of=CASES, skip_locked=True)).all(), tier, holder, now, ttl
    )


def _taken(tx: Connection, chosen: Iterable[Any], tier: Tier, holder: str, now: int, ttl: int) -> tuple[Lease, ...]:
    leases = tuple(Lease(row.claim_id, tier, holder, row.token + 1, now, now + ttl) for row in chosen)
    if leases:
        tx.execute(
            update(CASES)
            .where(CASES.c.claim_id.in_([held.claim_id for held in leases]))
            .values(
                state=CaseState.LEASED.value,
                holder=holder,
                leased_at=now,
                lease_expires_at=now + ttl,
                token=CASES.c.token + 1,
                acknowledged_at=func.coalesce(CASES.c.acknowledged_at, now),
            )
        )
    return leases


def _first(tx: Connection, tier: Tier, holder: str, now: int, limit: int) -> list[Any]:
    """Lock and return the cases among which the first are: each part of the queue is read in its order, no further than it is needed.

    All parts in one order would have to be sorted whole, at every lease; apart, an index gives the first rows of each.
    """
    mine, soon = _meant(now, ASSIGNMENTS.c.expert == holder), now + URGENT
    columns = (CASES.c.claim_id, CASES.c.token, CASES.c.due_at, CASES.c.priority, mine.label("meant"))
    best, may = (CASES.c.priority.desc(), CASES.c.claim_id), offered(tier, holder, now)
    is_open, urgent = CASES.c.state == CaseState.OPEN.value, and_(CASES.c.due_at > now, CASES.c.due_at <= soon)
    whose = select(ASSIGNMENTS.c.claim_id).where(ASSIGNMENTS.c.expert == holder, ASSIGNMENTS.c.planned_at > now - MEANT_FOR)
    theirs = list(tx.execute(whose).scalars())
    found: dict[str, Any] = {}

    def take(*wanted: ColumnElement[bool], order: tuple[ColumnElement[Any], ...] = best) -> None:
        query = select(*columns).where(*wanted).order_by(*order).limit(limit).with_for_update(of=CASES, skip_locked=True)
        found.update((row.claim_id, row) for row in tx.execute(query))

    # Leases that have ended are few, for nobody may hold many.
    take(may, CASES.c.state == CaseState.LEASED.value, order=(case((urgent, CASES.c.due_at), else_=soon + 1), mine.desc(), *best))
    take(may, is_open, urgent, order=(CASES.c.due_at, mine.desc(), *best))
    if theirs:  # by their keys: no index of the tier must be taken for them
        take(CASES.c.claim_id.in_(theirs), literal("").concat(CASES.c.tier) == tier.value, _free_to(holder, now))
    if sum(row.due_at <= soon or row.meant for row in found.values()) < limit:
        take(may, is_open, CASES.c.due_at + 0 > soon)
    return list(found.values())


def _rank(row: Any, now: int) -> tuple[int, bool, int, str]:
    return (min(row.due_at, now + URGENT + 1), not row.meant, -row.priority, row.claim_id)


def offered(tier: Tier, expert: str, now: int) -> ColumnElement[bool]:
    """Return the condition, on a row of the cases, that an expert may lease it at an instant (microseconds UTC)."""
    return and_(CASES.c.tier == tier.value, _free_to(expert, now))


def _free_to(expert: str, now: int) -> ColumnElement[bool]:
    answered = exists().where(EXPERT_ANSWERS.c.claim_id == CASES.c.claim_id, EXPERT_ANSWERS.c.expert == expert)
    # A sum, so that no index of deadlines is taken for what is wanted in the order of priority.
    waits = and_(CASES.c.opened_at <= now, CASES.c.due_at + 0 > now, waiting(now))
    return and_(waits, ~ties.tied(expert), ~answered, ~_meant(now, ASSIGNMENTS.c.expert != expert))


def _meant(now: int, whom: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(ASSIGNMENTS.c.claim_id == CASES.c.claim_id, ASSIGNMENTS.c.planned_at > now - MEANT_FOR, whom)


def waiting(now: int) -> ColumnElement[bool]:
    """Return the condition, on a row of the cases, that nobody holds it at an instant (microseconds UTC) and somebody should."""
    expired = and_(CASES.c.state == CaseState.LEASED.value, CASES.c.lease_expires_at <= now)
    return or_(CASES.c.state == CaseState.OPEN.value, expired)


def held_by(tx: Connection, claim_id: str, holder: str, token: int, now: int) -> Lease:
    """Return the lease that a token stands for. Raises like :func:`answer`."""
    row = must_hold(tx, Lease(claim_id, Tier.DESK, holder, token, now, now), now)
    return Lease(claim_id, Tier(row.tier), holder, token, row.leased_at, row.lease_expires_at)


def answer(tx: Connection, held: Lease, label: Label, minutes: int, fee_cents: int, now: int, rationale: str | None = None) -> str:
    """Record an expert's answer under a lease; the case leaves the queue.

    Parameters
    ----------
    tx
        A write transaction.
    held
        The lease as it was given.
    label
        What the expert found.
    minutes, fee_cents
        Time spent and the fee due for it.
    now
        The present instant, microseconds UTC.
    rationale
        Why, in the expert's words.

    Returns
    -------
    str
        The answer's key, ``<claim_id>.<token>``.

    Raises
    ------
    UnknownCaseError
        If there is no such case.
    StaleLeaseError
        If the lease is not, or no longer, the one that counts; nothing is written.
    ConflictOfInterestError
        If the holder was found to be tied to a party of the case.
    """
    must_hold(tx, held, now)
    answer_id = f"{held.claim_id}.{held.token}"
    tx.execute(
        insert(EXPERT_ANSWERS).values(
            answer_id=answer_id,
            claim_id=held.claim_id,
            token=held.token,
            expert=held.holder,
            label=label.value,
            minutes=minutes,
            fee_cents=fee_cents,
            answered_at=now,
            rationale=rationale,
        )
    )
    _set_state(tx, held.claim_id, CaseState.ANSWERED)
    announce(tx, [case_answered(held.claim_id, answer_id, now)])
    return answer_id


def renew(tx: Connection, held: Lease, now: int, ttl: int) -> Lease:
    """Prolong a lease until ``now + ttl`` (microseconds) under the same token; one that lasts longer already stays as it is.

    Raises
    ------
    QueueError
        If the claim was decided without the expert; otherwise as :func:`answer`.
    """
    row = must_hold(tx, held, now)
    if row.state == CaseState.WITHDRAWN:
        raise QueueError(f"case {held.claim_id}: expected a case that still waits for its answer, found it withdrawn")
    longer = replace(held, tier=Tier(row.tier), leased_at=row.leased_at, expires_at=max(row.lease_expires_at, now + ttl))
    tx.execute(update(CASES).where(CASES.c.claim_id == held.claim_id).values(lease_expires_at=longer.expires_at))
    return longer


def release(tx: Connection, held: Lease, now: int) -> None:
    """Give a case back unanswered; it can be leased again at once. Raises like :func:`answer`."""
    row = must_hold(tx, held, now)
    back = CaseState.WITHDRAWN if row.state == CaseState.WITHDRAWN else CaseState.OPEN
    tx.execute(
        update(CASES).where(CASES.c.claim_id == held.claim_id).values(state=back.value, holder=None, leased_at=None, lease_expires_at=None)
    )


def withdraw(tx: Connection, claim_ids: Iterable[str]) -> None:
    """Take cases out of the queue because the claim was decided without them; a holder may still answer, and is kept."""
    unanswered = CASES.c.state.in_([CaseState.OPEN.value, CaseState.LEASED.value])
    tx.execute(update(CASES).where(CASES.c.claim_id.in_(list(claim_ids)), unanswered).values(state=CaseState.WITHDRAWN.value))


def answered(tx: Connection, claim_id: str) -> Any:
    """Return the row of an answered case, locked.

    Raises
    ------
    UnknownCaseError
        If there is no such case.
    QueueError
        If the case is not answered.
    """
    row = _row(tx, claim_id)
    if row.state != CaseState.ANSWERED:
        raise QueueError(f"case {claim_id}: expected an answered case to reopen, found it {row.state}")
    return row


def reopen(tx: Connection, claim_id: str, due_at: int, now: int) -> None:
    """Let an answered case wait again until ``due_at``: the first answer stays, the next is somebody else's and gets a higher token.

    Raises like :func:`answered`. Times in microseconds UTC. What for, and what becomes of the answers, is :mod:`serving.second_looks`.
    """
    row = answered(tx, claim_id)
    tx.execute(
        update(CASES)
        .where(CASES.c.claim_id == claim_id)
        .values(state=CaseState.OPEN.value, due_at=due_at, holder=None, leased_at=None, lease_expires_at=None)
    )
    tx.execute(delete(ASSIGNMENTS).where(ASSIGNMENTS.c.claim_id == claim_id))
    announce(tx, [case_opened(claim_id, row.tier, now, due_at, f"opened.{row.token}")])


def _row(tx: Connection, claim_id: str) -> Any:
    row = tx.execute(select(CASES).where(CASES.c.claim_id == claim_id).with_for_update()).one_or_none()
    if row is None:
        raise UnknownCaseError(f"case {claim_id}: expected a case of the queue, found none")
    return row


def must_hold(tx: Connection, held: Lease, now: int) -> Any:
    """Return the case of a lease that counts at an instant (microseconds UTC). Raises like :func:`answer`."""
    row = _row(tx, held.claim_id)
    found = None
    if row.token != held.token or row.holder != held.holder:
        found = f"token {row.token} held by {row.holder or 'nobody'}"
    elif row.state not in (CaseState.LEASED, CaseState.WITHDRAWN):
        found = f"the case {row.state}"
    elif row.lease_expires_at <= now:
        found = f"the lease expired at {row.lease_expires_at}, it is {now}"
    if found is not None:
        raise StaleLeaseError(f"case {held.claim_id}: expected token {held.token} held by {held.holder}, found {found}; lease a case again")
    if ties.is_tied(tx, held.holder, held.claim_id):
        raise ConflictOfInterestError(f"case {held.claim_id}: expected an expert tied to neither party, found {held.holder}")
    return row


def _set_state(tx: Connection, claim_id: str, state: CaseState) -> None:
    tx.execute(update(CASES).where(CASES.c.claim_id == claim_id).values(state=state.value))
