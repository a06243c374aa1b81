"""What a party sees of a claim: only claims that concern it, and of them nothing that would accuse or name somebody to it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from serving.case import APPLIED
from serving.instants import moment
from serving.party_messages import CaseListing, Effect, PartyCase, PartyListed, PartyPage, Statement, Which
from serving.party_stage import WITHDRAWN, stage
from serving.party_work import NotYoursError, Speaker, may_say, whole_cents
from serving.present import present
from serving.resolution import RESOLVED, State
from serving.schema import CLAIMS_TABLE, PROCEEDINGS, RECEIPTS
from serving.schema_parties import STATEMENTS


def page_of(tx: Connection, speaker: Speaker, asked: CaseListing, after: str) -> PartyPage:
    """Return the claims of a list behind a claim's identity."""
    resolved = PROCEEDINGS.c.state.in_([state.value for state in RESOLVED])
    which = ~resolved if asked.status is Which.OPEN else resolved
    query = select(PROCEEDINGS).where(speaker.sees(), which, PROCEEDINGS.c.claim_id > after)
    rows = tx.execute(query.order_by(PROCEEDINGS.c.claim_id).limit(asked.limit + 1)).all()
    more, rows = len(rows) > asked.limit, rows[: asked.limit]
    return PartyPage(claims=[_listed(speaker, row) for row in rows], next_cursor=rows[-1].claim_id if more else None)


def _listed(speaker: Speaker, row: Any) -> PartyListed:
    told = stage(speaker.party, State(row.state))
    deadline = None if row.deadline is None or told == WITHDRAWN else moment(row.deadline)
    return PartyListed(claim_id=row.claim_id, stage=told, amount_cents=row.amount_cents, deadline=deadline)


def case_of(tx: Connection, speaker: Speaker, claim_id: str, now: int) -> PartyCase:
    """Return a claim as it stands at an instant (microseconds UTC).

    Raises
    ------
    serving.party_work.NotYoursError
        If it does not concern the speaker.
    """
    if tx.execute(select(PROCEEDINGS.c.claim_id).where(PROCEEDINGS.c.claim_id == claim_id, speaker.sees())).first() is None:
        raise NotYoursError(f"claim {claim_id}: expected one that concerns {speaker.party.value} {speaker.name}, found none")
    case = present(tx, claim_id, now)
    filed = tx.execute(select(CLAIMS_TABLE.c.kind, CLAIMS_TABLE.c.incident_at).where(CLAIMS_TABLE.c.claim_id == claim_id)).one_or_none()
    told = stage(speaker.party, case.state)
    return PartyCase(
        claim_id=claim_id,
        stage=told,
        amount_cents=case.amount_cents,
        deadline=None if case.deadline is None or told == WITHDRAWN else moment(case.deadline),
        seller_id=case.seller_id,
        product_id=case.product_id,
        kind=None if filed is None else filed.kind,
        incident_at=None if filed is None else moment(filed.incident_at),
        due_cents=whole_cents(speaker.party, case),
        may=may_say(speaker.party, case),
        said=_said(tx, speaker, claim_id),
    )


def _said(tx: Connection, speaker: Speaker, claim_id: str) -> list[Statement]:
    mine = STATEMENTS.c
    joined = STATEMENTS.outerjoin(RECEIPTS, RECEIPTS.c.message_id == mine.answer_id)
    query = select(mine.answer_id, mine.verb, mine.said_at, RECEIPTS.c.disposition).select_from(joined)
    rows = tx.execute(query.where(mine.claim_id == claim_id, mine.party == speaker.party.value, mine.speaker == speaker.name))
    ordered = sorted(rows, key=lambda row: (row.said_at, row.answer_id))
    return [Statement(answer_id=r.answer_id, verb=r.verb, said_at=moment(r.said_at), effect=_effect(r.disposition)) for r in ordered]


def _effect(disposition: str | None) -> Effect | None:
    """Tell whether it counted; why not would tell in what state the claim was."""
    return None if disposition is None else Effect.APPLIED if disposition == APPLIED else Effect.TOO_LATE
