"""The catalogue's entries about the past of the claim's customer, seller, product and order."""

from __future__ import annotations

from typing import Literal

from features.entry import Entry, Group, Unit
from features.spec import ALL, Aggregate, Difference, How, Ratio, Window

CUSTOMER, SELLER, PRODUCT, ORDER = ("customer_id",), ("seller_id",), ("product_id",), ("order_id",)
PAIR = ("customer_id", "seller_id")

_WHOSE = {CUSTOMER: "the customer's", SELLER: "the seller's", PRODUCT: "the product's", ORDER: "the order's", PAIR: "the pair's"}
_GROUP: dict[tuple[str, ...], Group] = {
    CUSTOMER: "customer_history",
    SELLER: "seller_history",
    PRODUCT: "product_history",
    ORDER: "pair_history",
    PAIR: "pair_history",
}


def _span(window: Window) -> str:
    return "ever before" if window.days is None else f"in the last {window.days} days"


def _number(
    on: str, by: tuple[str, ...], how: How, days: int | None, what: str, unit: Unit = "count", direction: Literal[-1, 0, 1] = 0
) -> Entry:
    """Enter an aggregate; ``what`` completes "the customer's … ever before"."""
    window = ALL if days is None else Window(days)
    text = f"{_WHOSE[by]} {what} {_span(window)}"
    return Entry(Aggregate(on, by, how, window), text, unit, direction, _GROUP[by], text)


def _per(top: str, bottom: str, by: tuple[str, ...], days: int | None) -> Ratio:
    """Divide two counts over the same window."""
    window = ALL if days is None else Window(days)
    return Ratio(Aggregate(top, by, "count", window), Aggregate(bottom, by, "count", window))


def _share(top: str, bottom: str, by: tuple[str, ...], days: int | None, what: str) -> Entry:
    """Enter a ratio of counts."""
    ratio = _per(top, bottom, by, days)
    text = f"{_WHOSE[by]} {what} {_span(ALL if days is None else Window(days))}"
    return Entry(ratio, text, "share", 0, _GROUP[by], text)


def _rate(label: str, by: tuple[str, ...]) -> Entry:
    """Enter the share of the examined claims that stand as found so."""
    text = f"{_WHOSE[by]} share of examined claims found {label} {_span(ALL)}"
    return Entry(Aggregate(f"standing.{label}", by, "rate", ALL, among="examined"), text, "share", 0, _GROUP[by], text)


def _lift(on: str, meaning: str, reason: str) -> Entry:
    """Enter how many times more often the pair occurs than the seller's average customer occurs."""
    # Over the whole history the first sightings of customers are as many as the distinct ones, and cheaper to count.
    average = Ratio(Aggregate(on, SELLER, "count", ALL), Aggregate(f"{on}.customer_id", SELLER, "first_seen", ALL))
    return Entry(Ratio(Aggregate(on, PAIR, "count", ALL), average), meaning, "ratio", 0, "pair_history", reason)


_CUSTOMERS: tuple[Entry, ...] = (
    *(_number("claims", CUSTOMER, "count", days, "claims") for days in (30, 90, 365, None)),
    _number("claims.amount_cents", CUSTOMER, "sum", 365, "claimed amounts together", "cents"),
    _number("claims.amount_cents", CUSTOMER, "max", None, "largest claimed amount", "cents"),
    _number("claims.amount_cents", CUSTOMER, "last", None, "latest claimed amount", "cents"),
    _number("claims", CUSTOMER, "since_last", None, "days since the latest claim", "days"),
    _number("claims.seller_id", CUSTOMER, "distinct", 365, "different sellers claimed against"),
    _number("orders", CUSTOMER, "count", 30, "orders"),
    _number("orders", CUSTOMER, "count", None, "orders"),
    _number("orders.amount_cents", CUSTOMER, "sum", 365, "spending", "cents"),
    _number("orders.amount_cents", CUSTOMER, "mean", None, "average order", "cents"),
    _number("orders", CUSTOMER, "since_first", None, "days since the first order", "days"),
    _number("orders", CUSTOMER, "since_last", None, "days since the latest order", "days"),
    _share("claims", "orders", CUSTOMER, None, "claims per order"),
    _number("returns", CUSTOMER, "count", 365, "returns"),
    _share("returns", "orders", CUSTOMER, 365, "returns per order"),
    _number("standing.abusive", CUSTOMER, "sum", None, "claims found abusive", direction=1),
    _number("standing.unsubstantiated", CUSTOMER, "sum", None, "claims found unsubstantiated"),
    _number("standing.denied", CUSTOMER, "sum", None, "claims denied"),
    _number("denials", CUSTOMER, "since_last", None, "days since the latest denial", "days"),
    _number("standing.paid_cents", CUSTOMER, "sum", 365, "compensation paid", "cents"),
    _number("sightings.device_id", CUSTOMER, "distinct", 90, "different devices"),
    _number("sightings.address_id", CUSTOMER, "distinct", 90, "different addresses"),
    _number("sightings.payment_id", CUSTOMER, "distinct", 90, "different means of payment"),
    _number("sightings.device_id", CUSTOMER, "first_seen", 30, "new devices"),
)

