"""Files of rings in the queue: cases that hang together, taken by one investigator for one fee.

Which claims make a file is :func:`models.rings.ring_files`' business. Here its cases leave the desk, whoever takes one of them takes
them all, and the first answer to a file is paid for the whole of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select, update

from serving import handover, queue
from serving.queue import CaseState, Lease, Tier
from serving.schema import CASES, EXPERT_ANSWERS
from serving.schema_parties import RING_FILES

BY = "ring file"
"""On whose word the cases of a file leave the desk."""


def open_file(tx: Connection, claim_ids: Sequence[str], value_cents: int, now: int, minutes: int) -> tuple[str, ...]:
    """Make one file of cases that wait.

    Parameters
    ----------
    tx
        A write transaction.
    claim_ids
        Its cases, the most valuable first; those that are in hand, answered, or in a file already are left where they are.
    value_cents
        What investigating all of them for one fee is expected to save.
    now
        The present instant, microseconds UTC.
    minutes
        Expected minutes of one investigation, shared by the cases of the file.

    Returns
    -------
    tuple of str
        The cases of the file; none, and nothing is done, where fewer than two are left.
    """
    filed = select(RING_FILES.c.claim_id)
    query = select(CASES).where(CASES.c.claim_id.in_(claim_ids), CASES.c.state == CaseState.OPEN.value, CASES.c.claim_id.not_in(filed))
    rows = {row.claim_id: row for row in tx.execute(query.with_for_update())}
    mine = [claim for claim in claim_ids if claim in rows]
    if len(mine) < 2:
        return ()
    each, priority = max(1, minutes // len(mine)), queue.priority(value_cents, minutes)
    for claim in mine:
        if rows[claim].tier == Tier.DESK:
            handover.to_investigators(tx, claim, BY, now, each, priority)
        else:
            tx.execute(update(CASES).where(CASES.c.claim_id == claim).values(minutes=each, priority=priority))
    opened = {"file_id": f"ring-{mine[0]}", "value_cents": value_cents, "opened_at": now}
    tx.execute(insert(RING_FILES), [{"claim_id": claim, **opened} for claim in mine])
    return tuple(mine)


def siblings(tx: Connection, claim_id: str) -> tuple[str, ...]:
    """Return the other cases of the file that a case is in, in order; none for a case in no file."""
    file = select(RING_FILES.c.file_id).where(RING_FILES.c.claim_id == claim_id).scalar_subquery()
    others = select(RING_FILES.c.claim_id).where(RING_FILES.c.file_id == file, RING_FILES.c.claim_id != claim_id)
    return tuple(tx.execute(others.order_by(RING_FILES.c.claim_id)).scalars())


def lease_files(tx: Connection, leases: Sequence[Lease], now: int, ttl: int) -> tuple[Lease, ...]:
    """Lease what belongs into the files of cases that were just leased; the holder must be allowed to see it, and nobody else have it."""
    found: list[Lease] = []
    for held in leases:
        taken = {one.claim_id for one in (*leases, *found)}
        rest = [claim for claim in siblings(tx, held.claim_id) if claim not in taken]
        found += queue.lease_these(tx, rest, held.tier, held.holder, now, ttl)
    return tuple(found)


def is_paid(tx: Connection, claim_id: str) -> bool:
    """Tell whether a case is in a file whose investigation was paid with an earlier answer."""
    others = siblings(tx, claim_id)
    paid = select(EXPERT_ANSWERS.c.answer_id).where(EXPERT_ANSWERS.c.claim_id.in_(others), EXPERT_ANSWERS.c.fee_cents > 0).limit(1)
    return bool(others) and tx.execute(paid).first() is not None
