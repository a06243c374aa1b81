"""The book's protocol: its own counts, and its metric against a loop."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import benchmarks._handbook_protocol as protocol
from benchmarks._handbook_features import load
from benchmarks._handbook_protocol import JUDGE_DAYS, TEST_STARTS, VALIDATION_STARTS, card_precision, fold, judged, most_cards


@pytest.fixture(scope="module")
def log(yardsticks: Path) -> pd.DataFrame:
    if not (yardsticks / "handbook" / "transactions.parquet").is_file():
        pytest.skip(f"no transactions at {yardsticks / 'handbook'}")
    return load(yardsticks)


def simulated(seed: int, rows: int = 4_000, cards: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.integers(0, 25 * 86_400, rows))
    return pd.DataFrame(
        {
            "customer_id": [f"C{card:02d}" for card in rng.integers(0, cards, rows)],
            "filed_at": pd.Timestamp("2018-05-01", tz="UTC") + pd.to_timedelta(seconds, unit="s"),
            "fraud": rng.random(rows) < 0.01,
        }
    )


def test_the_split_that_the_yardstick_names_has_its_counts(log: pd.DataFrame) -> None:
    found, fraud = fold(log, "2018-07-25"), log["fraud"].to_numpy()
    assert (len(found.train), int(fraud[found.train].sum())) == (67_240, 598)
    assert (len(found.judge), int(fraud[found.judge].sum())) == (58_264, 385)


def test_no_validation_row_is_as_late_as_any_row_that_a_test_fold_judges(log: pd.DataFrame) -> None:
    latest = max(fold(log, start).judge.max() for start in VALIDATION_STARTS)
    assert latest < min(fold(log, start).judge.min() for start in TEST_STARTS)


@pytest.mark.parametrize("seed", range(4))
def test_judging_rows_are_those_of_cards_not_known_to_be_defrauded_that_morning(seed: int) -> None:
    frame = simulated(seed)
    found = fold(frame, "2018-05-03")
    day = [(at.date() - pd.Timestamp("2018-05-03").date()).days for at in frame["filed_at"]]
    frauds = [(card, d) for card, d, bad in zip(frame["customer_id"], day, frame["fraud"], strict=True) if bad and d >= 0]
    kept = []
    for row, card in enumerate(frame["customer_id"]):
        known = {other for other, d in frauds if d <= day[row] - 8}
        if 14 <= day[row] < 14 + JUDGE_DAYS and card not in known:
            kept.append(row)
    assert found.judge.tolist() == kept
    assert found.train.tolist() == [row for row in range(len(frame)) if 0 <= day[row] < 7]


@pytest.mark.parametrize("seed", range(6))
def test_card_precision_is_what_a_loop_over_days_and_cards_counts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    days, cards, fraud = rng.integers(0, 5, 400), rng.integers(0, 40, 400), rng.random(400) < 0.2
    scores = rng.integers(0, 30, 400) / 30  # many equals
    caught: set[int] = set()
    shares = []
    for day in sorted(set(days.tolist())):
        best: dict[int, float] = {}
        bad: set[int] = set()
        for d, c, f, s in zip(days.tolist(), cards.tolist(), fraud.tolist(), scores.tolist(), strict=True):
            if d == day and c not in caught:
                best[c] = max(best.get(c, -1.0), s)
                bad |= {c} if f else set()
        looked_at = sorted(best, key=lambda card: (-best[card], card))[:7]
        shares.append(len(bad.intersection(looked_at)) / 7)
        caught |= bad.intersection(looked_at)
    assert card_precision(days, cards, fraud, scores, top=7) == pytest.approx(np.mean(shares), abs=1e-12)


def test_no_scores_find_more_cards_than_those_that_know_the_labels() -> None:
    frame = simulated(0)
    rows = fold(frame, "2018-05-03").judge
    perfect = most_cards(frame, rows)
    assert 0 < perfect < 1
    for seed in range(5):
        found = judged(frame, rows, np.random.default_rng(seed).random(len(rows)))
        assert found.cp100 <= perfect
        assert found.ap < 0.2


def test_scores_that_know_the_labels_rank_perfectly() -> None:
    frame = simulated(1)
    rows = fold(frame, "2018-05-03").judge
    found = judged(frame, rows, frame["fraud"].to_numpy(dtype=np.float64)[rows])
    assert (found.auc, found.ap) == (1.0, 1.0)


def test_the_examples_run() -> None:
    assert doctest.testmod(protocol).failed == 0
