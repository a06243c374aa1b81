"""Simulated parties say what the sealed world says, whenever they are asked."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from data_contracts import Action, Route
from data_contracts.resolutions import AnswerKind, Party
from pipelines.parties import Habits, SimulatedParties
from serving.case import Case, Message
from serving.instants import DAY
from serving.ledger import Account
from serving.resolution import FINAL, INSTANT, State

ROW = {
    "claim_id": "C1",
    "seller_response": "silent",
    "seller_response_days": 3.0,
    "insurer_response": "none",
    "insurer_days": 5.0,
    "cures": False,
    "cure_days": 6.0,
    "appeals_if_denied": False,
    "appeal_days": 8.0,
    "appeal_wins": False,
    "revealed_if_paid": False,
    "revealed_days": 50.0,
    "proof_days": float("nan"),
    "reimburses": False,
    "reimburse_days": 10.0,
}
BALANCES = {Account.RECEIVABLE_FROM_SELLER: -700, Account.RECEIVABLE_FROM_CUSTOMER: -900}
NEVER = Habits(seller_appeals=0, withheld=0, claimant_repays=0)
ALWAYS = Habits(seller_appeals=1, seller_appeal_granted=1, withheld=1, claimant_repays=1)


def case(state: State, claim_id: str = "C1") -> Case:
    decided = (Action.PAY, Action.PAY, Route.AUTOMATIC, 1.0, 0)
    return Case(claim_id, "K", "S", "P", 500_000, *decided, state, 3, 2 * DAY, 4 * DAY, None, DAY, None, BALANCES)


def ask(state: State, habits: Habits = NEVER, **world: object) -> list[tuple[Party | None, str, int, float]]:
    parties = SimulatedParties(pd.DataFrame([ROW | world]), habits=habits)
    return [(m.party, m.says.value, m.amount_cents, m.at / DAY) for m in parties(case(state))]


@pytest.mark.parametrize(
    ("state", "world", "expected"),
    [
        (State.PRESENTED, {"seller_response": "pays"}, (Party.SELLER, "seller_pays", 500_000, 5)),
        (State.PRESENTED, {"seller_response": "rejects"}, (Party.SELLER, "seller_rejects", 0, 5)),
        (State.PRESENTED, {"seller_response": "evidence_refutes"}, (Party.SELLER, "evidence_refutes", 0, 5)),
        (State.PRESENTED, {"insurer_response": "pays"}, (Party.INSURER, "insurer_pays", 500_000, 7)),
        (State.PRESENTED, {"insurer_response": "rejects"}, (Party.INSURER, "insurer_rejects", 0, 7)),
        (State.PROOF_AWAITED, {"proof_days": 4.5}, (Party.SELLER, "insurance_proof", 0, 6.5)),
        (State.PROOF_AWAITED, {"seller_response": "evidence_refutes"}, (Party.SELLER, "evidence_refutes", 0, 5)),
        (State.REIMBURSEMENT_DEMANDED, {"reimburses": True}, (Party.SELLER, "reimbursed", 700, 12)),
        (State.REIMBURSEMENT_DEMANDED, {"insurer_response": "pays"}, (Party.INSURER, "insurer_pays", 700, 7)),
        (State.EVIDENCE_REQUESTED, {"cures": True}, (Party.CUSTOMER, "evidence_provided", 0, 8)),
        (State.DENIED_UNSUBSTANTIATED, {"appeals_if_denied": True}, (Party.CUSTOMER, "appeal", 0, 10)),
        (State.DENIED_ABUSIVE, {"appeals_if_denied": True}, (Party.CUSTOMER, "appeal", 0, 10)),
        (State.SETTLED, {"revealed_if_paid": True}, (Party.MARKETPLACE, "abuse_revealed", 0, 51)),
    ],
)
def test_each_state_is_answered_as_the_world_holds_it(state: State, world: dict[str, object], expected: tuple[object, ...]) -> None:
    assert ask(state, **world) == [expected]
    assert ask(state) == []


@pytest.mark.parametrize(
    ("state", "world", "kind"),
    [
        (State.APPEALED_ABUSIVE, {"appeal_wins": True}, "appeal_granted"),
        (State.APPEALED_UNSUBSTANTIATED, {}, "appeal_refused"),
        (State.SELLER_APPEALED, {}, "appeal_granted"),
        (State.REIMBURSEMENT_DEMANDED, {}, "appeal"),
        (State.WITHHOLDING, {}, "reimbursed"),
        (State.CLAIMED_BACK, {}, "reimbursed"),
    ],
)
def test_what_the_world_does_not_hold_is_drawn_once_for_ever(state: State, world: dict[str, object], kind: str) -> None:
    first = ask(state, ALWAYS, **world)
    assert [answer[1] for answer in first] == [kind]
    assert ask(state, ALWAYS, **world) == first


def test_shares_of_the_habits_are_kept_over_many_claims() -> None:
    ids = [f"C{i}" for i in range(2_000)]
    parties = SimulatedParties(pd.DataFrame([ROW | {"claim_id": i} for i in ids]), habits=Habits(withheld=0.6))
    answered = sum(bool(parties(case(State.WITHHOLDING, i))) for i in ids)
    assert answered / len(ids) == pytest.approx(0.6, abs=0.03)


@pytest.mark.parametrize("state", [s for s in State if s not in INSTANT and s not in FINAL])
def test_an_answer_keeps_its_key_while_the_case_stays_in_its_state(state: State) -> None:
    world = {"seller_response": "pays", "insurer_response": "rejects", "cures": True, "appeals_if_denied": True, "reimburses": True}
    parties = SimulatedParties(pd.DataFrame([ROW | world | {"revealed_if_paid": True, "proof_days": 1.0}]), habits=ALWAYS)
    here = case(state)
    later = replace(here, seq=9, last_at=here.last_at + DAY)
    assert parties(here) == parties(later)
    keys = [m.message_id for m in parties(here)]
    assert len(set(keys)) == len(keys)
    assert all(len(key) <= 64 for key in keys)
    assert all(isinstance(m, Message) and isinstance(m.says, AnswerKind) for m in parties(here))


def test_of_a_claim_outside_the_world_nobody_says_anything() -> None:
    assert SimulatedParties(pd.DataFrame([ROW]))(case(State.PRESENTED, "C2")) == []
