"""One case at a time: any messages, in any order, in any number of runs."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts import Action, Label, Route
from data_contracts.resolutions import AnswerKind, Outcome, Party, Source
from serving.case import APPLIED, Advance, Case, Message, event_at_once
from serving.casework import advance, take
from serving.instants import DAY
from serving.ledger import PAY, PENDING, Account
from serving.resolution import FINAL, INSTANT, Event, State, TransitionError

AUTOMATIC = (Action.PAY, Action.REQUEST_EVIDENCE, Action.DENY_UNSUBSTANTIATED, Action.DENY_ABUSIVE)
FOREVER = 2_000 * DAY


def filed(action: Action = Action.PAY, automatic: Action = Action.PAY, amount: int = 50_000, route: Route = Route.AUTOMATIC) -> Case:
    return Case(
        "C1", "K1", "S1", "P1", amount, action, automatic, route, 0.25, 0, State.FILED, 0, 0, 0, None, None, None, {}
    )  # fmt: skip


def answer(kind: AnswerKind, day: float, party: Party = Party.SELLER, cents: int = 0, name: str | None = None) -> Message:
    return Message(name or f"{kind.value}.{day}", round(day * DAY), party, kind, cents)


def finding(label: Label, day: float, fee: int = 6_000) -> Message:
    return Message(f"expert.{day}", round(day * DAY), None, label, fee)


def silent(_: Case) -> tuple[Message, ...]:
    return ()


def go(case: Case, *messages: Message, as_of: int = FOREVER, compliant: bool = True) -> Advance:
    return advance(case, messages, (), as_of, silent, lambda _s, _at: compliant)


def trail(after: Advance) -> list[str]:
    return [step.transition.to.value for step in after.steps]


def bearers(after: Advance) -> dict[str, int]:
    return {a.value: cents for a, cents in after.case.balances.items() if cents}


cases = st.builds(
    filed,
    action=st.sampled_from(Action),
    automatic=st.sampled_from(AUTOMATIC),
    amount=st.sampled_from([1, 99_999, 100_000, 100_001, 5_000_000]),
    route=st.sampled_from(Route),
)
days = st.integers(0, 300)
answers = st.builds(answer, st.sampled_from(AnswerKind), days, st.sampled_from(Party), st.sampled_from([0, 1, 40_000, 100_001, 9_000_000]))
inboxes = st.lists(st.one_of(answers, st.builds(finding, st.sampled_from(Label), days)), max_size=8, unique_by=lambda m: m.message_id)


@settings(max_examples=300, deadline=None)
@given(cases, inboxes, st.booleans())
def test_whatever_is_said_the_case_closes_once_paid_at_most_and_balanced(case: Case, inbox: list[Message], compliant: bool) -> None:
    after = go(case, *inbox, compliant=compliant)
    assert after.case.state in FINAL
    assert after.case.seq == len(after.steps)
    postings = [p for step in after.steps for p in step.postings]
    assert sum(p.step == PAY for p in postings) <= 1
    assert len({p.step for p in (*postings, *after.fees)}) == len(postings) + len(after.fees)
    assert sum(after.case.balances.values()) == 0
    assert not any(after.case.balances.get(account, 0) for account in PENDING)
    assert 0 <= after.case.balances.get(Account.CUSTOMER, 0) <= case.amount_cents
    assert {r.message.message_id for r in after.receipts} == {m.message_id for m in inbox}


@settings(max_examples=200, deadline=None)
@given(cases, inboxes, st.lists(st.integers(0, 400), min_size=1, max_size=6))
def test_many_runs_equal_one_run_and_a_run_again_changes_nothing(case: Case, inbox: list[Message], stops: list[int]) -> None:
    once = go(case, *inbox)
    here, seen, steps, receipts = case, set[str](), [], []
    for stop in [*itertools.chain.from_iterable((s, s) for s in sorted(stops)), 2_000]:
        waiting = [m for m in inbox if m.message_id not in seen and m.at <= stop * DAY]
        part = advance(here, waiting, seen, stop * DAY, silent, lambda _s, _at: True)
        here, steps, receipts = part.case, [*steps, *part.steps], [*receipts, *part.receipts]
        seen |= {r.message.message_id for r in part.receipts}
    assert here == once.case
    assert tuple(steps) == once.steps
    assert tuple(receipts) == once.receipts


@settings(max_examples=100, deadline=None)
@given(cases, inboxes, st.randoms(use_true_random=False))
def test_the_order_in_which_messages_lie_in_the_inbox_does_not_matter(case: Case, inbox: list[Message], random: object) -> None:
    mixed = list(inbox)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert go(case, *mixed) == go(case, *inbox)


@settings(max_examples=200, deadline=None)
@given(cases, inboxes, st.integers(0, 400))
def test_events_are_in_order_of_time_and_none_is_after_the_present(case: Case, inbox: list[Message], day: int) -> None:
    after = go(case, *inbox, as_of=day * DAY)
    times = [0, *(step.at for step in after.steps)]
    assert times == sorted(times)
    assert times[-1] <= day * DAY
    assert after.case.state not in INSTANT
    assert all(a.transition.to is b.transition.state for a, b in itertools.pairwise(after.steps))


@settings(max_examples=200, deadline=None)
@given(cases, inboxes)
def test_a_label_comes_only_from_an_examination_and_unknown_is_never_valid(case: Case, inbox: list[Message]) -> None:
    after = go(case, *inbox)
    rows = [*(step.resolved for step in after.steps if step.resolved), *after.noted]
    assert len({row.resolution_id for row in rows}) == len(rows)
    for row in rows:
        assert (row.label is None) == (row.source is Source.AUTOMATIC)
        assert row.paid_cents == (case.amount_cents if row.outcome is Outcome.PAID else 0)
        chosen = row.source is Source.AUTOMATIC or (case.action in (Action.DESK, Action.INVESTIGATE) and row.source is not Source.REVEALED)
        assert row.propensity == (0.25 if chosen else 1.0)


@pytest.mark.parametrize(
    ("messages", "compliant", "states", "who"),
    [
        ([answer(AnswerKind.INSURANCE_PROOF, 7)], True, ["settled"], {"marketplace_absorbed"}),
        ([answer(AnswerKind.INSURANCE_PROOF, 7)], False, ["reimbursement_demanded", "withholding", "settled"], {"written_off"}),
        ([], True, ["reimbursement_demanded", "withholding", "settled"], {"written_off"}),
        ([answer(AnswerKind.REIMBURSED, 20, cents=50_000)], True, ["reimbursement_demanded", "settled"], {"seller"}),
        (
            [answer(AnswerKind.APPEAL, 30), answer(AnswerKind.APPEAL_GRANTED, 40, Party.MARKETPLACE)],
            True,
            ["reimbursement_demanded", "seller_appealed", "settled"],
            {"marketplace_absorbed"},
        ),
        (
            [answer(AnswerKind.REIMBURSED, 20, cents=20_000), answer(AnswerKind.INSURER_PAYS, 25, Party.INSURER, 30_000)],
            True,
            ["reimbursement_demanded", "reimbursement_demanded", "settled"],
            {"seller", "insurer"},
        ),
    ],
)
def test_up_to_a_thousand_dollars_the_customer_is_paid_first(
    messages: list[Message], compliant: bool, states: list[str], who: set[str]
) -> None:
    after = go(filed(), *messages, compliant=compliant)
    assert trail(after) == ["approved", "proof_awaited", *states, "closed"]
    assert after.case.paid_at == 0
    assert bearers(after).keys() == {"customer"} | who


@pytest.mark.parametrize(
    ("messages", "states", "who"),
    [
        ([answer(AnswerKind.SELLER_PAYS, 3, cents=500_000)], ["settled", "closed"], {"seller": -500_000}),
        ([answer(AnswerKind.INSURER_PAYS, 3, Party.INSURER, 500_000)], ["settled", "closed"], {"insurer": -500_000}),
        (
            [answer(AnswerKind.INSURER_PAYS, 3, Party.INSURER, 400_000), answer(AnswerKind.REIMBURSED, 9, cents=10**8)],
            ["reimbursement_demanded", "settled", "closed"],
            {"insurer": -400_000, "seller": -100_000},
        ),
        (
            [answer(AnswerKind.SELLER_REJECTS, 2), answer(AnswerKind.REIMBURSED, 50, Party.MARKETPLACE, 500_000)],
            ["reimbursement_demanded", "withholding", "settled", "closed"],
            {"seller": -500_000},
        ),
        ([], ["reimbursement_demanded", "withholding", "settled", "closed"], {"written_off": -500_000}),
        ([answer(AnswerKind.EVIDENCE_REFUTES, 2)], ["denied_unsubstantiated", "closed"], {}),
    ],
)
def test_above_a_thousand_dollars_seller_and_insurer_are_asked_first(
    messages: list[Message], states: list[str], who: dict[str, int]
) -> None:
    after = go(filed(amount=500_000), *messages)
    assert trail(after) == ["approved", "presented", *states]
    assert bearers(after) == ({"customer": 500_000} | who if who else {})


def test_a_satisfied_request_for_evidence_reopens_the_claim_even_after_its_denial() -> None:
    for day in (3, 45):
        after = go(filed(Action.REQUEST_EVIDENCE), answer(AnswerKind.EVIDENCE_PROVIDED, day, Party.CUSTOMER), as_of=46 * DAY)
        assert after.case.outcome is Outcome.PAID
        assert [s.resolved.label for s in after.steps if s.resolved][-1] is Label.VALID


def test_proof_that_comes_after_an_experts_finding_is_paid_but_the_claim_as_filed_had_none() -> None:
    proof = answer(AnswerKind.EVIDENCE_PROVIDED, 9, Party.CUSTOMER)
    after = go(filed(Action.DESK, route=Route.VALUE_OF_REVIEW), finding(Label.UNSUBSTANTIATED, 4), proof, as_of=10 * DAY)
    rows = [step.resolved for step in after.steps if step.resolved]
    assert [(row.outcome, row.label) for row in rows] == [
        (Outcome.DENIED_UNSUBSTANTIATED, Label.UNSUBSTANTIATED),
        (Outcome.PAID, Label.UNSUBSTANTIATED),
    ]


def test_a_denial_for_abuse_is_not_cured_by_papers_but_by_an_appeal() -> None:
    papers = answer(AnswerKind.EVIDENCE_PROVIDED, 3, Party.CUSTOMER)
    after = go(filed(Action.DENY_ABUSIVE), papers)
    assert trail(after) == ["denied_abusive", "closed"]
    assert "denied_abusive: expected one of" in after.receipts[0].disposition
    appeal = [answer(AnswerKind.APPEAL, 30, Party.CUSTOMER), answer(AnswerKind.APPEAL_GRANTED, 40, Party.MARKETPLACE)]
    assert trail(go(filed(Action.DENY_ABUSIVE), *appeal))[:4] == ["denied_abusive", "appealed_abusive", "reinstated", "proof_awaited"]
    late = go(filed(Action.DENY_ABUSIVE), answer(AnswerKind.APPEAL, 30.001, Party.CUSTOMER))
    assert trail(late) == ["denied_abusive", "closed"]


def test_a_review_that_nobody_does_falls_back_to_the_automatic_action() -> None:
    after = go(filed(Action.DESK, Action.DENY_UNSUBSTANTIATED, route=Route.VALUE_OF_REVIEW), as_of=40 * DAY)
    assert trail(after) == ["under_review", "filed", "denied_unsubstantiated"]
    late = go(after.case, finding(Label.VALID, 45), as_of=46 * DAY)
    assert trail(late) == ["approved", "proof_awaited"]
    assert [p.step for p in late.fees] == ["fee.expert.45"]


def test_a_finding_that_comes_too_late_still_gives_its_label_and_its_fee() -> None:
    after = go(filed(Action.DESK, Action.PAY, route=Route.AUDIT), finding(Label.ABUSIVE, 60), as_of=61 * DAY)
    assert after.case.outcome is Outcome.PAID
    assert [(row.source, row.label, row.outcome) for row in after.noted] == [(Source.AUDIT, Label.ABUSIVE, Outcome.PAID)]
    assert len(after.fees) == 1


def test_abuse_that_comes_to_light_is_claimed_back_and_refunds_whoever_bore_it() -> None:
    told = [
        answer(AnswerKind.SELLER_PAYS, 3, cents=500_000),
        answer(AnswerKind.ABUSE_REVEALED, 60, Party.MARKETPLACE),
        answer(AnswerKind.REIMBURSED, 80, Party.CUSTOMER, 100_000),
    ]
    after = go(filed(amount=500_000), *told)
    assert trail(after)[-4:] == ["settled", "claimed_back", "claimed_back", "closed"]
    assert bearers(after) == {"customer": 400_000, "written_off": -400_000}
    assert [s.resolved.label for s in after.steps if s.resolved] == [None, Label.ABUSIVE]


def test_an_answer_at_the_very_deadline_is_in_time() -> None:
    assert trail(go(filed(), answer(AnswerKind.INSURANCE_PROOF, 7), as_of=8 * DAY))[-1] == "settled"
    assert trail(go(filed(), answer(AnswerKind.INSURANCE_PROOF, 7.00001), as_of=8 * DAY))[-1] == "reimbursement_demanded"


def test_parties_are_asked_in_every_state_and_the_same_answer_is_taken_once() -> None:
    asked: list[State] = []

    def respond(case: Case) -> tuple[Message, ...]:
        asked.append(case.state)
        return (answer(AnswerKind.INSURER_REJECTS, 1, Party.INSURER, name="no"),)

    after = advance(filed(), (), (), FOREVER, respond, lambda _s, _at: True)
    assert [r.disposition for r in after.receipts] == [APPLIED]
    assert set(asked) == {State.PROOF_AWAITED, State.REIMBURSEMENT_DEMANDED, State.WITHHOLDING, State.SETTLED, State.CLOSED}


def test_an_arrow_is_not_taken_before_the_last_event_nor_a_closed_case_moved() -> None:
    here = go(filed(), as_of=DAY).case
    with pytest.raises(TransitionError, match="at or after"):
        take(replace(here, last_at=5), Event.DEADLINE, 4)
    closed = go(filed()).case
    assert closed.state is State.CLOSED
    assert event_at_once(closed) is None
    with pytest.raises(TransitionError, match="no further event"):
        take(closed, Event.REIMBURSED, FOREVER)
