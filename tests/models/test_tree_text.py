"""Model texts: read whole or refused with a reason."""

from __future__ import annotations

import numpy as np
import pytest

from models.classifier import _without_parameters
from models.tree_forest import ForestError, margins
from models.tree_text import read_forest
from tests.models.forests import grown


def test_parents_come_before_children_and_shares_sum_to_one() -> None:
    booster, _ = grown(0, rounds=5, num_leaves=31)
    forest = read_forest(booster.model_to_string())
    assert len(forest.expected) == 5
    pairs = forest.children.reshape(-1, 2)
    for start, end in zip(forest.node_starts, forest.node_starts[1:], strict=False):
        inner = pairs[start:end]
        assert (inner > np.arange(end - start)[:, None]).all()
        assert sorted(inner.ravel().tolist()) == list(range(1, 2 * (end - start) + 1)), "every node but the root has one parent"
    np.testing.assert_allclose(forest.shares.reshape(-1, 2).sum(axis=1), 1.0, rtol=1e-15)


def test_a_text_without_its_parameters_is_the_same_model() -> None:
    text = grown(0)[0].model_to_string()
    for one, other in zip(read_forest(text), read_forest(_without_parameters(text)), strict=True):
        assert np.array_equal(one, other)


def test_a_model_that_learned_nothing_is_a_constant() -> None:
    booster, values = grown(0, rounds=3, min_data_in_leaf=1000)
    forest = read_forest(booster.model_to_string())
    assert len(forest.features) == 0
    assert np.array_equal(margins(forest, values), booster.predict(values, raw_score=True))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"objective": "multiclass", "num_class": 2}, "a model with one margin"),
        ({"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1}, "a model with one margin"),
        ({"linear_tree": True}, "found linear ones in tree"),
    ],
)
def test_models_of_another_kind_are_refused(more: dict[str, object], message: str) -> None:
    with pytest.raises(ForestError, match=message):
        read_forest(grown(0, **more)[0].model_to_string())


def test_texts_that_are_damaged_are_refused_and_the_place_is_named() -> None:
    text = grown(0)[0].model_to_string()
    with pytest.raises(ForestError, match="found 'nonsense'"):
        read_forest("nonsense")
    with pytest.raises(ForestError, match="at least one tree"):
        read_forest(text.split("\nTree=")[0])
    with pytest.raises(ForestError, match="the numbers threshold in tree 0, found 'none'"):
        read_forest(text.replace("\nthreshold=", "\nthresholds=", 1))
    with pytest.raises(ForestError, match="the numbers leaf_value in tree 0, found 'x"):
        read_forest(text.replace("leaf_value=", "leaf_value=x ", 1))
    with pytest.raises(ForestError, match="each the child of one node, found others in tree 0"):
        read_forest(text.replace("left_child=1", "left_child=0", 1))
    with pytest.raises(ForestError, match="questions about 2 columns, found one about column"):
        read_forest(text.replace("max_feature_idx=5", "max_feature_idx=1", 1))
    with pytest.raises(ForestError, match="training rows of every node to be those of its children"):
        read_forest(text.replace("leaf_count=", "leaf_count=9", 1))
