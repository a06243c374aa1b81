"""The bodies of requests and answers about the resolution of claims: what seller, insurer, customers and the marketplace may say."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from data_contracts.claims import ClaimKind
from data_contracts.contract import CAP_CENTS, Identifier
from serving.case_messages import MOST_LISTED, Asked, Words

Amount = Annotated[int, Field(ge=1, le=CAP_CENTS, description="in cents")]
Short = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class Verb(StrEnum):
    """What can be said."""

    ACCEPT = "accept"
    COUNTER = "counter"
    REJECT = "reject"
    INSURE = "insure"
    APPEAL = "appeal"
    PROVE = "prove"
    REPAY = "repay"
    RULE = "rule"


class Grounds(StrEnum):
    """Why a claim is rejected."""

    NOT_OUR_PRODUCT = "not_our_product"
    NO_DEFECT = "no_defect"
    MISUSE = "misuse"
    AMOUNT = "amount"
    ALREADY_COMPENSATED = "already_compensated"
    NOT_COVERED = "not_covered"
    OTHER = "other"


class Evidence(StrEnum):
    """What proves a loss."""

    ORDER = "order"
    DATED_PHOTO = "dated_photo"
    RECEIPT = "receipt"
    REPAIR_ESTIMATE = "repair_estimate"
    MEDICAL_RECORD = "medical_record"


class Ruling(StrEnum):
    """What the marketplace finds or does."""

    APPEAL_GRANTED = "appeal_granted"
    APPEAL_REFUSED = "appeal_refused"
    EVIDENCE_REFUTES = "evidence_refutes"
    ABUSE_REVEALED = "abuse_revealed"
    WITHHELD = "withheld"


class About(Asked):
    """The claim that something is said about."""

    claim_id: Identifier = Field(description="the claim")


class Accepted(About):
    """Seller or insurer pays all that is due."""


class Countered(About):
    """Seller or insurer pays a part and contests the rest."""

    amount_cents: Amount
    grounds: Grounds = Field(description="why not all")
    rationale: Words = Field(description="in plain words; kept, and read by whoever rules on an appeal")


class Rejected(About):
    """Seller or insurer pays nothing."""

    grounds: Grounds = Field(description="why")
    rationale: Words = Field(description="in plain words; kept, and read by whoever rules on an appeal")


class Insured(About):
    """The seller proves an insurance, whose insurer may see and answer the seller's cases from now on."""

    insurer: Identifier = Field(description="the insurer, as the marketplace knows it")
    policy_number: Short = Field(description="of the policy")


class Appealed(About):
    """A seller against a demand, or a customer against a denial."""

    rationale: Words = Field(description="in plain words; kept, and read by whoever rules on it")


class Proven(About):
    """A customer's proof of loss that satisfies what was asked for; it reopens a denial for want of proof."""

    evidence: list[Evidence] = Field(min_length=1, max_length=len(Evidence), description="what was brought")


class Repaid(About):
    """A customer pays back."""

    amount_cents: Amount


class Ruled(About):
    """The marketplace rules, or finds, or covers a demand from what it withheld."""

    ruling: Ruling = Field(description="what")
    amount_cents: int = Field(default=0, ge=0, le=CAP_CENTS, description="withheld, in cents; 0 for anything else")
    rationale: Words = Field(description="why; kept")


class Said(BaseModel):
    """What was said, kept; it takes effect when the claim is next carried forward."""

    answer_id: str = Field(description="its key")
    claim_id: str = Field(description="the claim")
    kind: str = Field(description="what it amounts to")
    amount_cents: int = Field(description="paid with it, in cents")
    said_at: datetime = Field(description="when it was received: what counts against a deadline")


class Which(StrEnum):
    """Which claims a list holds."""

    OPEN = "open"
    CLOSED = "closed"


class CaseListing(BaseModel):
    """Which claims are asked for, and from where on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Which = Field(default=Which.OPEN, description="those whose money is not settled, or those whose is")
    limit: int = Field(default=50, ge=1, le=MOST_LISTED, description="so many at most")
    cursor: str | None = Field(default=None, max_length=200, description="next_cursor of the page before")


class PartyListed(BaseModel):
    """A claim in a list."""

    claim_id: str = Field(description="the claim")
    stage: str = Field(description="where it stood when it was last carried forward")
    amount_cents: int = Field(description="claimed, in cents")
    deadline: datetime | None = Field(description="until when somebody is waited for; null if nobody is")


class PartyPage(BaseModel):
    """A page of a list, in order of ``claim_id``."""

    claims: list[PartyListed] = Field(description="the claims")
    next_cursor: str | None = Field(description="asks for the next page; null on the last")


class Effect(StrEnum):
    """What became of something that was said."""

    APPLIED = "applied"
    TOO_LATE = "too_late"


class Statement(BaseModel):
    """What you said before."""

    answer_id: str = Field(description="its key")
    verb: Verb = Field(description="what")
    said_at: datetime = Field(description="when")
    effect: Effect | None = Field(
        description="whether it counted, or something else had come before; null until the claim is carried forward"
    )


class PartyCase(PartyListed):
    """A claim as a party to it sees it, with everything said so far and every clock that has run out taken into account."""

    seller_id: str = Field(description="the seller")
    product_id: str = Field(description="the product")
    kind: ClaimKind | None = Field(description="damage or injury; null where a batch decided it, whose claims are not kept here")
    incident_at: datetime | None = Field(description="when the harm happened, as stated; null as well there")
    due_cents: int = Field(description="what you may pay now, in cents")
    may: list[Verb] = Field(description="what you may say now")
    said: list[Statement] = Field(description="what you have said, oldest first")
