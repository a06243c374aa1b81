"""Choosing how to grow: inside the rows given, the same for the same seed, and blind to noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models import metrics
from models.classifier import ABUSIVE, Hyperparameters
from models.search import CANDIDATES, grow, search

QUICK = tuple(Hyperparameters(max_depth=d, num_leaves=2**d, max_rounds=60, patience=20, max_bin=63) for d in (1, 3))


def claims(rows: int, seed: int, signal: float = 1.5) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    matrix = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.normal(size=rows), "c": pd.Categorical(rng.choice(["x", "y"], rows))})
    margin = signal * matrix["a"] + (matrix["c"] == "x") - 1
    labels = np.where(rng.random(rows) < 1 / (1 + np.exp(-margin)), "abusive", "valid").astype(object)
    return matrix, labels, np.ones(rows)


def test_the_best_candidate_comes_first() -> None:
    matrix, labels, weights = claims(1500, 0)
    stunted = replace(QUICK[1], min_data_in_leaf=700)
    tried = search(matrix, labels, weights, [stunted, QUICK[1]])
    assert [t.hyperparameters for t in tried] == [QUICK[1], stunted]
    assert tried[0].auc > 0.75


def test_the_same_seed_gives_the_same_choice_and_the_same_bag() -> None:
    matrix, labels, weights = claims(600, 1)
    one, two = (search(matrix, labels, weights, QUICK, seed=3) for _ in range(2))
    assert one == two
    bags = [grow(matrix, labels, weights, one[0], seeds=(0, 1)) for _ in range(2)]
    np.testing.assert_array_equal(bags[0].proba(matrix), bags[1].proba(matrix))


def test_a_bag_gives_probabilities_and_each_row_by_itself() -> None:
    matrix, labels, weights = claims(600, 2)
    bag = grow(matrix, labels, weights, search(matrix, labels, weights, QUICK[:1])[0], seeds=(0, 1, 2))
    proba = bag.proba(matrix)
    assert len(bag.members) == 3
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert (proba[:, 1] == 0).all(), "a class that was never seen has probability 0"
    np.testing.assert_array_equal(bag.proba(matrix.iloc[[5]]), proba[[5]])


def test_shuffled_labels_teach_nothing() -> None:
    matrix, labels, weights = claims(3000, 4)
    labels = np.random.default_rng(9).permutation(labels)
    train = np.arange(3000) < 1500
    tried = search(matrix[train], labels[train], weights[train], QUICK)
    proba = grow(matrix[train], labels[train], weights[train], tried[0], seeds=(0,)).proba(matrix[~train])
    assert abs(metrics.auc(labels[~train], proba[:, ABUSIVE], weights[~train]) - 0.5) < 0.05


def test_every_shipped_candidate_keeps_its_leaves_within_its_depth() -> None:
    assert all(candidate.num_leaves <= 2**candidate.max_depth for candidate in CANDIDATES)
    assert len(set(CANDIDATES)) == len(CANDIDATES)


def test_a_class_rarer_than_the_folds_is_refused() -> None:
    matrix, labels, weights = claims(100, 5)
    labels[:] = "valid"
    labels[0] = "abusive"
    with pytest.raises(ValueError, match="expected at least 4 rows of each class, found 1 of 'abusive'"):
        search(matrix, labels, weights, QUICK)
