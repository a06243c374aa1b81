"""Metrics against hand-made cases, weights as repetition, and honest intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts import LABELS
from models.metrics import auc, average_precision, classwise_ece, cluster_bootstrap, log_loss, reliability, summary
from tests.models.synthetic import sample

DATA = sample(3000, seed=9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_an_integer_weight_counts_like_as_many_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.choice(3000, 300, replace=False)
    labels, proba, weights = DATA.labels[rows], DATA.truth[rows], rng.integers(0, 4, 300).astype(float)
    again = np.repeat(np.arange(300), weights.astype(int))
    one = summary(labels, proba, weights)
    two = summary(labels[again], proba[again], np.ones(len(again)))
    for name in one:
        if name != "ece":  # the number of bins follows the number of rows
            assert one[name] == pytest.approx(two[name], rel=1e-9), name


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(0)
    labels, scores, weights = np.array(["abusive", "valid"])[rng.integers(0, 2, 40)], rng.integers(0, 6, 40) / 6, rng.random(40)
    bad, good = labels == "abusive", labels == "valid"
    order = (scores[bad][:, None] > scores[good]) + 0.5 * (scores[bad][:, None] == scores[good])
    mass = weights[bad][:, None] * weights[good]
    assert auc(labels, scores, weights) == pytest.approx((order * mass).sum() / mass.sum())


def test_a_question_the_data_cannot_answer_is_not_a_number() -> None:
    only = np.array(["valid"] * 5)
    assert np.isnan(auc(only, np.arange(5.0), np.ones(5)))
    assert np.isnan(average_precision(only, np.arange(5.0), np.ones(5)))
    assert np.isnan(log_loss(only, np.ones((5, 3)) / 3, np.zeros(5)))
    assert np.isnan(classwise_ece(only, np.ones((5, 3)) / 3, np.zeros(5)))


def test_log_loss_of_an_impossible_truth_is_large_and_finite() -> None:
    assert log_loss(np.array(["abusive"]), np.array([[1.0, 0.0, 0.0]]), np.ones(1)) == pytest.approx(-np.log(1e-12))


def test_true_probabilities_have_a_small_calibration_error_and_distorted_ones_a_large_one() -> None:
    sharp = DATA.truth**3 / (DATA.truth**3).sum(axis=1, keepdims=True)
    assert classwise_ece(DATA.labels, DATA.truth, DATA.weights) < 0.03
    assert classwise_ece(DATA.labels, sharp, DATA.weights) > 0.1


def test_the_calibration_error_equals_a_slow_loop_over_bins_of_equal_mass() -> None:
    rng = np.random.default_rng(2)
    proba, labels, bins = rng.dirichlet([1, 1, 1], 300), np.array(LABELS)[rng.integers(0, 3, 300)], 10
    total = 0.0
    for place, label in enumerate(LABELS):
        order = np.argsort(proba[:, place])
        for part in np.array_split(order, bins):
            total += len(part) / 300 * abs((labels[part] == label).mean() - proba[part, place].mean())
    assert classwise_ece(labels, proba, np.ones(300), bins) == pytest.approx(total / 3)


def test_bins_hold_equal_mass_and_never_split_equal_predictions() -> None:
    table = reliability(DATA.labels, DATA.truth, DATA.weights, "abusive", bins=10)
    assert table.weight.sum() == 3000
    assert table.rows.tolist() == [300] * 10
    assert table.predicted.is_monotonic_increasing
    tied = np.round(DATA.truth, 1)
    assert len(reliability(DATA.labels, tied, DATA.weights, "abusive", bins=10)) <= len(np.unique(tied[:, 2]))


def test_few_rows_make_few_bins_and_none_make_none() -> None:
    assert len(reliability(DATA.labels[:45], DATA.truth[:45], DATA.weights[:45], "valid")) == 2
    assert len(reliability(DATA.labels[:5], DATA.truth[:5], DATA.weights[:5], "valid")) == 1
    assert reliability(DATA.labels[:0], DATA.truth[:0], DATA.weights[:0], "valid").empty


def test_intervals_by_customer_are_wider_than_by_row_when_customers_behave_alike() -> None:
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(60), 10)
    values = np.repeat(rng.normal(size=60), 10)

    def mean(rows: np.ndarray) -> float:
        return float(values[rows].mean())

    by_group = cluster_bootstrap(mean, groups, np.random.default_rng(0))
    by_row = cluster_bootstrap(mean, np.arange(600), np.random.default_rng(0))
    assert by_group.high - by_group.low > 2 * (by_row.high - by_row.low)
    assert by_group.low < by_group.estimate < by_group.high


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    hits = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        values = np.repeat(rng.normal(size=50), 3)
        found = cluster_bootstrap(lambda rows, v=values: float(v[rows].mean()), np.repeat(np.arange(50), 3), rng, draws=100)
        hits += found.low <= 0.0 <= found.high
    assert 0.85 <= hits / 80 <= 1.0


def test_undefined_draws_are_left_out_and_counted() -> None:
    values = np.array([1.0, np.nan])
    found = cluster_bootstrap(lambda rows: float(values[rows].mean()), np.array([0, 1]), np.random.default_rng(0), draws=100)
    assert 0 < found.draws < 60
    assert np.isnan(cluster_bootstrap(lambda rows: float("nan"), np.array([0]), np.random.default_rng(0)).low)
    assert cluster_bootstrap(lambda rows: float("nan"), np.array([]), np.random.default_rng(0)).draws == 0
