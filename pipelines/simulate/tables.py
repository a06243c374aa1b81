"""From the simulator's numbers to the contract's tables: one function per table, names and instants written once."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_contracts import CLAIMS, CUSTOMERS, LABELS, ORDERS, PRODUCTS, RESOLUTIONS, RETURNS, SELLER_EVENTS, SELLERS
from data_contracts.claims import ClaimKind
from pipelines.simulate.documents import CHANNELS, Documents
from pipelines.simulate.frames import NEVER, Bools, Ints, contracted, identifiers, instants, numbered, words
from pipelines.simulate.legacy import OUTCOMES, SOURCES
from pipelines.simulate.market import Horizon
from pipelines.simulate.orders import RETURN_REASONS, Orders, Returns
from pipelines.simulate.people import CATEGORIES, COUNTRIES, REGIONS, Customers, Products, Sellers
from pipelines.simulate.standing import KINDS


def customers_table(customers: Customers, horizon: Horizon) -> pd.DataFrame:
    """Return the accounts opened before the horizon's end, oldest first."""
    where = np.argsort(customers.created, kind="stable")
    where = where[customers.created[where] < horizon.end]
    columns = {
        "customer_id": identifiers("C", where),
        "created_at": instants(customers.created[where]),
        "region": words(REGIONS, customers.region[where]),
        "email_verified": customers.verified[where],
    }
    return contracted(columns, CUSTOMERS)


def sellers_table(sellers: Sellers) -> pd.DataFrame:
    """Return the sellers, oldest first."""
    where = np.argsort(sellers.joined, kind="stable")
    columns = {
        "seller_id": identifiers("S", where),
        "joined_at": instants(sellers.joined[where]),
        "country": words(COUNTRIES, sellers.country[where]),
        "category": words(CATEGORIES, sellers.category[where]),
    }
    return contracted(columns, SELLERS)


def products_table(products: Products) -> pd.DataFrame:
    """Return the listings, oldest first."""
    where = np.argsort(products.listed, kind="stable")
    columns = {
        "product_id": identifiers("P", where),
        "seller_id": identifiers("S", products.seller[where]),
        "category": words(CATEGORIES, products.category[where]),
        "listed_at": instants(products.listed[where]),
        "price_cents": products.price[where],
    }
    return contracted(columns, PRODUCTS)


def orders_table(orders: Orders, products: Products, horizon: Horizon) -> pd.DataFrame:
    """Return orders, which must be in the order of ``ordered``; what arrives after the horizon's end is still on its way."""
    columns = {
        "order_id": numbered("O", len(orders)),
        "customer_id": identifiers("C", orders.customer),
        "seller_id": identifiers("S", products.seller[orders.product]),
        "product_id": identifiers("P", orders.product),
        "ordered_at": instants(orders.ordered),
        "delivered_at": instants(np.where(orders.delivered < horizon.end, orders.delivered, NEVER)),
        "quantity": orders.quantity,
        "amount_cents": orders.amount,
        "device_id": identifiers("D", orders.device),
        "address_id": identifiers("A", orders.address),
        "payment_id": identifiers("M", orders.payment),
    }
    return contracted(columns, ORDERS)


def returns_table(returns: Returns, orders: Orders, products: Products) -> pd.DataFrame:
    """Return the returns of the orders in the order in which they came back."""
    where = np.argsort(returns.returned, kind="stable")
    order = returns.order[where]
    columns = {
        "return_id": numbered("R", len(where)),
        "order_id": numbered("O", len(orders)).take(order),
        "customer_id": identifiers("C", orders.customer[order]),
        "seller_id": identifiers("S", products.seller[orders.product[order]]),
        "returned_at": instants(returns.returned[where]),
        "reason": words(RETURN_REASONS, returns.reason[where]),
        "refund_cents": returns.refund[where],
    }
    return contracted(columns, RETURNS)


def seller_events_table(events: pd.DataFrame) -> pd.DataFrame:
    """Return the events of :func:`pipelines.simulate.standing.draw_events`, which are in the order of ``known``."""
    columns = {
        "event_id": numbered("E", len(events)),
        "seller_id": identifiers("S", events["seller"].to_numpy()),
        "kind": words(KINDS, events["kind"].to_numpy()),
        "product_id": identifiers("P", events["product"].to_numpy()),
        "occurred_at": instants(events["occurred"].to_numpy()),
        "known_at": instants(events["known"].to_numpy()),
    }
    return contracted(columns, SELLER_EVENTS)


def claims_table(drafts: pd.DataFrame, seller: Ints, injury: Bools, amount: Ints, documents: Documents) -> pd.DataFrame:
    """Return the claims in the order of filing (the order of the drafts)."""
    columns = {
        "claim_id": numbered("K", len(drafts)),
        "order_id": pd.array(["O" + f"{place:08d}" for place in drafts["order"].tolist()], dtype="str"),
        "customer_id": identifiers("C", drafts["customer"].to_numpy()),
        "seller_id": identifiers("S", seller),
        "product_id": identifiers("P", drafts["product"].to_numpy()),
        "kind": words([kind.value for kind in (ClaimKind.PROPERTY, ClaimKind.INJURY)], injury.astype(np.int64)),
        "channel": words(CHANNELS, documents.channel),
        "incident_at": instants(drafts["incident"].to_numpy()),
        "filed_at": instants(drafts["filed"].to_numpy()),
        "amount_cents": amount,
        "narrative": pd.array(documents.narrative, dtype="str"),
        "photo_count": documents.photo_count,
        "photo_hash": pd.array(documents.photo_hash, dtype="str"),
        "has_receipt": documents.receipt,
        "has_dated_photo": documents.dated,
        "has_medical_record": documents.medical,
        "device_id": identifiers("D", drafts["device"].to_numpy()),
        "address_id": identifiers("A", drafts["address"].to_numpy()),
        "payment_id": identifiers("M", drafts["payment"].to_numpy()),
        "phone_id": identifiers("T", drafts["phone"].to_numpy()),
    }
    return contracted(columns, CLAIMS)


def resolutions_table(rows: pd.DataFrame, claims: pd.DataFrame) -> pd.DataFrame:
    """Return resolutions in the order in which they became known; an unexamined claim has no label."""
    of = claims.iloc[rows["claim"].to_numpy()].reset_index(drop=True)
    label = rows["label"].to_numpy()
    columns = {
        "resolution_id": numbered("V", len(rows)),
        "claim_id": of["claim_id"],
        "customer_id": of["customer_id"],
        "seller_id": of["seller_id"],
        "product_id": of["product_id"],
        "source": words(SOURCES, rows["source"].to_numpy()),
        "outcome": words(OUTCOMES, rows["outcome"].to_numpy()),
        "label": pd.Series(words(LABELS, np.maximum(label, 0))).where(pd.Series(label != NEVER)),
        "propensity": rows["propensity"].to_numpy(),
        "paid_cents": rows["paid"].to_numpy(),
        "resolved_at": instants(rows["resolved"].to_numpy()),
        "known_at": instants(rows["known"].to_numpy()),
    }
    return contracted(columns, RESOLUTIONS)
