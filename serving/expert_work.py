"""What an expert does by the API, each in one transaction: take cases, prolong, answer, give back, escalate, declare a conflict.

How long a lease lasts, how many cases one expert may hold and what an answer is paid are decided here and never by who asks. Everything
that an expert does is an entry of the audit log, with who did it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, and_, func, select

from models.policy import Policy
from models.quality_checks import Checks, doubled
from serving import audit, handover, queue, ring_work, second_looks
from serving.case_messages import (
    Answered,
    Escalated,
    Given,
    Held,
    Kept,
    Leases,
    Left,
    Listed,
    Listing,
    Page,
    Recused,
    Renewed,
    Status,
    Wanted,
)
from serving.casefile import CaseFile, case_files
from serving.driver import Driver
from serving.instants import DAY, moment
from serving.queue import CaseState, Lease, QueueError, Tier
from serving.schema import CASES, EXPERT_ANSWERS
from serving.second_looks import Why
from serving.ties import Tie, TieKind, is_tied

LEASES: Mapping[Tier, int] = {Tier.DESK: 5 * DAY, Tier.INVESTIGATION: 14 * DAY}
"""How long a lease lasts, and how far a renewal prolongs it, microseconds: a weekend and a day's absence end no desk lease."""

MOST_HELD = 100
"""Cases that one expert may hold at once: answers of the desk take up to ten days, so more than a week's work is open at any time."""


