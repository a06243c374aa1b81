"""Ways of deciding priced against the truth: every sum recomputed claim by claim, and nothing beats perfect knowledge."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from data_contracts import LABELS
from models.costs import AUTOMATIC, cost_matrix
from models.decision import decide
from models.evaluation import PROBABILITIES, Costs, costs, expected_cost_by_capacity, final_actions, quality
from models.experts import after_answer
from models.policy import Policy, default_policy

POLICY = default_policy()
TIERS = {"DESK": POLICY.desk, "INVESTIGATE": POLICY.investigation}


@dataclass(frozen=True)
class Book:
    """Decided claims with answers to some of the reviewed ones."""

    decisions: pd.DataFrame
    answers: pd.DataFrame
    truth: np.ndarray
    amount: np.ndarray
    insured: np.ndarray

    def costs(self, policy: Policy = POLICY) -> Costs:
        return costs(policy, self.decisions, self.answers, self.truth, self.amount, self.insured)

    def actions(self) -> np.ndarray:
        return final_actions(POLICY, self.decisions, self.answers, self.amount, self.insured)


def book(seed: int, claims: int = 150) -> Book:
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet((2.0, 0.8, 0.5), claims)
    truth = np.array(LABELS, dtype=object)[(proba.cumsum(axis=1) < rng.random((claims, 1))).sum(axis=1).clip(0, 2)]
    amount = np.clip(np.exp(rng.normal(10.2, 1.6, claims)), 100, 1e8).astype("int64")
    insured = rng.random(claims) < 0.6
    decided = decide(POLICY, proba, amount, insured)
    automatic = decided["automatic_action"].to_numpy(dtype=object)
    reviewed = rng.choice(["", "DESK", "INVESTIGATE"], claims, p=[0.6, 0.3, 0.1])
    ids = [f"C{i}" for i in range(claims)]
    day = pd.Timestamp("2025-03-01", tz="UTC") + pd.to_timedelta(np.sort(rng.integers(0, 12, claims)), unit="D")
    decisions = pd.DataFrame({"claim_id": ids, "decided_at": day, "action": np.where(reviewed == "", automatic, reviewed)})
    decisions = decisions.assign(automatic_action=automatic, automatic_cost_cents=decided["automatic_cost_cents"].to_numpy())
    decisions = decisions.assign(**dict(zip(PROBABILITIES, proba.T, strict=True)))
    heard = decisions["claim_id"][(reviewed != "") & (rng.random(claims) < 0.8)]
    answers = pd.DataFrame({"claim_id": heard, "label": rng.choice(LABELS, len(heard))}).sample(frac=1, random_state=seed)
    return Book(decisions, answers, truth, amount, insured)


def by_hand(found: Book) -> Costs:
    """The four totals, one claim after the other."""
    pay = model = experts = perfect = 0.0
    answer = dict(zip(found.answers["claim_id"], found.answers["label"], strict=True))
    for row, (_, decision) in enumerate(found.decisions.iterrows()):
        table = cost_matrix(POLICY, found.amount[row : row + 1], found.insured[row : row + 1])[0]
        truth, automatic = LABELS.index(found.truth[row]), AUTOMATIC.index(decision["automatic_action"])
        pay += table[0, truth]
        model += table[automatic, truth]
        perfect += table[:, truth].min()
        if decision["claim_id"] in answer:
            tier = TIERS[decision["action"]]
            likelihood = np.array(tier.confusion)[:, LABELS.index(answer[decision["claim_id"]])]
            posterior = decision[PROBABILITIES].to_numpy(dtype=float) * likelihood
            automatic = int(np.argmin(np.round(table @ (posterior / posterior.sum()), 6)))
            experts += tier.fee_cents + tier.delay_cents
        experts += table[automatic, truth]
    return Costs(round(pay), round(model), round(experts), round(perfect))


@pytest.mark.parametrize("seed", range(5))
def test_every_total_is_the_sum_of_its_claims(seed: int) -> None:
    assert book(seed).costs() == by_hand(book(seed))


@pytest.mark.parametrize("seed", range(5))
def test_perfect_knowledge_never_costs_more_than_any_other_way(seed: int) -> None:
    found = book(seed).costs()
    assert 0 <= found.perfect <= min(found.pay_everything, found.model, found.model_experts)


def test_without_answers_experts_change_nothing_and_cost_nothing() -> None:
    silent = replace(book(1), answers=book(1).answers.iloc[:0])
    assert silent.actions().tolist() == silent.decisions["automatic_action"].tolist()
    assert silent.costs().model_experts == silent.costs().model


def test_only_the_answered_reviews_are_acted_on_and_by_bayes_rule() -> None:
    found = book(2)
    final = found.actions()
    heard = found.decisions["claim_id"].isin(found.answers["claim_id"]).to_numpy()
    assert (final[~heard] == found.decisions["automatic_action"][~heard]).all()
    assert (final[heard] != found.decisions["automatic_action"][heard]).any()
    row = int(np.flatnonzero(heard & (found.decisions["action"] == "DESK").to_numpy())[0])
    claim = found.decisions.iloc[[row]]
    said = found.answers.set_index("claim_id")["label"].loc[claim["claim_id"]].to_numpy()
    posterior = after_answer(claim[PROBABILITIES].to_numpy(), said, np.array(POLICY.desk.confusion))
    best = decide(POLICY, posterior, found.amount[[row]], found.insured[[row]])["automatic_action"].item()
    assert final[row] == best


def test_the_order_of_claims_and_of_answers_changes_no_total() -> None:
    found = book(3)
    order = np.random.default_rng(0).permutation(len(found.truth))
    mixed = Book(found.decisions.iloc[order], found.answers.iloc[::-1], found.truth[order], found.amount[order], found.insured[order])
    assert mixed.costs() == found.costs()


@pytest.mark.parametrize("seed", range(4))
def test_more_desk_capacity_never_raises_the_expected_cost_and_none_costs_the_automatic_actions(seed: int) -> None:
    found = book(seed)
    expected = expected_cost_by_capacity(POLICY, found.decisions, found.amount, found.insured, range(0, 40, 3))
    assert (np.diff(expected) <= 0).all() and expected[-1] < expected[0]
    nobody = replace(POLICY, investigation=replace(POLICY.investigation, cases=0))
    table = cost_matrix(POLICY, found.amount, found.insured)
    automatic = np.einsum("ij,ikj->ik", found.decisions[PROBABILITIES].to_numpy(), table).min(axis=1).sum()
    none = expected_cost_by_capacity(nobody, found.decisions, found.amount, found.insured, [0])
    assert none.item() == pytest.approx(automatic, abs=len(found.decisions) / 2)  # costs are kept in whole cents


def test_quality_of_a_perfect_ranking_is_perfect_and_of_a_blind_one_a_coin() -> None:
    rng = np.random.default_rng(0)
    truth = rng.choice(np.array(LABELS, dtype=object), 600)
    sure = np.eye(3)[[LABELS.index(label) for label in truth]]
    best = quality(truth, sure, np.arange(600), np.random.default_rng(1), draws=50)
    assert (best.auc_abusive.estimate, best.ap_abusive.estimate, best.ece.estimate) == (1.0, 1.0, 0.0)
    blind = quality(truth, rng.dirichlet((1, 1, 1), 600), np.arange(600), np.random.default_rng(1), draws=50)
    assert blind.auc_abusive.low < 0.5 < blind.auc_abusive.high
    for interval in (blind.auc_abusive, blind.ap_abusive, blind.ece):
        assert interval.low <= interval.high


def test_the_same_generator_gives_the_same_intervals() -> None:
    found = book(4)
    proba = found.decisions[PROBABILITIES].to_numpy()
    once, again = (quality(found.truth, proba, np.arange(150) // 2, np.random.default_rng(7), draws=40) for _ in range(2))
    assert once == again


def test_claims_decided_one_by_one_share_the_capacity_of_their_day() -> None:
    found = book(5)
    seconds = pd.to_timedelta(np.arange(len(found.decisions)), unit="s")
    apart = found.decisions.assign(decided_at=found.decisions["decided_at"] - pd.Timedelta(hours=12) + seconds)
    together, singly = (expected_cost_by_capacity(POLICY, d, found.amount, found.insured, [0, 1, 3]) for d in (found.decisions, apart))
    assert np.array_equal(together, singly)
