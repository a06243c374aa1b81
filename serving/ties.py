"""Conflict of interest: which experts are tied to which customers and sellers, and so must not see their cases.

A tie counts from the moment it is declared, for cases that wait as for those in hand (:mod:`serving.handover` takes them back).
Whose a case is may not be known (it was opened before that was kept): then whoever is tied to anybody of that kind does not see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, or_, select

from serving.driver import Driver
from serving.schema import CASES, EXPERT_TIES


class TieKind(StrEnum):
    """What an expert can be tied to."""

    CUSTOMER = "customer"
    SELLER = "seller"


@dataclass(frozen=True)
class Tie:
    """An expert and the customer or seller whose cases they must not see.

    >>> Tie("ann", TieKind.SELLER, "S1").party
    'S1'
    """

    expert: str
    kind: TieKind
    party: str


_PARTY = {TieKind.CUSTOMER: CASES.c.customer_id, TieKind.SELLER: CASES.c.seller_id}
_KEEP = "INSERT INTO expert_ties (expert, kind, party, declared_at) VALUES (?, ?, ?, ?) ON CONFLICT (expert, kind, party) DO NOTHING"


def tied(expert: str) -> ColumnElement[bool]:
    """Return the condition, on a row of the cases, that an expert must not see it."""
    party = or_(
        *(and_(EXPERT_TIES.c.kind == kind.value, or_(whose == EXPERT_TIES.c.party, whose.is_(None))) for kind, whose in _PARTY.items())
    )
    return exists().where(EXPERT_TIES.c.expert == expert, party)


def is_tied(tx: Connection, expert: str, claim_id: str) -> bool:
    """Tell whether an expert must not see a case."""
    return tx.execute(select(CASES.c.claim_id).where(CASES.c.claim_id == claim_id, tied(expert))).first() is not None


def keep(tx: Connection, tie: Tie, now: int) -> None:
    """Write a tie down (``now`` in microseconds UTC); one that is known already keeps the earlier instant."""
    Driver(tx).run(_KEEP, [(tie.expert, tie.kind.value, tie.party, now)])


def retract(tx: Connection, tie: Tie) -> bool:
    """Take back a tie that was declared in error; tells whether there was one."""
    same = (EXPERT_TIES.c.expert == tie.expert, EXPERT_TIES.c.kind == tie.kind.value, EXPERT_TIES.c.party == tie.party)
    return tx.execute(delete(EXPERT_TIES).where(*same)).rowcount > 0


def ties_of(tx: Connection, expert: str) -> frozenset[Tie]:
    """Return everything that an expert is tied to."""
    rows = tx.execute(select(EXPERT_TIES.c.kind, EXPERT_TIES.c.party).where(EXPERT_TIES.c.expert == expert))
    return frozenset(Tie(expert, TieKind(kind), party) for kind, party in rows)
