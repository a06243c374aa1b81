"""Random marketplaces for the tests of features: contract columns, no realism, as many ties and repetitions as wanted."""

from __future__ import annotations

import numpy as np
import pandas as pd

WORDS = ["cable", "melted", "fire", "sofa", "burned", "hand", "glass", "broke", "night", "kitchen", "smoke", "cut", "while", "charging"]


def instants(rng: np.random.Generator, n: int, days: int, step_us: int) -> pd.Series:
    steps = rng.integers(0, days * 86_400_000_000 // step_us, n)
    return pd.Series(pd.to_datetime(1_700_000_000_000_000 + steps * step_us, unit="us", utc=True)).astype("datetime64[us, UTC]")


def names(prefix: str, codes: np.ndarray) -> pd.Series:
    return pd.Series(np.char.add(prefix, codes.astype("U9")), dtype="str")


def some_missing(rng: np.random.Generator, column: pd.Series, share: float) -> pd.Series:
    return column.mask(rng.random(len(column)) < share)


def narratives(rng: np.random.Generator, n: int, words: int) -> list[str]:
    """Half are variations of earlier ones in one word, so that near-duplicates abound."""
    told: list[list[str]] = []
    for _ in range(n):
        if told and rng.random() < 0.5:
            text = list(told[rng.integers(len(told))])
            if text and rng.random() < 0.7:
                text[rng.integers(len(text))] = WORDS[rng.integers(len(WORDS))]
        else:
            text = [f"{WORDS[w]}{rng.integers(9)}" for w in rng.integers(0, len(WORDS), rng.integers(0, words))]
        told.append(text)
    return [" ".join(text) for text in told]


def photographs(rng: np.random.Generator, n: int) -> list[str]:
    """Half are earlier ones with a few bits turned."""
    shown: list[int] = []
    for _ in range(n):
        word = int(rng.integers(0, 2**63))
        if shown and rng.random() < 0.5:
            word = shown[rng.integers(len(shown))]
            for bit in rng.integers(0, 64, rng.integers(0, 9)):
                word ^= 1 << int(bit)
        shown.append(word)
    return [f"{word:016x}" for word in shown]


def random_tables(
    seed: int,
    orders: int = 60,
    claims: int = 30,
    customers: int = 8,
    entities: int = 8,
    step_us: int = 43_200_000_000,
    days: int = 120,
    words: int = 14,
) -> dict[str, pd.DataFrame]:
    """Tables in contract columns; a large ``step_us`` makes many events fall on the same instant."""
    rng = np.random.default_rng(seed)
    sellers, products = max(2, customers // 4), max(3, customers // 2)

    def links(n: int) -> dict[str, pd.Series]:
        return {f"{e}_id": names(e[0].upper(), rng.zipf(1.6, n) % entities) for e in ("device", "address", "payment")}

    seller_of = rng.integers(0, sellers, products)
    product = rng.zipf(1.3, orders) % products
    ordered = instants(rng, orders, days, step_us)
    order_frame = pd.DataFrame(
        {
            "order_id": names("O", np.arange(orders)),
            "customer_id": names("K", rng.integers(0, customers, orders)),
            "seller_id": names("S", seller_of[product]),
            "product_id": names("P", product),
            "ordered_at": ordered,
            "delivered_at": some_missing(rng, ordered + pd.to_timedelta(rng.integers(0, 9, orders), unit="D"), 0.1),
            "quantity": rng.integers(1, 4, orders),
            "amount_cents": rng.integers(1, 100_000, orders),
            **links(orders),
        }
    )
    of = rng.integers(0, orders, claims)
    named = order_frame.iloc[of].reset_index(drop=True)
    filed = instants(rng, claims, days, step_us)
    hashes = some_missing(rng, pd.Series(photographs(rng, claims), dtype="str"), 0.3)
    rotated = links(claims)
    claim_frame = pd.DataFrame(
        {
            "claim_id": names("C", np.arange(claims)),
            **{k: named[k] for k in ("order_id", "customer_id", "seller_id", "product_id")},
            "kind": rng.choice(["property", "injury"], claims),
            "channel": rng.choice(["web", "app", "phone"], claims),
            "incident_at": filed - pd.to_timedelta(rng.integers(0, 30, claims), unit="D"),
            "filed_at": filed,
            "amount_cents": rng.integers(1, 200_000, claims),
            "narrative": pd.Series(narratives(rng, claims, words), dtype="str"),
            "photo_count": hashes.notna().astype("int64"),
            "photo_hash": hashes,
            **{k: rng.random(claims) < 0.5 for k in ("has_receipt", "has_dated_photo", "has_medical_record")},
            **{k: named[k].where(rng.random(claims) < 0.6, rotated[k]) for k in rotated},
            "phone_id": names("T", rng.integers(0, entities, claims)),
        }
    )
    return {"orders": order_frame, "claims": claim_frame} | _around(rng, order_frame, claim_frame, seller_of, customers, days, step_us)


def _around(
    rng: np.random.Generator, orders: pd.DataFrame, claims: pd.DataFrame, seller_of: np.ndarray, customers: int, days: int, step_us: int
) -> dict[str, pd.DataFrame]:
    n, m, sellers, products = len(orders) // 10, len(claims), int(seller_of.max()) + 1, len(seller_of)
    returned = orders.iloc[rng.integers(0, len(orders), n)].reset_index(drop=True) if len(orders) else orders
    resolved = claims.iloc[rng.integers(0, max(m, 1), m)].reset_index(drop=True) if m else claims
    late = instants(rng, m, days // 3 + 1, step_us)
    known = (resolved.filed_at + (late - pd.Timestamp(1_700_000_000, unit="s", tz="UTC"))).astype("datetime64[us, UTC]")
    kinds = ["insurance_proven", "insurance_lapsed", "insurance_forged", "policy_violation", "policy_cleared", "recall"]
    kind = rng.choice(kinds, 20 + n)
    event_product = rng.integers(0, products, 20 + n)
    event_known = instants(rng, 20 + n, days, step_us)
    return {
        "returns": pd.DataFrame(
            {
                "return_id": names("R", np.arange(n)),
                **{k: returned[k] for k in ("order_id", "customer_id", "seller_id")},
                "returned_at": instants(rng, n, days, step_us),
                "reason": "late",
                "refund_cents": rng.integers(0, 1000, n),
            }
        ),
        "resolutions": pd.DataFrame(
            {
                "resolution_id": names("X", rng.permutation(m)),
                **{k: resolved[k] for k in ("claim_id", "customer_id", "seller_id", "product_id")},
                "source": "desk",
                "outcome": rng.choice(["paid", "denied_unsubstantiated", "denied_abusive"], m),
                "label": some_missing(rng, pd.Series(rng.choice(["valid", "unsubstantiated", "abusive"], m), dtype="str"), 0.3),
                "propensity": 1.0,
                "paid_cents": rng.integers(0, 1000, m),
                "resolved_at": known,
                "known_at": known,
            }
        ),
        "seller_events": pd.DataFrame(
            {
                "event_id": names("E", rng.permutation(20 + n)),
                "seller_id": names("S", seller_of[event_product]),
                "kind": pd.Series(kind, dtype="str"),
                "product_id": names("P", event_product).where(kind == "recall"),
                "occurred_at": event_known,
                "known_at": event_known,
            }
        ),
        "customers": pd.DataFrame(
            {
                "customer_id": names("K", np.arange(customers)),
                "created_at": instants(rng, customers, days // 2, step_us),
                "region": "west",
                "email_verified": rng.random(customers) < 0.8,
            }
        ),
        "sellers": pd.DataFrame(
            {
                "seller_id": names("S", np.arange(sellers)),
                "joined_at": instants(rng, sellers, days // 2, step_us),
                "country": "US",
                "category": "home",
            }
        ),
        "products": pd.DataFrame(
            {
                "product_id": names("P", np.arange(products)),
                "seller_id": names("S", seller_of),
                "category": "home",
                "listed_at": instants(rng, products, days // 2, step_us),
                "price_cents": rng.integers(0, 10_000, products),
            }
        ),
    }
