"""Requests of experts that are sent twice: what was answered under an idempotency key is answered again, and nothing happens twice.

A key belongs to the expert who gave it. The reply is kept in the transaction of the work itself, so that a lost answer, a crash and
two attempts at once all end with one piece of work done.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from serving.instants import DAY
from serving.refusals import ConflictError, Violation, shown
from serving.schema import EXPERT_CALLS
from serving.store import Store

KEPT_FOR = 7 * DAY
"""How long replies are kept."""

Work = Callable[[Connection], bytes]
"""Does what was asked for, and returns the reply."""


def once(store: Store, expert: str, key: str | None, asked: bytes, now: int, work: Work) -> bytes:
    """Do a piece of work, or return what was answered when it was done.

    Parameters
    ----------
    store
        Where the work is done.
    expert
        Who asks.
    key
        What they gave to tell a repetition by; ``None``: the work is done whatever came before.
    asked
        What they ask for, in full.
    now
        The present instant, microseconds UTC.
    work
        Runs in a write transaction; if it raises, nothing is kept, and the key may be used again.

    Raises
    ------
    ConflictError
        If something else was asked for under the key.
    """
    if key is None:
        with store.write() as tx:
            return work(tx)
    mark = blake2b(asked, digest_size=16).digest()
    try:
        return _once(store, expert, key, mark, now, work)
    except IntegrityError:  # the same request came twice at once, and the other one was quicker
        return _once(store, expert, key, mark, now, work)


def _once(store: Store, expert: str, key: str, mark: bytes, now: int, work: Work) -> bytes:
    mine = EXPERT_CALLS.c.expert == expert
    with store.write() as tx:
        tx.execute(delete(EXPERT_CALLS).where(mine, EXPERT_CALLS.c.at <= now - KEPT_FOR))
        held = tx.execute(select(EXPERT_CALLS.c.print, EXPERT_CALLS.c.reply).where(mine, EXPERT_CALLS.c.key == key)).one_or_none()
        if held is not None:
            if bytes(held.print) != mark:
                told = Violation("Idempotency-Key", "a key that is new, or the request it came with first", shown(key))
                raise ConflictError(f"request of {expert}", [told])
            return bytes(held.reply)
        reply = work(tx)
        tx.execute(insert(EXPERT_CALLS).values(expert=expert, key=key, print=mark, reply=reply, at=now))
        return reply
