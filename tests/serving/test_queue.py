"""The queue against plain objects, on both databases: whoever asks for whatever in whichever order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Connection, delete, event, update

from data_contracts import DECISIONS, Label
from serving import handover, opening, queue, ties
from serving.instants import DAY, micros
from serving.queue import MEANT_FOR, URGENT, CaseState, ConflictOfInterestError, Lease, QueueError, StaleLeaseError, Tier, UnknownCaseError
from serving.schema import ASSIGNMENTS, CASES, EXPERT_ANSWERS, EXPERT_TIES
from serving.schema_parties import ESCALATIONS
from serving.store import Store, rows_of
from serving.ties import Tie, TieKind
from tests.serving.cases import town

TOWN = town(120, seed=3, weeks=1)
REVIEWED = TOWN.decisions[TOWN.decisions["action"].isin(["DESK", "INVESTIGATE"])].reset_index(drop=True)
OPENED = micros(REVIEWED["decided_at"].max())
PARTIES = {row.claim_id: (f"K{place % 3}", f"S{place % 4}") for place, row in enumerate(REVIEWED.itertuples())}
EXPERTS = st.sampled_from(["ann", "bob", "cid"])
PARTY = st.sampled_from([(TieKind.CUSTOMER, "K0"), (TieKind.CUSTOMER, "K1"), (TieKind.SELLER, "S2"), (TieKind.SELLER, "S3")])
# What fails here fails within a few steps; shrinking it over a database takes minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


@dataclass
class Plain:
    """One case as a plain object."""

    claim_id: str
    tier: str
    value: int
    opened: int
    due: int
    customer: str
    seller: str
    state: str = "open"
    holder: str | None = None
    expires: int = 0
    token: int = 0
    first: int | None = None
    meant: tuple[str, int] | None = None
    answers: list[tuple[str, str]] = field(default_factory=list)

    def free(self, now: int) -> bool:
        return self.state == "open" or (self.state == "leased" and self.expires <= now)

    def meant_for(self, now: int) -> str | None:
        return self.meant[0] if self.meant and now < self.meant[1] + MEANT_FOR else None

    def barred(self, expert: str, tied: set[tuple[str, TieKind, str]]) -> bool:
        answered = any(expert == who for who, _ in self.answers)
        return answered or (expert, TieKind.CUSTOMER, self.customer) in tied or (expert, TieKind.SELLER, self.seller) in tied

    def rank(self, now: int, expert: str) -> tuple[int, bool, int, str]:
        urgent = self.due if self.due <= now + URGENT else now + URGENT + 1
        return (urgent, self.meant_for(now) != expert, -(self.value * 1000 // queue.MINUTES[self.tier]), self.claim_id)

    def back(self) -> None:
        self.state, self.holder = ("withdrawn" if self.state == "withdrawn" else "open"), None


class QueueIsPlain(RuleBasedStateMachine):
    """Every request gives what the plain model gives, over any history."""

    store: Store

    @initialize()
    def begin(self) -> None:
        self.now = OPENED
        self.given: list[Lease] = []
        self.tied: set[tuple[str, TieKind, str]] = set()
        with self.store.write() as tx:
            for table in (ASSIGNMENTS, ESCALATIONS, EXPERT_TIES, EXPERT_ANSWERS, CASES):
                tx.execute(delete(table))
            opening.open_cases(tx, rows_of(DECISIONS, REVIEWED), parties=PARTIES)
        self.plain = {
            row.claim_id: Plain(
                row.claim_id, "desk" if row.action == "DESK" else "investigation", row.review_value_cents, at, at + patience, *whose
            )
            for row in REVIEWED.itertuples()
            for at, whose in [(micros(row.decided_at), PARTIES[row.claim_id])]
            for patience in [(40 if row.action == "DESK" else 75) * DAY]
        }

    def held(self, data: st.DataObject) -> tuple[Lease, Plain]:
        lease = data.draw(st.sampled_from(self.given))
        return lease, self.plain[lease.claim_id]

    def trouble(self, held: Lease, waits: bool = False) -> type[QueueError] | None:
        """Which error a request under a lease must raise; ``waits``: a withdrawn case is refused as well."""
        case = self.plain[held.claim_id]
        same = case.token == held.token and case.holder == held.holder
        if not same or case.state not in ("leased", "withdrawn") or case.expires <= self.now:
            return StaleLeaseError
        if case.barred(held.holder, self.tied):
            return ConflictOfInterestError
        return QueueError if waits and case.state == "withdrawn" else None

    @contextmanager
    def request(self, expected: type[QueueError] | None) -> Iterator[Connection]:
        """A write transaction that must end, or fail, as expected."""
        if expected is None:
            with self.store.write() as tx:
                yield tx
            return
        with pytest.raises(QueueError) as found, self.store.write() as tx:
            yield tx
        assert found.type is expected

    @rule(days=st.sampled_from([0, 1, 1, 2, 5, 14]))
    def time_passes(self, days: int) -> None:
        self.now += days * DAY

    @rule(tier=st.sampled_from(Tier), holder=EXPERTS, ttl=st.integers(1, 6), limit=st.integers(1, 5))
    def lease(self, tier: Tier, holder: str, ttl: int, limit: int) -> None:
        waiting = [c for c in self.plain.values() if c.tier == tier and c.opened <= self.now < c.due and c.free(self.now)]
        offered = [c for c in waiting if not c.barred(holder, self.tied) and c.meant_for(self.now) in (None, holder)]
        expected = sorted(offered, key=lambda c: c.rank(self.now, holder))[:limit]
        with self.store.write() as tx:
            leases = queue.lease(tx, tier, holder, self.now, ttl * DAY, limit)
        assert [held.claim_id for held in leases] == [c.claim_id for c in expected]
        for held, case in zip(leases, expected, strict=True):
            assert held.token == case.token + 1
            case.state, case.holder, case.expires, case.token = "leased", holder, self.now + ttl * DAY, held.token
            case.first = case.first or self.now
        self.given += leases

    @precondition(lambda self: self.given)
    @rule(data=st.data(), label=st.sampled_from(Label))
    def answer(self, data: st.DataObject, label: Label) -> None:
        held, case = self.held(data)
        trouble = self.trouble(held)
        with self.request(trouble) as tx:
            queue.answer(tx, held, label, 30, 5000, self.now)
        if trouble is None:
            case.state = "answered"
            case.answers.append((held.holder, label.value))

    @precondition(lambda self: self.given)
    @rule(data=st.data(), days=st.integers(0, 20))
    def renew(self, data: st.DataObject, days: int) -> None:
        held, case = self.held(data)
        trouble = self.trouble(held, waits=True)
        with self.request(trouble) as tx:
            found = queue.renew(tx, held, self.now, days * DAY)
        if trouble is None:
            case.expires = max(case.expires, self.now + days * DAY)
            assert (found.expires_at, found.token) == (case.expires, case.token)

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        held, case = self.held(data)
        trouble = self.trouble(held)
        with self.request(trouble) as tx:
            queue.release(tx, held, self.now)
        if trouble is None:
            case.back()

    @precondition(lambda self: self.given)
    @rule(data=st.data(), to=EXPERTS)
    def hand_over(self, data: st.DataObject, to: str) -> None:
        held, case = self.held(data)
        trouble = self.trouble(held, waits=True)
        if trouble is None and to == held.holder:
            trouble = QueueError
        elif trouble is None and case.barred(to, self.tied):
            trouble = ConflictOfInterestError
        with self.request(trouble) as tx:
            handover.hand_over(tx, held, to, self.now)
        if trouble is None:
            case.back()
            case.meant = (to, self.now)

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def escalate(self, data: st.DataObject) -> None:
        held, case = self.held(data)
        trouble = self.trouble(held) or (QueueError if case.tier != "desk" or case.state == "withdrawn" else None)
        with self.request(trouble) as tx:
            handover.escalate(tx, held, self.now)
        if trouble is None:
            case.back()
            case.tier, case.meant, case.due = "investigation", None, self.now + 75 * DAY

    @rule(data=st.data(), expert=EXPERTS)
    def assign(self, data: st.DataObject, expert: str) -> None:
        plan = dict.fromkeys(data.draw(st.lists(st.sampled_from(sorted(self.plain)), max_size=12, unique=True)), expert)
        with self.store.write() as tx:
            taken = handover.assign(tx, plan, self.now)
        expected = sorted(c for c in plan if self.plain[c].free(self.now) and not self.plain[c].barred(expert, self.tied))
        assert list(taken) == expected
        for claim in taken:
            self.plain[claim].meant = (expert, self.now)

    @rule(expert=EXPERTS, party=PARTY)
    def declare(self, expert: str, party: tuple[TieKind, str]) -> None:
        self.tied.add((expert, *party))
        hit = [c for c in self.plain.values() if replace(c, answers=[]).barred(expert, self.tied)]
        expected = sorted(c.claim_id for c in hit if c.holder == expert and c.state == "leased")
        with self.store.write() as tx:
            assert list(handover.declare(tx, Tie(expert, *party), self.now)) == expected
        for case in hit:
            if case.claim_id in expected:
                case.back()
            if case.meant and case.meant[0] == expert:
                case.meant = None

    @precondition(lambda self: self.tied)
    @rule(data=st.data())
    def retract(self, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(sorted(self.tied)))
        self.tied.discard(gone)
        with self.store.write() as tx:
            assert ties.retract(tx, Tie(*gone)) and not ties.retract(tx, Tie(*gone))

    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        claim_id = data.draw(st.sampled_from(sorted(self.plain)))
        with self.store.write() as tx:
            queue.withdraw(tx, [claim_id])
        if self.plain[claim_id].state in ("open", "leased"):
            self.plain[claim_id].state = "withdrawn"

    @rule(data=st.data())
    def reopen(self, data: st.DataObject) -> None:
        claim_id = data.draw(st.sampled_from(sorted(self.plain)))
        case = self.plain[claim_id]
        with self.request(None if case.state == "answered" else QueueError) as tx:
            queue.reopen(tx, claim_id, self.now + 9 * DAY, self.now)
        if case.state == "answered":
            case.state, case.due, case.holder, case.meant = "open", self.now + 9 * DAY, None, None

    @invariant()
    def store_and_model_agree(self) -> None:
        if not hasattr(self, "plain"):
            return
        with self.store.view() as tx:
            cases = tx.execute(CASES.select().order_by(CASES.c.claim_id)).all()
            answers = tx.execute(EXPERT_ANSWERS.select().order_by(EXPERT_ANSWERS.c.claim_id, EXPERT_ANSWERS.c.token)).all()
            held = [ties.ties_of(tx, expert) for expert in ("ann", "bob", "cid")]
        assert [row.claim_id for row in cases] == sorted(self.plain)
        for row in cases:
            case = self.plain[row.claim_id]
            assert (row.state, row.token, row.tier, row.holder) == (case.state, case.token, case.tier, case.holder)
            assert (row.due_at, row.acknowledged_at) == (case.due, case.first)
        kept = [(row.claim_id, row.expert, row.label) for row in answers]
        assert kept == [(claim_id, *a) for claim_id in sorted(self.plain) for a in self.plain[claim_id].answers]
        assert frozenset().union(*held) == {Tie(*one) for one in self.tied}


def test_the_queue_is_its_plain_model(store_url: str) -> None:
    with Store(store_url, "NORMAL") as store:
        store.record_decisions(REVIEWED)

        class Here(QueueIsPlain):
            pass

        Here.store = store
        run_state_machine_as_test(Here, settings=settings(max_examples=25, stateful_step_count=30, deadline=None, phases=PHASES))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store(store_url, "NORMAL") as opened:
        opened.record_decisions(REVIEWED, parties=PARTIES)
        yield opened


def test_a_case_near_its_deadline_goes_before_a_more_valuable_one(store: Store) -> None:
    desk = store.read("cases").query("tier == 'desk'")
    poorest = desk.sort_values("priority")["claim_id"].iloc[0]
    with store.write() as tx:
        tx.execute(update(CASES).where(CASES.c.claim_id == poorest).values(due_at=OPENED + DAY))
        first = queue.lease(tx, Tier.DESK, "ann", OPENED, DAY)
    assert [held.claim_id for held in first] == [poorest]


def test_a_lease_reads_the_queue_in_the_order_of_its_indexes_and_sorts_nothing_but_leases_that_have_ended(tmp_path: Path) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    with Store(f"sqlite:///{tmp_path / 'store.db'}", "NORMAL") as store:
        store.record_decisions(REVIEWED, parties=PARTIES)
        with store.write() as tx:
            event.listen(tx.engine, "before_cursor_execute", note)
            assert len(queue.lease(tx, Tier.DESK, "ann", OPENED, DAY, 5)) == 5
            event.remove(tx.engine, "before_cursor_execute", note)
            reads = [one for one in asked if one[0].startswith("SELECT cases")]
            plans = [[row[-1] for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)] for statement, given in reads]
    assert len(plans) == 3
    assert sum("USE TEMP B-TREE FOR ORDER BY" in plan for plan in plans) == 1
    assert all("USING INDEX cases_" in plan[0] for plan in plans)


def test_an_answer_to_no_case_or_by_somebody_else_is_refused_by_name(store: Store) -> None:
    with store.write() as tx:
        (held,) = queue.lease(tx, Tier.DESK, "ann", OPENED, DAY)
    with pytest.raises(UnknownCaseError, match="nowhere"), store.write() as tx:
        queue.answer(tx, replace(held, claim_id="nowhere"), Label.VALID, 1, 1, OPENED)
    with pytest.raises(StaleLeaseError, match="held by ann"), store.write() as tx:
        queue.answer(tx, replace(held, holder="eve"), Label.VALID, 1, 1, OPENED)
    assert store.read("expert_answers").empty


def test_a_holder_whose_case_was_decided_without_them_may_still_answer_and_is_kept(store: Store) -> None:
    with store.write() as tx:
        (held,) = queue.lease(tx, Tier.DESK, "ann", OPENED, DAY)
        queue.withdraw(tx, [held.claim_id])
        queue.answer(tx, held, Label.ABUSIVE, 25, 3500, OPENED + 1, "two receipts of one purchase")
    answers = store.read("expert_answers")
    assert (answers["label"].tolist(), answers["rationale"].tolist()) == (["abusive"], ["two receipts of one purchase"])
    assert store.read("cases").set_index("claim_id").loc[held.claim_id, "state"] == CaseState.ANSWERED


def test_a_lease_is_found_by_its_token_and_only_by_its_holder(store: Store) -> None:
    with store.write() as tx:
        (held,) = queue.lease(tx, Tier.DESK, "ann", OPENED, DAY)
        assert queue.held_by(tx, held.claim_id, "ann", held.token, OPENED + 1) == held
    for holder, token in (("bob", held.token), ("ann", held.token + 1)):
        with pytest.raises(StaleLeaseError), store.write() as tx:
            queue.held_by(tx, held.claim_id, holder, token, OPENED + 1)
