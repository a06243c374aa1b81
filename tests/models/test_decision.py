"""The automatic action is the cheapest in expectation, and the audit is a fair draw."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from data_contracts import LABELS
from models.costs import AUTOMATIC, realised_cost
from models.decision import audited, cheapest, decide
from models.policy import Audit, default_policy

POLICY = default_policy()
IDS = pd.Series([f"C{i}" for i in range(20_000)])


@given(st.integers(0, 10_000))
def test_the_action_is_the_cheapest_of_the_four_by_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    proba, amounts, insured = rng.dirichlet([1, 1, 1], 5), rng.integers(1, 3_000_000, 5), rng.random(5) < 0.5
    found = decide(POLICY, proba, amounts, insured)
    for row in range(5):
        price = {
            action: sum(
                proba[row, y] * realised_cost(POLICY, np.array([action]), np.array([label]), amounts[[row]], insured[[row]])[0]
                for y, label in enumerate(LABELS)
            )
            for action in AUTOMATIC
        }
        assert price[found.automatic_action[row]] <= min(price.values()) + 1e-6
        assert abs(found.automatic_cost_cents[row] - min(price.values())) <= 0.5 + 1e-6


def test_of_equal_costs_the_milder_action_wins() -> None:
    assert cheapest(np.full((1, 4), 7.0)).automatic_action.tolist() == ["PAY"]
    assert cheapest(np.array([[9.0, 7.0, 7.0 - 1e-9, 7.0]])).automatic_action.tolist() == ["REQUEST_EVIDENCE"]


@given(st.floats(0, 1), st.integers(1, 1_000_000))
def test_more_probability_of_abuse_taken_from_validity_never_makes_the_action_cheaper_than_paying_a_certain_claim(
    p: float, amount: int
) -> None:
    found = decide(POLICY, np.array([[1.0, 0.0, 0.0], [1 - p, 0.0, p]]), np.full(2, amount), np.full(2, True))
    assert found.automatic_action[0] == "PAY"
    assert found.automatic_cost_cents[0] == 0 <= found.automatic_cost_cents[1]


def test_nobody_is_called_abusive_while_validity_is_a_real_possibility() -> None:
    rng = np.random.default_rng(2)
    proba = rng.dirichlet([1, 1, 1], 20_000)
    found = decide(POLICY, proba, rng.integers(100, 2_000_000, 20_000), rng.random(20_000) < 0.5)
    accused = (found.automatic_action == "DENY_ABUSIVE").to_numpy()
    assert accused.any()
    assert proba[accused, 0].max() < 0.12


def test_the_audit_draws_its_rate_and_depends_on_nothing_but_seed_and_claim() -> None:
    drawn = audited(Audit(0.05, "s", 0.5), IDS)
    assert abs(drawn.mean() - 0.05) < 0.006
    shuffled = IDS.sample(frac=1, random_state=0)
    assert np.array_equal(audited(Audit(0.05, "s", 0.5), shuffled), drawn[shuffled.index])
    assert not np.array_equal(audited(Audit(0.05, "t", 0.5), IDS), drawn)


def test_a_higher_rate_only_adds_to_the_draw_and_the_rate_one_draws_all() -> None:
    low, high = audited(Audit(0.02, "s", 0.5), IDS), audited(Audit(0.2, "s", 0.5), IDS)
    assert not (low & ~high).any()
    assert audited(Audit(1.0, "s", 0.5), IDS).all()
