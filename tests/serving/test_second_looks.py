"""The laws of second looks: what was found first waits for the other within the clock, both count, and nothing depends on who runs when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts import Action, Label, Route
from models.policy import default_policy
from models.quality_checks import Checks
from pipelines import resolve
from serving import queue, second_looks
from serving.case import Case
from serving.case_messages import Answered, Wanted
from serving.expert_work import Desk
from serving.instants import DAY, instants, micros
from serving.queue import QueueError
from serving.resolution import State
from serving.second_looks import PATIENCE, Look, Why, counted
from serving.store import Store
from tests.serving.cases import town

TOWN = town(120, seed=3, weeks=1)
OPENED = micros(TOWN.decisions["decided_at"].max())
EVERY = Checks(overlap=1.0)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store(store_url, "NORMAL") as opened:
        opened.record_decisions(TOWN.decisions)
        yield opened


def answer(store: Store, expert: str, now: int, label: str = "abusive", checks: Checks = EVERY) -> str:
    """Lease the next case and answer it at once."""
    with store.write() as tx:
        desk = Desk(tx, expert, now, default_policy(), checks)
        (file,) = desk.lease(Wanted()).cases
        desk.answer(Answered(claim_id=file.claim_id, token=file.token, label=Label(label), minutes=30, rationale="seen"))
    return file.claim_id


def held_by(store: Store, expert: str, now: int) -> None:
    with store.write() as tx:
        queue.lease(tx, queue.Tier.DESK, expert, now, 5 * DAY)


def carried(store: Store, day: int) -> None:
    resolve.run(store, TOWN.tables, instants([OPENED + day * DAY])[0], policy=default_policy())


def state_of(store: Store, claim: str) -> tuple[str, str | None]:
    row = store.read("proceedings").set_index("claim_id").loc[claim]
    return row["state"], row["found"] if isinstance(row["found"], str) else None


def test_a_finding_that_was_drawn_to_be_doubled_waits_for_the_other_and_both_are_judged_together(store: Store) -> None:
    held_by(store, "bob", OPENED)
    claim = answer(store, "ann", OPENED + DAY)
    carried(store, 2)
    assert state_of(store, claim) == ("under_review", None)
    assert answer(store, "bob", OPENED + 3 * DAY, "abusive") == claim
    carried(store, 4)
    state, found = state_of(store, claim)
    assert state != "under_review" and found == "abusive"
    receipts = store.read("receipts").set_index("claim_id").loc[[claim]]
    assert sorted(receipts["disposition"]) == ["applied", "noted"]
    fees = store.read("ledger").query("claim_id == @claim and account == 'experts'")
    assert fees["amount_cents"].tolist() == [default_policy().desk.fee_cents] * 2


def test_a_second_look_that_nobody_takes_up_leaves_the_first_answer_alone_to_count_and_ends_in_the_queue(store: Store) -> None:
    held_by(store, "bob", OPENED)
    claim = answer(store, "ann", OPENED + DAY)
    (look,) = store.read("second_looks").itertuples()
    assert look.due_at == instants([OPENED + DAY + PATIENCE])[0]
    carried(store, 14)
    assert state_of(store, claim)[0] == "under_review"
    carried(store, 15)
    assert state_of(store, claim)[1] == "abusive"
    events = store.read("case_events").query("claim_id == @claim and event == 'found_abusive'")
    assert events["at"].tolist() == [look.due_at]
    assert store.read("cases").set_index("claim_id").loc[claim, "state"] == "answered"


def test_without_a_colleague_or_without_time_nothing_is_asked_for_and_nobody_is_asked_twice(store: Store) -> None:
    lonely = answer(store, "ann", OPENED)
    assert store.read("second_looks").empty
    held_by(store, "bob", OPENED)
    due = micros(store.read("cases").set_index("claim_id").loc[lonely, "due_at"])
    with store.write() as tx:
        assert second_looks.ask(tx, lonely, Why.BOUGHT, due - 5 * DAY) is None
        assert second_looks.ask(tx, lonely, Why.GOLD, due - 5 * DAY) == Look(lonely, 1, Why.GOLD, due - 5 * DAY, due + 9 * DAY)
    with pytest.raises(QueueError, match="expected an answered case"), store.write() as tx:
        second_looks.ask(tx, lonely, Why.ASKED, OPENED)


def test_a_gold_answer_is_paid_measures_its_expert_and_moves_nothing(store: Store) -> None:
    claim = answer(store, "ann", OPENED, "valid", Checks(overlap=0.0))
    carried(store, 1)
    before = store.read("resolutions")
    held_by(store, "bob", OPENED)
    with store.write() as tx:
        second_looks.ask(tx, claim, Why.GOLD, OPENED + 30 * DAY)
        (lease,) = queue.lease_these(tx, [claim], queue.Tier.DESK, "cid", OPENED + 31 * DAY, DAY)
        key = queue.answer(tx, lease, Label.ABUSIVE, 30, 6_000, OPENED + 31 * DAY)
        assert second_looks.measured(tx) == {key}
    carried(store, 32)
    assert len(store.read("resolutions").query("claim_id == @claim")) == len(before.query("claim_id == @claim"))
    assert store.read("receipts").set_index("message_id").loc[key, "disposition"] == "noted"
    assert store.read("ledger").query("claim_id == @claim and account == 'experts'")["amount_cents"].sum() == 12_000


@dataclass(frozen=True)
class Row:
    answer_id: str
    token: int
    label: str
    answered_at: int
    fee_cents: int = 1


steps = st.lists(st.tuples(st.sampled_from(Label), st.integers(1, 20), st.booleans()), min_size=1, max_size=4)


@settings(max_examples=200, deadline=None)
@given(steps, st.lists(st.integers(0, 100), max_size=5))
def test_what_an_answer_means_is_the_same_whenever_it_is_asked(found: list[tuple[Label, int, bool]], instants_asked: list[int]) -> None:
    """Asked often, each answer gets its meaning once, and it is the one that is found by asking once at the end."""
    rows, looks, now = [], [], 0
    for token, (label, wait, asked) in enumerate(found, 1):
        now += wait
        rows.append(Row(f"C.{token}", token, label.value, now))
        if asked:
            looks.append(Look("C", token, Why.DRAWN, now, now + 10))
        elif token < len(found):
            looks.append(Look("C", token, Why.GOLD, now, now + 10))
    taken, judged = {}, set()
    for as_of in [*sorted(instants_asked), 1_000]:
        there = [row for row in rows if row.answered_at <= as_of]
        for one in counted(there, [look for look in looks if look.asked_at <= as_of], judged, as_of):
            if one.message_id not in taken:
                taken[one.message_id] = one
                judged |= {one.message_id} if one.counts else set()
    at_once = {one.message_id: one for one in counted(rows, looks, set(), 1_000)}
    assert taken == at_once and set(at_once) == {row.answer_id for row in rows}


def test_where_findings_differ_the_more_frequent_stands_and_among_equals_what_the_model_holds_likelier() -> None:
    case = Case("C", "K", "S", "P", 1, Action.DESK, Action.PAY, Route.AUDIT, 1.0, 0, State.UNDER_REVIEW, 1, 0, 0, None, None, None, {})
    valid, abusive = Label.VALID, Label.ABUSIVE
    torn = replace(case, proba=(0.2, 0.1, 0.7))
    assert torn.standing((valid, abusive)) == torn.standing((abusive, valid)) == abusive
    assert torn.standing((valid, abusive, valid)) == valid
