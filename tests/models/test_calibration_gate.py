"""The gate of calibration refuses what the labels show, never what chance may have done; more labels make it sharper."""

from __future__ import annotations

import numpy as np
import pytest

from data_contracts import LABELS
from models.calibration_gate import Calibrated, calibrated, gate
from models.gates import Gates
from models.metrics import Interval
from tests.models.synthetic import sample

LIMITS = Gates(ece=0.05, ece_margin=0.02)


def found(excess: float, low: float | None = None) -> Calibrated:
    return Calibrated(excess + 0.1, 0.1, Interval(excess, excess if low is None else low, excess + 0.05, 100))


@pytest.mark.parametrize(
    ("champion", "challenger", "passed"), [(0.01, 0.04, True), (0.01, 0.06, False), (0.2, 0.21, True), (0.2, 0.23, False)]
)
def test_calibration_may_not_be_worse_than_the_limit_or_the_champion(champion: float, challenger: float, passed: bool) -> None:
    assert gate(found(champion), found(challenger), LIMITS).passed == passed


def test_an_excess_above_the_limit_refuses_only_where_its_interval_is_above_it_too() -> None:
    assert gate(found(0.0), found(0.09, low=0.04), LIMITS).passed and not gate(found(0.0), found(0.09, low=0.051), LIMITS).passed
    assert "interval 0.040 to 0.140" in gate(found(0.0), found(0.09, low=0.04), LIMITS).why


def test_calibration_that_cannot_be_measured_does_not_pass() -> None:
    nothing = np.array([]), np.empty((0, 3)), np.array([]), np.array([])
    unknown = calibrated(*nothing, np.random.default_rng(0))
    assert np.isnan(unknown.excess.estimate) and not gate(unknown, unknown, Gates()).passed


@pytest.mark.parametrize("rows", [150, 600])
def test_right_probabilities_err_by_chance_alone_and_wrong_ones_beyond_it(rows: int) -> None:
    beyond = []
    for seed in range(8):
        data, rng = sample(rows, seed), np.random.default_rng(seed)
        weights = rng.choice([1.0, 5.0], rows)
        both = (data.truth, data.truth[:, [2, 1, 0]])
        beyond += [calibrated(data.labels, proba, weights, np.arange(rows), rng, draws=20).excess for proba in both]
    assert abs(np.mean([one.estimate for one in beyond[::2]])) < 0.01 and min(one.estimate for one in beyond[1::2]) > 0.1
    # Right ones are never shown to be wrong, wrong ones always.
    assert max(one.low for one in beyond[::2]) < Gates().ece < min(one.low for one in beyond[1::2])


def test_the_same_error_is_refused_once_there_are_labels_enough_to_show_it() -> None:
    passed = {}
    for rows in (300, 6_000):
        rng = np.random.default_rng(rows)
        right = rng.dirichlet((4, 1.5, 0.7), rows)
        labels = np.array(LABELS)[(right.cumsum(axis=1)[:, :-1] < rng.random((rows, 1))).sum(axis=1)]
        sharp = right**2 / (right**2).sum(axis=1, keepdims=True)
        measured = [calibrated(labels, proba, np.ones(rows), np.arange(rows), rng, draws=60) for proba in (right, sharp)]
        assert measured[1].excess.estimate > Gates().ece
        passed[rows] = gate(*measured, Gates()).passed
    assert passed == {300: True, 6_000: False}
