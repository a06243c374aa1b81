"""What was traded: products, orders and returns."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from data_contracts.contract import Cents, Contract, Identifier, Instant, Ordering, Recorded, Reference, Row

Quantity = Annotated[int, Field(ge=1, le=10_000)]
Word = Annotated[str, Field(min_length=1, max_length=32)]


class Product(Row):
    """A seller's listing."""

    key_column: ClassVar[str] = "product_id"
    event_column: ClassVar[str] = "listed_at"
    known_column: ClassVar[str] = "listed_at"
    references = (Reference("seller_id", "sellers", not_before=(("listed_at", "joined_at"),)),)
    orderings = (Ordering("listed_at", "recorded_at"),)

    product_id: Identifier = Field(description="the listing")
    seller_id: Identifier = Field(description="who sells it")
    category: Word = Field(description="category of goods")
    listed_at: Instant = Field(description="when it was first offered")
    price_cents: Cents = Field(description="list price in cents")
    recorded_at: Recorded = None


class Order(Row):
    """A purchase; delivery is known only later and is therefore never read as of the order's own time."""

    key_column: ClassVar[str] = "order_id"
    event_column: ClassVar[str] = "ordered_at"
    known_column: ClassVar[str] = "ordered_at"
    references = (
        Reference("customer_id", "customers", not_before=(("ordered_at", "created_at"),)),
        Reference("product_id", "products", agree=("seller_id",), not_before=(("ordered_at", "listed_at"),)),
        Reference("seller_id", "sellers"),
    )
    orderings = (Ordering("ordered_at", "delivered_at"), Ordering("ordered_at", "recorded_at"))

    order_id: Identifier = Field(description="the order")
    customer_id: Identifier = Field(description="who bought")
    seller_id: Identifier = Field(description="who sold")
    product_id: Identifier = Field(description="what was bought")
    ordered_at: Instant = Field(description="when it was ordered")
    delivered_at: Instant | None = Field(description="when it arrived; empty while on its way")
    quantity: Quantity = Field(description="units")
    amount_cents: Cents = Field(description="price paid in cents")
    device_id: Identifier = Field(description="device the order was placed from")
    address_id: Identifier = Field(description="delivery address")
    payment_id: Identifier = Field(description="means of payment")
    recorded_at: Recorded = None


class Return(Row):
    """An ordinary return of goods (not a claim)."""

    key_column: ClassVar[str] = "return_id"
    event_column: ClassVar[str] = "returned_at"
    known_column: ClassVar[str] = "returned_at"
    references = (Reference("order_id", "orders", agree=("customer_id", "seller_id"), not_before=(("returned_at", "delivered_at"),)),)
    orderings = (Ordering("returned_at", "recorded_at"),)

    return_id: Identifier = Field(description="the return")
    order_id: Identifier = Field(description="the order returned")
    customer_id: Identifier = Field(description="who returned it")
    seller_id: Identifier = Field(description="who had sold it")
    returned_at: Instant = Field(description="when it was returned")
    reason: Word = Field(description="reason given")
    refund_cents: Cents = Field(description="refund in cents")
    recorded_at: Recorded = None


PRODUCTS = Contract("products", Product)
ORDERS = Contract("orders", Order)
RETURNS = Contract("returns", Return)
