"""Mornings: leases follow the plan, it can be repeated, gold is given out, rings are one file and paid once, second looks are bought."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from data_contracts import Label
from models.policy import default_policy
from models.quality_checks import Checks
from pipelines import experts, resolve
from pipelines.assign import Mornings
from pipelines.diary import Diary
from pipelines.firm import Firm, hire
from pipelines.parties import SimulatedParties
from pipelines.work_told import work_told
from serving import handover
from serving.case_messages import Answered, Wanted
from serving.expert_work import Desk
from serving.instants import micros
from serving.queue import MEANT_FOR, Tier
from serving.store import Store
from tests.serving.cases import START, WEEK, town

TOWN = town(420, seed=6, weeks=4)
END = START + 9 * WEEK
FIRM: Firm = hire(3, desk=3, investigators=2)
POLICY = default_policy()
DAY = pd.Timedelta(days=1)


def mornings(store: Store, claims: pd.DataFrame = TOWN.claims, checks: Checks | None = None) -> Mornings:
    return Mornings(store, claims, TOWN.seller_events, POLICY, checks or Checks())


def worked(store: Store, step: pd.Timedelta = WEEK, until: pd.Timestamp = END) -> Store:
    """Weeks of decisions, planned mornings, the firm's work, second opinions and resolutions."""
    diary, plan, parties = Diary(), mornings(store), SimulatedParties(TOWN.world)
    as_of = START
    while as_of < until:
        as_of += step
        if (as_of - START) % WEEK == pd.Timedelta(0):
            store.record_decisions(TOWN.decisions[TOWN.decisions["decided_at"] <= as_of])
        experts.work_here(store, TOWN.world, START, as_of, firm=FIRM, diary=diary, morning=plan)
        if (as_of - START) % WEEK == pd.Timedelta(0):
            plan.second_opinions(as_of)
            resolve.run(store, TOWN.tables, as_of, parties, policy=POLICY)
    return store


@pytest.fixture(scope="module")
def weekly() -> Iterator[Store]:
    with Store("sqlite://", "NORMAL") as store:
        yield worked(store)


def test_what_was_meant_for_an_expert_is_taken_by_nobody_else_while_it_lasts(weekly: Store) -> None:
    meant = weekly.read("assignments").merge(weekly.read("cases"), on="claim_id")
    soon = meant[(meant["leased_at"] >= meant["planned_at"]) & (meant["leased_at"] < meant["planned_at"] + pd.Timedelta(MEANT_FOR, "us"))]
    answers = weekly.read("expert_answers").set_index(["claim_id", "token"])["expert"]
    took = [answers.get((row.claim_id, row.token)) for row in soon.itertuples()]
    assert len(soon) > 3
    assert all(expert in (None, row.expert) for expert, row in zip(took, soon.itertuples(), strict=True))


def test_every_expert_gets_work_and_every_case_an_answer(weekly: Store) -> None:
    answers, cases = weekly.read("expert_answers"), weekly.read("cases")
    assert set(answers["expert"]) == {expert.name for expert in FIRM.experts}
    assert (cases["state"] == "open").mean() < 0.02
    assert not answers.duplicated(["claim_id", "expert"]).any()


def test_a_day_at_a_time_or_a_week_the_plans_and_answers_are_the_same(weekly: Store) -> None:
    with Store("sqlite://", "NORMAL") as daily:
        worked(daily, DAY, START + 5 * WEEK)
        until = START + 5 * WEEK
        ours, theirs = (store.read("expert_answers") for store in (daily, weekly))
        assert_frame_equal(ours, theirs[theirs["answered_at"] < until].reset_index(drop=True))


def test_a_morning_is_planned_once(weekly: Store) -> None:
    tables = ("assignments", "cases", "second_looks", "ring_files")
    before = {name: weekly.read(name) for name in tables}
    again = mornings(weekly)((END - 3 * DAY).to_pydatetime())
    assert again.waiting == again.assigned == 0
    for name in tables:
        assert_frame_equal(weekly.read(name), before[name])


def test_gold_cases_are_of_known_truth_and_about_their_share_of_all_answers(weekly: Store) -> None:
    looks, answers = weekly.read("second_looks"), weekly.read("expert_answers")
    gold = looks[looks["why"] == "gold"]
    known = weekly.read("resolutions").query("source in ('appeal', 'evidence', 'revealed')").dropna(subset="label")
    assert set(gold["claim_id"]) <= set(known["claim_id"])
    assert 0 < len(gold) <= Checks().gold * len(answers) + 1
    assert {"drawn", "gold"} <= set(looks["why"])


