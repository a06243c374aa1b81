"""Calibration repairs what it can, changes no ranking, and is chosen on later time."""

from __future__ import annotations

import json

import numpy as np
import pytest

from data_contracts import LABELS
from models.calibration import choose, fit
from models.calibration_maps import KINDS, Calibration
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


@pytest.mark.parametrize("seed", range(6))
def test_probabilities_that_are_already_right_are_left_alone(seed: int) -> None:
    data = sample(2000, seed=seed)
    found, losses = choose(np.log(data.truth), data.labels, data.weights, np.arange(2000) // 500)
    assert found == Calibration() and losses["none"] - min(losses.values()) < 0.004


def test_the_kind_that_undoes_what_was_done_is_chosen() -> None:
    right = choose(TRUE, DATA.labels, DATA.weights, QUARTERS)[1]["none"]
    mixed = TRUE @ np.linalg.inv(np.array([[1.0, 0.5, 0.0], [0.0, 1.2, -0.4], [0.3, 0.0, 0.8]])).T
    for name, scores in (("dirichlet", mixed), ("temperature", TRUE * 1.8), ("vector", TRUE * 1.5 + np.array([0.0, 0.9, -0.7]))):
        found, losses = choose(scores, DATA.labels, DATA.weights, QUARTERS)
        # A simpler or a richer kind may undo it as well; none of them does so clearly better than the one that did it.
        assert found.kind != "none" and losses[name] < right + 0.01 and losses["none"] > right + 0.02
        assert losses[found.kind] >= losses[name] - 0.003
    assert choose(mixed, DATA.labels, DATA.weights, QUARTERS)[0].kind == "dirichlet"


def test_curves_undo_a_bend_that_no_line_does() -> None:
    large = sample(30_000, seed=2)
    # Odds of the first question pressed together in the middle: no scale and shift of a logarithm undoes it.
    abusive = large.truth[:, 2]
    bent = np.where(abusive < 0.15, abusive * 0.2, np.where(abusive < 0.5, 0.03 + (abusive - 0.15) * 0.1, 0.065 + (abusive - 0.5) * 1.8))
    scores = np.log(np.column_stack([large.truth[:, :2] / large.truth[:, :2].sum(axis=1, keepdims=True) * (1 - bent)[:, None], bent]))
    found, losses = choose(scores, large.labels, large.weights, np.arange(30_000) // 10_000)
    assert found.kind == "isotonic" and losses["isotonic"] == min(losses.values())


@pytest.mark.parametrize("kind", ["nested", "vector", "dirichlet", "isotonic"])
def test_labels_of_fallible_experts_are_calibrated_to_the_truth(kind: str) -> None:
    large = sample(12_000, seed=8)
    confusion = np.array([[0.9, 0.07, 0.03], [0.15, 0.8, 0.05], [0.25, 0.1, 0.65]])
    rng = np.random.default_rng(0)
    place = np.array([LABELS.index(label) for label in large.labels])
    said = (confusion[place].cumsum(axis=1) < rng.random((12_000, 1))).sum(axis=1)
    likelihood = confusion[:, said].T
    scores = np.log(large.truth) * 1.5 + np.array([0.0, 0.3, -0.6])
    aimed = fit(kind, scores, np.array(LABELS)[said], large.weights, likelihood).proba(scores)
    fooled = fit(kind, scores, np.array(LABELS)[said], large.weights).proba(scores)
    assert np.abs(aimed.mean(axis=0) - large.truth.mean(axis=0)).max() < 0.02
    assert np.abs(aimed - large.truth).mean() < 0.6 * np.abs(fooled - large.truth).mean()


@pytest.mark.parametrize("kind", KINDS)
def test_an_isotonic_curve_rises_and_leaves_every_class_possible(kind: str) -> None:
    found = fit(kind, TRUE, DATA.labels, DATA.weights)
    assert (len(found.curves) == 3) == (kind == "isotonic")
    for curve in found.curves:
        corners = np.array(curve)
        assert (np.diff(corners[:, 0]) > 0).all() and (np.diff(corners[:, 1]) >= 0).all() and corners[0, 1] > 0
    assert (found.proba(TRUE) > 0).all()


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
