"""Hypothesis strategies built from the contracts: sound rows, and rows with something wrong in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from data_contracts.contract import Column, Contract
from tests.features.tables import random_tables

FEW = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
"""For laws over whole marketplaces, which take a tenth of a second each; the first also waits for compilation."""

MANY = settings(FEW, max_examples=100)
"""For laws over small arrays, whose first example waits for compilation."""

_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
_LETTERS = "abzAZ09_.:-"

JUNK: tuple[Any, ...] = (
    *("", "?", "two words", "x" * 70, "US\n", "Ünï", "a\x00b", "😀"),
    *("-1", "+5", "05", "5.0", "1.5", "1e3", "1_000", " 5 ", "0x10", "1e400", "1e-400", "nan", "inf", "-0", "٣"),
    *("True", "yes", "on", "t", "true "),
    *("2024-01-01", "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00+01:00", "20240101T000000Z"),
    *("2024-01-01 00:00:00z", "2024-01-01T24:00:00Z", "0001-01-01T00:00:00Z", "1704067200"),
)
"""Text that breaks the rules of most columns."""


def instants() -> st.SearchStrategy[datetime]:
    """Moments within two years, to the microsecond."""
    return st.integers(0, 2 * 365 * 86_400_000_000).map(lambda us: _EPOCH + timedelta(microseconds=us))


def sound_values(column: Column) -> st.SearchStrategy[Any]:
    """Values that keep every rule of one column."""
    if column.choices:
        some: st.SearchStrategy[Any] = st.sampled_from(column.choices)
    elif column.kind == "instant":
        some = instants()
    elif column.kind == "boolean":
        some = st.booleans()
    elif column.kind == "integer":
        some = st.integers(int(column.ge or 0), int(column.le if column.le is not None else 10**9))
    elif column.kind == "number":
        some = st.floats(column.ge, column.le, allow_nan=False, allow_infinity=False)
    elif column.pattern is not None and column.max_length is None:
        some = st.from_regex(column.pattern.replace("$", r"\Z"))
    else:
        some = st.text(_LETTERS, min_size=column.min_length or 0, max_size=min(column.max_length or 12, 12))
    return st.none() | some if column.nullable else some


@st.composite
def sound_rows(draw: st.DrawFn, contract: Contract) -> dict[str, Any]:
    """One row that its row model accepts: every column sound, instants put in order."""
    row = {column.name: draw(sound_values(column)) for column in contract.columns}
    for rule in contract.orderings * len(contract.orderings):  # as often as there are, since one may undo another
        early, late = row[rule.earlier], row[rule.later]
        if early is not None and late is not None and early > late:
            row[rule.earlier], row[rule.later] = late, early
    return row


@st.composite
def spoilt_rows(draw: st.DrawFn, contract: Contract) -> dict[str, Any]:
    """One sound row in which up to three values were replaced by nothing, junk, or a moment out of order."""
    row = draw(sound_rows(contract))
    names = [column.name for column in contract.columns]
    for name in draw(st.lists(st.sampled_from(names), max_size=3, unique=True)):
        row[name] = draw(st.none() | st.sampled_from(JUNK) | instants())
    return row


def as_text(value: Any) -> str | None:
    """Write a value as a CSV file would carry it."""
    if value is None:
        return None
    return value.isoformat() if isinstance(value, datetime) else str(value)


def text_frame(rows: list[dict[str, Any]], contract: Contract) -> pd.DataFrame:
    """Return rows as an all-text frame."""
    return pd.DataFrame(
        {c.name: pd.array([as_text(row[c.name]) for row in rows], dtype="str") for c in contract.columns}, index=range(len(rows))
    )


@st.composite
def frames(draw: st.DrawFn, contract: Contract, min_size: int = 0, max_size: int = 6) -> pd.DataFrame:
    """All-text frames of spoilt rows over a sound first and last row, keys drawn from few so that they repeat."""
    rows = draw(st.lists(spoilt_rows(contract), min_size=min_size, max_size=max_size))
    rows = [draw(sound_rows(contract)), *rows, draw(sound_rows(contract))]
    for row in rows:
        if draw(st.booleans()):
            row[contract.key] = draw(st.sampled_from(["k1", "k2"]))
    # Two rows that are sound in every column keep a column from being refused as a whole.
    return text_frame(rows, contract)


@st.composite
def marketplaces(draw: st.DrawFn, max_orders: int = 60, max_claims: int = 25, late: float = 0.0) -> dict[str, pd.DataFrame]:
    """Tables of a small random marketplace in which many events fall on the same instant and few keys share everything.

    With ``late``, that share of the orders, returns and claims was recorded only days after it happened.
    """
    return random_tables(
        seed=draw(st.integers(0, 10_000)),
        orders=draw(st.integers(1, max_orders)),
        claims=draw(st.integers(1, max_claims)),
        customers=draw(st.integers(2, 10)),
        entities=draw(st.integers(1, 12)),
        step_us=draw(st.sampled_from([86_400_000_000, 7 * 86_400_000_000, 3_600_000_000])),
        days=draw(st.sampled_from([20, 120, 500])),
        late=late,
    )
