"""Automation bias by lot: zero where nobody follows, found where somebody does."""

from __future__ import annotations

import numpy as np
import pytest

from models.automation import automation_bias, model_call
from tests.models.experts_world import ORDINARY, World, world


def measured(made: World) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    said = made.answers
    return said.label, model_call(said.proba, ORDINARY)[said.case], made.hidden, made.truth[said.case]


def test_the_interval_holds_no_bias_about_as_often_as_it_says_where_there_is_none() -> None:
    held = 0
    for seed in range(60):
        follow = automation_bias(*measured(world(seed, 4, 200))).follow
        held += follow.low <= 0.0 <= follow.high
    assert held >= 52  # 95 % of 60 is 57


def test_experts_who_follow_the_model_are_found_out() -> None:
    found = automation_bias(*measured(world(1, 8, 400, sway=4.0)))
    assert found.follow.low > 0.05
    assert found.err is not None


def test_errors_are_counted_among_known_truths_only() -> None:
    label, hidden = np.array([0, 0, 1, 1]), np.array([False, True, False, True])
    found = automation_bias(label, label, hidden, np.array([1, 0, -1, -1]))
    assert found.err is not None
    assert found.err.estimate == 1.0
    assert automation_bias(label, label, hidden, np.array([1, -1, 1, -1])).err is None


def test_without_a_draw_nothing_can_be_measured() -> None:
    with pytest.raises(ValueError, match="with and without"):
        automation_bias(np.zeros(3), np.zeros(3), np.zeros(3, dtype=bool))


def test_the_interval_is_newcombes_own_example() -> None:
    # Newcombe 1998, table II (a): 56/70 against 48/80, method 10 gives 0.0524 to 0.3339.
    happened = np.r_[np.repeat([1, 0], [56, 14]), np.repeat([1, 0], [48, 32])]
    found = automation_bias(happened, np.ones(150), np.repeat([False, True], [70, 80])).follow
    assert (found.estimate, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
