"""Proceedings on disk: reads cases with their messages from the store, and writes down what happened to them.

Everything that one advance of a case causes (state, events, receipts, postings, resolutions, withdrawal from the queue) is
written in the transaction it was read in, so a killed process leaves a case either before or after, never between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, func, insert, or_, select, update

from data_contracts import Action, Label, Route
from data_contracts.resolutions import AnswerKind, Outcome, Party
from serving import ledger, queue, second_looks
from serving.case import APPLIED, Advance, Case, Deed, Message, Receipt, Resolved
from serving.ledger import Account
from serving.party_stage import changes
from serving.resolution import FINAL, Event, State
from serving.schema import ANSWERS_TABLE, CASE_EVENTS, DECISIONS_TABLE, EXPERT_ANSWERS, PROCEEDINGS, RECEIPTS, RESOLUTIONS_TABLE
from serving.schema_parties import ESCALATIONS
from serving.webhooks import announce


class UnknownClaimError(ValueError):
    """A decision on a claim that the claims table does not hold."""


@dataclass(frozen=True)
class ClaimFacts:
    """What casework needs to know of a claim as filed."""

    customer_id: str
    seller_id: str
    product_id: str
    amount_cents: int


def by_state(tx: Connection) -> dict[State, int]:
    """Return how many claims are in each state."""
    query = select(PROCEEDINGS.c.state, func.count()).group_by(PROCEEDINGS.c.state)
    found = {row[0]: row[1] for row in tx.execute(query)}
    return {state: found.get(state.value, 0) for state in State}


def unopened(tx: Connection, as_of: int) -> list[str]:
    """Return the claims decided by ``as_of`` (microseconds) that have no proceedings yet, in order of their key."""
    query = select(DECISIONS_TABLE.c.claim_id).where(
        DECISIONS_TABLE.c.decided_at <= as_of,
        ~exists().where(PROCEEDINGS.c.claim_id == DECISIONS_TABLE.c.claim_id),
    )
    return sorted(tx.execute(query).scalars())


def awaited(tx: Connection, as_of: int, parties_may_answer: bool) -> list[str]:
    """Return the claims with proceedings to which something may happen by ``as_of``, in order of their key.

    Those are the claims with a message not yet taken or a clock that runs out; and every claim not closed, if parties are
    asked during the run.
    """
    open_states = PROCEEDINGS.c.state.not_in([state.value for state in FINAL])
    due = open_states if parties_may_answer else open_states & (PROCEEDINGS.c.deadline <= as_of)
    said = [
        exists().where(
            source.c.claim_id == PROCEEDINGS.c.claim_id,
            source.c.answered_at <= as_of,
            ~exists().where(RECEIPTS.c.message_id == source.c.answer_id),
        )
        for source in (ANSWERS_TABLE, EXPERT_ANSWERS)
    ]
    said.append(
        exists().where(
            ESCALATIONS.c.claim_id == PROCEEDINGS.c.claim_id,
            ESCALATIONS.c.at <= as_of,
            ~exists().where(RECEIPTS.c.message_id == _ESCALATED),
        )
    )
    return sorted(tx.execute(select(PROCEEDINGS.c.claim_id).where(or_(due, *said))).scalars())


def hold(tx: Connection, claim_ids: list[str]) -> None:
    """Keep everybody else who would move these claims waiting until the transaction ends, whether they have proceedings yet or not.

    SQLite lets in one writer at a time anyway.
    """
    rows = select(DECISIONS_TABLE.c.claim_id).where(DECISIONS_TABLE.c.claim_id.in_(claim_ids)).order_by(DECISIONS_TABLE.c.claim_id)
    tx.execute(rows.with_for_update(key_share=True)).all()


def load(tx: Connection, claim_ids: list[str], facts: Mapping[str, ClaimFacts]) -> list[Case]:
    """Return cases as they stand, new ones as just filed, in the order of ``claim_ids``.

    Parameters
    ----------
    tx
        The transaction that will also write them.
    claim_ids
        Decided claims.
    facts
        What the claims say; needed for claims without proceedings only.

    Raises
    ------
    UnknownClaimError
        If a new claim is not among the facts.
    """
    decided = select(*(DECISIONS_TABLE.c[name] for name in _DECIDED)).where(DECISIONS_TABLE.c.claim_id.in_(claim_ids))
    decisions = {row.claim_id: row for row in tx.execute(decided)}
    standing = {row.claim_id: row for row in tx.execute(select(PROCEEDINGS).where(PROCEEDINGS.c.claim_id.in_(claim_ids)))}
    balances = ledger.balances_of(tx, claim_ids)
    escalated = set(tx.execute(_escalations(claim_ids).where(RECEIPTS.c.disposition == APPLIED)).scalars())
    cases = []
    for claim_id in claim_ids:
        row = standing.get(claim_id) or _as_filed(decisions[claim_id], facts)
        cases.append(_case(row, decisions[claim_id], balances.get(claim_id, {}), claim_id in escalated))
    return cases


_ESCALATED = ESCALATIONS.c.claim_id.concat(".escalated")
"""The key of the message that a case was escalated: that happens once."""


def _escalations(claim_ids: list[str]) -> Select[Any]:
    joined = ESCALATIONS.outerjoin(RECEIPTS, RECEIPTS.c.message_id == _ESCALATED)
    return select(ESCALATIONS.c.claim_id, ESCALATIONS.c.at).select_from(joined).where(ESCALATIONS.c.claim_id.in_(claim_ids))


_DECIDED = ("claim_id", "decided_at", "action", "automatic_action", "route", "propensity", "p_valid", "p_unsubstantiated", "p_abusive")


@dataclass(frozen=True)
class _Filed:
    """A row of proceedings as it would be at the instant of the decision."""

    claim_id: str
    customer_id: str
    seller_id: str
    product_id: str
    amount_cents: int
    opened_at: int
    since: int
    last_at: int
    state: str = State.FILED.value
    seq: int = 0
    deadline: int | None = None
    paid_at: int | None = None
    outcome: str | None = None
    found: str | None = None


def _as_filed(decision: Any, facts: Mapping[str, ClaimFacts]) -> _Filed:
    fact = facts.get(decision.claim_id)
    if fact is None:
        raise UnknownClaimError(
            f"claim {decision.claim_id}: expected in the table claims because it is decided, found nothing there; "
            "resolve against the lake that it was scored from"
        )
    at = decision.decided_at
    return _Filed(decision.claim_id, fact.customer_id, fact.seller_id, fact.product_id, fact.amount_cents, at, at, at)


def _case(row: Any, decision: Any, balances: Mapping[Account, int], escalated: bool) -> Case:
    return Case(
        claim_id=row.claim_id,
        customer_id=row.customer_id,
        seller_id=row.seller_id,
        product_id=row.product_id,
        amount_cents=row.amount_cents,
        action=Action(decision.action),
        automatic_action=Action(decision.automatic_action),
        route=Route(decision.route),
        propensity=decision.propensity,
        opened_at=row.opened_at,
        state=State(row.state),
        seq=row.seq,
        since=row.since,
        last_at=row.last_at,
        deadline=row.deadline,
        paid_at=row.paid_at,
        outcome=Outcome(row.outcome) if row.outcome else None,
        balances=balances,
        found=Label(row.found) if row.found else None,
        proba=(decision.p_valid, decision.p_unsubstantiated, decision.p_abusive),
        escalated=escalated,
    )


def messages(tx: Connection, claim_ids: list[str], as_of: int) -> tuple[dict[str, list[Message]], dict[str, set[str]]]:
    """Return, by claim, the messages that arrived by ``as_of`` and are not taken yet, and the keys of all that are taken."""
    taken: dict[str, set[str]] = {}
    for claim_id, message_id in tx.execute(select(RECEIPTS.c.claim_id, RECEIPTS.c.message_id).where(RECEIPTS.c.claim_id.in_(claim_ids))):
        taken.setdefault(claim_id, set()).add(message_id)
    waiting: dict[str, list[Message]] = {}
    untaken = ~exists().where(RECEIPTS.c.message_id == ANSWERS_TABLE.c.answer_id)
    query = select(ANSWERS_TABLE).where(ANSWERS_TABLE.c.claim_id.in_(claim_ids), ANSWERS_TABLE.c.answered_at <= as_of, untaken)
    for row in tx.execute(query):
        said = Message(row.answer_id, row.answered_at, Party(row.party), AnswerKind(row.kind), row.amount_cents)
        waiting.setdefault(row.claim_id, []).append(said)
    for claim_id, at in tx.execute(_escalations(claim_ids).where(ESCALATIONS.c.at <= as_of, RECEIPTS.c.message_id.is_(None))):
        waiting.setdefault(claim_id, []).append(Message(f"{claim_id}.escalated", at, None, Deed.ESCALATED))
    for claim_id, one in _found(tx, claim_ids, as_of):
        if one.message_id not in taken.get(claim_id, ()):
            waiting.setdefault(claim_id, []).append(one)
    return waiting, taken


def _found(tx: Connection, claim_ids: list[str], as_of: int) -> Iterator[tuple[str, Message]]:
    """Yield what experts' answers mean, claim by claim, those taken already included."""
    columns = EXPERT_ANSWERS.c
    query = select(EXPERT_ANSWERS).where(columns.claim_id.in_(claim_ids), columns.answered_at <= as_of)
    answers = groupby(tx.execute(query.order_by(columns.claim_id, columns.token)).all(), key=lambda row: str(row.claim_id))
    asked = {claim: list(some) for claim, some in groupby(second_looks.looks(tx, claim_ids), key=lambda look: look.claim_id)}
    applied = select(RECEIPTS.c.message_id).where(RECEIPTS.c.claim_id.in_(list(asked)), RECEIPTS.c.disposition == APPLIED)
    judged = set(tx.execute(applied).scalars()) if asked else set()
    for claim_id, rows in answers:
        yield from ((claim_id, one) for one in second_looks.counted(list(rows), asked.get(claim_id, ()), judged, as_of))


