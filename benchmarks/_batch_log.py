"""A marketplace of any size for ``make bench-batch``, written straight to Parquet with arrays.

The simulator tells richer stories, but keeps all of them in memory.

Two orders for every claim, sellers Zipf-distributed, a year long; an eleventh of the claims is older and resolved. Stories are
phrases put together, so that words repeat and few stories do; every twentieth claim uses another device than its customer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_contracts import CONTRACTS

SEED, START_US, DAY_US, SPAN_DAYS, PIECE = 20210901, 1_704_067_200_000_000, 86_400_000_000, 365, 250_000
OLD_DAYS = 33
"""Claims filed in the first days are known and resolved; the others are to be decided."""

_WHAT = ("charger", "kettle", "battery", "ladder", "heater", "toy", "lamp", "bottle", "blanket", "scooter", "pan", "mirror")
_DID = ("caught fire", "burst", "gave way", "leaked", "overheated", "cracked", "fell apart", "gave off smoke", "short-circuited")
_WHERE = ("on the kitchen counter", "in the bedroom", "in the garage", "on the balcony", "at the office", "in the car", "in the hall")
_HARM = ("and ruined the carpet", "and burned my hand", "and scorched the table", "and spoiled the curtains", "and cut my finger")

Columns = dict[str, Any]


def generate(folder: Path, claims: int) -> None:
    """Write ``<table>-<piece>.parquet`` for every table of the lake; the same number of claims gives the same files."""
    rng = np.random.default_rng(SEED)
    customers, sellers, products = max(100, claims // 3), max(20, claims // 2_000), max(50, claims // 200)
    seller_of = (rng.zipf(1.3, products) - 1) % sellers
    for table, columns in _accounts(rng, customers, sellers, seller_of).items():
        _write(folder, table, 0, columns)
    for piece, first in enumerate(range(0, claims, PIECE)):
        some = _Stretch.of(rng, np.arange(first, min(claims, first + PIECE)), claims, customers, seller_of)
        _write(folder, "orders", 2 * piece, _orders(some, some.named, some.who))
        _write(folder, "orders", 2 * piece + 1, _orders(some, some.also, some.others))
        for table, columns in (("claims", _claims(some)), ("returns", _returns(some)), ("resolutions", _resolutions(some))):
            _write(folder, table, piece, columns)


def _accounts(rng: np.random.Generator, customers: int, sellers: int, seller_of: np.ndarray) -> dict[str, Columns]:
    """Return customers, sellers, their products and what happened to their standing."""
    started, products = START_US - 30 * DAY_US, len(seller_of)
    return {
        "customers": {
            "customer_id": _text("K", np.arange(customers)),
            "created_at": _at(started - rng.integers(0, 900, customers) * DAY_US),
            "region": _picked(rng, ("north", "south"), customers),
            "email_verified": rng.random(customers) < 0.8,
        },
        "sellers": {
            "seller_id": _text("S", np.arange(sellers)),
            "joined_at": _at(started - rng.integers(901, 1500, sellers) * DAY_US),
            "country": _picked(rng, ("US", "DE", "CN"), sellers),
            "category": _picked(rng, ("home", "toys"), sellers),
        },
        "products": {
            "product_id": _text("P", np.arange(products)),
            "seller_id": _text("S", seller_of),
            "category": _picked(rng, ("home", "toys"), products),
            "listed_at": _at(started - rng.integers(0, 900, products) * DAY_US),
            "price_cents": rng.integers(500, 60_000, products),
        },
        "seller_events": {
            "event_id": _text("E", np.arange(sellers)),
            "seller_id": _text("S", np.arange(sellers)),
            "kind": _picked(rng, ("insurance_proven", "insurance_proven", "insurance_lapsed", "policy_violation"), sellers),
            "occurred_at": _at(started + rng.integers(0, 200, sellers) * DAY_US),
            "known_at": _at(started + rng.integers(201, 330, sellers) * DAY_US),
        },
    }


@dataclass(frozen=True, eq=False)
class _Stretch:
    """The claims of one stretch of time in the order of filing, whose they are, and the orders beside them; instants in microseconds."""

    rng: np.random.Generator
    number: np.ndarray
    filed: np.ndarray
    delivered: np.ndarray
    who: np.ndarray
    others: np.ndarray
    amount: np.ndarray
    named: Columns
    also: Columns

    @classmethod
    def of(cls, rng: np.random.Generator, number: np.ndarray, claims: int, customers: int, seller_of: np.ndarray) -> _Stretch:
        """Draw the claims of these numbers out of so many in all."""
        n, products = len(number), len(seller_of)
        filed = START_US + ((number + rng.random(n)) * (SPAN_DAYS * DAY_US / claims)).astype(np.int64)
        delivered = filed - rng.integers(2, 20 * 24, n) * (DAY_US // 24)
        who, others = rng.integers(0, customers, n), rng.integers(0, customers, n)
        amount = np.clip(np.exp(rng.normal(10.2, 1.2, n)), 300, 100_000_000).astype(np.int64)
        named, also = (
            {
                "order_id": _text(prefix, number),
                "customer_id": _text("K", buyer),
                "seller_id": _text("S", seller_of[what]),
                "product_id": _text("P", what),
            }
            for prefix, buyer, what in (("O", who, (rng.zipf(1.1, n) - 1) % products), ("Q", others, rng.integers(0, products, n)))
        )
        return cls(rng, number, filed, delivered, who, others, amount, named, also)


def _orders(some: _Stretch, named: Columns, buyer: np.ndarray) -> Columns:
    rng, n = some.rng, len(buyer)
    return {
        **named,
        "ordered_at": _at(some.delivered - rng.integers(1, 6, n) * DAY_US),
        "delivered_at": _at(some.delivered),
        "quantity": rng.integers(1, 4, n),
        "amount_cents": rng.integers(500, 60_000, n),
        "device_id": _text("D", buyer),
        "address_id": _text("A", buyer // 2),
        "payment_id": _text("Y", buyer),
    }


def _claims(some: _Stretch) -> Columns:
    rng, n, who = some.rng, len(some.number), some.who
    return {
        **some.named,
        "claim_id": _text("C", some.number),
        "kind": _picked(rng, ("property", "property", "injury"), n),
        "channel": _picked(rng, ("web", "app", "phone"), n),
        "incident_at": _at(some.delivered + ((some.filed - some.delivered) * rng.random(n)).astype(np.int64)),
        "filed_at": _at(some.filed),
        "amount_cents": some.amount,
        "narrative": _story(rng, some.number),
        "photo_count": rng.integers(0, 4, n),
        "photo_hash": pc.if_else(pa.array(rng.random(n) >= 0.6), pa.scalar(None, pa.string()), _hex(rng, n)),
        "has_receipt": rng.random(n) < 0.7,
        "has_dated_photo": rng.random(n) < 0.5,
        "has_medical_record": rng.random(n) < 0.2,
        "device_id": _text("D", np.where(rng.random(n) < 0.05, some.others, who)),
        "address_id": _text("A", who // 2),
        "payment_id": _text("Y", who),
        "phone_id": _text("T", who),
    }


def _returns(some: _Stretch) -> Columns:
    """Return one in ten of the orders that nobody claims about."""
    rng, back = some.rng, np.flatnonzero(some.rng.random(len(some.number)) < 0.1)
    return {
        "return_id": _text("R", some.number[back]),
        **{name: some.also[name].take(pa.array(back)) for name in ("order_id", "customer_id", "seller_id")},
        "returned_at": _at(some.delivered[back] + DAY_US),
        "reason": _picked(rng, ("broken", "size"), len(back)),
        "refund_cents": rng.integers(100, 9_000, len(back)),
    }


def _resolutions(some: _Stretch) -> Columns:
    """Resolve the claims of the first days."""
    rng, old = some.rng, np.flatnonzero(some.filed < START_US + OLD_DAYS * DAY_US)
    n, known = len(old), some.filed[old] + rng.integers(2, 20, len(old)) * DAY_US
    return {
        "resolution_id": _text("Z", some.number[old]),
        "claim_id": _text("C", some.number[old]),
        **{name: some.named[name].take(pa.array(old)) for name in ("customer_id", "seller_id", "product_id")},
        "source": _picked(rng, ("desk",), n),
        "outcome": _picked(rng, ("paid",), n),
        "label": _picked(rng, ("valid", "valid", "unsubstantiated", "abusive"), n),
        "propensity": np.full(n, 1.0),
        "paid_cents": some.amount[old],
        "resolved_at": _at(known),
        "known_at": _at(known),
    }


def _write(folder: Path, table: str, piece: int, columns: Columns) -> None:
    """Write one file in the contract's schema; columns that are not given are missing. A file without rows is not written."""
    schema, rows = CONTRACTS[table].arrow, len(next(iter(columns.values())))
    if rows:
        given = {name: pa.array(values) if isinstance(values, np.ndarray) else values for name, values in columns.items()}
        held = [given[f.name].cast(f.type) if f.name in given else pa.nulls(rows, f.type) for f in schema]
        pq.write_table(pa.Table.from_arrays(held, schema=schema), folder / f"{table}-{piece:04d}.parquet")


def _text(prefix: str, codes: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(prefix, pa.array(codes).cast(pa.string()), "")


def _at(micros: np.ndarray) -> pa.Array:
    return pa.array(micros).cast(pa.timestamp("us", "UTC"))


def _picked(rng: np.random.Generator, words: tuple[str, ...], n: int) -> pa.Array:
    return pa.array(words).take(pa.array(rng.integers(0, len(words), n)))


def _story(rng: np.random.Generator, number: np.ndarray) -> pa.Array:
    """Phrases in a row, and a word that is nobody else's in nineteen of twenty."""
    n = len(number)
    own = np.where(rng.random(n) < 0.95, number, number // 50)
    parts = (
        "The",
        _picked(rng, _WHAT, n),
        _text("model-", own),
        _picked(rng, _DID, n),
        _picked(rng, _WHERE, n),
        _text("at number ", own % 977),
        _picked(rng, _HARM, n),
    )
    return pc.binary_join_element_wise(*parts, " ")


def _hex(rng: np.random.Generator, n: int) -> pa.Array:
    digits = pa.array([f"{byte:02x}" for byte in range(256)])
    return pc.binary_join_element_wise(*(digits.take(pa.array(rng.integers(0, 256, n))) for _ in range(8)), "")