_SELLERS: tuple[Entry, ...] = (
    _number("orders", SELLER, "count", 30, "orders"),
    _number("orders", SELLER, "count", None, "orders"),
    *(_number("claims", SELLER, "count", days, "claims") for days in (7, 30, 90)),
    _share("claims", "orders", SELLER, 90, "claims per order"),
    _share("claims", "orders", SELLER, None, "claims per order"),
    Entry(
        Difference(_per("claims", "orders", SELLER, 30), _per("claims", "orders", SELLER, None)),
        "the seller's claims per order in the last 30 days less those per order ever before",
        "share",
        0,
        "seller_history",
        "the seller's claims per order have changed of late",
    ),
    _number("claims.customer_id", SELLER, "distinct", 30, "different claimants"),
    _number("claims.customer_id", SELLER, "first_seen", 30, "claimants new to the seller"),
    _number("claims.amount_cents", SELLER, "mean", 365, "average claimed amount", "cents"),
    _share("returns", "orders", SELLER, 90, "returns per order"),
    _number("standing.abusive", SELLER, "sum", None, "claims found abusive"),
    _rate("abusive", SELLER),
    _rate("unsubstantiated", SELLER),
    _number("seller_standing.insured", SELLER, "sum", None, "insurance in force (1) or not (0), by proofs", "flag"),
    _number("seller_standing.violating", SELLER, "sum", None, "open violation of policy (1) or none (0), by reports", "flag"),
    _number("violations", SELLER, "count", 365, "violations of policy"),
    _number("lapses", SELLER, "count", 365, "lapses and forgeries of insurance"),
    _number("recalls", SELLER, "count", 365, "recalled products"),
)

_PRODUCTS: tuple[Entry, ...] = (
    _number("orders", PRODUCT, "count", None, "orders"),
    _number("claims", PRODUCT, "count", 30, "claims"),
    _number("claims", PRODUCT, "count", None, "claims"),
    _share("claims", "orders", PRODUCT, None, "claims per order"),
    Entry(
        Ratio(Aggregate("claims", PRODUCT, "count", Window(30)), Aggregate("claims", PRODUCT, "count", Window(90))),
        "share of the product's claims of the last 90 days that were filed in the last 30",
        "share",
        0,
        "product_history",
        "how suddenly claims on the product have come",
    ),
    _number("claims", PRODUCT, "since_last", None, "days since the latest claim", "days"),
    _number("claims.amount_cents", PRODUCT, "mean", None, "average claimed amount", "cents"),
    _number("injuries", PRODUCT, "count", 365, "claims of injury"),
    _number("recalls", PRODUCT, "count", None, "recalls"),
    _rate("abusive", PRODUCT),
    _rate("unsubstantiated", PRODUCT),
)

_PAIRS: tuple[Entry, ...] = (
    _number("claims", ORDER, "count", None, "claims"),
    _number("orders", PAIR, "count", None, "orders of this customer from this seller"),
    _number("claims", PAIR, "count", None, "claims of this customer against this seller"),
    Entry(
        Ratio(Aggregate("orders", PAIR, "count", ALL), Aggregate("orders", CUSTOMER, "count", ALL)),
        "share of the customer's orders that went to this seller",
        "share",
        0,
        "pair_history",
        "the customer orders mostly from this seller",
    ),
    Entry(
        Ratio(Aggregate("orders", PAIR, "count", ALL), Aggregate("orders", SELLER, "count", ALL)),
        "share of the seller's orders that came from this customer",
        "share",
        0,
        "pair_history",
        "the seller sells mostly to this customer",
    ),
    _lift(
        "orders",
        "the pair's orders over the seller's orders per customer",
        "this customer orders from this seller more often than others do",
    ),
    _lift(
        "claims",
        "the pair's claims over the seller's claims per claimant",
        "this customer claims against this seller more often than others do",
    ),
)

HISTORY_ENTRIES: tuple[Entry, ...] = (*_CUSTOMERS, *_SELLERS, *_PRODUCTS, *_PAIRS)
"""What customer, seller, product and order did before."""
