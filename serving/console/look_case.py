"""The page of one case: everything that is known of it and that its visitor may see, and what they can do about it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from serving.clocks import ACKNOWLEDGED_WITHIN, level
from serving.console.do_case import MISSING
from serving.console.look_access import blind, is_hidden, must_see, visible
from serving.console.look_alike import reused
from serving.console.look_burst import burst_of
from serving.console.look_history import history_of
from serving.console.look_links import graph_of
from serving.console.look_opinion import opinion_of, words_of
from serving.console.look_queue import ticking
from serving.console.records import Row
from serving.console.roles import EXPERTS, Role
from serving.console.users import every_user
from serving.console.visit import Answer, Office, Shown, Visit
from serving.ledger import balances_of, borne
from serving.queue import MEANT_FOR, CaseState, Tier
from serving.ring_work import is_paid, siblings
from serving.schema import ASSIGNMENTS, CASES, EXPERT_ANSWERS, PROCEEDINGS
from serving.schema_parties import RING_FILES


def show_case(office: Office, visit: Visit) -> Answer:
    """Show a case."""
    claim_id, now = visit.path["claim_id"], visit.now
    with office.store.view() as view:
        row = must_see(view, visit, claim_id)
        hidden = is_hidden(row, blind(office.checks, [claim_id])[claim_id], visit.role, now)
        claim = next(iter(office.records.rows("claims", "claim_id", [claim_id], now + 1, 1)), None)
        content: dict[str, Any] = {
            "case": row,
            "claim": claim,
            "hidden": hidden,
            "opinion": None if hidden else opinion_of(view, claim_id, now),
            "words_of": words_of,
            "missing": MISSING,
            "is_expert": visit.role in EXPERTS,
            "clocks": _clocks(view, row, now),
            "file": _file(view, visit, claim_id),
            **_around(office, view, visit, claim, row),
            **(_mine(row) if visit.role in EXPERTS else _overseen(view, visit, row)),
        }
    return Shown("case", content)


def _file(tx: Connection, visit: Visit, claim_id: str) -> dict[str, Any] | None:
    """Return the file of a ring that a case is in, with those of its other cases that the visitor may see."""
    own = tx.execute(select(RING_FILES).where(RING_FILES.c.claim_id == claim_id)).one_or_none()
    if own is None:
        return None
    others = select(CASES.c.claim_id).where(CASES.c.claim_id.in_(siblings(tx, claim_id)), visible(visit)).order_by(CASES.c.claim_id)
    paid = is_paid(tx, claim_id)
    return {"name": own.file_id, "value_cents": own.value_cents, "others": tx.execute(others).scalars().all(), "paid": paid}


def _clocks(tx: Connection, row: Any, now: int) -> list[dict[str, Any]]:
    answered = select(func.max(EXPERT_ANSWERS.c.answered_at)).where(EXPERT_ANSWERS.c.claim_id == row.claim_id)
    last = tx.execute(answered).scalar_one_or_none() if row.state == CaseState.ANSWERED else None
    taken_up, ends = row.opened_at + ACKNOWLEDGED_WITHIN, ticking(row, last, now)
    clocks = [
        ("taken up", taken_up, row.acknowledged_at, level(taken_up, row.acknowledged_at, now)),
        ("answered", row.due_at, last, level(row.due_at, last, now)),
    ]
    if row.state == CaseState.WITHDRAWN:
        clocks = []
    return [
        {
            "what": what,
            "due_at": due,
            "met_at": met,
            "level": bad,
            "next": met is None and due == ends.due_at,
            "gone": min(1.0, max(0.0, (min(now, met or now) - row.opened_at) / max(1, due - row.opened_at))),
        }
        for what, due, met, bad in clocks
    ]


def _around(office: Office, tx: Connection, visit: Visit, claim: Row | None, row: Any) -> dict[str, Any]:
    if claim is None:
        return {"timeline": None, "graph": None, "reused": None, "product": None, "burst": None}
    sees_answers = visit.role not in EXPERTS
    records, now = office.records, visit.now
    return {
        "timeline": history_of(tx, records, claim, row, now, sees_answers),
        "graph": graph_of(records, claim, now),
        "burst": burst_of(records, claim, now),
        "reused": reused(records, claim, now),
        "product": next(iter(records.rows("products", "product_id", [claim["product_id"]], now, 1)), None),
    }


def _mine(row: Any) -> dict[str, Any]:
    return {
        "can_escalate": row.tier == Tier.DESK and row.state == CaseState.LEASED,
        "can_renew": row.state == CaseState.LEASED,
        "answers": (),
        "proceeding": None,
        "money": {},
        "experts": (),
        "meant_for": None,
        "can_assign": False,
        "can_reopen": False,
    }


def _overseen(tx: Connection, visit: Visit, row: Any) -> dict[str, Any]:
    answers = tx.execute(select(EXPERT_ANSWERS).where(EXPERT_ANSWERS.c.claim_id == row.claim_id).order_by(EXPERT_ANSWERS.c.token)).all()
    proceeding = tx.execute(select(PROCEEDINGS).where(PROCEEDINGS.c.claim_id == row.claim_id)).one_or_none()
    balances = balances_of(tx, [row.claim_id]).get(row.claim_id, {})
    kept = (ASSIGNMENTS.c.claim_id == row.claim_id, ASSIGNMENTS.c.planned_at > visit.now - MEANT_FOR)
    meant = tx.execute(select(ASSIGNMENTS.c.expert).where(*kept)).scalar_one_or_none()
    waits = row.state == CaseState.OPEN or (row.state == CaseState.LEASED and row.lease_expires_at <= visit.now)
    is_operations = visit.role is Role.OPERATIONS
    fits = EXPERTS if row.tier == Tier.DESK else {Role.INVESTIGATOR}
    said = {answer.expert for answer in answers}
    experts = [user.name for user in every_user(tx) if user.role in fits and user.disabled_at is None and user.name not in said]
    return {
        "can_escalate": False,
        "can_renew": False,
        "answers": answers,
        "proceeding": proceeding,
        "money": {name: cents for name, cents in borne(balances).items() if cents},
        "experts": experts if is_operations else (),
        "meant_for": meant if waits else None,
        "can_assign": is_operations and waits,
        "can_reopen": is_operations and row.state == CaseState.ANSWERED,
    }
