"""Bounds on harm hold as often as they say, whatever the weights; exact tests and simulated truths are the oracles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from models.risk import NEVER, Guarantee, certify, class_thresholds, p_value


def _claims(rng: np.random.Generator, n: int, separation: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw truths and scores; P(abusive) of the others is a beta law, so that the true rate above a threshold is known."""
    truth = np.array(["valid", "unsubstantiated", "abusive"])[rng.choice(3, n, p=[0.66, 0.24, 0.10])]
    score = np.where(truth == "abusive", rng.beta(2 + separation, 2, n), rng.beta(2, 2 + separation, n))
    rest = (1 - score) * np.where(truth == "unsubstantiated", 0.7, 0.3)
    return truth, np.stack([1 - score - rest, rest, score], axis=1)


def test_a_true_hypothesis_is_refuted_no_oftener_than_stated() -> None:
    rng = np.random.default_rng(1)
    bound, n, audited = 0.01, 8_000, 0.05
    refuted = 0
    for _ in range(400):
        # Exactly the bound: one non-abusive claim in a hundred accused; half of all examined surely, half drawn by the audit.
        accused, sure = rng.random(n) < bound, rng.random(n) < 0.02
        weight = np.where(sure, 1.0, 1 / audited)
        seen = sure | (rng.random(n) < audited)
        losses = (weight * (accused - bound))[seen]
        refuted += p_value(losses, -bound / audited, (1 - bound) / audited) <= 0.05
    assert refuted <= binom.ppf(0.999, 400, 0.05)


@given(st.integers(50, 3_000), st.integers(0, 5))
def test_the_bet_is_never_more_sanguine_than_the_exact_binomial_test_and_rarely_far_behind(n: int, errors: int) -> None:
    bound = 0.01
    losses = np.where(np.arange(n) < errors, 1 - bound, -bound)
    exact = binom.cdf(errors, n, bound)
    bet = p_value(losses, -bound, 1 - bound)
    assert bet >= exact * 0.999
    assert bet <= min(1.0, 40 * exact + 1e-12) or exact > 0.02


@given(st.permutations(list(range(12))))
def test_the_order_of_claims_does_not_matter(order: list[int]) -> None:
    losses = np.array([-0.5, -0.01, -0.5, 0.0, 3.0, -0.25, -0.5, -0.5, 1.0, -0.1, -0.2, -0.3])
    assert p_value(losses[order], -0.5, 49.5) == pytest.approx(p_value(losses, -0.5, 49.5), rel=1e-12)


def test_losses_outside_their_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected numbers from -0.5 to 1, found -0.1 to 2"):
        p_value(np.array([-0.1, 2.0]), -0.5, 1)


def test_a_certified_threshold_keeps_its_bound_as_often_as_stated_with_labels_from_a_random_audit() -> None:
    rng = np.random.default_rng(2)
    broken, strictest = 0, 0
    for _ in range(150):
        truth, proba = _claims(rng, 20_000)
        seen = rng.random(len(truth)) < 0.1
        found = certify(proba[seen], truth[seen], np.full(seen.sum(), 10.0), 10.0)
        innocent, others = _claims(rng, 50_000)
        broken += (others[innocent != "abusive", 2] >= found.threshold).mean() > 0.011  # 0.001: what 45,000 draws may err
        strictest += found.threshold > 0.95
    assert broken <= binom.ppf(0.999, 150, 0.05)
    assert strictest < 75, "a guarantee that never lets anybody be accused would be worthless"


def test_claims_that_nobody_drew_are_not_needed_and_drawn_ones_speak_for_them() -> None:
    """Reviewing the doubtful claims surely and the rest by audit gives nearly the threshold that all labels would give."""
    rng = np.random.default_rng(3)
    truth, proba = _claims(rng, 60_000)
    whole = certify(proba, truth, np.ones(len(truth)), 1.0)
    sure = (proba[:, 2] > 0.4) & (proba[:, 2] < 0.6)
    drawn = sure | (rng.random(len(truth)) < 0.05)
    audited = certify(proba[drawn], truth[drawn], np.where(sure, 1.0, 20.0)[drawn], 20.0)
    assert abs(audited.threshold - whole.threshold) < 0.1


def test_without_enough_labels_nobody_is_accused() -> None:
    truth, proba = _claims(np.random.default_rng(4), 200)
    found = certify(proba, truth, np.ones(200), 1.0)
    assert found.threshold == NEVER
    assert not found.allows(proba).any()


@given(st.floats(0.5, 0.99), st.floats(0.5, 0.99))
def test_more_confidence_never_lowers_the_threshold(one: float, other: float) -> None:
    truth, proba = _claims(np.random.default_rng(5), 1_500)
    low, high = (certify(proba, truth, np.ones(1_500), 1.0, confidence=c).threshold for c in sorted((one, other)))
    assert low <= high


def test_the_record_of_a_guarantee_is_what_was_tested() -> None:
    truth, proba = _claims(np.random.default_rng(6), 4_000)
    found = certify(proba, truth, np.full(4_000, 2.0), 2.0)
    at = proba[:, 2] >= found.threshold
    assert (found.accused, found.wrongly) == (2.0 * at.sum(), 2.0 * (at & (truth != "abusive")).sum())
    assert Guarantee(**found.to_json()) == found


def test_sets_lack_the_true_class_no_oftener_than_allowed() -> None:
    rng = np.random.default_rng(8)
    lacking = np.zeros(3)
    for _ in range(100):
        truth, proba = _claims(rng, 1_500)
        least = class_thresholds(proba, truth, np.ones(1_500), 1.0, (0.1, 0.1, 0.1))
        fresh, others = _claims(rng, 4_000)
        for place, label in enumerate(("valid", "unsubstantiated", "abusive")):
            lacking[place] += (others[fresh == label, place] < least[place]).mean() / 100
    assert (lacking <= 0.105).all()
    assert (lacking > 0.08).all()


def test_claims_labels_and_weights_that_do_not_belong_together_are_refused() -> None:
    truth, proba = _claims(np.random.default_rng(9), 10)
    with pytest.raises(ValueError, match="expected one label and weight per claim, found 10 claims, 9 labels"):
        certify(proba, truth[:9], np.ones(10), 1.0)
    with pytest.raises(ValueError, match="weights: expected numbers from 0 to 1"):
        certify(proba, truth, np.full(10, 2.0), 1.0)
