"""What is claimed: property damage or personal injury caused by a product."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from data_contracts.contract import CAP_CENTS, Contract, Identifier, Instant, Ordering, PerceptualHash, Recorded, Reference, Row


class ClaimKind(StrEnum):
    """The two kinds of harm the programme covers."""

    PROPERTY = "property"
    INJURY = "injury"


class Channel(StrEnum):
    """Where a claim was filed."""

    WEB = "web"
    APP = "app"
    PHONE = "phone"


class Claim(Row):
    """A claim as the customer filed it: everything here is known at ``filed_at``, nothing later.

    A claim that the marketplace's own system learned of only later (a letter, another system) says so in ``recorded_at``:
    for other claims it is history from then on. It is itself judged as of ``filed_at`` all the same.
    """

    key_column: ClassVar[str] = "claim_id"
    event_column: ClassVar[str] = "filed_at"
    known_column: ClassVar[str] = "filed_at"
    references = (
        Reference("order_id", "orders", agree=("customer_id", "seller_id", "product_id"), not_before=(("incident_at", "delivered_at"),)),
        Reference("customer_id", "customers"),
        Reference("seller_id", "sellers"),
        Reference("product_id", "products"),
    )
    orderings = (Ordering("incident_at", "filed_at"), Ordering("filed_at", "recorded_at"))

    claim_id: Identifier = Field(description="the claim")
    order_id: Identifier = Field(description="the order whose product caused the harm")
    customer_id: Identifier = Field(description="the claimant")
    seller_id: Identifier = Field(description="the seller of the product")
    product_id: Identifier = Field(description="the product")
    kind: ClaimKind = Field(description="property damage or personal injury")
    channel: Channel = Field(description="where the claim was filed")
    incident_at: Instant = Field(description="when the harm happened, as stated")
    filed_at: Instant = Field(description="when the claim was filed")
    amount_cents: Annotated[int, Field(ge=1, le=CAP_CENTS)] = Field(description="amount claimed in cents")
    narrative: Annotated[str, Field(max_length=4000)] = Field(description="what happened, in the claimant's words")
    photo_count: Annotated[int, Field(ge=0, le=100)] = Field(description="photographs attached")
    photo_hash: PerceptualHash | None = Field(description="perceptual hash of the first photograph; empty without one")
    has_receipt: bool = Field(description="a receipt or repair estimate is attached")
    has_dated_photo: bool = Field(description="at least one photograph carries a date")
    has_medical_record: bool = Field(description="a medical record is attached")
    device_id: Identifier = Field(description="device the claim was filed from")
    address_id: Identifier = Field(description="the claimant's address")
    payment_id: Identifier = Field(description="where compensation would be paid to")
    phone_id: Identifier = Field(description="the claimant's telephone")
    recorded_at: Recorded = None


CLAIMS = Contract("claims", Claim)
