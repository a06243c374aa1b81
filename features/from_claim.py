"""Features of the claim itself: what is asked for, when, with which evidence, and how it agrees with its order.

The order, the accounts and the listing are looked up as of filing: one that is dated at or after filing is not known, and
neither is a delivery, nor an order that was recorded only later; what is computed from it is then undefined (NaN).
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from features.facts import PROBES, Facts, ratio, take
from features.history import NEVER, Floats, Ints
from features.spec import DAY_US, Direct

BUNCH_CENTS = (85_000, 100_000)
"""Amounts from here up to, not including, there sit just under the $1,000 that is paid without recourse (chosen: $850)."""

_HOUR_US = DAY_US // 24
_THURSDAY = 3  # 1970-01-01, counted from Monday = 0


def compute(names: Collection[str], facts: Facts) -> dict[str, Floats]:
    """Compute features of the claims asked about from the claims and what they refer to.

    Parameters
    ----------
    names
        Which of :data:`CLAIM_FEATURES`.
    facts
        The tables; the needs of every name must be met.

    Returns
    -------
    dict
        (probes,) float64 by name, in the order of the probes.
    """
    return {name: _COMPUTE[name][1](facts) for name in names}


def _number(column: str) -> Callable[[Facts], Floats]:
    return lambda facts: _float(facts.integers(PROBES, column))


def _float(values: Ints) -> Floats:
    return np.where(values == NEVER, np.nan, values.astype(np.float64))


def _is(column: str, value: str) -> Callable[[Facts], Floats]:
    return lambda facts: facts.equals(PROBES, column, value).astype(np.float64)


def _filed(facts: Facts) -> Ints:
    return facts.instants(PROBES, "filed_at")


def _known_row(facts: Facts, table: str, known_at: str) -> Ints:
    """Row of the table that the claim names, −1 if it has none or it was not known before filing."""

    def find() -> Ints:
        rows = facts.rows(PROBES, _KEYS[table], table)
        known = take(facts.known(table, known_at), rows, NEVER)
        return np.where((known != NEVER) & (known < _filed(facts)), rows, -1)

    return facts.remember(f"{table} known at filing", find)


_KEYS = {"orders": "order_id", "customers": "customer_id", "sellers": "seller_id", "products": "product_id"}
_KNOWN = {"orders": "ordered_at", "customers": "created_at", "sellers": "joined_at", "products": "listed_at"}


def _of(table: str, column: str) -> Callable[[Facts], Floats]:
    """Read a number of the row that the claim names."""
    return lambda facts: _float(take(facts.integers(table, column), _known_row(facts, table, _KNOWN[table]), NEVER))


def _days(earlier: Ints, later: Ints) -> Floats:
    missing = (earlier == NEVER) | (later == NEVER)
    return np.where(missing, np.nan, np.where(missing, 0, later - earlier) / DAY_US)


def _age(table: str) -> Callable[[Facts], Floats]:
    """Days from the start of what the claim names to filing."""
    known_at = _KNOWN[table]
    return lambda facts: _days(take(facts.instants(table, known_at), _known_row(facts, table, known_at), NEVER), _filed(facts))


def _delivered(facts: Facts) -> Ints:
    delivered = take(facts.instants("orders", "delivered_at"), _known_row(facts, "orders", "ordered_at"), NEVER)
    return np.where(delivered < _filed(facts), delivered, NEVER)


def _ratio_to(table: str, column: str) -> Callable[[Facts], Floats]:
    lower = _of(table, column)
    return lambda facts: ratio(_float(facts.integers(PROBES, "amount_cents")), lower(facts))


def _amount_log(facts: Facts) -> Floats:
    logs: Floats = np.log(_float(facts.integers(PROBES, "amount_cents")) / 100)
    return logs


def _amount_bunched(facts: Facts) -> Floats:
    cents = facts.integers(PROBES, "amount_cents")
    return ((cents >= BUNCH_CENTS[0]) & (cents < BUNCH_CENTS[1])).astype(np.float64)


def _amount_round(facts: Facts) -> Floats:
    return np.equal(facts.integers(PROBES, "amount_cents") % 5_000, 0).astype(np.float64)


def _incident_to_filing(facts: Facts) -> Floats:
    return _days(facts.instants(PROBES, "incident_at"), _filed(facts))


def _delivery_to_incident(facts: Facts) -> Floats:
    return _days(_delivered(facts), facts.instants(PROBES, "incident_at"))


def _delivery_to_filing(facts: Facts) -> Floats:
    return _days(_delivered(facts), _filed(facts))


def _hour(facts: Facts) -> Floats:
    return (_filed(facts) // _HOUR_US % 24).astype(np.float64)


def _weekend(facts: Facts) -> Floats:
    return ((_filed(facts) // DAY_US + _THURSDAY) % 7 >= 5).astype(np.float64)


def _words(facts: Facts) -> Floats:
    return facts.words(PROBES, "narrative").astype(np.float64)


def _medical_missing(facts: Facts) -> Floats:
    injury: Floats = facts.equals(PROBES, "kind", "injury").astype(np.float64)
    missing: Floats = injury * (1.0 - _float(facts.integers(PROBES, "has_medical_record")))
    return missing


_PIECES = ("has_receipt", "has_dated_photo", "has_medical_record")


def _pieces(facts: Facts) -> Floats:
    photographed = facts.integers(PROBES, "photo_count") > 0
    return sum((_float(facts.integers(PROBES, name)) for name in _PIECES), photographed.astype(np.float64))


def _differs(column: str) -> Callable[[Facts], Floats]:
    """Whether the claim names another device, address or payment than its order did."""

    def differs(facts: Facts) -> Floats:
        rows = _known_row(facts, "orders", "ordered_at")
        ours, theirs = facts.codes(PROBES, column), take(facts.codes("orders", column), rows, -1)
        return np.where((ours < 0) | (theirs < 0), np.nan, (ours != theirs).astype(np.float64))

    return differs


def _needs(table: str, *columns: str) -> tuple[str, ...]:
    return (f"{PROBES}.{_KEYS[table]}", *(f"{table}.{c}" for c in (_KEYS[table], _KNOWN[table], *columns)))


def _own(*columns: str) -> tuple[str, ...]:
    return tuple(f"{PROBES}.{column}" for column in columns)


_DELIVERY = _needs("orders", "delivered_at")

_COMPUTE: dict[str, tuple[tuple[str, ...], Callable[[Facts], Floats]]] = {
    "claim_amount_log": (_own("amount_cents"), _amount_log),
    "claim_amount_bunched": (_own("amount_cents"), _amount_bunched),
    "claim_amount_round": (_own("amount_cents"), _amount_round),
    "claim_amount_to_order": (_own("amount_cents") + _needs("orders", "amount_cents"), _ratio_to("orders", "amount_cents")),
    "claim_amount_to_price": (_own("amount_cents") + _needs("products", "price_cents"), _ratio_to("products", "price_cents")),
    "order_amount": (_needs("orders", "amount_cents"), _of("orders", "amount_cents")),
    "claim_days_incident_to_filing": (_own("incident_at"), _incident_to_filing),
    "claim_days_order_to_filing": (_needs("orders"), _age("orders")),
    "claim_days_delivery_to_incident": (_own("incident_at") + _DELIVERY, _delivery_to_incident),
    "claim_days_delivery_to_filing": (_DELIVERY, _delivery_to_filing),
    "claim_hour": ((), _hour),
    "claim_weekend": ((), _weekend),
    "claim_is_injury": (_own("kind"), _is("kind", "injury")),
    "claim_by_phone": (_own("channel"), _is("channel", "phone")),
    "claim_by_app": (_own("channel"), _is("channel", "app")),
    "claim_narrative_words": (_own("narrative"), _words),
    "claim_photo_count": (_own("photo_count"), _number("photo_count")),
    "claim_has_receipt": (_own("has_receipt"), _number("has_receipt")),
    "claim_has_dated_photo": (_own("has_dated_photo"), _number("has_dated_photo")),
    "claim_medical_record_missing": (_own("kind", "has_medical_record"), _medical_missing),
    "claim_evidence_pieces": (_own("photo_count", *_PIECES), _pieces),
    "claim_device_differs": (_own("device_id") + _needs("orders", "device_id"), _differs("device_id")),
    "claim_address_differs": (_own("address_id") + _needs("orders", "address_id"), _differs("address_id")),
    "claim_payment_differs": (_own("payment_id") + _needs("orders", "payment_id"), _differs("payment_id")),
    "customer_account_days": (_needs("customers"), _age("customers")),
    "customer_email_verified": (_needs("customers", "email_verified"), _of("customers", "email_verified")),
    "seller_account_days": (_needs("sellers"), _age("sellers")),
    "product_listed_days": (_needs("products"), _age("products")),
    "product_price": (_needs("products", "price_cents"), _of("products", "price_cents")),
}

CLAIM_FEATURES: dict[str, Direct] = {name: Direct(name, "claim", needs) for name, (needs, _) in _COMPUTE.items()}
"""Every feature of this module, by name."""
