"""Features of the claim itself: what is asked for, when, with which evidence, and how it agrees with its order.

The order, the accounts and the listing are looked up as of filing: one that is dated at or after filing is not known, and
neither is a delivery, nor an order that was recorded only later; what is computed from it is then undefined (NaN).

Everything that is read of a claim is a few whole numbers, its *fields*; one compiled function turns them into features, for a
million claims of a batch or for the one that the endpoint has before it (:mod:`features.online_claim`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numba import njit

from data_contracts import CONTRACTS
from features.facts import PROBES, Facts, take
from features.history import NEVER, Floats, Ints
from features.spec import DAY_US, ENTITIES, Direct

BUNCH_CENTS = (85_000, 100_000)
"""Amounts from here up to, not including, there sit just under the $1,000 that is paid without recourse (chosen: $850)."""

_HOUR_US = DAY_US // 24
_THURSDAY = 3  # 1970-01-01, counted from Monday = 0
_AT_ONCE = 65_536

KEYS = {"orders": "order_id", "customers": "customer_id", "sellers": "seller_id", "products": "product_id"}
"""Tables that a claim names a row of, and by which column."""


class Field(NamedTuple):
    """A whole number read of a claim, or of the row of another table that it names.

    Parameters
    ----------
    table, column
        Where it stands; ``probes`` is the claim.
    word
        If given, whether the column holds this word; ``"*"`` counts its words.
    """

    table: str
    column: str
    word: str | None = None

    @property
    def missing(self) -> int:
        """What stands for a value that is not there."""
        return -1 if self.column in ENTITIES else NEVER


FIELDS = (
    Field(PROBES, "filed_at"),
    Field(PROBES, "incident_at"),
    Field(PROBES, "amount_cents"),
    Field(PROBES, "photo_count"),
    Field(PROBES, "has_receipt"),
    Field(PROBES, "has_dated_photo"),
    Field(PROBES, "has_medical_record"),
    Field(PROBES, "kind", "injury"),
    Field(PROBES, "channel", "phone"),
    Field(PROBES, "channel", "app"),
    Field(PROBES, "narrative", "*"),
    Field(PROBES, "device_id"),
    Field(PROBES, "address_id"),
    Field(PROBES, "payment_id"),
    Field("orders", "ordered_at"),
    Field("orders", "amount_cents"),
    Field("orders", "delivered_at"),
    Field("orders", "device_id"),
    Field("orders", "address_id"),
    Field("orders", "payment_id"),
    Field("customers", "created_at"),
    Field("customers", "email_verified"),
    Field("sellers", "joined_at"),
    Field("products", "listed_at"),
    Field("products", "price_cents"),
)
"""What is read of a claim, in the order in which the features are computed from it."""


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
    needed = {need for name in names for need in CLAIM_FEATURES[name].needs} | {f"{PROBES}.filed_at"}
    rows = {table: _known_row(facts, table) for table, key in KEYS.items() if f"{table}.{key}" in needed}
    columns = [_read(facts, field, rows) if f"{field.table}.{field.column}" in needed else None for field in FIELDS]
    n = len(facts.instants(PROBES, "filed_at"))
    found = {name: np.empty(n, dtype=np.float64) for name in names}
    for begin in range(0, n, _AT_ONCE):
        fields = np.empty((min(_AT_ONCE, n - begin), len(FIELDS)), dtype=np.int64)
        for place, (field, column) in enumerate(zip(FIELDS, columns, strict=True)):
            fields[:, place] = field.missing if column is None else column[begin : begin + _AT_ONCE]
        values = measure(fields)
        for name in names:
            found[name][begin : begin + _AT_ONCE] = values[:, _PLACE[name]]
    return found


def _known_row(facts: Facts, table: str) -> Ints:
    """Row of the table that the claim names, −1 if it has none or it was not known before filing."""
    rows = facts.rows(PROBES, KEYS[table], table)
    known = take(facts.known(table, CONTRACTS[table].known_at), rows, NEVER)
    return np.where((known != NEVER) & (known < facts.instants(PROBES, "filed_at")), rows, -1)


def _read(facts: Facts, field: Field, rows: dict[str, Ints]) -> Ints:
    """Read a field of every claim."""
    if field.word == "*":
        return facts.words(field.table, field.column)
    if field.word is not None:
        return facts.equals(field.table, field.column, field.word).astype(np.int64)
    values = (facts.codes if field.column in ENTITIES else facts.numbers)(field.table, field.column)
    return values if field.table == PROBES else take(values, rows[field.table], field.missing)


@njit(cache=True)
def measure(fields):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Compute every feature of some claims from their (claims, fields) whole numbers: (claims, features) float64."""
    found = np.empty((len(fields), _FEATURES), dtype=np.float64)
    for claim in range(len(fields)):
        values = _features(fields[claim])
        for place in range(_FEATURES):
            found[claim, place] = values[place]
    return found


