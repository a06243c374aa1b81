"""A replay knows nothing of the future, keeps to the experts' capacity, and decides by the one road."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.decision import audited
from models.policy import default_policy
from models.review import Capacity
from models.scorer import score_claims
from models.training import train
from pipelines.history import History, history_of_home
from pipelines.replay import OURS, Replay, cuts_of, replay
from tests.pipelines.conftest import Market
from tests.pipelines.test_train import QUICK

POLICY = default_policy()
START, MIDDLE, END = (pd.Timestamp(day, tz="UTC") for day in ("2025-03-01", "2025-03-08", "2025-03-13"))


@pytest.fixture(scope="module")
def history(small: Market) -> History:
    return history_of_home(small.home, POLICY)


@pytest.fixture(scope="module")
def done(history: History) -> Replay:
    return replay(history, START, END, POLICY, "weekly", settings=QUICK)


def test_every_claim_of_the_stretch_is_decided_once_in_the_order_of_arrival_after_it_was_filed(history: History, done: Replay) -> None:
    claims = history.claims[(history.claims["filed_at"] >= START) & (history.claims["filed_at"] < END)]
    assert set(done.decisions) == {OURS, "prior", "single rule", "logistic regression"}
    for decisions in done.decisions.values():
        assert decisions["claim_id"].tolist() == claims["claim_id"].tolist()
        assert (decisions["decided_at"].to_numpy() > claims["filed_at"].to_numpy()).all()
        assert (decisions["decided_at"].to_numpy() - claims["filed_at"].to_numpy() <= np.timedelta64(1, "D")).all()
    assert sum(fold.claims for fold in done.folds) == len(claims)


def test_what_becomes_known_at_a_cut_or_later_changes_no_decision_before_the_next_cut(history: History, done: Replay) -> None:
    at = MIDDLE
    rows = history.resolutions.dropna(subset="label").drop_duplicates("claim_id")
    other = {"valid": "abusive", "abusive": "unsubstantiated", "unsubstantiated": "valid"}
    late = rows.assign(resolution_id="late-" + rows["resolution_id"], label=rows["label"].map(other), known_at=at)
    changed = replay(replace(history, resolutions=pd.concat([history.resolutions, late])), START, END, POLICY, "weekly", settings=QUICK)
    for name, decisions in done.decisions.items():
        pd.testing.assert_frame_equal(changed.decisions[name], decisions)
    earlier = late.assign(known_at=at - pd.Timedelta(microseconds=1))
    learned = replay(replace(history, resolutions=pd.concat([history.resolutions, earlier])), START, END, POLICY, "weekly", settings=QUICK)
    before = (done.decisions[OURS]["decided_at"] <= MIDDLE).to_numpy()
    pd.testing.assert_frame_equal(learned.decisions[OURS][before], done.decisions[OURS][before])
    assert not learned.decisions[OURS]["p_abusive"][~before].equals(done.decisions[OURS]["p_abusive"][~before])


def test_our_decisions_are_those_of_the_one_road_with_the_model_of_the_cut(history: History, done: Replay) -> None:
    known = history.known(MIDDLE)
    trained = train(
        history.matrix,
        history.claims,
        known,
        MIDDLE,
        history.catalog_hash,
        history.described,
        QUICK,
        confusions=history.confusions,
        harm=POLICY.harm,
    )
    assert done.folds[1].bundle == trained.bundle.hash and done.folds[1].learned.rows == len(trained.labels)
    day = MIDDLE.floor("D")
    rows = np.flatnonzero(((history.claims["filed_at"] >= day) & (history.claims["filed_at"] < day + pd.Timedelta(days=1))).to_numpy())
    claims = history.claims.iloc[rows]
    alone = score_claims(
        trained.bundle,
        POLICY,
        history.matrix.loc[claims["claim_id"]],
        claims,
        history.insured[rows],
        Capacity.of(POLICY, days=1),
        day + pd.Timedelta(days=1),
        most_reasons=0,
    )
    found = done.decisions[OURS]
    pd.testing.assert_frame_equal(found[found["claim_id"].isin(claims["claim_id"])].reset_index(drop=True), alone)


def test_no_day_sends_more_to_the_desk_than_it_can_take_and_audits_draw(history: History) -> None:
    narrow = replace(POLICY, desk=replace(POLICY.desk, cases=1, experts=1), audit=replace(POLICY.audit, rate=0.1))
    decisions = replay(history, START, END, narrow, "never", settings=QUICK).decisions[OURS]
    desk = decisions[decisions["action"] == "DESK"]
    by_value = desk[desk["route"] == "value_of_review"].groupby("decided_at").size()
    assert 0 < by_value.max() <= 1
    drawn = set(decisions["claim_id"][audited(narrow.audit, decisions["claim_id"])])
    assert drawn and drawn <= set(decisions["claim_id"][decisions["action"].isin(["DESK", "INVESTIGATE"])])


def test_the_folds_say_dates_sizes_and_classes(history: History, done: Replay) -> None:
    first, second = done.folds
    assert (first.start, first.end, second.start, second.end) == (START, MIDDLE, MIDDLE, END)
    for fold in done.folds:
        assert pd.Timestamp(fold.learned.last_filed_at) < fold.start <= pd.Timestamp(fold.decided.first_filed_at) < fold.end
        assert sum(fold.learned.classes.values()) == fold.learned.rows > 0
        assert sum(fold.decided.classes.values()) == fold.decided.rows <= fold.claims
    assert second.learned.rows > first.learned.rows


@pytest.mark.parametrize(("cadence", "count"), [("weekly", 18), ("monthly", 4), ("quarterly", 2), ("never", 1)])
def test_trainings_follow_the_cadence_and_begin_with_the_stretch(cadence: str, count: int) -> None:
    cuts = cuts_of(pd.Timestamp("2025-01-01"), pd.Timestamp("2025-05-01"), cadence)
    assert len(cuts) == count and cuts[0] == pd.Timestamp("2025-01-01") and cuts == sorted(cuts) and cuts[-1] < pd.Timestamp("2025-05-01")


def test_impossible_stretches_are_named(history: History, small: Market) -> None:
    with pytest.raises(ValueError, match="expected one of weekly, monthly, quarterly, never, found 'daily'"):
        replay(history, START, END, POLICY, "daily")
    with pytest.raises(ValueError, match="expected an end after the start"):
        replay(history, END, START, POLICY)
    with pytest.raises(ValueError, match="expected claims filed from 2030"):
        replay(history, pd.Timestamp("2030-01-01", tz="UTC"), pd.Timestamp("2030-02-01", tz="UTC"), POLICY)
    with pytest.raises(ValueError, match=r"found none; the first was known on 2024-"):
        replay(history, pd.Timestamp(small.simulation.start), END, POLICY)


def test_challengers_are_held_to_the_bounds_that_our_model_is_held_to(history: History) -> None:
    name = "hist gradient boosting"
    strict = replace(POLICY, harm=replace(POLICY.harm, mistaken_abusive_share=0.0))  # no abuser may be paid without an expert
    bound, free = (replay(history, START, END, policy, "never", [name], QUICK).decisions for policy in (strict, POLICY))
    for who in (OURS, name):
        assert not (bound[who]["automatic_action"] == "PAY").any()
        assert (free[who]["automatic_action"] == "PAY").any()
    assert (bound["prior"]["automatic_action"] == "PAY").any(), "a baseline promises nothing"
