"""Figures by hand on few claims; weights are repetitions; intervals are paired and honest about blocks."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from data_contracts import LABELS
from models.evaluation import PROBABILITIES
from models.judgement import MEASURES, Judged, judged, measures, with_intervals
from models.policy import default_policy, label_confusions

POLICY = default_policy()


def case(rows: list[tuple[str, float, int, str, str]]) -> Judged:
    """Rows of class, weight, amount, action, automatic action; flat probabilities."""
    classes, weights, amount, action, automatic = (np.array(column) for column in zip(*rows, strict=True))
    frame = pd.DataFrame({"action": action, "automatic_action": automatic, **dict(zip(PROBABILITIES, (0.5, 0.3, 0.2), strict=True))})
    return judged(POLICY, frame, classes.astype(object), weights.astype(float), amount, np.ones(len(rows), dtype=bool))


FEW = case(
    [
        ("valid", 1.0, 10_000, "PAY", "PAY"),
        ("valid", 3.0, 20_000, "DENY_UNSUBSTANTIATED", "DENY_UNSUBSTANTIATED"),
        ("abusive", 2.0, 50_000, "DENY_ABUSIVE", "DENY_ABUSIVE"),
        ("abusive", 6.0, 30_000, "PAY", "PAY"),
        ("valid", 4.0, 10_000, "DENY_ABUSIVE", "DENY_ABUSIVE"),
        ("unsubstantiated", 1.0, 10_000, "INVESTIGATE", "PAY"),
        ("abusive", 1.0, 10_000, "INVESTIGATE", "PAY"),
    ]
)


def test_the_shares_are_those_counted_by_hand() -> None:
    found = measures(FEW, np.arange(7))
    tier = POLICY.investigation
    assert tuple(found) == tuple(MEASURES)
    assert found["reviewed_abusive"] == pytest.approx(1 / 9)
    assert found["recall_at_capacity"] == pytest.approx(3 / 9)
    assert found["precision_investigations"] == pytest.approx(1 / 2)
    assert found["precision_reviews"] == 1.0
    assert found["wrongful_denials"] == pytest.approx(7 / 8) and found["wrongful_accusations"] == pytest.approx(4 / 8)
    fees = tier.fee_cents + tier.delay_cents
    by_hand = (0 + 3 * (6_000 + 1_400 + 0.35 * 20_000) + 2 * 300 + 6 * 35_000 + 4 * 10 * (6_000 + 1_400 + 0.35 * 10_000)) / 18
    rest = (FEW.after.cost_cents[5] + FEW.after.cost_cents[6]) / 18
    assert found["cost_cents"] == pytest.approx(by_hand + rest) and rest > 2 * fees / 18


def test_a_weight_is_a_repetition() -> None:
    rng = np.random.default_rng(1)
    times = rng.integers(1, 4, 120)
    rows = [(str(rng.choice(LABELS)), 1.0, int(rng.integers(1_000, 90_000)), str(rng.choice(["PAY", "DESK"])), "PAY") for _ in range(120)]
    weighted = measures(case([(c, float(t), *rest) for (c, _, *rest), t in zip(rows, times, strict=True)]), np.arange(120))
    repeated = measures(case(rows), np.repeat(np.arange(120), times))
    # The number of bins of the calibration error follows the number of rows.
    assert all(weighted[m] == pytest.approx(repeated[m], nan_ok=True) for m in MEASURES if m != "ece")


def test_what_cannot_be_measured_is_undefined() -> None:
    found = measures(case([("valid", 1.0, 10_000, "PAY", "PAY")]), np.arange(1))
    assert all(
        math.isnan(found[m]) for m in ("recall_at_capacity", "precision_investigations", "wrongful_share_of_accusations", "auc_abusive")
    )
    assert found["wrongful_denials"] == 0.0


def test_one_block_has_no_spread_and_savings_are_paired() -> None:
    other = case([(c, w, a, "PAY", "PAY") for c, w, a in zip(FEW.classes, FEW.weights, FEW.amount_cents.astype(int), strict=True)])
    one = with_intervals({"ours": FEW, "pay": other}, "ours", np.zeros(7), np.random.default_rng(0), 20)
    for figures in one.values():
        assert all(math.isnan(f.estimate) or f.low == pytest.approx(f.estimate) == pytest.approx(f.high) for f in figures.values())
    many = with_intervals({"ours": FEW, "pay": other}, "ours", np.arange(7), np.random.default_rng(0), 200)
    saved = many["pay"]["saved_cents"]
    assert saved.estimate == pytest.approx(many["pay"]["cost_cents"].estimate - many["ours"]["cost_cents"].estimate)
    assert saved.low < saved.estimate < saved.high and many["ours"]["saved_cents"].high == 0.0
    same = with_intervals({"ours": FEW}, "ours", np.arange(7), np.random.default_rng(0), 50, np.array([0, 1]))
    assert same["ours"]["wrongful_denials"].estimate == pytest.approx(3 / 4)


def test_probabilities_of_the_truth_are_judged_as_the_label_their_source_would_state() -> None:
    frame = pd.DataFrame({"action": ["PAY"], "automatic_action": ["PAY"], "p_valid": [1.0], "p_unsubstantiated": [0.0], "p_abusive": [0.0]})
    confusions = label_confusions(POLICY)
    args = (POLICY, frame, np.array(["valid"], dtype=object), np.ones(1), np.array([5_000]), np.array([True]))
    assert judged(*args).stated.tolist() == [[1.0, 0.0, 0.0]]
    np.testing.assert_allclose(judged(*args, np.array(["desk"]), confusions).stated[0], confusions["desk"][0])
