"""What became known: answers of the parties, and resolutions from which labels are learned."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from data_contracts.contract import Cents, Contract, Identifier, Instant, Ordering, Reference, Row


class Label(StrEnum):
    """The three classes of claims."""

    VALID = "valid"
    UNSUBSTANTIATED = "unsubstantiated"
    ABUSIVE = "abusive"


class Source(StrEnum):
    """How a resolution came about; only an examination or a revelation carries a label."""

    AUTOMATIC = "automatic"
    DESK = "desk"
    INVESTIGATION = "investigation"
    AUDIT = "audit"
    EVIDENCE = "evidence"
    APPEAL = "appeal"
    REVEALED = "revealed"


class Outcome(StrEnum):
    """What the claimant got."""

    PAID = "paid"
    DENIED_UNSUBSTANTIATED = "denied_unsubstantiated"
    DENIED_ABUSIVE = "denied_abusive"


class Resolution(Row):
    """What became known of a claim, from ``known_at`` on; a later row of the same claim supersedes an earlier one."""

    key_column: ClassVar[str] = "resolution_id"
    event_column: ClassVar[str] = "resolved_at"
    known_column: ClassVar[str] = "known_at"
    references = (
        Reference("claim_id", "claims", agree=("customer_id", "seller_id", "product_id"), not_before=(("resolved_at", "filed_at"),)),
    )
    orderings = (Ordering("resolved_at", "known_at"),)

    resolution_id: Identifier = Field(description="the resolution")
    claim_id: Identifier = Field(description="the claim resolved")
    customer_id: Identifier = Field(description="its claimant")
    seller_id: Identifier = Field(description="its seller")
    product_id: Identifier = Field(description="its product")
    source: Source = Field(description="how it came about")
    outcome: Outcome = Field(description="what the claimant got")
    label: Label | None = Field(description="the class found; empty where nobody examined the claim")
    propensity: Annotated[float, Field(ge=1e-6, le=1.0)] = Field(description="probability with which this claim was chosen to be examined")
    paid_cents: Cents = Field(description="amount paid to the claimant in cents")
    resolved_at: Instant = Field(description="when it was resolved")
    known_at: Instant = Field(description="when the marketplace recorded it")


class Party(StrEnum):
    """Who answers in the course of a case."""

    CUSTOMER = "customer"
    SELLER = "seller"
    INSURER = "insurer"
    MARKETPLACE = "marketplace"


class AnswerKind(StrEnum):
    """What a party can say about a case."""

    EVIDENCE_PROVIDED = "evidence_provided"
    EVIDENCE_REFUTES = "evidence_refutes"
    SELLER_PAYS = "seller_pays"
    SELLER_REJECTS = "seller_rejects"
    INSURANCE_PROOF = "insurance_proof"
    INSURER_PAYS = "insurer_pays"
    INSURER_REJECTS = "insurer_rejects"
    REIMBURSED = "reimbursed"
    APPEAL = "appeal"
    APPEAL_GRANTED = "appeal_granted"
    APPEAL_REFUSED = "appeal_refused"
    ABUSE_REVEALED = "abuse_revealed"


class Answer(Row):
    """A party's answer in the course of a case; the resolution of cases reads nothing else from outside."""

    key_column: ClassVar[str] = "answer_id"
    event_column: ClassVar[str] = "answered_at"
    known_column: ClassVar[str] = "answered_at"
    references = (Reference("claim_id", "claims", not_before=(("answered_at", "filed_at"),)),)

    answer_id: Identifier = Field(description="the answer")
    claim_id: Identifier = Field(description="the claim it concerns")
    party: Party = Field(description="who answers")
    kind: AnswerKind = Field(description="what they say")
    amount_cents: Cents = Field(description="amount paid or reimbursed with it, in cents; 0 for words alone")
    answered_at: Instant = Field(description="when the answer arrived")


RESOLUTIONS = Contract("resolutions", Resolution)
ANSWERS = Contract("answers", Answer)
