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


def links(rng: np.random.Generator, n: int, entities: int) -> dict[str, pd.Series]:
    return {f"{e}_id": names(e[0].upper(), rng.zipf(1.6, n) % entities) for e in ("device", "address", "payment")}


def random_tables(
    seed: int,
    orders: int = 60,
    claims: int = 30,
    customers: int = 8,
    entities: int = 8,
    step_us: int = 43_200_000_000,
    days: int = 120,
    words: int = 14,
    late: float = 0.0,
) -> dict[str, pd.DataFrame]:
    """Tables in contract columns; a large ``step_us`` makes many events fall on the same instant, ``late`` some arrive late."""
    rng = np.random.default_rng(seed)
    sellers, products = max(2, customers // 4), max(3, customers // 2)
    seller_of = rng.integers(0, sellers, products)
    ordered = _orders(rng, orders, customers, entities, seller_of, instants(rng, orders, days, step_us))
    claimed = _claims(rng, claims, entities, words, ordered, instants(rng, claims, days, step_us))
    begun = [instants(rng, n, days // 2, step_us) for n in (customers, sellers, products)]
    returned = _returns(rng, ordered, instants(rng, orders // 10, days, step_us))
    frames = {"orders": (ordered, "ordered_at"), "claims": (claimed, "filed_at"), "returns": (returned, "returned_at")}
    return {
        **{name: _recorded(np.random.default_rng([seed, i]), *frame, late) for i, (name, frame) in enumerate(frames.items())},
        "resolutions": _resolutions(rng, claimed, instants(rng, claims, days // 3 + 1, step_us)),
        "seller_events": _seller_events(rng, seller_of, instants(rng, 20 + orders // 10, days, step_us)),
        **_accounts(rng, seller_of, *begun),
    }


def _recorded(rng: np.random.Generator, frame: pd.DataFrame, at: str, late: float) -> pd.DataFrame:
    """Say of some rows that they were recorded up to twenty days after they happened; say nothing if none arrive late."""
    after = pd.to_timedelta(rng.integers(0, 21, len(frame)), unit="D")
    return frame.assign(recorded_at=some_missing(rng, frame[at] + after, 1.0 - late).astype("datetime64[us, UTC]")) if late else frame


def _orders(rng: np.random.Generator, n: int, customers: int, entities: int, seller_of: np.ndarray, ordered: pd.Series) -> pd.DataFrame:
    product = rng.zipf(1.3, n) % len(seller_of)
    return pd.DataFrame(
        {
            "order_id": names("O", np.arange(n)),
            "customer_id": names("K", rng.integers(0, customers, n)),
            "seller_id": names("S", seller_of[product]),
            "product_id": names("P", product),
            "ordered_at": ordered,
            "delivered_at": some_missing(rng, ordered + pd.to_timedelta(rng.integers(0, 9, n), unit="D"), 0.1),
            "quantity": rng.integers(1, 4, n),
            "amount_cents": rng.integers(1, 100_000, n),
            **links(rng, n, entities),
        }
    )


def _claims(rng: np.random.Generator, n: int, entities: int, words: int, orders: pd.DataFrame, filed: pd.Series) -> pd.DataFrame:
    named = orders.iloc[rng.integers(0, len(orders), n)].reset_index(drop=True)
    hashes = some_missing(rng, pd.Series(photographs(rng, n), dtype="str"), 0.3)
    rotated = links(rng, n, entities)
    return pd.DataFrame(
        {
            "claim_id": names("C", np.arange(n)),
            **{k: named[k] for k in ("order_id", "customer_id", "seller_id", "product_id")},
            "kind": rng.choice(["property", "injury"], n),
            "channel": rng.choice(["web", "app", "phone"], n),
            "incident_at": filed - pd.to_timedelta(rng.integers(0, 30, n), unit="D"),
            "filed_at": filed,
            "amount_cents": rng.integers(1, 200_000, n),
            "narrative": pd.Series(narratives(rng, n, words), dtype="str"),
            "photo_count": hashes.notna().astype("int64"),
            "photo_hash": hashes,
            **{k: rng.random(n) < 0.5 for k in ("has_receipt", "has_dated_photo", "has_medical_record")},
            **{k: named[k].where(rng.random(n) < 0.6, rotated[k]) for k in rotated},
            "phone_id": names("T", rng.integers(0, entities, n)),
        }
    )


def _returns(rng: np.random.Generator, orders: pd.DataFrame, returned: pd.Series) -> pd.DataFrame:
    n = len(returned)
    of = orders.iloc[rng.integers(0, len(orders), n)].reset_index(drop=True)
    keys = {k: of[k] for k in ("order_id", "customer_id", "seller_id")}
    rest = {"returned_at": returned, "reason": "late", "refund_cents": rng.integers(0, 1000, n)}
    return pd.DataFrame({"return_id": names("R", np.arange(n)), **keys, **rest})


def _resolutions(rng: np.random.Generator, claims: pd.DataFrame, late: pd.Series) -> pd.DataFrame:
    """Several per claim or none, never before filing; ties in time are broken by identity."""
    n = len(claims)
    of = claims.iloc[rng.integers(0, n, n)].reset_index(drop=True)
    known = (of.filed_at + (late - pd.Timestamp(1_700_000_000, unit="s", tz="UTC"))).astype("datetime64[us, UTC]")
    labels = pd.Series(rng.choice(["valid", "unsubstantiated", "abusive"], n), dtype="str")
    return pd.DataFrame(
        {
            "resolution_id": names("X", rng.permutation(n)),
            **{k: of[k] for k in ("claim_id", "customer_id", "seller_id", "product_id")},
            "source": "desk",
            "outcome": rng.choice(["paid", "denied_unsubstantiated", "denied_abusive"], n),
            "label": some_missing(rng, labels, 0.3),
            "propensity": 1.0,
            "paid_cents": rng.integers(0, 1000, n),
            "resolved_at": known,
            "known_at": known,
        }
    )


def _seller_events(rng: np.random.Generator, seller_of: np.ndarray, known: pd.Series) -> pd.DataFrame:
    n = len(known)
    kinds = ["insurance_proven", "insurance_lapsed", "insurance_forged", "policy_violation", "policy_cleared", "recall"]
    kind, product = rng.choice(kinds, n), rng.integers(0, len(seller_of), n)
    return pd.DataFrame(
        {
            "event_id": names("E", rng.permutation(n)),
            "seller_id": names("S", seller_of[product]),
            "kind": pd.Series(kind, dtype="str"),
            "product_id": names("P", product).where(kind == "recall"),
            "occurred_at": known,
            "known_at": known,
        }
    )


def _accounts(
    rng: np.random.Generator, seller_of: np.ndarray, created: pd.Series, joined: pd.Series, listed: pd.Series
) -> dict[str, pd.DataFrame]:
    customers, sellers, products = (
        names(letter, np.arange(len(since))) for letter, since in zip("KSP", (created, joined, listed), strict=True)
    )
    verified, prices = rng.random(len(customers)) < 0.8, rng.integers(0, 10_000, len(products))
    goods = {"seller_id": names("S", seller_of), "category": "home", "listed_at": listed, "price_cents": prices}
    return {
        "customers": pd.DataFrame({"customer_id": customers, "created_at": created, "region": "west", "email_verified": verified}),
        "sellers": pd.DataFrame({"seller_id": sellers, "joined_at": joined, "country": "US", "category": "home"}),
        "products": pd.DataFrame({"product_id": products, **goods}),
    }
