"""The lives of claims against plain objects, on both databases: whoever says whatever whenever, and whenever it is carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, insert

from data_contracts import DECISIONS, Label
from data_contracts.resolutions import Party
from pipelines import resolve
from serving import handover, opening, queue, second_looks
from serving.instants import DAY, SECOND, instants, micros
from serving.ledger import Account, balances_of
from serving.party_messages import (
    About,
    Accepted,
    Appealed,
    Countered,
    Evidence,
    Grounds,
    Insured,
    Proven,
    Rejected,
    Repaid,
    Ruled,
    Ruling,
    Verb,
)
from serving.party_work import AmountError, NotYoursError, Speaker, UnsayableError, say
from serving.queue import Tier
from serving.schema import METADATA
from serving.schema_parties import SELLER_INSURERS
from serving.second_looks import Why
from serving.store import Store, rows_of
from tests.serving.cases import town

TOWN = town(26, seed=8, weeks=1)
DECIDED = micros(TOWN.decisions["decided_at"].max())
CLAIMS = TOWN.claims.set_index("claim_id")
FEE, LIMIT = 6_000, 100_000
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
KEPT = {"decisions", "alembic_version", "audit_log", "audit_attachments"}
DEADLINES = {
    "under_review": 40,
    "under_investigation": 75,
    "proof_awaited": 7,
    "presented": 7,
    "withholding": 60,
    "settled": 180,
    "claimed_back": 60,
    "closed": None,
}
HEARD = ("proof_awaited", "presented", "demanded")
REVIEWS = ("under_review", "under_investigation")
OWING = ("demanded", "seller_appealed", "withholding")


@dataclass
class Plain:
    """One claim as a plain object: where it stands, until when, and who has, owes and bears what."""

    claim_id: str
    amount: int
    automatic: str
    proba: dict[str, float]
    state: str = ""
    due: int | None = None
    passed: set[str] = field(default_factory=set)
    heard: bool = False
    received: int = 0
    advanced: int = 0
    seller_owes: int = 0
    customer_owes: int = 0
    seller: int = 0
    insurer: int = 0
    absorbed: int = 0
    written: int = 0
    fees: int = 0
    pending: tuple[str, int] | None = None
    unpaid: int | None = None
    said: set[str] = field(default_factory=set)

    def go(self, state: str, at: int) -> None:
        days = DEADLINES.get(state, 30)
        self.state, self.due = state, None if days is None else at + days * DAY
        self.passed.add(state)

    def decided(self, action: str, at: int, examined: bool = False) -> None:
        if action == "PAY":
            self.approve(at)
        elif action == "DENY_ABUSIVE":
            self.go("denied_abusive", at)
        elif examined:
            self.go("proof_requested", at)
        else:
            self.go({"REQUEST_EVIDENCE": "evidence_requested", "DENY_UNSUBSTANTIATED": "denied_unsubstantiated"}[action], at)

    def approve(self, at: int) -> None:
        if self.amount <= LIMIT:
            self.received = self.advanced = self.amount
            self.go("proof_awaited", at)
        else:
            self.go("presented", at)

    def step_in(self, at: int) -> None:
        self.received = self.seller_owes = self.amount
        self.go("demanded", at)

    def judged(self, label: str, at: int) -> None:
        self.pending = None
        self.decided({"valid": "PAY", "unsubstantiated": "DENY_UNSUBSTANTIATED", "abusive": "DENY_ABUSIVE"}[label], at, examined=True)

    def tick(self, now: int) -> None:
        """Let every clock run out that does so before an instant."""
        if self.unpaid is not None and self.unpaid < now:
            self.fees, self.unpaid = self.fees + FEE, None
        while True:
            if self.pending is not None and self.pending[1] < now:
                self.judged(*self.pending)
            elif self.due is not None and self.due < now:
                self.silence(self.due)
            else:
                return

    def silence(self, at: int) -> None:
        if self.state in REVIEWS:
            self.decided(self.automatic, at)
        elif self.state in ("evidence_requested", "proof_requested"):
            self.go("denied_unsubstantiated", at)
        elif self.state == "proof_awaited":
            self.advanced, self.seller_owes = 0, self.amount
            self.go("demanded", at)
        elif self.state == "presented":
            self.step_in(at)
        elif self.state in ("demanded", "seller_appealed"):
            self.go("withholding", at)
        else:
            self.written += self.seller_owes + self.customer_owes
            self.seller_owes = self.customer_owes = 0
            self.go("settled" if self.state == "withholding" else "closed", at)

    def due_to(self, who: Party) -> int:
        """What somebody could pay now."""
        if who is Party.CUSTOMER:
            return self.customer_owes if self.state == "claimed_back" else 0
        if self.state == "presented":
            return self.amount if who in (Party.SELLER, Party.INSURER) else 0
        return self.advanced + self.seller_owes if self.state in ("proof_awaited", *OWING) else 0

    def pays(self, who: Party, cents: int, at: int) -> None:
        whole = self.due_to(who)
        part = min(cents, whole)
        if who is Party.CUSTOMER:
            self.customer_owes -= part
            self.received -= part
        else:
            if self.state == "presented":
                self.received = self.amount
            setattr(self, "insurer" if who is Party.INSURER else "seller", (self.insurer if who is Party.INSURER else self.seller) + part)
            self.advanced, self.seller_owes = 0, whole - part
        if part == whole:
            self.go("closed" if who is Party.CUSTOMER else "settled", at)
        elif self.state in ("proof_awaited", "presented"):
            self.go("demanded", at)

    def absorb(self, at: int) -> None:
        self.absorbed, self.advanced, self.seller_owes = self.absorbed + self.advanced + self.seller_owes, 0, 0
        self.go("settled", at)

    def abuse(self, at: int) -> bool:
        if self.state in (*REVIEWS, "evidence_requested", "proof_requested", "presented", "denied_unsubstantiated"):
            self.pending = None
            self.go("denied_abusive", at)
        elif self.state in ("proof_awaited", "settled", *OWING):
            self.customer_owes = self.received
            self.advanced = self.seller_owes = self.seller = self.insurer = self.absorbed = self.written = 0
            self.go("claimed_back", at)
        else:
            return False
        return True

    def rules(self, ruling: str, at: int) -> bool:
        if ruling == "abuse_revealed":
            return self.abuse(at)
        if ruling == "evidence_refutes" and self.state in ("proof_awaited", "presented"):
            self.absorb(at) if self.state == "proof_awaited" else self.go("denied_unsubstantiated", at)
        elif self.state == "seller_appealed" and ruling != "evidence_refutes":
            self.absorb(at) if ruling == "appeal_granted" else self.go("withholding", at)
        elif self.state.startswith("appealed_") and ruling == "appeal_refused":
            self.go("closed", at)
        elif self.state.startswith("appealed_") and ruling == "appeal_granted":
            self.approve(at) if self.amount <= LIMIT else self.step_in(at)
        else:
            return False
        return True

    def named(self) -> str:
        return "reimbursement_demanded" if self.state == "demanded" else self.state

    def money(self) -> dict[Account, int]:
        borne = {
            Account.ADVANCED: self.advanced,
            Account.RECEIVABLE_FROM_SELLER: self.seller_owes,
            Account.RECEIVABLE_FROM_CUSTOMER: self.customer_owes,
            Account.SELLER: self.seller,
            Account.INSURER: self.insurer,
            Account.MARKETPLACE_ABSORBED: self.absorbed,
            Account.WRITTEN_OFF: self.written,
            Account.EXPERT_FEES: self.fees,
        }
        found = {account: -cents for account, cents in borne.items()} | {Account.CUSTOMER: self.received, Account.EXPERTS: self.fees}
        return {account: cents for account, cents in found.items() if cents}


class LivesArePlain(RuleBasedStateMachine):
    """Every statement is taken or refused as the plain model says, and a run brings every claim and every cent to where it is there."""

    store: Store

    @initialize()
    def begin(self) -> None:
        self.now = DECIDED
        with self.store.write() as tx:
            for table in reversed(METADATA.sorted_tables):
                if table.name not in KEPT:
                    tx.execute(delete(table))
            opening.open_cases(tx, rows_of(DECISIONS, TOWN.decisions[TOWN.decisions["action"].isin(["DESK", "INVESTIGATE"])]))
            sellers = [{"seller_id": s, "insurer": "I", "policy_number": "P", "named_at": 0} for s in sorted(set(CLAIMS["seller_id"]))]
            tx.execute(insert(SELLER_INSURERS), sellers)
        self.plain = {}
        for row in TOWN.decisions.itertuples():
            proba = {"valid": row.p_valid, "unsubstantiated": row.p_unsubstantiated, "abusive": row.p_abusive}
            one = Plain(row.claim_id, int(CLAIMS.loc[row.claim_id, "amount_cents"]), row.automatic_action, proba)
            review = {"DESK": "under_review", "INVESTIGATE": "under_investigation"}.get(row.action)
            at = micros(row.decided_at)
            one.go(review, at) if review else one.decided(row.action, at)
            self.plain[row.claim_id] = one
        self.carried_out()

    @rule(days=st.sampled_from([0, 1, 1, 3, 7, 14, 30, 61]))
    def time_passes(self, days: int) -> None:
        self.now += days * DAY

    @rule()
    def carried_out(self) -> None:
        resolve.run(self.store, TOWN.tables, instants([self.now])[0])
        for one in self.plain.values():
            one.tick(self.now + 1)
            one.heard = bool(one.passed & set(HEARD))
        self.agree()

    def agree(self) -> None:
        rows = {row["claim_id"]: row for row in self.store.read("proceedings").to_dict("records")}
        with self.store.view() as tx:
            money = balances_of(tx, sorted(self.plain))
        for claim, one in self.plain.items():
            assert (claim, rows[claim]["state"]) == (claim, one.named())
            assert money.get(claim, {}) == one.money(), claim

    @rule(data=st.data(), party=st.sampled_from([Party.SELLER, Party.INSURER]), share=st.sampled_from([0.0, 0.4, 1.0, 1.5]))
    def pays(self, data: st.DataObject, party: Party, share: float) -> None:
        one = self.some(data, lambda plain: plain.state in ("proof_awaited", "presented", *OWING))
        if share == 1.0:
            self.said(one, party, Verb.ACCEPT, Accepted(claim_id=one.claim_id), lambda: self.paid(one, party, 1 << 60))
            return
        cents = max(1, int(one.due_to(party) * share))
        asked = Countered(claim_id=one.claim_id, amount_cents=cents, grounds=Grounds.AMOUNT, rationale="too much")
        too_much = 0 < one_due(one, party, self.now) <= cents
        self.said(one, party, Verb.COUNTER, asked, lambda: self.paid(one, party, cents), too_much)

    def paid(self, one: Plain, party: Party, cents: int) -> bool:
        whole = one.due_to(party)
        if whole:
            one.pays(party, cents, self.now)
        return bool(whole)

    @rule(data=st.data(), party=st.sampled_from([Party.SELLER, Party.INSURER]))
    def rejects(self, data: st.DataObject, party: Party) -> None:
        one = self.some(data, lambda plain: plain.state in HEARD)

        def happens() -> bool:
            if party is Party.INSURER:
                return one.state in ("proof_awaited", "presented", *OWING)
            if one.state != "presented":
                return False
            one.step_in(self.now)
            return True

        self.said(one, party, Verb.REJECT, Rejected(claim_id=one.claim_id, grounds=Grounds.MISUSE, rationale="no"), happens)

    @rule(data=st.data())
    def insures(self, data: st.DataObject) -> None:
        one = self.some(data, lambda plain: plain.state == "proof_awaited")

        def happens() -> bool:
            if one.state != "proof_awaited":
                return False
            one.absorb(self.now)
            return True

        self.said(one, Party.SELLER, Verb.INSURE, Insured(claim_id=one.claim_id, insurer="I", policy_number="P"), happens)
        self.carried_out()  # whether a proof is good is judged by a run alone

    @rule(data=st.data(), party=st.sampled_from([Party.SELLER, Party.CUSTOMER]))
    def appeals(self, data: st.DataObject, party: Party) -> None:
        one = self.some(data, lambda plain: plain.state.startswith("denied") or plain.state == "demanded")

        def happens() -> bool:
            if party is Party.SELLER and one.state == "demanded":
                one.go("seller_appealed", self.now)
            elif party is Party.CUSTOMER and one.state.startswith("denied_"):
                one.go(one.state.replace("denied_", "appealed_"), self.now)
            else:
                return False
            return True

        self.said(one, party, Verb.APPEAL, Appealed(claim_id=one.claim_id, rationale="it was not so"), happens)

    @rule(data=st.data())
    def proves(self, data: st.DataObject) -> None:
        one = self.some(data, lambda plain: plain.state in ("evidence_requested", "proof_requested", "denied_unsubstantiated"))

        def happens() -> bool:
            if one.state not in ("evidence_requested", "proof_requested", "denied_unsubstantiated"):
                return False
            one.approve(self.now)
            return True

        self.said(one, Party.CUSTOMER, Verb.PROVE, Proven(claim_id=one.claim_id, evidence=[Evidence.RECEIPT]), happens)

    @rule(data=st.data(), share=st.sampled_from([0.5, 1.0, 2.0]))
    def repays(self, data: st.DataObject, share: float) -> None:
        one = self.some(data, lambda plain: plain.state == "claimed_back")
        cents = max(1, int(one.customer_owes * share))
        self.said(
            one,
            Party.CUSTOMER,
            Verb.REPAY,
            Repaid(claim_id=one.claim_id, amount_cents=cents),
            lambda: self.paid(one, Party.CUSTOMER, cents),
        )

    @rule(data=st.data(), ruling=st.sampled_from(["appeal_granted", "appeal_refused", "evidence_refutes", "abuse_revealed", "withheld"]))
    def rules(self, data: st.DataObject, ruling: str) -> None:
        one = self.some(data, lambda plain: "appealed" in plain.state or plain.state in (*HEARD, "withholding", "settled"))
        cents = max(1, one.due_to(Party.MARKETPLACE)) if ruling == "withheld" else 0
        asked = Ruled(claim_id=one.claim_id, ruling=Ruling(ruling), amount_cents=cents, rationale="seen")

        def happens() -> bool:
            return self.paid(one, Party.MARKETPLACE, cents) if ruling == "withheld" else one.rules(ruling, self.now)

        self.said(one, Party.MARKETPLACE, Verb.RULE, asked, happens)

    @rule(data=st.data(), label=st.sampled_from(Label), again=st.booleans())
    def examines(self, data: st.DataObject, label: Label, again: bool) -> None:
        """An expert looks; the first finding may wait for a second look."""
        one = self.some(data, lambda plain: plain.state in REVIEWS)
        one.tick(self.now)
        expert = "bob" if "ann" in one.said else "ann"
        if one.state not in REVIEWS or expert in one.said or one.due == self.now or (one.pending or ("", 0))[1] == self.now:
            return
        tier = Tier.DESK if one.state == "under_review" else Tier.INVESTIGATION
        with self.store.write() as tx:
            (lease,) = queue.lease_these(tx, [one.claim_id], tier, expert, self.now, DAY)
            queue.answer(tx, lease, label, 30, FEE, self.now)
            look = second_looks.ask(tx, one.claim_id, Why.ASKED, self.now) if again and one.pending is None else None
        one.said.add(expert)
        if look is not None:
            one.pending, one.unpaid = (label.value, look.due_at), look.due_at
        else:
            one.fees, one.unpaid = one.fees + FEE * (1 + (one.unpaid is not None)), None
            found = [label.value, *([one.pending[0]] if one.pending else [])]
            one.judged(max(found, key=lambda name: one.proba[name]), self.now)
        self.now += SECOND
        self.carried_out()

    @rule(data=st.data())
    def escalates(self, data: st.DataObject) -> None:
        one = self.some(data, lambda plain: plain.state == "under_review" and plain.pending is None)
        one.tick(self.now)
        if one.state != "under_review" or one.pending is not None or one.due == self.now:
            return
        with self.store.write() as tx:
            (lease,) = queue.lease_these(tx, [one.claim_id], Tier.DESK, "cid", self.now, DAY)
            handover.escalate(tx, lease, self.now)
        one.go("under_investigation", self.now)
        self.now += SECOND
        self.carried_out()

    def some(self, data: st.DataObject, likely: Callable[[Plain], bool]) -> Plain:
        """A claim of those that something may happen to, or sometimes any."""
        fit = sorted(claim for claim, one in self.plain.items() if likely(one))
        every = sorted(self.plain)
        return self.plain[data.draw(st.sampled_from(fit * 3 + every if fit else every))]

    def said(self, one: Plain, party: Party, verb: Verb, asked: About, happens: Callable[[], bool], too_much: bool = False) -> None:
        """Say it; the plain claim must know it exactly where the store does."""
        name = {Party.SELLER: str(CLAIMS.loc[one.claim_id, "seller_id"]), Party.INSURER: "I"}.get(party, "office")
        if one.state in REVIEWS:
            self.carried_out()  # what follows from a finding is judged by a run alone
        one.tick(self.now)
        hears = party in (Party.CUSTOMER, Party.MARKETPLACE) or one.heard
        expected: type[Exception] | None = NotYoursError if not hears else AmountError if too_much else None
        if expected is None and not happens():
            expected = UnsayableError
        if expected is None:
            with self.store.write() as tx:
                say(tx, Speaker(party, name), verb, asked, self.now)
        else:
            with pytest.raises(expected), self.store.write() as tx:
                say(tx, Speaker(party, name), verb, asked, self.now)
        self.now += SECOND

    @invariant()
    def nobody_has_more_than_they_claimed(self) -> None:
        assert all(0 <= one.received <= one.amount for one in getattr(self, "plain", {}).values())


def one_due(one: Plain, party: Party, now: int) -> int:
    """What is due once every clock that has run out is taken into account."""
    one.tick(now)
    return one.due_to(party)


def test_the_lives_of_claims_are_their_plain_model(store_url: str) -> None:
    with Store(store_url, "NORMAL") as store:
        store.record_decisions(TOWN.decisions)

        class Here(LivesArePlain):
            pass

        Here.store = store
        examples, steps = (25, 40) if store_url.startswith("sqlite") else (5, 25)
        run_state_machine_as_test(Here, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None, phases=PHASES))
