"""The table of costs: whole cents, no negative one, and the order that fairness asks for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts import LABELS
from models.costs import AUTOMATIC, cost_matrix, expected_costs, least_cost, realised_cost, recovery_share, review_cost
from models.policy import default_policy

POLICY = default_policy()
PAY, ASK, DENY, ACCUSE = range(4)
VALID, GAP, ABUSE = range(3)
AMOUNT = st.integers(1, 100_000_000)


def table(amount: int, insured: bool) -> np.ndarray:
    return cost_matrix(POLICY, np.array([amount]), np.array([insured]))[0]


@given(AMOUNT, st.booleans())
def test_costs_are_whole_cents_and_never_negative(amount: int, insured: bool) -> None:
    costs = table(amount, insured)
    assert (costs >= 0).all()
    assert (costs == np.rint(costs)).all()


@given(AMOUNT, st.booleans())
def test_under_certainty_each_truth_has_its_own_best_action(amount: int, insured: bool) -> None:
    costs = table(amount, insured)
    assert costs[:, VALID].argmin() == PAY
    assert costs[PAY, VALID] == 0
    assert costs[ACCUSE, ABUSE] < min(costs[PAY, ABUSE], costs[ASK, ABUSE], costs[DENY, ABUSE])
    assert costs[DENY, GAP] <= costs[ASK, GAP] < costs[ACCUSE, GAP]


@given(AMOUNT, st.booleans())
def test_an_accusation_of_a_valid_claim_is_as_many_times_worse_as_the_policy_says(amount: int, insured: bool) -> None:
    costs = table(amount, insured)
    assert costs[ACCUSE, VALID] == pytest.approx(POLICY.wrongful.accusation_multiple * costs[DENY, VALID], abs=10)
    assert costs[ACCUSE, GAP] > costs[DENY, VALID]


@given(AMOUNT, AMOUNT, st.booleans())
def test_a_larger_claim_never_costs_less_under_the_same_recovery(one: int, two: int, insured: bool) -> None:
    low, high = sorted((one, two))
    shares = recovery_share(POLICY, np.array([low, high]), np.array([insured, insured]))
    if shares[0] == shares[1]:
        assert (table(high, insured) >= table(low, insured)).all()


def test_up_to_the_limit_an_insured_sellers_claim_is_borne_by_the_marketplace_and_otherwise_shared() -> None:
    amounts, insured = np.array([100_000, 100_000, 100_001]), np.array([True, False, True])
    assert recovery_share(POLICY, amounts, insured).tolist() == [0.0, 0.4, 0.4]
    assert cost_matrix(POLICY, amounts, insured)[:, PAY, ABUSE].tolist() == [105_000, 65_000, 65_001]


@given(st.lists(st.tuples(AMOUNT, st.booleans()), max_size=5))
def test_every_cell_is_to_the_last_bit_what_the_table_of_the_docstring_says(claims: list[tuple[int, bool]]) -> None:
    amounts, insured = np.array([amount for amount, _ in claims]), np.array([is_insured for _, is_insured in claims], dtype=bool)
    wrong, evidence, repeat = POLICY.wrongful, POLICY.evidence, POLICY.abusive.repeat_cents
    a, unowed = amounts.astype(np.float64), POLICY.unsubstantiated
    lost, handling = a * (1.0 - recovery_share(POLICY, a, insured)), POLICY.denial.handling_cents
    w = wrong.customer_value_cents + wrong.appeal_rate * wrong.appeal_cents + (wrong.late_payment_share + wrong.unpaid_share) * a
    accused, nothing = wrong.accusation_multiple * w, 0.0 * a
    rows = [
        [nothing, unowed.unowed_share * lost, lost + repeat],
        [
            evidence.handling_cents + evidence.friction_cents + evidence.valid_dropout_share * w,
            nothing + evidence.handling_cents,
            evidence.handling_cents + evidence.forged_share * lost + repeat,
        ],
        [w, nothing + handling, handling + POLICY.abusive.curable_leak_share * lost + repeat],
        [accused, unowed.accused_share * accused, nothing + handling],
    ]
    assert np.array_equal(cost_matrix(POLICY, amounts, insured), np.rint(np.array(rows)).transpose(2, 0, 1))


def test_expected_costs_equal_a_loop() -> None:
    rng = np.random.default_rng(0)
    proba, amounts = rng.dirichlet([1, 1, 1], 20), rng.integers(1, 500_000, 20)
    costs = cost_matrix(POLICY, amounts, np.ones(20, bool))
    slow = [[sum(proba[n, y] * costs[n, k, y] for y in range(3)) for k in range(4)] for n in range(20)]
    np.testing.assert_allclose(expected_costs(proba, costs), slow, rtol=1e-12)


def test_the_realised_cost_is_the_expected_cost_of_a_certain_truth() -> None:
    rng = np.random.default_rng(1)
    action, truth = rng.choice(AUTOMATIC, 200), rng.choice(LABELS, 200)
    amounts, insured = rng.integers(1, 500_000, 200), rng.random(200) < 0.5
    certain = (truth[:, None] == np.array(LABELS)).astype(float)
    expected = expected_costs(certain, cost_matrix(POLICY, amounts, insured))
    chosen = expected[np.arange(200), [AUTOMATIC.index(name) for name in action]]
    found = realised_cost(POLICY, action, truth, amounts, insured)
    assert found.dtype == np.int64
    assert np.array_equal(found, chosen)
    assert (least_cost(POLICY, truth, amounts, insured) <= found).all()
    assert np.array_equal(least_cost(POLICY, truth, amounts, insured), expected.min(axis=1))


def test_an_action_that_is_not_automatic_or_an_unknown_truth_is_named() -> None:
    one = np.array([1000])
    with pytest.raises(ValueError, match=r"action: expected one of PAY.*found 'DESK'"):
        realised_cost(POLICY, np.array(["DESK"]), np.array(["valid"]), one, one > 0)
    with pytest.raises(ValueError, match=r"truth: expected one of valid.*found 'unknown'"):
        realised_cost(POLICY, np.array(["PAY"]), np.array(["unknown"]), one, one > 0)


def test_a_review_costs_fee_and_delay_and_an_automatic_action_neither() -> None:
    assert review_cost(POLICY, np.array(["PAY", "DESK", "INVESTIGATE"])).tolist() == [0, 6_300, 254_000]