@njit(cache=True)
def _features(f):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Compute the features of a claim in the order of :data:`CLAIM_FEATURES` from its fields in that of :data:`FIELDS`."""
    filed, incident, cents, photos, injury = f[0], f[1], f[2], f[3], f[7]
    delivered = f[16] if f[16] < filed else NEVER
    return (
        np.log(_number(cents) / 100),
        1.0 if BUNCH_CENTS[0] <= cents < BUNCH_CENTS[1] else 0.0,
        1.0 if cents % 5_000 == 0 else 0.0,
        _ratio(cents, f[15]),
        _ratio(cents, f[24]),
        _number(f[15]),
        _days(incident, filed),
        _days(f[14], filed),
        _days(delivered, incident),
        _days(delivered, filed),
        float(filed // _HOUR_US % 24),
        1.0 if (filed // DAY_US + _THURSDAY) % 7 >= 5 else 0.0,
        float(injury),
        float(f[8]),
        float(f[9]),
        float(f[10]),
        _number(photos),
        _number(f[4]),
        _number(f[5]),
        injury * (1.0 - _number(f[6])),
        (1.0 if photos > 0 else 0.0) + _number(f[4]) + _number(f[5]) + _number(f[6]),
        _differs(f[11], f[17]),
        _differs(f[12], f[18]),
        _differs(f[13], f[19]),
        _days(f[20], filed),
        _number(f[21]),
        _days(f[22], filed),
        _days(f[23], filed),
        _number(f[24]),
    )


@njit(cache=True)
def _number(value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return a whole number, undefined where it is missing."""
    return np.nan if value == NEVER else float(value)


@njit(cache=True)
def _ratio(top, bottom):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Divide as :func:`features.facts.ratio` does."""
    return _number(top) / float(bottom) if bottom > 0 else np.nan


@njit(cache=True)
def _days(earlier, later):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count the days between two instants, undefined where one is missing."""
    return np.nan if NEVER in (earlier, later) else (later - earlier) / DAY_US


@njit(cache=True)
def _differs(ours, theirs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Tell whether the claim names another device, address or payment than its order did."""
    return np.nan if ours < 0 or theirs < 0 else (1.0 if ours != theirs else 0.0)


def _needs(table: str, *columns: str) -> tuple[str, ...]:
    return (f"{PROBES}.{KEYS[table]}", *(f"{table}.{c}" for c in (KEYS[table], CONTRACTS[table].known_at, *columns)))


def _own(*columns: str) -> tuple[str, ...]:
    return tuple(f"{PROBES}.{column}" for column in columns)


_DELIVERY = _needs("orders", "delivered_at")

_NEEDS: dict[str, tuple[str, ...]] = {
    "claim_amount_log": _own("amount_cents"),
    "claim_amount_bunched": _own("amount_cents"),
    "claim_amount_round": _own("amount_cents"),
    "claim_amount_to_order": _own("amount_cents") + _needs("orders", "amount_cents"),
    "claim_amount_to_price": _own("amount_cents") + _needs("products", "price_cents"),
    "order_amount": _needs("orders", "amount_cents"),
    "claim_days_incident_to_filing": _own("incident_at"),
    "claim_days_order_to_filing": _needs("orders"),
    "claim_days_delivery_to_incident": _own("incident_at") + _DELIVERY,
    "claim_days_delivery_to_filing": _DELIVERY,
    "claim_hour": (),
    "claim_weekend": (),
    "claim_is_injury": _own("kind"),
    "claim_by_phone": _own("channel"),
    "claim_by_app": _own("channel"),
    "claim_narrative_words": _own("narrative"),
    "claim_photo_count": _own("photo_count"),
    "claim_has_receipt": _own("has_receipt"),
    "claim_has_dated_photo": _own("has_dated_photo"),
    "claim_medical_record_missing": _own("kind", "has_medical_record"),
    "claim_evidence_pieces": _own("photo_count", "has_receipt", "has_dated_photo", "has_medical_record"),
    "claim_device_differs": _own("device_id") + _needs("orders", "device_id"),
    "claim_address_differs": _own("address_id") + _needs("orders", "address_id"),
    "claim_payment_differs": _own("payment_id") + _needs("orders", "payment_id"),
    "customer_account_days": _needs("customers"),
    "customer_email_verified": _needs("customers", "email_verified"),
    "seller_account_days": _needs("sellers"),
    "product_listed_days": _needs("products"),
    "product_price": _needs("products", "price_cents"),
}

_FEATURES = len(_NEEDS)
_PLACE = {name: place for place, name in enumerate(_NEEDS)}

CLAIM_FEATURES: dict[str, Direct] = {name: Direct(name, "claim", needs) for name, needs in _NEEDS.items()}
"""Every feature of this module, by name."""
