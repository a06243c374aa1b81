"""The audit log as a page: its entries, latest first, and whether the chain of their hashes holds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, or_, select

from serving import attachments, audit
from serving.audit import Verified
from serving.console.look_access import blind, is_hidden
from serving.console.visit import Answer, Office, Shown, Visit
from serving.driver import Driver
from serving.schema import AUDIT_LOG, CASES
from serving.ties import tied

PAGE = 50
"""Entries on one page."""

AT_ONCE = 50_000
"""A chain of at most so many entries and decisions beside them is followed whenever the page is asked for; a longer one when somebody asks
for that."""

_OPINION = (
    "p_valid",
    "p_unsubstantiated",
    "p_abusive",
    "automatic_action",
    "automatic_cost_cents",
    "review_value_cents",
    "reasons",
    "rules",
    "route",
)


@dataclass(frozen=True)
class Record:
    """An entry: number, instant, kind, what it is about, what it says in fields, and its hash."""

    seq: int
    at: int
    kind: str
    subject: str
    told: tuple[tuple[str, str], ...]
    hash: str


def show_audit(office: Office, visit: Visit) -> Answer:
    """Show the log."""
    subject, kind = visit.query.get("subject", "").strip()[:255], visit.query.get("kind", "")
    before = int(visit.query["before"]) if visit.query.get("before", "").isdecimal() and len(visit.query["before"]) < 16 else None
    with office.store.view() as view:
        rows = _entries(view, subject, kind, before)
        head = audit.head(Driver(view))
        closed = _closed(view, office, visit, [row.subject for row in rows])
        follows = visit.query.get("verify") or head.seq + attachments.decisions(Driver(view)) <= AT_ONCE
        verified: Verified | None = audit.verify(view) if follows else None
    more, rows = len(rows) > PAGE, rows[:PAGE]
    content = {
        "records": [_record(row, closed.get(row.subject, "")) for row in rows],
        "asked": {"subject": subject, "kind": kind},
        "kinds": (audit.DECISION, attachments.TOGETHER, audit.CASE, audit.EVENT, audit.FILLED, "console"),
        "older": rows[-1].seq if more else None,
        "head": head,
        "verified": verified,
    }
    return Shown("audit", content)


def _entries(view: Connection, subject: str, kind: str, before: int | None) -> list[Any]:
    """Return the entries asked for, one more than a page has; of those that enter many decisions only the one asked about is told."""
    driver = Driver(view)
    together = attachments.entry_with(driver, subject) if subject else None
    query = select(AUDIT_LOG).order_by(AUDIT_LOG.c.seq.desc()).limit(PAGE + 1)
    if subject:
        query = query.where(or_(AUDIT_LOG.c.subject == subject, AUDIT_LOG.c.seq == together))
    if kind:
        query = query.where(AUDIT_LOG.c.kind == kind)
    if before is not None:
        query = query.where(AUDIT_LOG.c.seq < before)
    rows: list[Any] = list(view.execute(query))
    if together is None:
        return rows
    told = {"subject": subject, "body": audit.answers(driver, [subject])[subject]}
    return [SimpleNamespace(**{**row._mapping, **told}) if row.seq == together else row for row in rows]


def _closed(tx: Connection, office: Office, visit: Visit, subjects: Iterable[str]) -> dict[str, str]:
    """Return of which subjects what must be kept back: everything of a party the visitor is tied to, the opinion of cases judged blind."""
    asked = sorted(set(subjects))
    rows = tx.execute(select(CASES, tied(visit.name).label("is_tied")).where(CASES.c.claim_id.in_(asked))).all()
    drawn = blind(office.checks, [row.claim_id for row in rows])
    kept = {row.claim_id: "opinion" for row in rows if is_hidden(row, drawn[row.claim_id], visit.role, visit.now)}
    return kept | {row.claim_id: "all" for row in rows if row.is_tied}


def _record(row: Any, closed: str) -> Record:
    told = _told(bytes(row.body))
    if closed == "all":
        told = {"kept back": "a conflict of interest"}
    elif closed == "opinion":
        told = {name: "hidden until the case is answered" if name in _OPINION else value for name, value in told.items()}
    return Record(row.seq, row.at, row.kind, row.subject, tuple(told.items()), bytes(row.hash).hex())


def _told(body: bytes) -> dict[str, str]:
    try:
        found = json.loads(body)
    except ValueError:
        return {"bytes": f"{len(body):,}"}
    if not isinstance(found, dict):
        return {"value": str(found)}
    return {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in found.items() if value is not None}
