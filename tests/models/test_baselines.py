"""Baselines: simple, honest, and in one table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.baselines import compare, fit_all, fit_logistic, fit_prior, fit_rule
from tests.models.synthetic import Sample


def test_all_baselines_give_probabilities_and_are_ordered_as_expected(data: Sample) -> None:
    fitted = fit_all(data.matrix, data.labels, data.weights, data.train, data.inputs)
    later = data.later
    table = compare({name: predict(data.matrix[later]) for name, predict in fitted.items()}, data.labels[later], data.weights[later])
    scores = table.set_index("model")
    assert scores.auc_abusive["prior"] == 0.5
    assert 0.55 < scores.auc_abusive["single rule"] < scores.auc_abusive["logistic regression"]
    assert scores.log_loss["logistic regression"] < scores.log_loss["prior"]
    for predict in fitted.values():
        np.testing.assert_allclose(predict(data.matrix).sum(axis=1), 1.0, atol=1e-9)
        assert predict(data.matrix.iloc[:0]).shape == (0, 3)


def test_the_prior_is_the_weighted_share_of_the_classes() -> None:
    labels, weights = np.array(["valid", "abusive"] * 500), np.tile([1.0, 3.0], 500)
    assert fit_prior(labels, weights)(pd.DataFrame(index=range(2))).round(2).tolist() == [[0.25, 0.0, 0.75]] * 2


def test_the_rule_finds_the_planted_threshold_in_either_direction() -> None:
    rng = np.random.default_rng(0)
    signal, noise = rng.integers(0, 20, 600).astype(float), rng.normal(size=600)
    for sign in (1, -1):
        labels = np.where(sign * signal > sign * 9.5, "abusive", "valid")
        rule = fit_rule(pd.DataFrame({"noise": noise, "signal": signal}), labels, np.ones(600))
        assert (rule.feature, rule.above) == ("signal", 9.0)
        assert np.array_equal(rule(pd.DataFrame({"signal": signal}))[:, 2] > 0.5, labels == "abusive")


def test_a_matrix_without_a_varying_number_has_no_rule() -> None:
    with pytest.raises(ValueError, match="found none"):
        fit_rule(pd.DataFrame({"c": pd.Categorical(["a", "b"]), "k": [1.0, 1.0]}), np.array(["valid", "abusive"]), np.ones(2))


def test_logistic_regression_stands_gaps_new_categories_empty_columns_and_absent_classes(data: Sample) -> None:
    matrix = data.matrix.assign(idle=np.nan)
    two = np.where(data.labels == "unsubstantiated", "valid", data.labels)
    predict = fit_logistic(matrix, two, data.weights, data.inputs)
    proba = predict(matrix.assign(channel="fax"))
    assert (proba[:, 1] == 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-9)
    assert fit_logistic(matrix, np.full(len(two), "valid"), data.weights, data.inputs)(matrix).round(2)[0].tolist() == [1.0, 0.0, 0.0]
