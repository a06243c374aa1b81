"""The queue as a page: for overseers every case with its clocks and value, for experts what they hold, may take and have answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from serving.case_messages import MOST_AT_ONCE, MOST_LISTED, Listed, Listing, Status
from serving.clocks import ACKNOWLEDGED_WITHIN, Clock, Level, level
from serving.console.look_access import blind, is_hidden, visible
from serving.console.records import Row
from serving.console.roles import EXPERTS, tiers
from serving.console.visit import Answer, Office, Sent, Shown, Visit
from serving.expert_work import LEASES, MOST_HELD, Desk
from serving.instants import micros
from serving.queue import URGENT, CaseState, Tier
from serving.schema import CASES, EXPERT_ANSWERS

PAGE = 40
"""Cases on one page."""

STATES = ("waiting", "in-hand", "answered", "withdrawn", "all")
"""What a state can be filtered by."""

_UNANSWERED = (CaseState.OPEN.value, CaseState.LEASED.value)


@dataclass(frozen=True)
class Ticking:
    """The clock of a case that runs out next, or how its last one ended (instants in microseconds UTC)."""

    clock: Clock
    due_at: int
    met_at: int | None
    level: Level | None


@dataclass(frozen=True)
class Line:
    """One case in the list; ``amount_cents`` and ``kind`` are ``None`` where the claim is not known, values where they are hidden."""

    claim_id: str
    tier: str
    state: str
    holder: str | None
    opened_at: int
    ticking: Ticking
    kind: str | None
    amount_cents: int | None
    value_cents: int | None
    per_minute_cents: float | None


def show_first_page(office: Office, visit: Visit) -> Answer:
    """Go to the queue, where everybody begins."""
    return Sent("/queue")


def show_queue(office: Office, visit: Visit) -> Answer:
    """Show the queue as the visitor's role sees it."""
    return _of_expert(office, visit) if visit.role in EXPERTS else _of_overseer(office, visit)


def ticking(row: Any, answered_at: int | None, now: int) -> Ticking:
    """Return the clock of a case (a row of the cases) that matters at an instant."""
    taken_up = row.opened_at + ACKNOWLEDGED_WITHIN
    if row.state == CaseState.ANSWERED and answered_at is not None:
        return Ticking(Clock.DECISION, row.due_at, answered_at, level(row.due_at, answered_at, now))
    if row.acknowledged_at is None and taken_up < row.due_at:
        return Ticking(Clock.ACKNOWLEDGEMENT, taken_up, None, level(taken_up, None, now))
    return Ticking(Clock.DECISION, row.due_at, None, level(row.due_at, None, now))


