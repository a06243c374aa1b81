"""Who trades: customers, sellers, and what happened to a seller's standing."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from data_contracts.contract import Contract, Identifier, Instant, Ordering, Recorded, Reference, Row

Region = Annotated[str, Field(min_length=1, max_length=32)]


class Customer(Row):
    """A customer's account as it was opened."""

    key_column: ClassVar[str] = "customer_id"
    event_column: ClassVar[str] = "created_at"
    known_column: ClassVar[str] = "created_at"
    orderings = (Ordering("created_at", "recorded_at"),)

    customer_id: Identifier = Field(description="the account")
    created_at: Instant = Field(description="when the account was opened")
    region: Region = Field(description="where the customer lives, a coarse region")
    email_verified: bool = Field(description="whether the e-mail address was confirmed at sign-up")
    recorded_at: Recorded = None


class Seller(Row):
    """A third-party seller's account as it was opened."""

    key_column: ClassVar[str] = "seller_id"
    event_column: ClassVar[str] = "joined_at"
    known_column: ClassVar[str] = "joined_at"
    orderings = (Ordering("joined_at", "recorded_at"),)

    seller_id: Identifier = Field(description="the account")
    joined_at: Instant = Field(description="when the seller joined")
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = Field(description="ISO 3166 code of the seller's seat")
    category: Annotated[str, Field(min_length=1, max_length=32)] = Field(description="main category of goods")
    recorded_at: Recorded = None


class SellerEventKind(StrEnum):
    """What can happen to a seller's standing."""

    INSURANCE_PROVEN = "insurance_proven"
    INSURANCE_LAPSED = "insurance_lapsed"
    INSURANCE_FORGED = "insurance_forged"
    POLICY_VIOLATION = "policy_violation"
    POLICY_CLEARED = "policy_cleared"
    RECALL = "recall"


class SellerEvent(Row):
    """A change in a seller's insurance, policy standing or products (a recall names the product)."""

    key_column: ClassVar[str] = "event_id"
    event_column: ClassVar[str] = "occurred_at"
    known_column: ClassVar[str] = "known_at"
    references = (Reference("seller_id", "sellers", not_before=(("occurred_at", "joined_at"),)), Reference("product_id", "products"))

    event_id: Identifier = Field(description="the event")
    seller_id: Identifier = Field(description="the seller concerned")
    kind: SellerEventKind = Field(description="what happened")
    product_id: Identifier | None = Field(description="the product recalled; empty for every other kind")
    occurred_at: Instant = Field(description="when it happened")
    known_at: Instant = Field(description="when the marketplace learned it")


CUSTOMERS = Contract("customers", Customer)
SELLERS = Contract("sellers", Seller)
SELLER_EVENTS = Contract("seller_events", SellerEvent)
