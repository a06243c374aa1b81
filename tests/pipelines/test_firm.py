"""The firm's people err as they should, and always in the same way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data_contracts import LABELS, Label
from pipelines.firm import DESK_ERRORS, HOURS, PRIOR, at_work, caseload, examine, finding_probabilities, hire, is_present, is_weekend
from serving.casefile import CaseFile, Opinion, moment
from serving.instants import DAY
from serving.queue import Tier

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


def leased(claim: int, opinion: tuple[float, float, float] | None = PRIOR) -> CaseFile:
    shown = None if opinion is None else Opinion(p_valid=opinion[0], p_unsubstantiated=opinion[1], p_abusive=opinion[2], reasons=[])
    at = moment(MONDAY + HOURS[0])
    times = {"leased_at": at, "expires_at": moment(MONDAY + 5 * DAY), "due_at": moment(MONDAY + 40 * DAY)}
    return CaseFile(claim_id=f"C{claim}", tier=Tier.DESK, token=1, minutes=33, filed=None, opinion=shown, **times)


def test_a_lease_is_examined_alike_whenever_it_is_asked_and_anew_for_the_next_lease() -> None:
    cases = [leased(i) for i in range(300)]
    once = [examine(FIRM, DESK[0], held, Label.VALID, 0.5, 7) for held in cases]
    assert once == [examine(FIRM, DESK[0], held, Label.VALID, 0.5, 7) for held in cases]
    assert once != [examine(FIRM, DESK[0], held, Label.VALID, 0.5, 8) for held in cases]
    assert once != [examine(FIRM, DESK[0], held.model_copy(update={"token": 2}), Label.VALID, 0.5, 7) for held in cases]
    found = [f for f in once if f is not None]
    assert 0 < len(cases) - len(found) < 0.06 * len(cases)
    assert all(2 * DAY <= f.at - MONDAY < 15 * DAY and 20 <= f.minutes <= 45 for f in found)
    assert 0 < sum(f.forgets for f in found) < 10


def test_answers_come_in_working_hours_of_days_at_work() -> None:
    for expert in DESK[:10]:
        times = [at_work(FIRM, expert, MONDAY + i * DAY // 7, 0) for i in range(300)]
        assert all(HOURS[0] <= at % DAY <= HOURS[1] for at in times)
        assert all(is_present(FIRM, expert, at // DAY * DAY, 0) and not is_weekend(at // DAY * DAY) for at in times)


def test_whom_the_opinion_is_not_shown_it_does_not_sway() -> None:
    def said(opinion: tuple[float, float, float] | None) -> list[Label | None]:
        found = [examine(FIRM, DESK[0], leased(i, opinion), Label.VALID, 0.9, 7) for i in range(400)]
        return [None if one is None else one.label for one in found]

    blind, alarmed = said(None), said((0.1, 0.1, 0.8))
    assert blind == said(PRIOR)
    assert alarmed.count(Label.ABUSIVE) > blind.count(Label.ABUSIVE)


def test_an_expert_who_changes_their_mind_says_something_else_the_second_time() -> None:
    fickle = replace(FIRM, contradicts=1.0)
    found = [examine(fickle, DESK[0], leased(i), Label.VALID, 0.5, 7) for i in range(50)]
    assert all(one is None or one.contradicts not in (None, one.label) for one in found)
    with pytest.raises(ValueError, match="absence"):
        replace(FIRM, absence=1.0)


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