def _of_overseer(office: Office, visit: Visit) -> Shown:
    asked = {name: visit.query.get(name, "") for name in ("tier", "state", "clock", "find")}
    asked["state"] = asked["state"] if asked["state"] in STATES else "waiting"
    where = and_(visible(visit), CASES.c.opened_at <= visit.now, *_filters(asked, visit.now))
    page = max(1, int(visit.query["page"])) if visit.query.get("page", "").isdecimal() and len(visit.query["page"]) < 7 else 1
    last = (
        select(EXPERT_ANSWERS.c.claim_id, func.max(EXPERT_ANSWERS.c.answered_at).label("at")).group_by(EXPERT_ANSWERS.c.claim_id).subquery()
    )
    query = select(CASES, last.c.at.label("answered_at")).outerjoin(last, last.c.claim_id == CASES.c.claim_id).where(where)
    with office.store.view() as view:
        total = view.execute(select(func.count()).select_from(CASES).where(where)).scalar_one()
        rows = view.execute(query.order_by(*_order(visit.now)).limit(PAGE).offset((page - 1) * PAGE)).all()
    pages = max(1, -(-total // PAGE))
    content = {"lines": _lines(office, visit, rows), "asked": asked, "total": total, "page": page, "pages": pages, "states": STATES}
    return Shown("queue", content)


def _filters(asked: dict[str, str], now: int) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    lapsed = and_(CASES.c.state == CaseState.LEASED.value, CASES.c.lease_expires_at <= now)
    states: dict[str, ColumnElement[bool]] = {
        "waiting": or_(CASES.c.state == CaseState.OPEN.value, lapsed),
        "in-hand": and_(CASES.c.state == CaseState.LEASED.value, CASES.c.lease_expires_at > now),
        "answered": CASES.c.state == CaseState.ANSWERED.value,
        "withdrawn": CASES.c.state == CaseState.WITHDRAWN.value,
    }
    if asked["state"] in states:
        found.append(states[asked["state"]])
    if asked["tier"] in [tier.value for tier in Tier]:
        found.append(CASES.c.tier == asked["tier"])
    if asked["find"]:
        found.append(CASES.c.claim_id.startswith(asked["find"][:64], autoescape=True))
    ends = case(
        (
            and_(CASES.c.acknowledged_at.is_(None), CASES.c.opened_at + ACKNOWLEDGED_WITHIN < CASES.c.due_at),
            CASES.c.opened_at + ACKNOWLEDGED_WITHIN,
        ),
        else_=CASES.c.due_at,
    )
    if asked["clock"] == Level.BREACH.value:
        found += [CASES.c.state.in_(_UNANSWERED), ends <= now]
    elif asked["clock"] == Level.WARNING.value:
        found += [CASES.c.state.in_(_UNANSWERED), ends > now, ends <= now + URGENT]
    return found


def _order(now: int) -> tuple[Any, ...]:
    unanswered = CASES.c.state.in_(_UNANSWERED)
    urgent = and_(unanswered, CASES.c.due_at <= now + URGENT)
    soonest = case((urgent, CASES.c.due_at), (unanswered, now + URGENT + 1), else_=now + URGENT + 2)
    return soonest, CASES.c.priority.desc(), CASES.c.claim_id


def _lines(office: Office, visit: Visit, rows: Sequence[Any]) -> list[Line]:
    claims = [row.claim_id for row in rows]
    filed = _filed(office, visit, claims)
    drawn = blind(office.checks, claims)
    return [_line(row, filed.get(row.claim_id, {}), drawn[row.claim_id], visit) for row in rows]


def _filed(office: Office, visit: Visit, claims: list[str]) -> dict[str, Row]:
    """Return what is known of some claims as they were filed, by claim."""
    rows = office.records.rows("claims", "claim_id", claims, visit.now + 1, len(claims)) if claims else []
    return {row["claim_id"]: row for row in rows}


def _line(row: Any, filed: dict[str, Any], is_blind: bool, visit: Visit) -> Line:
    hidden = is_hidden(row, is_blind, visit.role, visit.now)
    lapsed = row.state == CaseState.LEASED and row.lease_expires_at <= visit.now
    return Line(
        claim_id=row.claim_id,
        tier=row.tier,
        state=CaseState.OPEN.value if lapsed else row.state,
        holder=None if lapsed else row.holder,
        opened_at=row.opened_at,
        ticking=ticking(row, row.answered_at, visit.now),
        kind=filed.get("kind"),
        amount_cents=filed.get("amount_cents"),
        value_cents=None if hidden else row.value_cents,
        per_minute_cents=None if hidden else row.priority / 1000,
    )


def _of_expert(office: Office, visit: Visit) -> Shown:
    mine = tiers(visit.role)
    with office.store.view() as view:
        desk = Desk(view, visit.name, visit.now, office.policy, office.checks)
        held = desk.page(Listing(status=Status.HELD, limit=MOST_LISTED), "").cases
        waiting = {tier.value: desk.page(Listing(status=Status.WAITING, tier=tier, limit=MOST_LISTED), "") for tier in mine}
        answered = desk.page(Listing(status=Status.ANSWERED, limit=MOST_LISTED), "")
    filed = _filed(office, visit, [one.claim_id for one in held])
    content = {
        "held": sorted(({"case": one, "due": _due(one, visit.now), "filed": filed.get(one.claim_id)} for one in held), key=_soonest),
        "waiting": {tier: {"cases": page.cases, "more": page.next_cursor is not None} for tier, page in waiting.items()},
        "answered": {"cases": answered.cases, "more": answered.next_cursor is not None},
        "most_held": MOST_HELD,
        "most_at_once": MOST_AT_ONCE,
        "lengths": {tier.value: length for tier, length in LEASES.items()},
    }
    return Shown("desk", content)


def _soonest(one: dict[str, Any]) -> tuple[int, str]:
    return one["due"]["due_at"], one["case"].claim_id


def _due(one: Listed, now: int) -> dict[str, Any]:
    due, expires = micros(one.due_at), None if one.expires_at is None else micros(one.expires_at)
    return {"due_at": due, "level": level(due, None, now), "expires_at": expires}
