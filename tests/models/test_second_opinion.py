"""A second opinion is bought where it is worth more than it costs, and from somebody else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.costs import cost_matrix
from models.looks import Look
from models.policy import default_policy
from models.second_opinion import second_opinion_values
from tests.models.experts_world import PRIOR, experts

POLICY = default_policy()
SEEDS = st.integers(0, 100_000)


def cases(seed: int, price: float = 6_300.0) -> tuple[list[Look], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    looks = [Look(price, confusion) for confusion in experts(rng, 3)]
    costs = cost_matrix(POLICY, rng.integers(5_000, 500_000, 6), rng.random(6) < 0.5)
    return looks, rng.dirichlet([1, 0.5, 0.5], 6), costs, rng.integers(0, 3, 6), rng.integers(0, 3, 6)


@given(SEEDS)
def test_the_value_is_that_of_two_answers_over_one_by_enumeration(seed: int) -> None:
    looks, proba, costs, expert, label = cases(seed)
    found = second_opinion_values(looks, proba, costs, expert, label)
    for case, (first, said) in enumerate(zip(expert, label, strict=True)):
        joint = proba[case] * looks[first].confusion[:, said]
        posterior = joint / joint.sum()
        now = (costs[case] @ posterior).min()
        for second in set(range(3)) - {int(first)}:
            after = sum((costs[case] @ (posterior * looks[second].confusion[:, answer])).min() for answer in range(3))
            assert found[case, second] == pytest.approx(now - after - looks[second].price_cents, rel=1e-9, abs=1e-5)


@given(SEEDS)
def test_nobody_confirms_himself_and_a_free_opinion_never_harms(seed: int) -> None:
    looks, proba, costs, expert, label = cases(seed, price=0.0)
    found = second_opinion_values(looks, proba, costs, expert, label)
    assert (found[np.arange(6), expert] == -np.inf).all()
    assert (np.delete(found, 0, axis=1)[expert == 0] >= -1e-6).all()


@given(SEEDS)
def test_confusions_by_case_and_by_expert_agree_where_they_are_equal(seed: int) -> None:
    looks, proba, costs, expert, label = cases(seed)
    by_case = [Look(look.price_cents, np.broadcast_to(look.confusion, (6, 3, 3))) for look in looks]
    np.testing.assert_array_equal(
        second_opinion_values(by_case, proba, costs, expert, label), second_opinion_values(looks, proba, costs, expert, label)
    )


def test_what_the_first_settled_is_not_asked_again() -> None:
    sure = Look(6_300.0, np.eye(3))
    costs = cost_matrix(POLICY, np.array([90_000]), np.array([True]))
    found = second_opinion_values([sure, Look(6_300.0, PRIOR)], np.array([[0.5, 0.2, 0.3]]), costs, np.array([0]), np.array([2]))
    assert found[0, 1] == pytest.approx(-6_300.0)
