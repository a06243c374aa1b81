"""Promises are measured month by month on what came after; sets certified on like claims cover what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from data_contracts import LABELS
from models.coverage import ACCUSED, COVERS, DENIED, MISS, SIZE, by_month
from models.metrics import Interval
from models.risk import class_thresholds


def drawn(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    proba = rng.dirichlet((2, 1, 0.6), n)
    return proba, np.array(LABELS)[(proba.cumsum(axis=1)[:, :-1] < rng.random((n, 1))).sum(axis=1)]


def measured(proba: np.ndarray, classes: np.ndarray, sets: np.ndarray, months: np.ndarray) -> dict[str, dict[str, Interval]]:
    n = len(classes)
    nobody, one = np.full(n, "PAY"), np.ones(n)
    return by_month(months, proba, np.tile(sets, (n, 1)), nobody, classes, one, np.arange(n), np.random.default_rng(0), 100)


def test_sets_certified_on_like_claims_cover_every_class_and_under_drift_the_month_says_so() -> None:
    rng = np.random.default_rng(1)
    proba, classes = drawn(rng, 4_000)
    sets = class_thresholds(proba, classes, np.ones(4_000), 1.0, MISS)
    later, truth = drawn(rng, 4_000)
    # In the second month half of the abusive claims look valid.
    strange = (np.arange(4_000) >= 2_000) & (truth == "abusive") & (rng.random(4_000) < 0.5)
    later = np.where(strange[:, None], [0.9, 0.08, 0.02], later)
    found = measured(later, truth, sets, np.where(np.arange(4_000) < 2_000, "2025-01", "2025-02"))
    for name in COVERS.values():
        assert abs(found["2025-01"][name].estimate - (1 - MISS[0])) < 0.05
    assert found["2025-02"][COVERS["abusive"]].high < 1 - MISS[2]
    assert abs(found["2025-02"][COVERS["valid"]].estimate - (1 - MISS[0])) < 0.05


def test_a_set_without_thresholds_holds_every_class_and_a_class_that_did_not_occur_is_not_judged() -> None:
    proba, _ = drawn(np.random.default_rng(2), 50)
    found = measured(proba, np.full(50, "valid"), np.zeros(3), np.full(50, "2025-01"))["2025-01"]
    assert found[SIZE].estimate == 3 and found[COVERS["valid"]].estimate == 1
    assert np.isnan(found[COVERS["abusive"]].estimate) and found[COVERS["abusive"]].draws == 0


def test_harm_is_counted_among_those_it_can_befall_each_by_its_weight() -> None:
    classes = np.array(["valid", "unsubstantiated", "abusive", "valid"])
    automatic = np.array(["DENY_ABUSIVE", "DENY_UNSUBSTANTIATED", "DENY_ABUSIVE", "REQUEST_EVIDENCE"])
    found = by_month(
        np.full(4, "2025-01"), np.full((4, 3), 1 / 3), np.zeros((4, 3)), automatic, classes, np.array([1.0, 2.0, 50.0, 5.0]), np.arange(4),
        np.random.default_rng(0), 10,
    )  # fmt: skip
    assert found["2025-01"][ACCUSED].estimate == pytest.approx(1 / 8) and found["2025-01"][DENIED].estimate == pytest.approx(1 / 6)
