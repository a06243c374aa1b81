"""What answers tell about experts and cases, against closed forms and simulated experts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from models.consensus import consensus
from models.experts import after_answer
from models.opinions import Answers
from tests.models.experts_world import PRIOR, world

SEEDS = st.integers(0, 10_000)


@settings(max_examples=15)
@given(SEEDS, st.booleans(), st.sampled_from([0.0, 3.0]))
def test_the_log_posterior_never_falls(seed: int, pooled: bool, sway: float) -> None:
    gains = np.diff(consensus(world(seed, 4, 40, sway=sway).answers, PRIOR, pooled=pooled).objective)
    assert (gains >= -1e-7).all()


@settings(max_examples=15)
@given(SEEDS)
def test_with_the_truth_known_and_nothing_shown_it_counts_errors(seed: int) -> None:
    made = world(seed, 3, 50)
    known = replace(made.answers, gold=made.truth, shown=None)
    found = consensus(known, PRIOR, strength=7.0, pooled=False)
    for expert in range(3):
        rows = known.expert == expert
        counts = np.zeros((3, 3))
        np.add.at(counts, (made.truth[known.case[rows]], known.label[rows]), 1.0)
        mean = (7.0 * PRIOR + counts) / (7.0 + counts.sum(axis=1, keepdims=True))  # of a Dirichlet posterior, row by row
        np.testing.assert_allclose(found.confusions[expert], mean, atol=1e-12)


def test_one_answer_updates_a_case_by_bayes_rule() -> None:
    proba = np.array([[0.5, 0.2, 0.3]])
    found = consensus(Answers(np.array([0]), np.array([0]), np.array([2]), proba, np.array([-1]), 1), PRIOR, strength=1e9, pooled=False)
    np.testing.assert_allclose(found.posterior, after_answer(proba, np.array(["abusive"]), PRIOR), rtol=1e-6)


def test_without_answers_nothing_is_learned() -> None:
    none, proba = np.empty(0, dtype=np.int64), np.array([[0.5, 0.2, 0.3]])
    found = consensus(Answers(none, none, none, proba, np.array([-1]), 2, np.empty((0, 3))), PRIOR)
    np.testing.assert_allclose(found.confusions, np.stack([PRIOR, PRIOR]), rtol=1e-9)
    np.testing.assert_allclose(found.posterior, proba)


@settings(max_examples=10)
@given(SEEDS)
def test_the_order_of_answers_and_the_names_of_experts_do_not_matter(seed: int) -> None:
    made = world(seed, 4, 40, sway=2.0).answers
    rng = np.random.default_rng(seed)
    order, names = rng.permutation(len(made.case)), rng.permutation(4)
    assert made.shown is not None
    shuffled = Answers(made.case[order], names[made.expert[order]], made.label[order], made.proba, made.gold, 4, made.shown[order])
    one, other = consensus(made, PRIOR), consensus(shuffled, PRIOR)
    np.testing.assert_allclose(other.confusions[names], one.confusions, atol=1e-6)
    np.testing.assert_allclose(other.posterior, one.posterior, atol=1e-6)


def test_experts_are_ranked_right_after_two_hundred_answers_each() -> None:
    ranked = []
    for seed in range(5):
        made = world(seed, 10, 200, sway=2.0)
        shares = np.bincount(made.truth, minlength=3) / len(made.truth)
        skill = np.einsum("eyy,y->e", made.confusions, shares)
        ranked.append(spearmanr(skill, consensus(made.answers, PRIOR).accuracy(shares)).statistic)
    assert np.mean(ranked) >= 0.8
    assert min(ranked) >= 0.6


def test_cases_chosen_by_the_model_do_not_bend_the_confusions_because_its_probability_is_their_prior() -> None:
    errors = {"model": [], "common share": []}
    for seed in range(4):
        made = world(seed, 3, 700)
        chosen = np.flatnonzero(made.answers.proba[:, 2] > 0.25)
        kept = np.isin(made.answers.case, chosen)
        place = np.cumsum(np.isin(np.arange(len(made.truth)), chosen)) - 1
        one = Answers(
            place[made.answers.case[kept]],
            np.zeros(kept.sum(), dtype=np.int64),
            made.answers.label[kept],
            made.answers.proba[chosen],
            np.full(len(chosen), -1),
            1,
        )
        common = replace(one, proba=np.tile(made.answers.proba.mean(axis=0), (len(chosen), 1)))
        for name, said in (("model", one), ("common share", common)):
            found = consensus(said, PRIOR, strength=5.0).confusions[0]
            mean = np.mean([made.confusions[made.answers.expert[kept]].mean(axis=0)], axis=0)
            errors[name].append(np.abs(found - mean).max())
    assert np.mean(errors["model"]) < 0.6 * np.mean(errors["common share"])


def test_the_sway_of_a_shown_probability_is_found_and_who_follows_it_is_not_taken_for_skilled() -> None:
    made = world(3, 6, 400, gold=0.05, sway=4.0)
    found, blind = consensus(made.answers, PRIOR), consensus(replace(made.answers, shown=None), PRIOR)
    assert found.sway.mean() == pytest.approx(4.0, abs=1.2)
    truth = made.confusions.mean(axis=0)
    assert np.abs(found.confusions.mean(axis=0) - truth).mean() < 0.6 * np.abs(blind.confusions.mean(axis=0) - truth).mean()
    assert consensus(world(3, 6, 400, gold=0.05).answers, PRIOR).sway.mean() == pytest.approx(0.0, abs=0.8)


def test_gold_overrules_a_model_that_thought_it_impossible() -> None:
    said = Answers(np.array([0]), np.array([0]), np.array([0]), np.array([[1.0, 0.0, 0.0]]), np.array([2]), 1)
    assert consensus(said, PRIOR).posterior.tolist() == [[0.0, 0.0, 1.0]]


def test_confusions_on_a_case_as_shown_bend_towards_what_is_shown() -> None:
    found = consensus(world(3, 6, 300, sway=4.0).answers, PRIOR)
    on = found.on(np.array([[0.0, 0.0, 0.0], [-0.4, 0.0, 0.4]]))
    np.testing.assert_allclose(on[0], found.confusions)
    np.testing.assert_allclose(on.sum(axis=-1), 1.0)
    assert (on[1, :, :, 2] > on[0, :, :, 2]).all()


@pytest.mark.parametrize("prior", [np.eye(3), np.full((3, 3), 0.5), np.full((2, 2), 0.5)])
def test_a_prior_that_is_no_confusion_is_refused(prior: np.ndarray) -> None:
    with pytest.raises(ValueError, match="prior: expected"):
        consensus(world(1, 2, 10).answers, prior)


def test_answers_out_of_range_are_refused() -> None:
    one = np.array([0])
    with pytest.raises(ValueError, match="expert: expected 0 to 0"):
        Answers(one, np.array([1]), one, np.full((1, 3), 1 / 3), np.array([-1]), 1)
    with pytest.raises(ValueError, match="one length"):
        Answers(one, np.array([0, 0]), one, np.full((1, 3), 1 / 3), np.array([-1]), 1)
