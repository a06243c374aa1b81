"""The firm's people err as they should, and always in the same way."""

from __future__ import annotations

import numpy as np
import pytest

from data_contracts import LABELS, Label
from pipelines.firm import DESK_ERRORS, PRIOR, caseload, examine, finding_probabilities, hire
from serving.instants import DAY
from serving.queue import Lease, Tier

FIRM = hire(seed=0, desk=200, investigators=200)
DESK = [e for e in FIRM.experts if e.tier is Tier.DESK]
INVESTIGATORS = [e for e in FIRM.experts if e.tier is Tier.INVESTIGATION]
MONDAY = 4 * DAY


def average(people: list, truth: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.mean([finding_probabilities(FIRM, e, Label(truth), d, PRIOR) for e in people for d in rng.random(20)], axis=0)


@pytest.mark.parametrize("truth", LABELS)
def test_the_average_desk_expert_errs_as_declared_and_an_investigator_a_third_of_it(truth: str) -> None:
    row = LABELS.index(truth)
    assert np.abs(average(DESK, truth) - DESK_ERRORS[row]).max() < 0.03
    desk, deep = 1 - average(DESK, truth)[row], 1 - average(INVESTIGATORS, truth)[row]
    assert 0.25 < deep / desk < 0.42


def test_overall_accuracy_and_its_spread_between_experts_are_those_of_real_adjusters() -> None:
    right = [float(np.diag(FIRM.confusion(e)) @ np.array(PRIOR)) for e in DESK]
    assert 0.85 < np.mean(right) < 0.91
    assert 0.02 < np.std(right) < 0.08


def test_harder_cases_bring_more_errors_and_the_shown_score_pulls_towards_itself() -> None:
    expert = DESK[0]
    by_difficulty = [finding_probabilities(FIRM, expert, Label.ABUSIVE, d, PRIOR)[2] for d in (0.0, 0.5, 1.0)]
    assert by_difficulty == sorted(by_difficulty, reverse=True)
    calm = finding_probabilities(FIRM, expert, Label.VALID, 0.5, (0.9, 0.08, 0.02))
    alarmed = finding_probabilities(FIRM, expert, Label.VALID, 0.5, (0.2, 0.1, 0.7))
    assert alarmed[2] > calm[2]
    assert calm.sum() == pytest.approx(1)


def test_a_lease_is_examined_alike_whenever_it_is_asked_and_anew_for_the_next_lease() -> None:
    leases = [Lease(f"C{i}", Tier.DESK, "desk-1", 1, MONDAY, MONDAY + 14 * DAY) for i in range(300)]
    once = [examine(FIRM, held, Label.VALID, 0.5, PRIOR, 7) for held in leases]
    assert once == [examine(FIRM, held, Label.VALID, 0.5, PRIOR, 7) for held in leases]
    assert once != [examine(FIRM, held, Label.VALID, 0.5, PRIOR, 8) for held in leases]
    found = [f for f in once if f is not None]
    assert 0 < len(leases) - len(found) < 0.06 * len(leases)
    assert all(2 * DAY <= f.answered_at - MONDAY <= 10 * DAY and 20 <= f.minutes <= 45 and 2_500 <= f.fee_cents <= 7_500 for f in found)


def test_nobody_of_the_firm_answers_for_somebody_else() -> None:
    assert examine(FIRM, Lease("C1", Tier.DESK, "a person", 1, 0, 1), Label.VALID, 0.5, PRIOR, 0) is None


def test_caseloads_follow_the_week_the_pace_and_the_absences() -> None:
    days = [MONDAY + i * DAY for i in range(700)]
    loads = np.array([[caseload(FIRM, e, day, 0) for day in days] for e in DESK[:5]])
    weekend = np.arange(700) % 7 >= 5
    assert not loads[:, weekend].any()
    away = (loads[:, ~weekend] == 0).mean()
    assert 0.06 < away < 0.10
    expected = np.mean([e.cases_per_day for e in DESK[:5]]) * (1 - FIRM.absence)
    assert loads[:, ~weekend].mean() == pytest.approx(expected, rel=0.03)
    deep = np.array([sum(caseload(FIRM, e, day, 0) for day in days) / 100 for e in INVESTIGATORS[:20]])
    assert deep.mean() * 21 / 5 == pytest.approx(17 * (1 - FIRM.absence), rel=0.05)
    assert FIRM.cases_per_week(Tier.INVESTIGATION) == pytest.approx(200 * 5 * 17 / 21 * 0.92)