@dataclass(frozen=True)
class Desk:
    """What answers an expert.

    Parameters
    ----------
    tx
        A transaction of the store; a write transaction for everything but looking.
    expert
        Who asks.
    now
        The present instant, microseconds UTC.
    policy
        Fees and minutes.
    checks
        Draws the cases that are judged without the model's opinion.
    """

    tx: Connection
    expert: str
    now: int
    policy: Policy
    checks: Checks = field(default_factory=Checks)

    def lease(self, asked: Wanted) -> Leases:
        """Lease the next cases of a tier, no more than may be held; who takes one case of a ring's file takes all of it."""
        room = max(0, MOST_HELD - self.tx.execute(select(func.count()).select_from(CASES).where(self._mine())).scalar_one())
        wanted = min(asked.limit, room)
        ttl = LEASES[asked.tier]
        leases = queue.lease(self.tx, asked.tier, self.expert, self.now, ttl, wanted) if wanted else ()
        if asked.tier is Tier.INVESTIGATION:
            leases += ring_work.lease_files(self.tx, leases, self.now, ttl)
        self._note(*({"did": "lease", "claim_id": held.claim_id, "token": held.token} for held in leases))
        return Leases(cases=case_files(self.tx, [held.claim_id for held in leases], self.checks))

    def renew(self, asked: Held) -> Renewed:
        """Prolong a lease."""
        held = self._held(asked)
        longer = queue.renew(self.tx, held, self.now, LEASES[held.tier])
        return Renewed(claim_id=held.claim_id, token=held.token, expires_at=moment(longer.expires_at))

    def answer(self, asked: Answered) -> Kept:
        """Keep an answer; the same once more is answered as before."""
        before = self._answered(asked)
        if before is not None:
            return before
        held = self._held(asked)
        fee = self._fee(held)
        answer_id = queue.answer(self.tx, held, asked.label, asked.minutes, fee, self.now, asked.rationale)
        self._note({"did": "answer", **asked.model_dump(mode="json"), "fee_cents": fee})
        self._doubled(held)
        return Kept(answer_id=answer_id, fee_cents=fee, answered_at=moment(self.now))

    def _fee(self, held: Lease) -> int:
        """Return what an answer is paid: a ring's file is one investigation, and paid with the first answer."""
        if held.tier is Tier.DESK:
            return self.policy.desk.fee_cents
        return 0 if ring_work.is_paid(self.tx, held.claim_id) else self.policy.investigation.fee_cents

    def _doubled(self, held: Lease) -> None:
        """Give a case that the draw has chosen to somebody else as well, the first time that it is answered."""
        if held.tier is Tier.DESK and doubled(self.checks, held.claim_id) and not second_looks.looks(self.tx, [held.claim_id]):
            second_looks.ask(self.tx, held.claim_id, Why.DRAWN, self.now)

    def release(self, asked: Given) -> Left:
        """Give a case back, or hand it over."""
        held = self._held(asked)
        if asked.to is None:
            queue.release(self.tx, held, self.now)
        else:
            handover.hand_over(self.tx, held, asked.to, self.now)
        self._note({"did": "release", **asked.model_dump(mode="json")})
        return Left(claim_id=held.claim_id, cases=[held.claim_id])

    def escalate(self, asked: Escalated) -> Left:
        """Give a desk case to the investigators."""
        held = self._held(asked)
        handover.escalate(self.tx, held, self.now, queue.minutes_of(self.policy))
        self._note({"did": "escalate", **asked.model_dump(mode="json")})
        return Left(claim_id=held.claim_id, cases=[held.claim_id])

    def recuse(self, asked: Recused) -> Left:
        """Declare a conflict of interest with a party of a case; every case of that party is taken back."""
        held = self._held(asked)
        whose = CASES.c.customer_id if asked.tied_to is TieKind.CUSTOMER else CASES.c.seller_id
        party = self.tx.execute(select(whose).where(CASES.c.claim_id == held.claim_id)).scalar_one()
        if party is None:
            raise QueueError(f"case {held.claim_id}: expected a case whose {asked.tied_to} is known, found none; give it back instead")
        back = handover.declare(self.tx, Tie(self.expert, asked.tied_to, party), self.now)
        self._note({"did": "recuse", **asked.model_dump(mode="json"), "party": party})
        return Left(claim_id=held.claim_id, cases=list(back))

    def file(self, claim_id: str) -> CaseFile | None:
        """Return the file of a case that the expert holds."""
        held = self.tx.execute(select(CASES.c.claim_id).where(CASES.c.claim_id == claim_id, self._mine())).first()
        if held is None or is_tied(self.tx, self.expert, claim_id):
            return None
        return case_files(self.tx, [claim_id], self.checks)[0]

    def page(self, asked: Listing, after: str) -> Page:
        """Return the cases of a list behind a claim's identity."""
        query = select(CASES).where(self._of(asked), CASES.c.claim_id > after).order_by(CASES.c.claim_id).limit(asked.limit + 1)
        rows = self.tx.execute(query).all()
        more, rows = len(rows) > asked.limit, rows[: asked.limit]
        cases = [_listed(row, asked.status is Status.HELD) for row in rows]
        return Page(cases=cases, next_cursor=rows[-1].claim_id if more else None)

    def _of(self, asked: Listing) -> Any:
        if asked.status is Status.HELD:
            return self._mine()
        if asked.status is Status.WAITING:
            return queue.offered(asked.tier, self.expert, self.now)
        return CASES.c.claim_id.in_(select(EXPERT_ANSWERS.c.claim_id).where(EXPERT_ANSWERS.c.expert == self.expert))

    def _mine(self) -> Any:
        states = (CaseState.LEASED.value, CaseState.WITHDRAWN.value)
        return and_(CASES.c.holder == self.expert, CASES.c.state.in_(states), CASES.c.lease_expires_at > self.now)

    def _held(self, asked: Held) -> Lease:
        return queue.held_by(self.tx, asked.claim_id, self.expert, asked.token, self.now)

    def _answered(self, asked: Answered) -> Kept | None:
        columns = EXPERT_ANSWERS.c
        query = select(EXPERT_ANSWERS).where(
            columns.claim_id == asked.claim_id, columns.token == asked.token, columns.expert == self.expert
        )
        row = self.tx.execute(query).one_or_none()
        if row is None or (row.label, row.minutes, row.rationale) != (asked.label, asked.minutes, asked.rationale):
            return None
        return Kept(answer_id=row.answer_id, fee_cents=row.fee_cents, answered_at=moment(row.answered_at))

    def _note(self, *told: dict[str, Any]) -> None:
        entries = [
            audit.Entry(audit.CASE, one["claim_id"], self.now, json.dumps({"expert": self.expert, **one}, sort_keys=True).encode())
            for one in told
        ]
        if entries:
            audit.append(Driver(self.tx), entries)


def _listed(row: Any, held: bool) -> Listed:
    return Listed(
        claim_id=row.claim_id,
        tier=row.tier,
        minutes=row.minutes,
        opened_at=moment(row.opened_at),
        due_at=moment(row.due_at),
        token=row.token if held else None,
        expires_at=moment(row.lease_expires_at) if held else None,
    )
