"""The simulated sellers, insurers and customers: what each will say to a case, drawn once when the world was simulated.

The answers depend only on the sealed world, the case and how long it has been waiting, never on when or how often anybody
asks. A real deployment brings the same answers in a file instead (``touchstone resolve --answers FILE``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import pandas as pd

from data_contracts.resolutions import AnswerKind, Party
from serving.case import Case, Message
from serving.instants import DAY
from serving.ledger import Account
from serving.resolution import State

_PAID = (State.PROOF_AWAITED, State.REIMBURSEMENT_DEMANDED, State.SELLER_APPEALED, State.WITHHOLDING, State.SETTLED)
_OWING = (State.REIMBURSEMENT_DEMANDED, State.WITHHOLDING)


@dataclass(frozen=True)
class Habits:
    """What the sealed world does not say about a counterparty (all *chosen*).

    Parameters
    ----------
    seller_appeals
        Share of sellers who appeal a demand that they will not pay.
    seller_appeal_granted
        Share of those appeals that the marketplace grants.
    withheld
        Share of unpaid demands that withheld disbursements cover in the end.
    claimant_repays
        Share of claimants who pay back when their abuse has come to light.
    ruling_days
        Shortest and longest time of a ruling on an appeal.
    """

    seller_appeals: float = 0.10
    seller_appeal_granted: float = 0.15
    withheld: float = 0.60
    claimant_repays: float = 0.10
    ruling_days: tuple[int, int] = (5, 21)


class SimulatedParties:
    """Answers for every counterparty of the simulated marketplace; call it with a case to learn who will say what, and when.

    Parameters
    ----------
    world
        One row per claim: ``claim_id, seller_response, seller_response_days, insurer_response, insurer_days, cures,
        cure_days, appeals_if_denied, appeal_days, appeal_wins, revealed_if_paid, revealed_days, proof_days, reimburses,
        reimburse_days``; days from the instant at which the case began to wait, missing where it never happens.
    seed
        Varies the draws of the habits only.
    habits
        Shares that the world does not hold.
    """

    def __init__(self, world: pd.DataFrame, seed: int = 0, habits: Habits = Habits()) -> None:
        self._world = {row.claim_id: row for row in world.itertuples(index=False)}
        self._seed = seed
        self._habits = habits

    def __call__(self, case: Case) -> list[Message]:
        """Return every answer that is to be expected in the state the case is in, in no particular order."""
        row = self._world.get(case.claim_id)
        if row is None:
            return []
        said = _SAID.get(case.state)
        messages = [_message(case, *answer) for answer in said(self, case, row)] if said else []
        if case.state in _PAID and case.paid_at is not None and row.revealed_if_paid:
            at = case.paid_at + _days(row.revealed_days)
            messages.append(Message(f"{case.claim_id}.abuse_revealed", at, Party.MARKETPLACE, AnswerKind.ABUSE_REVEALED))
        return messages

    def _draw(self, case: Case, about: str) -> float:
        """Return a uniform number in [0, 1) that belongs to this claim and question for ever."""
        digest = blake2b(f"{self._seed}:{case.claim_id}:{about}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64

    def _between(self, case: Case, about: str, shortest: int, longest: int) -> float:
        return shortest + (longest - shortest) * self._draw(case, about)

    def _on_presented(self, case: Case, row: Any) -> Iterator[_Answer]:
        if row.seller_response == "pays":
            yield Party.SELLER, AnswerKind.SELLER_PAYS, case.amount_cents, row.seller_response_days
        elif row.seller_response == "rejects":
            yield Party.SELLER, AnswerKind.SELLER_REJECTS, 0, row.seller_response_days
        yield from self._refutation(case, row)
        yield from self._insurer(case, row, case.amount_cents)

    def _on_proof(self, case: Case, row: Any) -> Iterator[_Answer]:
        if not pd.isna(row.proof_days):
            yield Party.SELLER, AnswerKind.INSURANCE_PROOF, 0, row.proof_days
        yield from self._refutation(case, row)

    def _on_demand(self, case: Case, row: Any) -> Iterator[_Answer]:
        owed = case.owed(Account.RECEIVABLE_FROM_SELLER)
        if row.reimburses:
            yield Party.SELLER, AnswerKind.REIMBURSED, owed, row.reimburse_days
        elif self._draw(case, "seller appeals") < self._habits.seller_appeals:
            yield Party.SELLER, AnswerKind.APPEAL, 0, self._between(case, "seller appeal day", 5, 29)
        yield from self._insurer(case, row, owed)

    def _on_withholding(self, case: Case, row: Any) -> Iterator[_Answer]:
        if row.reimburses or self._draw(case, "withheld") < self._habits.withheld:
            days = self._between(case, "withheld day", 10, 50)
            yield Party.MARKETPLACE, AnswerKind.REIMBURSED, case.owed(Account.RECEIVABLE_FROM_SELLER), days

    def _on_request(self, _: Case, row: Any) -> Iterator[_Answer]:
        if row.cures:
            yield Party.CUSTOMER, AnswerKind.EVIDENCE_PROVIDED, 0, row.cure_days

    def _on_denial(self, _: Case, row: Any) -> Iterator[_Answer]:
        if row.appeals_if_denied:
            yield Party.CUSTOMER, AnswerKind.APPEAL, 0, row.appeal_days

    def _on_appeal(self, case: Case, row: Any) -> Iterator[_Answer]:
        yield from self._ruling(case, bool(row.appeal_wins))

    def _on_seller_appeal(self, case: Case, _: Any) -> Iterator[_Answer]:
        yield from self._ruling(case, self._draw(case, "seller appeal granted") < self._habits.seller_appeal_granted)

    def _on_claimed_back(self, case: Case, _: Any) -> Iterator[_Answer]:
        if self._draw(case, "repays") < self._habits.claimant_repays:
            days = self._between(case, "repays day", 10, 50)
            yield Party.CUSTOMER, AnswerKind.REIMBURSED, case.owed(Account.RECEIVABLE_FROM_CUSTOMER), days

    def _refutation(self, _: Case, row: Any) -> Iterator[_Answer]:
        if row.seller_response == "evidence_refutes":
            yield Party.SELLER, AnswerKind.EVIDENCE_REFUTES, 0, row.seller_response_days

    def _insurer(self, _: Case, row: Any, owed: int) -> Iterator[_Answer]:
        if row.insurer_response == "pays":
            yield Party.INSURER, AnswerKind.INSURER_PAYS, owed, row.insurer_days
        elif row.insurer_response == "rejects":
            yield Party.INSURER, AnswerKind.INSURER_REJECTS, 0, row.insurer_days

    def _ruling(self, case: Case, granted: bool) -> Iterator[_Answer]:
        kind = AnswerKind.APPEAL_GRANTED if granted else AnswerKind.APPEAL_REFUSED
        yield Party.MARKETPLACE, kind, 0, self._between(case, f"{case.state} ruling", *self._habits.ruling_days)


_Answer = tuple[Party, AnswerKind, int, float]

_SAID = {
    State.PRESENTED: SimulatedParties._on_presented,
    State.PROOF_AWAITED: SimulatedParties._on_proof,
    State.REIMBURSEMENT_DEMANDED: SimulatedParties._on_demand,
    State.WITHHOLDING: SimulatedParties._on_withholding,
    State.SELLER_APPEALED: SimulatedParties._on_seller_appeal,
    State.EVIDENCE_REQUESTED: SimulatedParties._on_request,
    State.PROOF_REQUESTED: SimulatedParties._on_request,
    State.DENIED_UNSUBSTANTIATED: SimulatedParties._on_denial,
    State.DENIED_ABUSIVE: SimulatedParties._on_denial,
    State.APPEALED_UNSUBSTANTIATED: SimulatedParties._on_appeal,
    State.APPEALED_ABUSIVE: SimulatedParties._on_appeal,
    State.CLAIMED_BACK: SimulatedParties._on_claimed_back,
}


def _days(days: float) -> int:
    return round(days * DAY)


def _message(case: Case, party: Party, kind: AnswerKind, amount_cents: int, days: float) -> Message:
    """Name an answer after the claim, the state it answers and what it says: asked again, the same answer has the same key."""
    return Message(f"{case.claim_id}.{case.state.value}.{kind.value}", case.since + _days(days), party, kind, amount_cents)