def write(tx: Connection, advances: Iterable[tuple[Case, Advance]], known_at: int) -> None:
    """Write down what happened.

    Parameters
    ----------
    tx
        The transaction in which the cases were loaded.
    advances
        Pairs (case as it was loaded, what happened to it).
    known_at
        When the marketplace learns of it: the instant of the run, microseconds UTC.
    """
    moved = [(before, after) for before, after in advances if after.steps or after.receipts]
    _write_states(tx, moved)
    _insert(tx, CASE_EVENTS, [row for _, after in moved for row in _events(after)])
    _write_receipts(tx, [(after.case.claim_id, receipt) for _, after in moved for receipt in after.receipts])
    ledger.post(tx, [p for _, after in moved for p in (*(p for step in after.steps for p in step.postings), *after.fees)])
    rows = [
        _resolution(after.case, resolved, known_at)
        for _, after in moved
        for resolved in (*(step.resolved for step in after.steps if step.resolved), *after.noted)
    ]
    _insert(tx, RESOLUTIONS_TABLE, rows)
    announce(tx, changes(tx, moved, known_at))
    queue.withdraw(tx, [after.case.claim_id for _, after in moved if _left_to_its_clock(after)])


def _insert(tx: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        tx.execute(insert(table), rows)


def _write_states(tx: Connection, moved: list[tuple[Case, Advance]]) -> None:
    opened = [_standing(after.case) for before, after in moved if before.seq == 0]
    _insert(tx, PROCEEDINGS, opened)
    changed = [{f"new_{k}": v for k, v in _standing(after.case).items()} for before, after in moved if before.seq > 0]
    if changed:
        columns = ("state", "seq", "since", "last_at", "deadline", "paid_at", "outcome", "found")
        change = update(PROCEEDINGS).where(PROCEEDINGS.c.claim_id == bindparam("new_claim_id"))
        tx.execute(change.values({column: bindparam(f"new_{column}") for column in columns}), changed)


def _standing(case: Case) -> dict[str, Any]:
    return {
        "claim_id": case.claim_id,
        "customer_id": case.customer_id,
        "seller_id": case.seller_id,
        "product_id": case.product_id,
        "amount_cents": case.amount_cents,
        "state": case.state.value,
        "seq": case.seq,
        "opened_at": case.opened_at,
        "since": case.since,
        "last_at": case.last_at,
        "deadline": case.deadline,
        "paid_at": case.paid_at,
        "outcome": case.outcome.value if case.outcome else None,
        "found": case.found.value if case.found else None,
    }


def _events(after: Advance) -> Iterable[dict[str, Any]]:
    for step in after.steps:
        arrow = step.transition
        yield {
            "claim_id": after.case.claim_id,
            "seq": step.seq,
            "from_state": arrow.state.value,
            "event": arrow.event.value,
            "to_state": arrow.to.value,
            "at": step.at,
        }


def _write_receipts(tx: Connection, receipts: list[tuple[str, Receipt]]) -> None:
    """Keep how messages were taken, and in the inbox those that parties gave during the run."""
    said = {receipt.message.message_id: (claim_id, receipt.message) for claim_id, receipt in receipts if receipt.message.party is not None}
    known = set(tx.execute(select(ANSWERS_TABLE.c.answer_id).where(ANSWERS_TABLE.c.answer_id.in_(list(said)))).scalars())
    fresh = [
        {
            "answer_id": key,
            "claim_id": claim_id,
            "party": message.party.value if message.party else None,
            "kind": message.says.value,
            "amount_cents": message.amount_cents,
            "answered_at": message.at,
        }
        for key, (claim_id, message) in said.items()
        if key not in known
    ]
    _insert(tx, ANSWERS_TABLE, fresh)
    rows = [
        {"message_id": r.message.message_id, "claim_id": claim_id, "disposition": r.disposition, "seq": r.seq, "at": r.at}
        for claim_id, r in receipts
    ]
    _insert(tx, RECEIPTS, rows)


def _resolution(case: Case, resolved: Resolved, known_at: int) -> dict[str, Any]:
    return {
        "resolution_id": resolved.resolution_id,
        "claim_id": case.claim_id,
        "customer_id": case.customer_id,
        "seller_id": case.seller_id,
        "product_id": case.product_id,
        "source": resolved.source.value,
        "outcome": resolved.outcome.value,
        "label": resolved.label.value if resolved.label else None,
        "propensity": resolved.propensity,
        "paid_cents": resolved.paid_cents,
        "resolved_at": resolved.at,
        "known_at": known_at,
    }


def _left_to_its_clock(after: Advance) -> bool:
    reviews = (State.UNDER_REVIEW, State.UNDER_INVESTIGATION)
    return any(step.transition.state in reviews and step.transition.event is Event.DEADLINE for step in after.steps)
