"""Our own features over the log know neither the future nor a label that is younger than seven days."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks._handbook_features import load
from benchmarks._handbook_own import OWN, UNUSUAL_DEVIATIONS, own_features

WEEK = pd.Timedelta(days=7)


@pytest.fixture(scope="module")
def log(yardsticks: Path) -> pd.DataFrame:
    """The first sixty days of a fifth of the customers at a fifth of the terminals."""
    if not (yardsticks / "handbook" / "transactions.parquet").is_file():
        pytest.skip(f"no transactions at {yardsticks / 'handbook'}")
    found = load(yardsticks, 600_000)
    return found[found["customer_id"].str.endswith(("1", "5")) & found["seller_id"].str.endswith(("2", "7"))].reset_index(drop=True)


@pytest.fixture(scope="module")
def features(log: pd.DataFrame) -> pd.DataFrame:
    return own_features(log, np.ones(len(log), dtype=bool))


def test_the_scenario_of_a_fraud_is_never_loaded(log: pd.DataFrame) -> None:
    assert set(log.columns) == {"claim_id", "customer_id", "seller_id", "filed_at", "amount_cents", "fraud"}


def test_no_window_sees_the_transaction_itself() -> None:
    assert all(part.over.is_strict for entry in OWN for part in entry.feature.parts)  # type: ignore[union-attr]


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_deleting_the_future_changes_no_feature(log: pd.DataFrame, features: pd.DataFrame, share: float) -> None:
    cut = log["filed_at"].iloc[int(share * len(log))]
    past = log[log["filed_at"] <= cut]
    found = own_features(past, np.ones(len(past), dtype=bool))
    pd.testing.assert_frame_equal(found, features.loc[past.index], check_exact=True)


def test_labels_younger_than_seven_days_change_no_feature_and_older_ones_do(log: pd.DataFrame, features: pd.DataFrame) -> None:
    cut = log["filed_at"].iloc[int(0.7 * len(log))]
    asked = ((log["filed_at"] <= cut) & (log["filed_at"] > cut - pd.Timedelta(days=1))).to_numpy()
    for since, same in ((cut - WEEK, True), (cut - 2 * WEEK, False)):
        turned = log.assign(fraud=log["fraud"] ^ (log["filed_at"] >= since))
        found = own_features(turned, asked)
        assert found.equals(features[asked]) is same


def test_rows_asked_about_alone_have_the_features_they_have_among_all(log: pd.DataFrame, features: pd.DataFrame) -> None:
    asked = np.arange(len(log)) % 97 == 5
    pd.testing.assert_frame_equal(own_features(log, asked), features[asked], check_exact=True)


def test_a_loop_over_the_log_finds_the_same_habits_and_outcomes(log: pd.DataFrame, features: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    at, fraud, amount = log["filed_at"], log["fraud"], log["amount_cents"]
    unusual = features["amount_deviations_above_usual"] > UNUSUAL_DEVIATIONS
    defrauded = rng.choice(np.flatnonzero(features["ordinary_frauds_count_seller_28d"] > 0), 10, replace=False)
    for row in (*rng.choice(np.flatnonzero(at > at.iloc[0] + 4 * WEEK), 15, replace=False), *defrauded):
        known = at + WEEK < at[row]
        mine, here = log["customer_id"] == log["customer_id"][row], log["seller_id"] == log["seller_id"][row]
        good = amount[known & mine & ~fraud]
        assert features["usual_count"][row] == len(good)
        if len(good):
            assert features["amount_times_usual"][row] == pytest.approx(amount[row] / good.mean(), rel=1e-12)
            assert features["usual_deviation"][row] == pytest.approx(good.std(ddof=0), rel=1e-6, abs=1e-3)
        lately = at + WEEK >= at[row] - 4 * WEEK
        assert features["ordinary_frauds_count_seller_28d"][row] == (known & lately & here & fraud & ~unusual).sum()
        recent = (at < at[row]) & (at >= at[row] - 2 * WEEK)
        assert features["unusual_count_customer_14d"][row] == (recent & mine & unusual).sum()
