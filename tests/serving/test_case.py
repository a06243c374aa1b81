"""What a message means for a case, and which event follows at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from data_contracts import Action, Label, Route
from data_contracts.resolutions import AnswerKind, Party, Source
from serving.case import MAY_SAY, Case, Message, event_at_once, event_of
from serving.ledger import Account
from serving.resolution import LIMIT_CENTS, Event, State, TransitionError

FILED = Case("C", "K", "S", "P", 500, Action.DESK, Action.PAY, Route.VALUE_OF_REVIEW, 1.0, 0, State.FILED, 0, 0, 0, None, None, None, {})


def said(kind: AnswerKind | Label, party: Party | None = Party.SELLER, cents: int = 0) -> Message:
    return Message("m", 0, party, kind, cents)


@pytest.mark.parametrize("action", Action)
def test_a_new_claim_follows_its_decision_and_one_back_from_review_its_automatic_action(action: Action) -> None:
    first = event_at_once(replace(FILED, action=action))
    assert first is not None
    back = replace(FILED, seq=2, automatic_action=Action.DENY_UNSUBSTANTIATED)
    assert event_at_once(back) is Event.DECIDED_DENY_UNSUBSTANTIATED


@pytest.mark.parametrize("state", [State.APPROVED, State.REINSTATED])
def test_exactly_a_thousand_dollars_is_within_the_limit(state: State) -> None:
    assert event_at_once(replace(FILED, state=state, amount_cents=LIMIT_CENTS)) is Event.WITHIN_LIMIT
    assert event_at_once(replace(FILED, state=state, amount_cents=LIMIT_CENTS + 1)) is Event.ABOVE_LIMIT


@pytest.mark.parametrize("kind", AnswerKind)
@pytest.mark.parametrize("party", Party)
def test_every_answer_of_every_party_means_an_event_or_is_refused_by_name(kind: AnswerKind, party: Party) -> None:
    try:
        assert isinstance(event_of(FILED, said(kind, party), True), Event)
    except TransitionError as refusal:
        assert party.value in str(refusal)
        assert kind not in MAY_SAY[party]
    else:
        assert kind in MAY_SAY[party]


def test_nobody_speaks_for_another_whatever_the_file_of_answers_says() -> None:
    for party, kind in (
        (Party.CUSTOMER, AnswerKind.SELLER_PAYS),
        (Party.SELLER, AnswerKind.APPEAL_GRANTED),
        (Party.SELLER, AnswerKind.INSURER_PAYS),
    ):
        with pytest.raises(TransitionError, match="expected from"):
            event_of(replace(FILED, state=State.PRESENTED), said(kind, party, 500), True)


@pytest.mark.parametrize("label", Label)
def test_a_finding_is_named_after_its_label(label: Label) -> None:
    assert event_of(FILED, said(label, None), True).value == f"found_{label.value}"


@pytest.mark.parametrize(("owed", "cents", "whole"), [(300, 300, True), (300, 299, False), (300, 10_000, True)])
def test_a_payment_is_whole_only_if_it_covers_what_is_owed(owed: int, cents: int, whole: bool) -> None:
    demanded = replace(FILED, state=State.REIMBURSEMENT_DEMANDED, balances={Account.RECEIVABLE_FROM_SELLER: -owed})
    assert event_of(demanded, said(AnswerKind.REIMBURSED, cents=cents), True) is (Event.REIMBURSED if whole else Event.REIMBURSED_IN_PART)
    back = replace(FILED, state=State.CLAIMED_BACK, balances={Account.RECEIVABLE_FROM_CUSTOMER: -owed})
    repaid = event_of(back, said(AnswerKind.REIMBURSED, Party.CUSTOMER, cents), True)
    assert repaid is (Event.CLAIMANT_REPAYS if whole else Event.CLAIMANT_REPAYS_IN_PART)


def test_a_proof_of_insurance_counts_only_for_a_seller_in_good_standing() -> None:
    assert event_of(FILED, said(AnswerKind.INSURANCE_PROOF), True) is Event.INSURANCE_PROVEN
    assert event_of(FILED, said(AnswerKind.INSURANCE_PROOF), False) is Event.PROOF_INSUFFICIENT


def test_an_audit_is_labelled_as_an_audit_whoever_examines() -> None:
    assert FILED.reviewer is Source.DESK
    assert replace(FILED, action=Action.INVESTIGATE).reviewer is Source.INVESTIGATION
    assert replace(FILED, route=Route.AUDIT).reviewer is Source.AUDIT
