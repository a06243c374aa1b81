"""What an answer teaches, and how an expert's errors are learned."""

from __future__ import annotations

import numpy as np

from data_contracts import LABELS
from models.costs import cost_matrix
from models.experts import after_answer, tier_confusion, with_confusions
from models.policy import default_policy, label_confusions
from models.review import review_values

PRIOR = np.array(default_policy().desk.confusion)


def test_answers_average_back_to_what_was_believed_before() -> None:
    rng = np.random.default_rng(1)
    proba = rng.dirichlet([1, 1, 1], 50)
    total = np.zeros_like(proba)
    for place, label in enumerate(LABELS):
        chance = proba @ PRIOR[:, place]
        total += chance[:, None] * after_answer(proba, np.full(50, label), PRIOR)
    np.testing.assert_allclose(total, proba, atol=1e-12)


def test_a_useless_expert_teaches_nothing_and_a_perfect_one_everything() -> None:
    proba = np.array([[0.5, 0.3, 0.2]])
    np.testing.assert_allclose(after_answer(proba, np.array(["abusive"]), np.full((3, 3), 1 / 3)), proba)
    assert after_answer(proba, np.array(["abusive"]), np.eye(3)).tolist() == [[0.0, 0.0, 1.0]]
    assert after_answer(np.array([[1.0, 0.0, 0.0]]), np.array(["abusive"]), np.eye(3)).tolist() == [[1.0, 0.0, 0.0]]


def test_a_tier_errs_as_its_experts_do_each_as_often_as_they_answer() -> None:
    sure, unsure = np.eye(3), np.full((3, 3), 1 / 3)
    both = np.stack([sure, unsure])
    np.testing.assert_allclose(tier_confusion(both, np.array([5, 0])), sure)
    np.testing.assert_allclose(tier_confusion(both, np.array([0, 0])), (sure + unsure) / 2)


def test_learned_confusions_reach_every_reader_through_the_policy() -> None:
    policy, learned = default_policy(), np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.2, 0.2, 0.6]])
    changed = with_confusions(policy, desk=learned)
    assert changed.desk.confusion == tuple(tuple(row) for row in learned.tolist())
    assert changed.investigation == policy.investigation
    assert (label_confusions(changed)["desk"][2] == learned[2]).all()
    costs = cost_matrix(policy, np.array([90_000]), np.array([True]))
    proba = np.array([[0.6, 0.1, 0.3]])
    assert review_values(changed, proba, costs)[0, 0] < review_values(policy, proba, costs)[0, 0]
    assert with_confusions(policy) == policy