def test_what_was_filed_is_brought_to_the_cases_of_a_batch() -> None:
    with Store("sqlite://", "NORMAL") as store:
        store.record_decisions(TOWN.decisions)
        mornings(store)(DECIDED)
        with store.write() as tx:
            (file,) = Desk(tx, "ann", micros(DECIDED), POLICY).lease(Wanted()).cases
        whole = TOWN.claims.set_index("claim_id").loc[file.claim_id]
        assert file.filed is not None and file.filed.narrative == whole["narrative"] and file.filed.amount_cents == whole["amount_cents"]
        assert file.filed.filed_at == whole["filed_at"]


DECIDED: datetime = (TOWN.decisions["decided_at"].max() + pd.Timedelta(hours=8)).to_pydatetime()


@pytest.fixture
def ringed() -> Iterator[tuple[Store, list[str], Mornings]]:
    """A store in which four dear desk cases share a telephone."""
    last = TOWN.decisions[TOWN.decisions["decided_at"] == TOWN.decisions["decided_at"].max()]
    ring = last.loc[last["action"] == "DESK", "claim_id"].head(4).tolist()
    is_in = TOWN.claims["claim_id"].isin(ring)
    claims = TOWN.claims.assign(
        customer_id=TOWN.claims["claim_id"],
        phone_id=TOWN.claims["phone_id"].where(~is_in, "T-ring"),
        amount_cents=TOWN.claims["amount_cents"].where(~is_in, 3_000_000),
    )
    torn = {"p_valid": 0.45, "p_unsubstantiated": 0.05, "p_abusive": 0.5}
    decisions = TOWN.decisions.assign(
        **{name: last_or.where(~is_in.to_numpy(), p) for name, p in torn.items() for last_or in [TOWN.decisions[name]]}
    )
    with Store("sqlite://", "NORMAL") as store:
        store.record_decisions(decisions)
        yield store, ring, mornings(store, claims)


def test_a_ring_is_one_file_whoever_takes_a_case_of_it_takes_all_and_it_is_paid_once(ringed: tuple[Store, list[str], Mornings]) -> None:
    store, ring, plan = ringed
    found = plan(DECIDED)
    assert (found.files, found.filed) == (1, 4)
    assert (
        set(store.read("ring_files")["claim_id"]) == set(ring) == set(store.read("escalations").query("expert == 'ring file'")["claim_id"])
    )
    now = micros(DECIDED) + 1
    with store.write() as tx:
        desk = Desk(tx, "zoe", now, POLICY)
        files = desk.lease(Wanted(tier=Tier.INVESTIGATION)).cases
        assert {file.claim_id for file in files} == set(ring) and len({file.file for file in files}) == 1
        paid = [
            desk.answer(Answered(claim_id=file.claim_id, token=file.token, label=Label.ABUSIVE, minutes=9, rationale="one ring")).fee_cents
            for file in files
        ]
    assert sorted(paid) == [0, 0, 0, POLICY.investigation.fee_cents]
    resolve.run(store, {"claims": plan.claims, "seller_events": TOWN.seller_events}, pd.Timestamp(DECIDED) + DAY, policy=POLICY)
    rows = store.read("resolutions").query("claim_id in @ring").dropna(subset="label")
    assert set(rows["claim_id"]) == set(ring) and set(rows["source"]) <= {"investigation", "audit"}


def test_no_file_is_opened_where_no_investigator_has_time(ringed: tuple[Store, list[str], Mornings]) -> None:
    store, _, plan = ringed
    busy = store.read("cases").query("tier == 'desk'")["claim_id"].tail(20)
    with store.write() as tx:
        for claim in busy:
            handover.to_investigators(tx, claim, "ann", micros(DECIDED), 590, 1)
    assert plan(DECIDED).files == 0


def test_a_second_opinion_is_bought_only_where_it_is_worth_more_than_it_costs(weekly: Store) -> None:
    bought = weekly.read("second_looks").query("why == 'bought'").merge(TOWN.claims, on="claim_id")
    others = weekly.read("cases").query("tier == 'desk'").merge(TOWN.claims, on="claim_id")
    assert 0 < len(bought) < len(others) / 2
    assert bought["amount_cents"].median() > others["amount_cents"].median()


def test_what_experts_did_is_told_in_figures(weekly: Store) -> None:
    told, looks = work_told(weekly, POLICY), weekly.read("second_looks")
    assert told.answers == len(weekly.read("expert_answers")) and sum(told.looks.values()) == len(looks)
    assert set(told.accuracy) == {"desk-1", "desk-2", "desk-3"} and all(0.5 < share < 1.0 for share in told.accuracy.values())
    with Store("sqlite://", "NORMAL") as empty:
        assert work_told(empty, POLICY).accuracy == {}
