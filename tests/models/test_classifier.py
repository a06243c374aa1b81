"""The nested pair of boosters: coherent, monotone, exact, reproducible."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from models.classifier import Classifier, Hyperparameters, fit, grow_again
from models.inputs import Inputs
from tests.models.synthetic import Sample, sample

QUICK = Hyperparameters(max_rounds=60, learning_rate=0.1, patience=15, feature_fraction=1.0)


@pytest.fixture(scope="module")
def data() -> Sample:
    return sample()


@pytest.fixture(scope="module")
def fitted(data: Sample) -> Classifier:
    return fit(data.matrix, data.labels, data.weights, data.train, data.stop, data.inputs, QUICK)


def test_probabilities_sum_to_one_and_rank_abuse_nearly_as_well_as_the_truth(data: Sample, fitted: Classifier) -> None:
    proba = np.exp(fitted.raw(data.matrix[data.later]))
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-12)
    abusive = data.labels[data.later] == "abusive"
    assert roc_auc_score(abusive, proba[:, 2]) > roc_auc_score(abusive, data.truth[data.later][:, 2]) - 0.06


def test_more_of_a_feature_declared_risky_never_lowers_the_probability_of_abuse(data: Sample, fitted: Classifier) -> None:
    steps = np.linspace(-3, 3, 25)
    for row in range(0, 200, 20):
        grid = data.matrix.iloc[[row] * len(steps)].assign(risk=steps)
        assert (np.diff(fitted.raw(grid)[:, 2]) >= -1e-12).all()


def test_the_opposite_direction_is_obeyed_too_even_against_the_data(data: Sample) -> None:
    features = (data.inputs.features[0].__class__("risk", -1), *data.inputs.features[1:])
    wrong = fit(data.matrix, data.labels, data.weights, data.train, data.stop, Inputs(features), QUICK)
    grid = data.matrix.iloc[[3] * 20].assign(risk=np.linspace(-3, 3, 20))
    assert (np.diff(wrong.raw(grid)[:, 2]) <= 1e-12).all()


def test_one_row_alone_scores_to_the_last_bit_as_in_the_batch(data: Sample, fitted: Classifier) -> None:
    batch = fitted.raw(data.matrix)
    for row in range(0, len(data.matrix), 97):
        assert np.array_equal(fitted.raw(data.matrix.iloc[[row]])[0], batch[row])


def test_contributions_sum_to_the_log_odds_of_abuse(data: Sample, fitted: Classifier) -> None:
    contributions, base = fitted.contributions(data.matrix)
    scores = fitted.raw(data.matrix)
    odds = scores[:, 2] - np.log1p(-np.exp(scores[:, 2]))
    assert contributions.shape == (len(data.matrix), 4)
    np.testing.assert_allclose(contributions.sum(axis=1) + base, odds, atol=1e-9)


def test_same_data_and_seed_give_the_same_text_on_any_number_of_threads(data: Sample) -> None:
    few = Hyperparameters(max_rounds=6, patience=3)  # threads that wait for a busy machine are slow
    once, again, other = (
        fit(data.matrix, data.labels, data.weights, data.train, data.stop, data.inputs, few, seed, threads)
        for seed, threads in ((0, 1), (0, 2), (1, 1))
    )
    assert once == again != other


@pytest.mark.parametrize("absent", ["valid", "unsubstantiated", "abusive"])
def test_a_class_that_training_never_saw_has_probability_zero(data: Sample, absent: str) -> None:
    kept = data.labels != absent
    two = fit(data.matrix, data.labels, data.weights * kept, data.train, data.stop, data.inputs, QUICK)
    proba = np.exp(two.raw(data.matrix))
    assert (proba[:, ["valid", "unsubstantiated", "abusive"].index(absent)] == 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-12)
    contributions, _ = two.contributions(data.matrix.iloc[:3])
    assert contributions.shape == (3, 4)


def test_rows_of_weight_zero_are_as_good_as_absent(data: Sample, fitted: Classifier) -> None:
    poisoned = pd.concat([data.matrix, data.matrix.iloc[:100]])
    labels = np.concatenate([data.labels, ["nonsense"] * 100])
    more = fit(
        poisoned,
        labels,
        np.concatenate([data.weights, np.zeros(100)]),
        np.concatenate([data.train, np.ones(100, bool)]),
        np.concatenate([data.stop, np.zeros(100, bool)]),
        data.inputs,
        QUICK,
    )
    assert more == fitted


def test_a_category_or_a_column_never_seen_before_is_missing_or_an_error(data: Sample, fitted: Classifier) -> None:
    new = data.matrix.iloc[:2].assign(channel=["fax", None])
    assert np.isfinite(fitted.raw(new)).all()
    assert np.array_equal(fitted.raw(new.assign(more=1.0)), fitted.raw(new))
    with pytest.raises(ValueError, match="missing: risk"):
        fitted.raw(new.drop(columns="risk"))


def test_a_later_window_without_a_class_cannot_stop_the_growth_and_falls_back_to_fixed_rounds(data: Sample) -> None:
    few = Hyperparameters(unstopped_rounds=7)
    found = fit(data.matrix, data.labels, data.weights, data.train, np.zeros_like(data.stop), data.inputs, few)
    assert found.abusive.rounds == found.unsubstantiated.rounds == 7


def test_training_on_nothing_is_a_clear_error(data: Sample) -> None:
    with pytest.raises(ValueError, match="expected at least one row with a positive weight"):
        fit(data.matrix, data.labels, data.weights * 0, data.train, data.stop, data.inputs)


def test_importance_puts_the_informative_feature_first(fitted: Classifier) -> None:
    assert fitted.importance().feature.iloc[0] == "risk"


def test_no_rows_give_no_scores(data: Sample, fitted: Classifier) -> None:
    assert fitted.raw(data.matrix.iloc[:0]).shape == (0, 3)


def test_growing_again_keeps_the_number_of_trees_and_learns_from_the_later_rows(data: Sample, fitted: Classifier) -> None:
    again = grow_again(fitted, data.matrix, data.labels, data.weights, QUICK)
    assert (again.abusive.rounds, again.unsubstantiated.rounds) == (max(10, fitted.abusive.rounds), max(10, fitted.unsubstantiated.rounds))
    assert again != fitted
    same = grow_again(fitted, data.matrix, data.labels, data.weights * data.train, QUICK)
    if min(fitted.abusive.rounds, fitted.unsubstantiated.rounds) >= 10:
        assert np.array_equal(same.raw(data.matrix), fitted.raw(data.matrix))


def test_a_question_that_was_idle_before_is_grown_once_the_rows_answer_it(data: Sample) -> None:
    kept = data.labels != "unsubstantiated"
    two = fit(data.matrix, data.labels, data.weights * kept, data.train, data.stop, data.inputs, QUICK)
    few = Hyperparameters(unstopped_rounds=12)
    assert grow_again(two, data.matrix, data.labels, data.weights, few).unsubstantiated.rounds == 12
