"""The book's features over the card-transactions log: our declarations equal their definition, on a slice and in small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks._handbook_features import DAYS, DELAY_DAYS, HANDBOOK, book, defined, differing, load
from features.matrix import build_matrix

ROWS = 120_000
"""Of the earliest transactions: twelve days, so that lagged windows hold some."""


def computed(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    matrix = build_matrix({"claims": frame}, catalog=HANDBOOK)
    return {str(name): matrix[name].to_numpy() for name in matrix.columns}


def drawn(seed: int, rows: int) -> pd.DataFrame:
    """A log with few customers and terminals, over sixty days by the hour, so that ties and window ends abound."""
    rng = np.random.default_rng(seed)
    hours = np.sort(rng.integers(0, 60 * 24, rows))
    return pd.DataFrame(
        {
            "claim_id": [str(i) for i in range(rows)],
            "customer_id": rng.integers(0, 4, rows).astype("U1"),
            "seller_id": rng.integers(0, 3, rows).astype("U1"),
            "filed_at": pd.Timestamp("2018-04-01", tz="UTC").as_unit("us") + pd.to_timedelta(hours, unit="h"),
            "amount_cents": rng.integers(1, 20_000, rows),
            "fraud": rng.random(rows) < 0.2,
        }
    )


def by_hand(frame: pd.DataFrame) -> dict[str, list[float]]:
    """The book's features as its sentences say them, one transaction at a time."""
    found: dict[str, list[float]] = {}
    day = pd.Timedelta(days=1)
    for row in frame.itertuples():
        told = {"TX_DURING_WEEKEND": float(row.filed_at.dayofweek >= 5), "TX_DURING_NIGHT": float(row.filed_at.hour <= 6)}
        for days in DAYS:
            ago = row.filed_at - frame.filed_at
            mine = frame[(frame.customer_id == row.customer_id) & (ago >= 0 * day) & (ago < days * day)]
            at = frame[frame.seller_id == row.seller_id]
            longer, shorter = (at[(ago[at.index] >= 0 * day) & (ago[at.index] < d * day)] for d in (DELAY_DAYS + days, DELAY_DAYS))
            count, frauds = len(longer) - len(shorter), int(longer.fraud.sum() - shorter.fraud.sum())
            told |= {
                f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW": float(len(mine)),
                f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW": int(mine.amount_cents.sum()) / len(mine) / 100,
                f"TERMINAL_ID_NB_TX_{days}DAY_WINDOW": float(count),
                f"TERMINAL_ID_RISK_{days}DAY_WINDOW": frauds / count if count else 0.0,
            }
        for name, value in told.items():
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_the_declarations_and_the_sql_say_what_the_books_sentences_say(seed: int) -> None:
    frame = drawn(seed, 100)
    expected = {name: np.array(values) for name, values in by_hand(frame).items()}
    assert len(expected) == 14
    assert differing(book(computed(frame)), expected) == {} == differing(book(defined(frame)), expected)


def test_the_order_of_rows_changes_nothing() -> None:
    frame = drawn(3, 400)
    turned = frame.sample(frac=1.0, random_state=1)
    expected = {name: values[turned.index] for name, values in computed(frame).items()}
    assert differing(computed(turned.reset_index(drop=True)), expected) == {}


def test_the_earliest_transactions_equal_the_books_definition_to_the_last_bit(yardsticks: Path) -> None:
    if not (yardsticks / "handbook").is_dir():
        pytest.skip(f"no card transactions in {yardsticks}; set TOUCHSTONE_YARDSTICKS to the folder of outside data")
    frame = load(yardsticks, ROWS)
    expected = defined(frame)
    assert expected.keys() == set(HANDBOOK.names)
    assert expected["transactions_sum_fraud_seller_1d_lag7d_right"].sum() > 0
    assert differing(computed(frame), expected) == {}


def test_a_row_that_differs_in_its_last_bit_is_counted() -> None:
    frame = drawn(4, 50)
    expected = defined(frame)
    wrong = {name: values.copy() for name, values in expected.items()}
    name = "transactions_mean_amount_cents_customer_7d_right"
    wrong[name][7] = np.nextafter(wrong[name][7], np.inf)
    assert differing(wrong, expected) == {name: 1}
    risk = "transactions_rate_fraud_seller_1d_lag7d_right"
    wrong[risk][np.isnan(wrong[risk])] = 0.0
    assert differing(wrong, expected)[risk] == np.isnan(expected[risk]).sum() > 0
