"""Calibration repairs what it can, changes no ranking, and is chosen on later time."""

from __future__ import annotations

import json

import numpy as np
import pytest

from data_contracts import LABELS
from models.calibration import KINDS, Calibration, choose, fit
from tests.models.synthetic import sample

DATA = sample(4000, seed=5)
TRUE = np.log(DATA.truth)
HALVES = (np.arange(4000) >= 2000).astype(int)
QUARTERS = np.arange(4000) // 1000


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_are_probabilities_and_survive_json(kind: str) -> None:
    found = fit(kind, TRUE * 1.7, DATA.labels, DATA.weights)
    proba = found.proba(TRUE)
    assert (proba >= 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-12)
    assert Calibration.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_known_overconfidence_is_undone() -> None:
    found = fit("temperature", TRUE * 2.0, DATA.labels, DATA.weights)
    assert found.scales[0] == pytest.approx(0.5, abs=0.04)


def test_a_shift_of_prevalence_is_undone_by_vector_and_by_nested_and_not_by_temperature() -> None:
    shifted = TRUE + np.array([0.0, 0.8, -1.0])
    _, losses = choose(shifted, DATA.labels, DATA.weights, HALVES)
    best = choose(TRUE, DATA.labels, DATA.weights, HALVES)[1]["none"]
    assert losses["vector"] < best + 0.01
    assert losses["nested"] < best + 0.02
    assert losses["temperature"] > best + 0.05


def test_probabilities_that_are_already_right_are_left_nearly_alone() -> None:
    found, losses = choose(TRUE, DATA.labels, DATA.weights, HALVES)
    assert losses[found.kind] == min(losses.values()) <= losses["none"]
    assert losses["none"] - losses[found.kind] < 0.004


@pytest.mark.parametrize("kind", ["temperature", "nested"])
def test_the_order_of_claims_by_odds_of_abuse_is_kept(kind: str) -> None:
    found = fit(kind, TRUE * 1.4 + np.array([0.3, 0.0, -0.4]), DATA.labels, DATA.weights)
    if kind == "nested":
        assert np.array_equal(np.argsort(found.proba(TRUE)[:, 2], kind="stable"), np.argsort(TRUE[:, 2], kind="stable"))
    assert found.scales[0] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_alone_equals_the_row_in_the_batch_to_the_last_bit(kind: str) -> None:
    found = fit(kind, TRUE * 1.3, DATA.labels, DATA.weights)
    batch = found.proba(TRUE)
    assert all(np.array_equal(found.proba(TRUE[[row]])[0], batch[row]) for row in range(0, 4000, 301))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("absent", [0, 1, 2])
def test_a_class_that_cannot_be_stays_impossible(kind: str, absent: int) -> None:
    scores, labels = TRUE.copy(), DATA.labels
    scores[:, absent] = -np.inf
    kept = labels != ["valid", "unsubstantiated", "abusive"][absent]
    proba = fit(kind, scores[kept], labels[kept], DATA.weights[kept]).proba(scores)
    assert (proba[:, absent] == 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-12)


def test_weights_count_like_repeated_rows() -> None:
    weights = np.where(np.arange(4000) % 3 == 0, 3.0, 1.0)
    repeated = np.repeat(np.arange(4000), weights.astype(int))
    one = fit("vector", TRUE * 2, DATA.labels, weights)
    two = fit("vector", TRUE[repeated] * 2, DATA.labels[repeated], np.ones(len(repeated)))
    np.testing.assert_allclose(one.scales, two.scales, rtol=1e-3)


def test_too_few_rows_fit_nothing_and_no_later_rows_choose_nothing() -> None:
    assert fit("vector", TRUE[:20], DATA.labels[:20], DATA.weights[:20]) == Calibration()
    assert choose(TRUE, DATA.labels, DATA.weights, np.zeros(4000, int)) == (Calibration(), {})


def test_a_kind_that_does_not_exist_or_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of none, temperature"):
        fit("magic", TRUE, DATA.labels, DATA.weights)
    with pytest.raises(ValueError, match="2 scales and 0 shifts"):
        Calibration("temperature", (1.0, 2.0))
    with pytest.raises(ValueError, match="positive scales"):
        Calibration("temperature", (-1.0,))


def test_the_loss_of_a_candidate_is_that_of_maps_fitted_on_earlier_folds_only() -> None:
    scores = TRUE * 1.6 + np.array([0.2, 0.0, -0.3])
    _, losses = choose(scores, DATA.labels, DATA.weights, QUARTERS, ("temperature",))
    total = 0.0
    for now in (1, 2, 3):
        before, here = now > QUARTERS, now == QUARTERS
        proba = fit("temperature", scores[before], DATA.labels[before], DATA.weights[before]).proba(scores[here])
        picked = proba[np.arange(1000), [LABELS.index(label) for label in DATA.labels[here]]]
        total -= (DATA.weights[here] * np.log(picked)).sum()
    assert losses["temperature"] == pytest.approx(total / DATA.weights[QUARTERS > 0].sum(), abs=1e-12)


def test_rows_outside_every_fold_have_no_say() -> None:
    fold = np.where(np.arange(4000) < 500, -1, HALVES)
    strange = DATA.labels.copy()
    strange[:500] = "abusive"
    assert choose(TRUE, strange, DATA.weights, fold) == choose(TRUE, DATA.labels, DATA.weights, fold)
