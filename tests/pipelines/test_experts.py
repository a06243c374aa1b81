"""The firm at work: restartable, deterministic, and never outside the rules of the queue."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from pipelines import experts
from pipelines.firm import Firm, hire
from serving.instants import DAY
from serving.store import Store
from tests.serving.cases import START, WEEK, town

TOWN = town(400, seed=4, weeks=2)
END = START + 12 * WEEK
BUSY = hire(0, desk=6, investigators=6)


def opened() -> Store:
    store = Store("sqlite://")
    store.record_decisions(TOWN.decisions)
    return store


def test_the_firm_answers_every_case_when_it_has_time_enough() -> None:
    with opened() as store:
        worked = experts.work(store, TOWN.world, END, firm=BUSY)
        cases, answers = store.read("cases"), store.read("expert_answers")
    assert (cases["state"] == "answered").all()
    assert len(answers) == worked.answered == len(cases)
    assert worked.leased >= worked.answered
    assert (answers["answered_at"] < END).all()
    waited = answers.merge(cases, on="claim_id")
    assert (waited["answered_at"] - waited["opened_at"] >= pd.Timedelta(days=2)).all()
    right = answers.merge(TOWN.world, on="claim_id")
    assert 0.8 < (right["label"] == right["truth"]).mean() < 0.99


def test_worked_day_by_day_or_at_once_the_answers_are_the_same() -> None:
    with opened() as daily, opened() as once:
        for day in range(int((END - START) / pd.Timedelta(days=1)) + 1):
            experts.work(daily, TOWN.world, START + pd.Timedelta(days=day), firm=BUSY)
        experts.work(once, TOWN.world, END, firm=BUSY)
        for name in ("cases", "expert_answers", "marks"):
            assert_frame_equal(daily.read(name), once.read(name))


@pytest.mark.parametrize("day", [0, 1, 9, 30])
def test_a_firm_interrupted_on_any_day_ends_with_the_answers_of_an_undisturbed_one(day: int) -> None:
    def dies(done: int, _: int) -> None:
        if done == day + 1:
            raise KeyboardInterrupt

    with opened() as calm, opened() as hit:
        experts.work(calm, TOWN.world, END, firm=BUSY)
        with pytest.raises(KeyboardInterrupt):
            experts.work(hit, TOWN.world, END, firm=BUSY, progress=dies)
        experts.work(hit, TOWN.world, END, firm=BUSY)
        for name in ("cases", "expert_answers", "marks"):
            assert_frame_equal(hit.read(name), calm.read(name))


def test_a_failure_in_the_middle_of_a_day_leaves_nothing_of_that_day() -> None:
    with opened() as store:
        experts.work(store, TOWN.world, START + WEEK, firm=BUSY)
        before = {name: store.read(name) for name in ("cases", "expert_answers", "marks")}
        with pytest.raises(experts.UnknownTruthError, match="expected in the sealed world"):
            experts.work(store, TOWN.world.iloc[:0], START + 2 * WEEK, firm=BUSY)
        for name, frame in before.items():
            assert_frame_equal(store.read(name), frame)


def test_a_case_whose_expert_never_answers_comes_back_and_is_answered_under_a_higher_token() -> None:
    careless = replace(BUSY, no_show=0.3)
    with opened() as store:
        experts.work(store, TOWN.world, END, firm=careless)
        answers, cases = store.read("expert_answers"), store.read("cases")
    assert answers["claim_id"].is_unique
    assert (answers["token"] > 1).any()
    assert (cases["state"] == "answered").mean() > 0.8


def test_a_firm_too_small_takes_the_most_valuable_cases_first() -> None:
    with opened() as store:
        oldest = store.read("cases")["opened_at"].min()
        experts.work(store, TOWN.world, oldest + pd.Timedelta(days=2), firm=Firm(hire(0, desk=1, investigators=0).experts, absence=0.0))
        desk = store.read("cases").query("tier == 'desk' and opened_at == @oldest")
    taken = desk["token"] > 0
    assert 0 < taken.sum() < len(desk)
    assert desk[taken]["priority"].min() >= desk[~taken]["priority"].max()


def test_an_unused_queue_and_a_day_not_yet_over_give_no_work() -> None:
    with Store("sqlite://") as store:
        assert experts.work(store, TOWN.world, END) == experts.Worked(0, 0, 0)
    with opened() as store:
        first = TOWN.decisions["decided_at"].min()
        assert experts.work(store, TOWN.world, first + pd.Timedelta(hours=23)).days == 0
        assert experts.work(store, TOWN.world, first + pd.Timedelta(hours=25)).days == 1
        assert store.read("marks")["at"].item() == first + pd.Timedelta(microseconds=DAY)
