"""Promotion: only money beyond chance moves the champion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from data_contracts import LABELS
from models.costs import AUTOMATIC, cost_matrix
from models.decision import decide
from models.policy import default_policy
from models.promotion import FEWEST, Verdict, judge
from tests.models.synthetic import sample

POLICY = default_policy()


@dataclass(frozen=True)
class Case:
    """Labelled claims and two opinions about them: what each claim's chances really are, and the same for all."""

    knowing: np.ndarray
    blind: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    amount: np.ndarray
    insured: np.ndarray
    groups: np.ndarray

    def judge(self, champion: np.ndarray, challenger: np.ndarray, **how: Any) -> Verdict:
        rows = (self.labels, self.weights, self.amount, self.insured, self.groups)
        return judge(POLICY, champion, challenger, *rows, np.random.default_rng(0), **how)


def case(rows: int, seed: int = 0) -> Case:
    data, rng = sample(rows, seed), np.random.default_rng(seed)
    even = np.tile(data.truth.mean(axis=0), (rows, 1))
    weights = rng.choice([1.0, 20.0, 0.0], rows, p=[0.8, 0.15, 0.05])
    amount = data.claims["amount_cents"].to_numpy()
    return Case(data.truth, even, data.labels, weights, amount, rng.random(rows) < 0.5, data.claims["customer_id"].to_numpy())


@pytest.mark.parametrize("seed", range(5))
def test_identical_models_are_never_promoted(seed: int) -> None:
    found = case(400, seed)
    verdict = found.judge(found.knowing, found.knowing.copy())
    assert not verdict.promote
    assert (verdict.saving_cents.estimate, verdict.saving_cents.low, verdict.saving_cents.high) == (0.0, 0.0, 0.0)
    assert verdict.champion == verdict.challenger
    assert "the champion stays" in verdict.why


def test_a_clearly_better_challenger_is_promoted_and_a_worse_one_is_not() -> None:
    found = case(1200)
    better, worse = found.judge(found.blind, found.knowing), found.judge(found.knowing, found.blind)
    assert better.promote and better.saving_cents.low > 0 and better.why.endswith("promoted")
    assert not worse.promote and worse.saving_cents.high < 0
    assert better.saving_cents.estimate == pytest.approx(-worse.saving_cents.estimate)
    assert better.claims == 1200
    assert better.challenger["log_loss"] < better.champion["log_loss"]


@pytest.mark.parametrize("rows", [0, 1, FEWEST - 1])
def test_fewer_labels_than_the_fewest_promote_nobody_however_good(rows: int) -> None:
    found = case(max(rows, 2))
    few = Case(*(values[:rows] for values in vars(found).values()))
    verdict = few.judge(few.blind, few.knowing)
    assert not verdict.promote and verdict.claims == rows
    assert verdict.why == f"only {rows} labelled claims are later than both models, at least {FEWEST} are needed"


def test_the_saving_is_the_weighted_difference_of_what_the_decisions_cost() -> None:
    found = case(300, seed=3)
    table = cost_matrix(POLICY, found.amount, found.insured)
    total = []
    for proba in (found.blind, found.knowing):
        action = decide(POLICY, proba, found.amount, found.insured)["automatic_action"]
        each = [table[i, AUTOMATIC.index(a), LABELS.index(y)] for i, (a, y) in enumerate(zip(action, found.labels, strict=True))]
        total.append((found.weights * each).sum() / found.weights.sum())
    assert found.judge(found.blind, found.knowing).saving_cents.estimate == pytest.approx(total[0] - total[1])


def test_a_stricter_confidence_never_promotes_what_a_laxer_one_refuses() -> None:
    found = case(250, seed=1)
    opinions = (found.blind, 0.9 * found.blind + 0.1 * found.knowing)
    verdicts = [found.judge(*opinions, confidence=level) for level in (0.5, 0.8, 0.9, 0.99)]
    lows = [verdict.saving_cents.low for verdict in verdicts]
    assert lows == sorted(lows, reverse=True)
    assert [v.promote for v in verdicts] == sorted((v.promote for v in verdicts), reverse=True)
    for verdict in verdicts:
        assert verdict.promote == (verdict.saving_cents.low > 0)


def test_claims_of_weight_zero_have_no_say() -> None:
    found = case(600, seed=2)
    silent = found.weights == 0
    turned = found.labels.copy()
    turned[silent] = "abusive"
    other = Case(found.knowing, found.blind, turned, found.weights, found.amount, found.insured, found.groups)
    assert other.judge(found.blind, found.knowing).saving_cents == found.judge(found.blind, found.knowing).saving_cents
