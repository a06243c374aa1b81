"""What decisions come down to is what a slow loop over answers says; review is paid for, and experts' errors count."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data_contracts import LABELS
from models.consequences import consequences
from models.costs import AUTOMATIC, cost_matrix, realised_cost, review_cost
from models.evaluation import PROBABILITIES
from models.policy import default_policy
from models.review import TIERS, action_after

POLICY, ROWS = default_policy(), 300
RNG = np.random.default_rng(4)
PROBA = RNG.dirichlet((2, 1, 1), ROWS)
AMOUNT = np.exp(RNG.normal(10.5, 1.5, ROWS)).astype("int64") + 1
INSURED = RNG.random(ROWS) < 0.5
CLASSES = RNG.choice(LABELS, ROWS).astype(object)
ACTIONS = RNG.choice([*AUTOMATIC, *TIERS], ROWS).astype(object)
DECISIONS = pd.DataFrame(PROBA, columns=PROBABILITIES).assign(
    action=ACTIONS, automatic_action=np.where(np.isin(ACTIONS, AUTOMATIC), ACTIONS, RNG.choice(AUTOMATIC, ROWS))
)
FOUND = consequences(POLICY, DECISIONS, CLASSES, AMOUNT, INSURED)


def test_every_claim_is_priced_as_a_loop_over_the_answers_prices_it() -> None:
    for row in range(ROWS):
        one = slice(row, row + 1)
        table = cost_matrix(POLICY, AMOUNT[one], INSURED[one])[0][:, LABELS.index(CLASSES[row])]
        if ACTIONS[row] in AUTOMATIC:
            expected = table[AUTOMATIC.index(ACTIONS[row])]
        else:
            tier = POLICY.tiers[TIERS.index(ACTIONS[row])]
            expected = tier.fee_cents + tier.delay_cents
            for answer, label in enumerate(LABELS):
                chance = tier.confusion[LABELS.index(CLASSES[row])][answer]
                after = action_after(POLICY, PROBA[one], ACTIONS[row], np.array([label]), AMOUNT[one], INSURED[one])
                expected += chance * table[AUTOMATIC.index(after["automatic_action"].iloc[0])]
        assert FOUND.cost_cents[row] == pytest.approx(expected)


def test_without_experts_it_is_the_realised_cost_and_nothing_beats_the_class_known() -> None:
    alone = realised_cost(POLICY, DECISIONS["automatic_action"].to_numpy(), CLASSES, AMOUNT, INSURED)
    assert np.array_equal(FOUND.automatic_cents, alone)
    assert np.array_equal(FOUND.pay_cents, realised_cost(POLICY, np.full(ROWS, "PAY"), CLASSES, AMOUNT, INSURED))
    fees = review_cost(POLICY, ACTIONS)
    assert (FOUND.perfect_cents <= np.minimum(FOUND.cost_cents - fees, FOUND.automatic_cents) + 1e-6).all()


def test_every_claim_ends_somewhere_once() -> None:
    np.testing.assert_allclose(FOUND.final.sum(axis=1), 1.0)
    sure = np.isin(ACTIONS, AUTOMATIC)
    assert (np.array(AUTOMATIC, dtype=object)[FOUND.final[sure].argmax(axis=1)] == ACTIONS[sure]).all()


def test_no_decision_has_no_consequence() -> None:
    empty = consequences(POLICY, DECISIONS.iloc[:0], CLASSES[:0], AMOUNT[:0], INSURED[:0])
    assert empty.final.shape == (0, 4) and len(empty.cost_cents) == 0
