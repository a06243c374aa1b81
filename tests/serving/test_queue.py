"""The queue against a plain dictionary."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from data_contracts import Label
from serving import queue
from serving.instants import DAY, micros
from serving.queue import URGENT, CaseState, Lease, QueueError, StaleLeaseError, Tier, UnknownCaseError
from serving.store import Store
from tests.serving.cases import town

TOWN = town(40, seed=3, weeks=1)
REVIEWED = TOWN.decisions[TOWN.decisions["action"].isin(["DESK", "INVESTIGATE"])].reset_index(drop=True)
OPENED = micros(REVIEWED["decided_at"].max())


@dataclass
class Plain:
    """One case as a plain object."""

    claim_id: str
    tier: str
    value: int
    opened: int
    due: int
    state: str = "open"
    holder: str | None = None
    expires: int = 0
    token: int = 0
    answers: list[tuple[str, str]] = field(default_factory=list)

    def free(self, now: int) -> bool:
        return self.state == "open" or (self.state == "leased" and self.expires <= now)

    def rank(self, now: int) -> tuple[int, int, str]:
        minutes = queue.MINUTES[self.tier]
        return (self.due if self.due <= now + URGENT else now + URGENT + 1, -(self.value * 1000 // minutes), self.claim_id)


class QueueIsADictionary(RuleBasedStateMachine):
    """Every request gives what the plain model gives, over any history."""

    @initialize()
    def begin(self) -> None:
        self.store = Store("sqlite://")
        self.now = OPENED
        self.given: list[Lease] = []
        self.store.record_decisions(REVIEWED)
        self.plain = {
            row.claim_id: Plain(
                row.claim_id, "desk" if row.action == "DESK" else "investigation", row.review_value_cents, at, at + patience
            )
            for row in REVIEWED.itertuples()
            for at in [micros(row.decided_at)]
            for patience in [(40 if row.action == "DESK" else 75) * DAY]
        }

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()

    @rule(days=st.sampled_from([0, 1, 5, 14, 30]))
    def time_passes(self, days: int) -> None:
        self.now += days * DAY

    @rule(tier=st.sampled_from(Tier), holder=st.sampled_from(["ann", "bob"]), ttl=st.integers(1, 20), limit=st.integers(1, 3))
    def lease(self, tier: Tier, holder: str, ttl: int, limit: int) -> None:
        waiting = [c for c in self.plain.values() if c.tier == tier and c.opened <= self.now < c.due and c.free(self.now)]
        expected = sorted(waiting, key=lambda c: c.rank(self.now))[:limit]
        with self.store.write() as tx:
            leases = queue.lease(tx, tier, holder, self.now, ttl * DAY, limit)
        assert [held.claim_id for held in leases] == [c.claim_id for c in expected]
        for held, case in zip(leases, expected, strict=True):
            assert held.token == case.token + 1
            case.state, case.holder, case.expires, case.token = "leased", holder, self.now + ttl * DAY, held.token
        self.given += leases

    def holds(self, held: Lease) -> bool:
        case = self.plain[held.claim_id]
        return case.token == held.token and case.holder == held.holder and case.state in ("leased", "withdrawn") and case.expires > self.now

    @precondition(lambda self: self.given)
    @rule(data=st.data(), label=st.sampled_from(Label))
    def answer(self, data: st.DataObject, label: Label) -> None:
        held = data.draw(st.sampled_from(self.given))
        case, counts = self.plain[held.claim_id], self.holds(held)
        if counts:
            with self.store.write() as tx:
                queue.answer(tx, held, label, 30, 5000, self.now)
            case.state = "answered"
            case.answers.append((held.holder, label.value))
        else:
            with pytest.raises(StaleLeaseError, match=held.claim_id), self.store.write() as tx:
                queue.answer(tx, held, label, 30, 5000, self.now)

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        held = data.draw(st.sampled_from(self.given))
        case = self.plain[held.claim_id]
        if self.holds(held):
            with self.store.write() as tx:
                queue.release(tx, held, self.now)
            case.state = "withdrawn" if case.state == "withdrawn" else "open"
            case.holder = None
        else:
            with pytest.raises(StaleLeaseError), self.store.write() as tx:
                queue.release(tx, held, self.now)

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
        if case.state == "answered":
            with self.store.write() as tx:
                queue.reopen(tx, claim_id, self.now + 9 * DAY)
            case.state, case.due, case.holder = "open", self.now + 9 * DAY, None
        else:
            with pytest.raises(QueueError, match=case.state), self.store.write() as tx:
                queue.reopen(tx, claim_id, self.now + 9 * DAY)

    @invariant()
    def store_and_model_agree(self) -> None:
        if not hasattr(self, "store"):
            return
        cases = self.store.read("cases")
        assert cases["claim_id"].tolist() == sorted(self.plain)
        for row in cases.itertuples():
            case = self.plain[row.claim_id]
            assert (row.state, row.token) == (case.state, case.token)
        answers = self.store.read("expert_answers").sort_values(["claim_id", "token"])
        kept = [(row.claim_id, row.expert, row.label) for row in answers.itertuples()]
        assert kept == [(claim_id, *a) for claim_id in sorted(self.plain) for a in self.plain[claim_id].answers]


TestQueueIsADictionary = QueueIsADictionary.TestCase
TestQueueIsADictionary.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


def test_a_case_near_its_deadline_goes_before_a_more_valuable_one() -> None:
    with Store("sqlite://") as store:
        store.record_decisions(REVIEWED)
        desk = store.read("cases").query("tier == 'desk'")
        poorest = desk.sort_values("priority")["claim_id"].iloc[0]
        with store.write() as tx:
            tx.exec_driver_sql("UPDATE cases SET due_at = ? WHERE claim_id = ?", (OPENED + DAY, poorest))
            first = queue.lease(tx, Tier.DESK, "ann", OPENED, DAY)
        assert [held.claim_id for held in first] == [poorest]


def test_an_answer_to_no_case_or_by_somebody_else_is_refused_by_name() -> None:
    with Store("sqlite://") as store:
        store.record_decisions(REVIEWED)
        with store.write() as tx:
            (held,) = queue.lease(tx, Tier.DESK, "ann", OPENED, DAY)
        with pytest.raises(UnknownCaseError, match="nowhere"), store.write() as tx:
            queue.answer(tx, replace(held, claim_id="nowhere"), Label.VALID, 1, 1, OPENED)
        with pytest.raises(StaleLeaseError, match="held by ann"), store.write() as tx:
            queue.answer(tx, replace(held, holder="eve"), Label.VALID, 1, 1, OPENED)
        assert store.read("expert_answers").empty


def test_a_holder_whose_case_was_decided_without_them_may_still_answer_and_is_kept() -> None:
    with Store("sqlite://") as store:
        store.record_decisions(REVIEWED)
        with store.write() as tx:
            (held,) = queue.lease(tx, Tier.DESK, "ann", OPENED, DAY)
            queue.withdraw(tx, [held.claim_id])
            queue.answer(tx, held, Label.ABUSIVE, 25, 3500, OPENED + 1)
        assert store.read("expert_answers")["label"].tolist() == ["abusive"]
        assert store.read("cases").set_index("claim_id").loc[held.claim_id, "state"] == CaseState.ANSWERED
