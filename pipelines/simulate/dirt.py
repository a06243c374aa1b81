"""Plants rows that break their contract into the raw tables, as real exports have them.

Broken rows are *added*, copies of sound rows with one thing wrong, so that no sound row loses what it refers to: exactly the
planted rows must end in quarantine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data_contracts import CONTRACTS

_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Damage:
    """One way to break a row: a name and what it makes of a frame of sound rows (with new keys already)."""

    name: str
    do: Callable[[pd.DataFrame], pd.DataFrame]


def _put(column: str, value: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda rows: rows.assign(**{column: value})


def _before(column: str, other: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda rows: rows.assign(**{column: rows[other] - 2 * _DAY})


DAMAGES: dict[str, tuple[Damage, ...]] = {
    "customers": (Damage("no region", _put("region", "")),),
    "sellers": (Damage("country in words", _put("country", "usa")),),
    "products": (Damage("negative price", _put("price_cents", -100)), Damage("unknown seller", _put("seller_id", "S-unknown"))),
    "orders": (
        Damage("negative amount", _put("amount_cents", -1)),
        Damage("no units", _put("quantity", 0)),
        Damage("unknown customer", _put("customer_id", "C-unknown")),
        Damage("key with a blank", _put("device_id", "device 7")),
    ),
    "returns": (Damage("unknown order", _put("order_id", "O-unknown")), Damage("negative refund", _put("refund_cents", -5))),
    "seller_events": (Damage("unknown kind", _put("kind", "bankrupt")), Damage("unknown seller", _put("seller_id", "S-unknown"))),
    "claims": (
        Damage("filed before the incident", _before("filed_at", "incident_at")),
        Damage("bad photo hash", _put("photo_hash", "not-a-hash")),
        Damage("above the cap", _put("amount_cents", 100_000_001)),
        Damage("negative amount", _put("amount_cents", -20_000)),
        Damage("unknown order", _put("order_id", "O-unknown")),
        Damage("unknown kind", _put("kind", "theft")),
    ),
    "resolutions": (
        Damage("known before resolved", _before("known_at", "resolved_at")),
        Damage("unknown label", _put("label", "maybe")),
        Damage("unknown claim", _put("claim_id", "K-unknown")),
    ),
}
"""The ways to break a row, by table; besides these a row may be an exact duplicate."""


def plant(tables: Mapping[str, pd.DataFrame], rate: float, rng: np.random.Generator) -> tuple[dict[str, pd.DataFrame], dict[str, int]]:
    """Add broken rows to every table.

    Parameters
    ----------
    tables
        Sound tables by name.
    rate
        Broken rows per sound row; if positive, every table that has rows gets at least one. From 0 to 0.5.

    Returns
    -------
    tables
        New frames, the broken rows at the end.
    planted
        How many rows were added, by table.

    Raises
    ------
    ValueError
        If the rate is out of range.

    Examples
    --------
    >>> plant({}, 0.01, np.random.default_rng(0))
    ({}, {})
    """
    if not 0.0 <= rate <= 0.5:
        raise ValueError(f"dirt: expected a share of rows from 0 to 0.5, found {rate}")
    dirty, planted = {}, {}
    for name, frame in tables.items():
        count = max(1, round(rate * len(frame))) if rate > 0 and len(frame) else 0
        planted[name] = count
        dirty[name] = pd.concat([frame, _broken(name, frame, count, rng)], ignore_index=True) if count else frame
    return dirty, planted


def _broken(name: str, frame: pd.DataFrame, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return ``count`` broken rows; one in (ways + 1) repeats an existing row unchanged."""
    rows = frame.iloc[rng.integers(0, len(frame), count)].reset_index(drop=True)
    ways = DAMAGES[name]
    way = rng.integers(0, len(ways) + 1, count)
    key = CONTRACTS[name].key
    parts = [rows[way == len(ways)]]
    for number, damage in enumerate(ways):
        chosen = rows[way == number]
        if len(chosen):
            fresh = pd.array([f"X{number}-{place}" for place in chosen.index], dtype="str")
            parts.append(damage.do(chosen.assign(**{key: fresh}))[list(frame.columns)])
    broken = pd.concat(parts, ignore_index=True)
    return broken.astype(frame.dtypes.to_dict())
