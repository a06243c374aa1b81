"""The peers of the deferral benchmark do what their papers say, and costs are counted alike for all."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._deferral_cases import Cases
from benchmarks._deferral_trial import EXPERTS, Trial, capacities, history
from benchmarks.deferral import summary
from benchmarks.peers import deccaf, one_vs_all
from models.assignment import assign
from models.costs import cost_matrix
from models.policy import default_policy
from pipelines.simulate.panel import answer_probabilities, hire_panel


def made(seed: int, count: int = 300) -> Cases:
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet([1.2, 0.4, 0.5], count)
    truth = (proba.cumsum(axis=1)[:, :-1] < rng.random((count, 1))).sum(axis=1)
    costs = cost_matrix(default_policy(), rng.integers(30_000, 300_000, count), rng.random(count) < 0.7)
    return Cases(rng.random((count, 5)) - 0.5, proba, truth, costs)


def test_given_the_same_costs_and_full_use_of_capacity_deccaf_and_ours_are_worth_the_same() -> None:
    rng = np.random.default_rng(1)
    costs, room = rng.integers(0, 1_000, (20, 4)).astype(float), np.array([3, 4, 5])
    theirs = deccaf.assign(costs, np.append(room, 8))
    assert np.bincount(theirs, minlength=4).tolist() == [3, 4, 5, 8]
    values = costs[:, 3:] - costs[:, :3] + 10_000  # worth enough that ours, too, leaves nobody idle
    ours = assign(values, room)
    taken = theirs < 3
    assert ours.value == pytest.approx(values[taken, theirs[taken]].sum())


def test_one_vs_all_sends_the_highest_score_to_the_likeliest_expert_with_room() -> None:
    right = np.array([[0.9, 0.8], [0.9, 0.1], [0.2, 0.3]])
    assert one_vs_all.assign(np.array([0.5, 0.9, 0.1]), right, np.array([1, 1])).tolist() == [1, 0, -1]


def test_the_models_of_experts_give_probabilities() -> None:
    rng = np.random.default_rng(2)
    inputs, expert, truth, said = rng.random((600, 4)), rng.integers(0, 3, 600), rng.integers(0, 3, 600), rng.integers(0, 3, 600)
    joint = deccaf.outcomes(inputs, expert, truth, said, inputs[:10], 3)
    assert joint.shape == (10, 3, 3, 3)
    assert ((joint >= 0) & (joint <= 1)).all()
    right = one_vs_all.rightness(inputs, expert, said == truth, inputs[:10], 3)
    assert right.shape == (10, 3)
    assert ((right > 0) & (right < 1)).all()


def test_a_look_costs_its_price_and_what_its_answers_lead_to_under_the_truth() -> None:
    cases = made(3, 4)
    chances = np.zeros((4, EXPERTS, 3))
    chances[np.arange(4), :, cases.truth] = 1.0
    trial = Trial(cases, chances, 6_300.0, np.zeros((1, EXPERTS), dtype=np.int64))
    best = cases.costs[np.arange(4), :, cases.truth].min(axis=1)
    np.testing.assert_allclose(trial.cost(np.zeros(4, dtype=np.int64), trial.obeyed()), best + 6_300)
    alone = cases.costs[np.arange(4), cases.automatic[0], cases.truth]
    np.testing.assert_allclose(trial.cost(np.full(4, -1), trial.obeyed()), alone)


def test_believing_an_infallible_expert_is_obeying() -> None:
    cases = made(4, 20)
    trial = Trial(cases, np.full((20, EXPERTS, 3), 1 / 3), 0.0, np.zeros((1, EXPERTS), dtype=np.int64))
    sure = np.broadcast_to(np.eye(3), (20, EXPERTS, 3, 3))
    np.testing.assert_array_equal(trial.ends(sure), trial.obeyed())


def test_capacity_never_exceeds_the_batch() -> None:
    drawn = capacities(250, np.random.default_rng(5))
    assert drawn.shape[1] == EXPERTS
    assert (drawn >= 0).all()
    assert (drawn.sum(axis=1) <= 250 // len(drawn)).all()


def test_a_history_has_gold_overlap_and_hidden_answers_and_nobody_answers_twice() -> None:
    cases = made(6, 600)
    panel = hire_panel(EXPERTS, cases.features, cases.shown, cases.truth, np.random.default_rng(6))
    said = history(panel, cases, 400, np.random.default_rng(7)).answers
    pairs = list(zip(said.case, said.expert, strict=True))
    assert len(pairs) == len(set(pairs)) > 400
    assert said.shown is not None
    assert 0.05 < (said.shown == 0).all(axis=1).mean() < 0.3
    assert set(np.unique(said.gold)) == {-1, 0, 1, 2}
    assert answer_probabilities(panel, cases.features, cases.shown, cases.truth).shape == (600, EXPERTS, 3)


def test_the_summary_pairs_ways_batch_by_batch() -> None:
    names = (
        "ours",
        "ours_learned",
        "ours_confusions",
        "ours_confusions_learned",
        "ours_confusions_known",
        "oracle",
        "random",
        "score_ordered",
    )
    names += ("first_in_first_out", "one_vs_all", "deccaf", "deccaf_as_published")
    rng = np.random.default_rng(8)
    rows = []
    for seed in range(3):
        batch = rng.lognormal(5, 1, 6)
        batches = {name: (batch * (0.5 if name.startswith("ours") else 1.0)).tolist() for name in names}
        cost = {name: float(np.sum(sums)) / 600 for name, sums in batches.items()}
        rows.append({"seed": seed, "cost": cost, "batches": batches, "claims": 600, "spearman": {"ours": 0.9}})
    found = summary(rows, draws=50)
    assert found["ratios"]["cost_vs_deccaf"] == pytest.approx(0.5)
    assert found["metrics"]["cost_vs_deccaf_interval"] == [0.5, 0.5]
    assert found["metrics"]["spearman_ours_min"] == 0.9
