"""A marketplace of any size for ``make bench-batch``, written straight to Parquet with arrays.

The simulator tells richer stories, but keeps all of them in memory.

Two orders for every claim, sellers Zipf-distributed, a year long; an eleventh of the claims is older and resolved. Stories are
phrases put together, so that words repeat and few stories do; every twentieth claim uses another device than its customer's.
"""

from __future__ import annotations

from pathlib import Path

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

Columns = dict[str, object]


def generate(folder: Path, claims: int) -> None:
    """Write ``<table>-<piece>.parquet`` for every table of the lake; the same number of claims gives the same files."""
    rng = np.random.default_rng(SEED)
    customers, sellers, products = max(100, claims // 3), max(20, claims // 2_000), max(50, claims // 200)
    started = START_US - 30 * DAY_US
    seller_of = (rng.zipf(1.3, products) - 1) % sellers
    _write(
        folder,
        "customers",
        0,
        customers,
        {
            "customer_id": _text("K", np.arange(customers)),
            "created_at": _at(started - rng.integers(0, 900, customers) * DAY_US),
            "region": pa.array(["north"]).take(pa.array(np.zeros(customers, int))),
            "email_verified": rng.random(customers) < 0.8,
        },
    )
    _write(
        folder,
        "sellers",
        0,
        sellers,
        {
            "seller_id": _text("S", np.arange(sellers)),
            "joined_at": _at(started - rng.integers(901, 1500, sellers) * DAY_US),
            "country": _picked(rng, ("US", "DE", "CN"), sellers),
            "category": _picked(rng, ("home", "toys"), sellers),
        },
    )
    _write(
        folder,
        "products",
        0,
        products,
        {
            "product_id": _text("P", np.arange(products)),
            "seller_id": _text("S", seller_of),
            "category": _picked(rng, ("home", "toys"), products),
            "listed_at": _at(started - rng.integers(0, 900, products) * DAY_US),
            "price_cents": rng.integers(500, 60_000, products),
        },
    )
    _write(
        folder,
        "seller_events",
        0,
        sellers,
        {
            "event_id": _text("E", np.arange(sellers)),
            "seller_id": _text("S", np.arange(sellers)),
            "kind": _picked(rng, ("insurance_proven", "insurance_proven", "insurance_lapsed", "policy_violation"), sellers),
            "occurred_at": _at(started + rng.integers(0, 200, sellers) * DAY_US),
            "known_at": _at(started + rng.integers(201, 330, sellers) * DAY_US),
        },
    )
    for piece, first in enumerate(range(0, claims, PIECE)):
        _events(folder, rng, piece, np.arange(first, min(claims, first + PIECE)), claims, (customers, products), seller_of)


def _events(
    folder: Path, rng: np.random.Generator, piece: int, number: np.ndarray, claims: int, sizes: tuple[int, int], seller_of: np.ndarray
) -> None:
    """Write the orders, claims, returns and resolutions of one stretch of time; claims lie in the order of filing."""
    n, (customers, products) = len(number), sizes
    filed = START_US + ((number + rng.random(n)) * (SPAN_DAYS * DAY_US / claims)).astype(np.int64)
    who, what = rng.integers(0, customers, n), (rng.zipf(1.1, n) - 1) % products
    delivered = filed - rng.integers(2, 20 * 24, n) * (DAY_US // 24)
    ordered = delivered - rng.integers(1, 6, n) * DAY_US
    others, their = rng.integers(0, customers, n), rng.integers(0, products, n)
    device = np.where(rng.random(n) < 0.05, rng.integers(0, customers, n), who)
    mine = {
        "order_id": _text("O", number),
        "customer_id": _text("K", who),
        "seller_id": _text("S", seller_of[what]),
        "product_id": _text("P", what),
    }
    also = {
        "order_id": _text("Q", number),
        "customer_id": _text("K", others),
        "seller_id": _text("S", seller_of[their]),
        "product_id": _text("P", their),
    }
    amount = np.clip(np.exp(rng.normal(10.2, 1.2, n)), 300, 100_000_000).astype(np.int64)
    for part, (named, buyer) in enumerate(((mine, who), (also, others))):
        _write(
            folder,
            "orders",
            2 * piece + part,
            n,
            {
                **named,
                "ordered_at": _at(ordered),
                "delivered_at": _at(delivered),
                "quantity": rng.integers(1, 4, n),
                "amount_cents": rng.integers(500, 60_000, n),
                "device_id": _text("D", buyer),
                "address_id": _text("A", buyer // 2),
                "payment_id": _text("Y", buyer),
            },
        )
    photo = pa.array(rng.random(n) >= 0.6)
    _write(
        folder,
        "claims",
        piece,
        n,
        {
            **mine,
            "claim_id": _text("C", number),
            "kind": _picked(rng, ("property", "property", "injury"), n),
            "channel": _picked(rng, ("web", "app", "phone"), n),
            "incident_at": _at(delivered + ((filed - delivered) * rng.random(n)).astype(np.int64)),
            "filed_at": _at(filed),
            "amount_cents": amount,
            "narrative": _story(rng, number),
            "photo_count": rng.integers(0, 4, n),
            "photo_hash": pc.if_else(photo, pa.scalar(None, pa.string()), _hex(rng, n)),
            "has_receipt": rng.random(n) < 0.7,
            "has_dated_photo": rng.random(n) < 0.5,
            "has_medical_record": rng.random(n) < 0.2,
            "device_id": _text("D", device),
            "address_id": _text("A", who // 2),
            "payment_id": _text("Y", who),
            "phone_id": _text("T", who),
        },
    )
    back = np.flatnonzero(rng.random(n) < 0.1)
    _write(
        folder,
        "returns",
        piece,
        len(back),
        {
            "return_id": _text("R", number[back]),
            **{k: also[k].take(pa.array(back)) for k in ("order_id", "customer_id", "seller_id")},
            "returned_at": _at(delivered[back] + DAY_US),
            "reason": _picked(rng, ("broken", "size"), len(back)),
            "refund_cents": rng.integers(100, 9_000, len(back)),
        },
    )
    old = np.flatnonzero(filed < START_US + OLD_DAYS * DAY_US)
    if len(old):
        _write(
            folder,
            "resolutions",
            piece,
            len(old),
            _resolved(
                rng,
                {"claim_id": _text("C", number[old])} | {k: v.take(pa.array(old)) for k, v in mine.items() if k != "order_id"},
                filed[old],
                amount[old],
            ),
        )


def _resolved(rng: np.random.Generator, named: Columns, filed: np.ndarray, amount: np.ndarray) -> Columns:
    n, known = len(filed), filed + rng.integers(2, 20, len(filed)) * DAY_US
    return {
        **named,
        "resolution_id": pc.binary_join_element_wise("R", named["claim_id"], ""),
        "source": _picked(rng, ("desk",), n),
        "outcome": _picked(rng, ("paid",), n),
        "label": _picked(rng, ("valid", "valid", "unsubstantiated", "abusive"), n),
        "propensity": np.full(n, 1.0),
        "paid_cents": amount,
        "resolved_at": _at(known),
        "known_at": _at(known),
    }


def _write(folder: Path, table: str, piece: int, rows: int, columns: Columns) -> None:
    schema = CONTRACTS[table].arrow
    held = [
        pa.array(columns[f.name])
        if f.name in columns and isinstance(columns[f.name], np.ndarray)
        else columns.get(f.name, pa.nulls(rows, f.type))
        for f in schema
    ]
    pq.write_table(
        pa.Table.from_arrays([array.cast(f.type) for array, f in zip(held, schema, strict=True)], schema=schema),
        folder / f"{table}-{piece:04d}.parquet",
    )


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
