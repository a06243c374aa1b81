"""Simulated experts err as often as drawn, on cases that depend on what they look at, and much as OpenL2D's do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from pipelines.simulate.panel import Manner, Panel, answer_probabilities, hire_panel, ranks


def cases(seed: int, count: int = 3_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, count, p=[0.58, 0.14, 0.28])
    lean = np.eye(3)[truth][:, 1:] + rng.normal(0, 1.2, (count, 2))
    return rng.random((count, 30)) - 0.5, ranks(lean, lean), truth


def panel(seed: int, experts: int = 12, manner: Manner = Manner()) -> Panel:  # noqa: B008
    return hire_panel(experts, *cases(seed), np.random.default_rng([seed, 1]), manner)


def test_everybody_errs_on_average_as_was_drawn_for_them() -> None:
    features, shown, truth = cases(1)
    hired = panel(1)
    chances = answer_probabilities(hired, features, shown, truth)
    for y in range(3):
        np.testing.assert_allclose(chances[truth == y].mean(axis=0), hired.confusions[:, y], atol=1e-6)


def test_experts_agree_beyond_chance_as_the_published_panel_does() -> None:
    # OpenL2D: pairwise kappa mean .49 (.06 to .79), raw agreement mean .75 of two classes; three agree less by chance.
    features, shown, truth = cases(2)
    rng = np.random.default_rng(5)
    chances = answer_probabilities(panel(2, 20), features, shown, truth)
    said = (chances.cumsum(axis=2)[:, :, :-1] < rng.random((len(truth), 20, 1))).sum(axis=2)
    pairs = [(i, j) for i in range(20) for j in range(i)]
    kappa = [cohen_kappa_score(said[:, i], said[:, j]) for i, j in pairs]
    assert np.mean(kappa) == pytest.approx(0.49, abs=0.08)
    assert 0.6 < np.mean([(said[:, i] == said[:, j]).mean() for i, j in pairs]) < 0.8
    assert min(kappa) < 0.3
    assert max(kappa) < 0.85


def test_two_classes_are_the_published_generator() -> None:
    hired = panel(3, 4)
    features, shown, _ = cases(3, 50)
    only = replace(hired, offsets=np.where(np.arange(3) == 1, -1e9, hired.offsets))  # unsubstantiated is out of the question
    lean = np.einsum("nf,ef->ne", features, hired.features[:, 1]) + shown[:, 1:] * hired.score[:, 1]
    for truth, sign in ((0, 1.0), (2, -1.0)):
        beta = sign * (hired.offsets[:, truth, 2] - hired.offsets[:, truth, 0])
        wrong = answer_probabilities(only, features, shown, np.full(50, truth))[:, :, 2 - truth]
        np.testing.assert_allclose(wrong, 1 / (1 + np.exp(-(beta + sign * hired.firmness * lean))), rtol=1e-9)


def test_the_model_pulls_only_while_it_is_shown() -> None:
    features, shown, truth = cases(4)
    hired = panel(4)
    high = shown[:, 1] > 0.25
    seen = answer_probabilities(hired, features, shown, truth)[high][:, :, 2].mean()
    hidden = answer_probabilities(hired, features, np.zeros_like(shown), truth)[high][:, :, 2].mean()
    assert seen > hidden + 0.03


def test_which_cases_go_wrong_depends_on_what_an_expert_looks_at() -> None:
    features, shown, truth = cases(5)
    firm, vague = panel(5), panel(5, manner=Manner(firmness=0.0, firmness_spread=0.0))
    valid = truth == 0
    assert answer_probabilities(firm, features, shown, truth)[valid].std(axis=0).mean() > 0.15
    np.testing.assert_allclose(answer_probabilities(vague, features, shown, truth)[valid].std(axis=0), 0.0, atol=1e-9)


def test_the_same_seed_hires_the_same_people() -> None:
    np.testing.assert_array_equal(panel(6).offsets, panel(6).offsets)
    assert (panel(6).offsets != panel(7).offsets).any()


def test_ranks_are_centred_and_missing_values_are_ordinary() -> None:
    values = np.array([[3.0], [1.0], [np.nan], [2.0]])
    assert ranks(values, values).ravel().tolist() == pytest.approx([1 / 3, -1 / 3, 0.0, 0.0])
    assert ranks(np.array([[9.0]]), np.array([[np.nan]])).tolist() == [[0.0]]
