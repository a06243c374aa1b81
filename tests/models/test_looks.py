"""A look by an expert is worth what a tier's is, if the expert errs and costs like the tier."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.costs import cost_matrix, expected_costs
from models.looks import Look, look_values
from models.policy import default_policy
from models.review import review_values
from tests.models.experts_world import experts

POLICY = default_policy()


def claims(seed: int, rows: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet([1, 0.6, 0.4], rows)
    costs = cost_matrix(POLICY, rng.integers(100, 2_000_000, rows), rng.random(rows) < 0.5)
    return proba, costs, expected_costs(proba, costs).min(axis=1)


@given(st.integers(0, 100_000))
def test_a_look_by_an_expert_like_a_tier_is_worth_what_the_tiers_is(seed: int) -> None:
    proba, costs, now = claims(seed)
    like = [Look(tier.fee_cents + tier.delay_cents, np.array(tier.confusion)) for tier in POLICY.tiers]
    by_case = [Look(look.price_cents, np.broadcast_to(look.confusion, (len(proba), 3, 3))) for look in like]
    np.testing.assert_array_equal(look_values(like, proba, costs, now), review_values(POLICY, proba, costs))
    np.testing.assert_array_equal(look_values(by_case, proba, costs, now), review_values(POLICY, proba, costs))


@given(st.integers(0, 100_000))
def test_a_look_is_to_the_last_bit_worth_what_arrays_say(seed: int) -> None:
    proba, costs, now = claims(seed)
    for tier in POLICY.tiers:
        confusion, price = np.array(tier.confusion), tier.fee_cents + tier.delay_cents
        told = np.zeros(len(proba))
        for answer in range(3):
            products = (proba * confusion[:, answer])[:, None, :] * costs
            told += (products[..., 0] + products[..., 1] + products[..., 2]).min(axis=1)
        assert np.array_equal(look_values([Look(price, confusion)], proba, costs, now)[:, 0], now - price - told)


@given(st.integers(0, 100_000))
def test_an_expert_whose_answers_are_anothers_garbled_is_never_worth_more(seed: int) -> None:
    proba, costs, now = claims(seed)
    rng = np.random.default_rng([seed, 1])
    (confusion,) = experts(rng, 1)
    garbled = confusion @ rng.dirichlet(np.ones(3), 3)
    values = look_values([Look(6_300, confusion), Look(6_300, garbled)], proba, costs, now)
    assert (values[:, 0] >= values[:, 1] - 1e-4).all()


@given(st.integers(0, 100_000))
def test_each_case_is_valued_with_its_own_confusion(seed: int) -> None:
    proba, costs, now = claims(seed)
    confusions = experts(np.random.default_rng([seed, 2]), len(proba))
    together = look_values([Look(0.0, confusions)], proba, costs, now)[:, 0]
    for case, confusion in enumerate(confusions):
        alone = look_values([Look(0.0, confusion)], proba[case : case + 1], costs[case : case + 1], now[case : case + 1])
        assert together[case] == alone[0, 0]


def test_without_experts_there_is_nothing_to_value() -> None:
    proba, costs, now = claims(1)
    assert look_values([], proba, costs, now).shape == (6, 0)
