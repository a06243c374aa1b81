"""On which cases an expert errs: found where features tell it, left alone where they do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad

from models.consensus import consensus
from models.leanings import _loss, leanings
from models.opinions import Answers, softmax
from tests.models.experts_world import PRIOR


def answered(seed: int, strength: float, count: int = 600) -> tuple[Answers, np.ndarray, np.ndarray]:
    """Two experts whose errors follow the first feature, if any; the truth of all cases is known."""
    rng = np.random.default_rng(seed)
    features, truth = rng.random((count, 4)) - 0.5, rng.integers(0, 3, count)
    logits = np.log(PRIOR)[truth] + strength * features[:, :1] * np.array([0.0, 0.0, 1.0])
    label = (softmax(logits).cumsum(axis=1)[:, :-1] < rng.random((count, 1))).sum(axis=1)
    case = np.arange(count)
    return Answers(case, case % 2, label, np.full((count, 3), 1 / 3), truth, 2), features, softmax(logits)


def test_errors_that_follow_a_feature_are_foreseen() -> None:
    said, features, chances = answered(1, 8.0)
    found = consensus(said, PRIOR)
    on = leanings(said, found, features).on(features, np.zeros((len(features), 3)))
    rows, truth = np.arange(len(features)), said.gold
    learned = np.abs(on[rows, said.expert, truth] - chances).mean()
    assert learned < 0.5 * np.abs(found.confusions[said.expert, truth] - chances).mean()


def test_features_that_tell_nothing_change_little() -> None:
    said, features, chances = answered(2, 0.0)
    found = consensus(said, PRIOR)
    on = leanings(said, found, features, spread=0.5).on(features, np.zeros((len(features), 3)))
    rows = np.arange(len(features))
    assert np.abs(on[rows, said.expert, said.gold] - chances).mean() < 0.04


def test_an_expert_without_answers_errs_as_the_consensus_says() -> None:
    said, features, _ = answered(3, 5.0, 50)
    more = Answers(said.case, said.expert, said.label, said.proba, said.gold, 3)
    found = consensus(more, PRIOR)
    on = leanings(more, found, features).on(features[:5], np.zeros((5, 3)))
    np.testing.assert_allclose(on[:, 2], np.broadcast_to(found.confusions[2], (5, 3, 3)))
    np.testing.assert_allclose(on.sum(axis=-1), 1.0)


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_the_slope_is_that_of_the_loss(seed: int) -> None:
    rng = np.random.default_rng(seed)
    args = (rng.normal(0, 1, (7, 3, 3)), rng.normal(0, 1, (7, 2)), rng.dirichlet(np.ones(3), 7), np.eye(3)[rng.integers(0, 3, 7)], 1.5, 0.5)
    at = rng.normal(0, 1, 15)
    assert check_grad(lambda w: _loss(w, *args)[0], lambda w: _loss(w, *args)[1], at) == pytest.approx(0.0, abs=1e-4)
