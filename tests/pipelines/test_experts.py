"""The firm at work: a client of the endpoint and nothing else, restartable, deterministic, and never outside the rules of the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from models.policy import default_policy
from models.quality_checks import Checks, draw
from pipelines import experts
from pipelines.diary import Diary
from pipelines.firm import Firm, hire
from pipelines.firm_desks import SCOPES, desks_at, office_of, read_keys
from serving import audit
from serving.app import Outside
from serving.auth import Caller
from serving.client import ProblemError
from serving.instants import DAY
from serving.office import create_office
from serving.store import Store
from tests.serving.cases import START, WEEK, town
from tests.serving.running import running

TOWN = town(220, seed=4, weeks=2)
END = START + 12 * WEEK
BUSY = hire(0, desk=6, investigators=6)
TABLES = ("cases", "expert_answers", "expert_calls", "audit_log")


def opened(url: str = "sqlite://") -> Store:
    store = Store(url, "NORMAL")
    store.record_decisions(TOWN.decisions)
    return store


def work(store: Store, until: pd.Timestamp = END, firm: Firm = BUSY, **more: Any) -> experts.Worked:
    return experts.work_here(store, TOWN.world, START, until, firm=firm, **more)


def same(one: Store, other: Store) -> None:
    for name in TABLES:
        assert_frame_equal(one.read(name), other.read(name))


@pytest.fixture(scope="module")
def calm() -> Iterator[Store]:
    with opened() as store:
        work(store)
        yield store


def test_the_firm_answers_every_case_when_it_has_time_enough(calm: Store) -> None:
    cases, answers = calm.read("cases"), calm.read("expert_answers")
    desk = cases.loc[cases["tier"] == "desk", "claim_id"]
    assert set(calm.read("second_looks")["claim_id"]) == set(desk[draw(Checks(), desk).overlap]) != set()
    assert (cases["state"] == "answered").all() and len(answers) == len(cases) + len(calm.read("second_looks"))
    assert not answers.duplicated(["claim_id", "expert"]).any()
    assert (answers["answered_at"] < END).all()
    waited = answers.merge(cases, on="claim_id")
    assert (waited["answered_at"] - waited["opened_at"] >= pd.Timedelta(days=2)).all()
    assert answers["answered_at"].dt.hour.between(10, 17).all() and (answers["answered_at"].dt.weekday < 5).all()
    right = answers.merge(TOWN.world, on="claim_id")
    assert 0.8 < (right["label"] == right["truth"]).mean() < 0.99
    policy = default_policy()
    fees = waited["tier"].map({"desk": policy.desk.fee_cents, "investigation": policy.investigation.fee_cents})
    assert (waited["fee_cents"] == fees).all()
    with calm.view() as tx:
        assert audit.verify(tx).broken == ""


def test_worked_day_by_day_or_at_once_the_answers_are_the_same(calm: Store, tmp_path: Path) -> None:
    with opened() as daily:
        for day in range(int((END - START) / pd.Timedelta(days=1)) + 1):
            work(daily, START + pd.Timedelta(days=day), diary=Diary(tmp_path / "firm.json"))
        same(daily, calm)


def test_over_a_socket_with_keys_the_answers_are_those_of_the_office_in_this_process(tmp_path: Path) -> None:
    early = START + 5 * WEEK
    people = {f"key-of-{e.name}": Caller(f"id-{e.name}", SCOPES[e.tier], None, e.name) for e in BUSY.experts}
    (tmp_path / "keys").write_text("# ours\n\n" + "".join(f"{caller.person} {key}\n" for key, caller in people.items()))
    with opened() as here, opened(f"sqlite:///{tmp_path / 'store.db'}") as there:
        done = work(here, early)
        outside = Outside(lambda credential: people.get(credential or ""), simulated=True)
        app = create_office(there, default_policy(), lambda: datetime.now(UTC), outside)
        with running(app) as url, desks_at(url, read_keys(tmp_path / "keys"), BUSY) as desks:
            assert experts.work(desks, TOWN.world, START, early, firm=BUSY) == done
        assert done.answered > 30
        same(there, here)


def test_an_endpoint_that_is_not_in_development_lets_nobody_say_what_time_it_is(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'store.db'}") as store:
        outside = Outside(lambda _: Caller("desk-1", SCOPES[BUSY.experts[0].tier]))
        app = create_office(store, default_policy(), lambda: datetime.now(UTC), outside)
        keys = {expert.name: "key" for expert in BUSY.experts}
        with running(app) as url, desks_at(url, keys, BUSY) as desks, pytest.raises(ProblemError, match="except in development mode"):
            experts.work(desks, TOWN.world, START, END, firm=BUSY)
        assert (store.read("cases")["state"] == "open").all()


@pytest.mark.parametrize("lines", ["ann", "ann key more", "ann a\nann b"])
def test_a_file_of_keys_is_refused_with_its_line_and_without_the_key(tmp_path: Path, lines: str) -> None:
    (tmp_path / "keys").write_text(lines)
    with pytest.raises(ValueError, match=r"line [12]: expected a name that is new") as refused:
        read_keys(tmp_path / "keys")
    assert "key more" not in str(refused.value)
    with pytest.raises(ValueError, match="found none for desk-1"), desks_at("http://127.0.0.1:9", {}, BUSY):
        pass


class LostError(Exception):
    """Stands for a kill."""


@contextmanager
def lost_at(store: Store, call: int) -> Iterator[Callable[[str], Any]]:
    """An office whose firm dies with a certain request: every other time before it is carried, else after."""
    with office_of(store, BUSY) as desks:
        exchange = desks("desk-1").client.exchange
        assert exchange is not None
        left = call

        def carried(*asked: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0 and call % 2:
                raise LostError
            told = exchange(*asked)
            if left == 0:
                raise LostError
            return told

        def desk(name: str) -> Any:
            found = desks(name)
            found.client.exchange = carried
            return found

        yield desk


@pytest.mark.parametrize("call", [1, 2, 37, 120, 211])
def test_a_firm_that_dies_with_any_request_ends_with_the_answers_of_an_undisturbed_one(calm: Store, tmp_path: Path, call: int) -> None:
    with opened() as hit:
        with lost_at(hit, call) as desks, pytest.raises(LostError):
            experts.work(desks, TOWN.world, START, END, firm=BUSY, diary=Diary(tmp_path / "firm.json"))
        work(hit, diary=Diary(tmp_path / "firm.json"))
        same(hit, calm)


def test_a_firm_of_another_world_says_so() -> None:
    with opened() as store, pytest.raises(experts.UnknownTruthError, match="expected in the sealed world"):
        experts.work_here(store, TOWN.world.iloc[:0], START, END, firm=BUSY)


def test_a_case_whose_expert_never_answers_comes_back_and_is_answered_under_a_higher_token() -> None:
    with opened() as store:
        work(store, firm=replace(BUSY, no_show=0.3))
        answers, cases = store.read("expert_answers"), store.read("cases")
        twice = store.read("second_looks")["claim_id"]
    assert answers.loc[~answers["claim_id"].isin(twice), "claim_id"].is_unique
    assert (answers["token"] > 1).any()
    assert (cases["state"] == "answered").mean() > 0.8


def test_answers_that_come_late_and_second_ones_that_contradict_are_refused_and_nothing_is_paid_twice() -> None:
    with opened() as store:
        done = work(store, firm=replace(BUSY, forgets=0.5, contradicts=0.5))
        answers = store.read("expert_answers")
    assert done.refused > 20 and done.answered == len(answers)
    assert not answers.duplicated(["claim_id", "token"]).any()


def test_a_firm_too_small_takes_the_most_valuable_cases_first() -> None:
    with opened() as store:
        oldest = store.read("cases")["opened_at"].min()
        work(store, oldest + pd.Timedelta(days=2), Firm(hire(0, desk=1, investigators=0).experts, absence=0.0))
        desk = store.read("cases").query("tier == 'desk' and opened_at == @oldest")
    taken = desk["token"] > 0
    assert 0 < taken.sum() < len(desk)
    assert desk[taken]["priority"].min() >= desk[~taken]["priority"].max()


def test_an_unused_queue_and_a_day_not_yet_over_give_no_work() -> None:
    with Store("sqlite://") as store:
        assert work(store, START + WEEK) == experts.Worked(7, 0, 0)
    with opened() as store:
        diary = Diary()
        assert work(store, START + pd.Timedelta(hours=23), diary=diary).days == 0 and diary.day is None
        assert work(store, START + pd.Timedelta(hours=25), diary=diary).days == 1
        assert diary.day == START.value // 1000 + DAY
        assert work(store, START + pd.Timedelta(hours=25), diary=diary).days == 0
