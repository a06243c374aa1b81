"""The transition table, looked at from every side."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from data_contracts.resolutions import Outcome
from serving.instants import DAY
from serving.resolution import (
    DEADLINES,
    FINAL,
    INSTANT,
    RESOLVED,
    TRANSITIONS,
    Entry,
    Event,
    State,
    TransitionError,
    deadline,
    follow,
    mermaid,
)

PAYING = {Entry.ADVANCE, Entry.STEP_IN, Entry.SELLER_PAYS_CLAIMANT, Entry.INSURER_PAYS_CLAIMANT}
OWING = {Entry.ADVANCE, Entry.STEP_IN, Entry.DEMAND, Entry.CLAIM_BACK}


def reachable(start: State, skip: frozenset[State] = frozenset()) -> set[State]:
    found, todo = {start}, [start]
    while todo:
        here = todo.pop()
        for t in TRANSITIONS:
            if t.state is here and t.to not in found and t.to not in skip:
                found.add(t.to)
                todo.append(t.to)
    return found


def test_every_state_is_reachable_from_filed() -> None:
    assert reachable(State.FILED) == set(State)


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_way_to_closed(state: State) -> None:
    assert State.CLOSED in reachable(state)


@pytest.mark.parametrize("state", State)
def test_a_state_waits_for_a_clock_or_moves_at_once_or_is_final(state: State) -> None:
    assert (state in DEADLINES) + (state in INSTANT) + (state in FINAL) == 1
    assert any(t.state is state and t.event is Event.DEADLINE for t in TRANSITIONS) == (state in DEADLINES)


def test_clocks_alone_bring_every_claim_to_closed() -> None:
    for state in set(DEADLINES):
        trail, here = set(), state
        while here not in FINAL and here not in INSTANT:
            assert here not in trail
            trail.add(here)
            here = follow(here, Event.DEADLINE).to


def test_there_is_no_way_out_of_a_final_state() -> None:
    assert not [t for t in TRANSITIONS if t.state in FINAL]


def test_every_event_and_every_entry_is_used() -> None:
    assert {t.event for t in TRANSITIONS} == set(Event)
    assert {entry for t in TRANSITIONS for entry in t.entries} == set(Entry)


def test_no_pair_of_state_and_event_is_declared_twice() -> None:
    pairs = [(t.state, t.event) for t in TRANSITIONS]
    assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize(("state", "event"), itertools.product(State, Event))
def test_a_pair_is_declared_or_refused_by_name(state: State, event: Event) -> None:
    declared = [t for t in TRANSITIONS if (t.state, t.event) == (state, event)]
    if declared:
        assert follow(state, event) is declared[0]
    else:
        with pytest.raises(TransitionError, match=rf"^{state.value}: expected .* found {event.value}$"):
            follow(state, event)


def test_no_claim_can_be_paid_on_any_path_a_second_time() -> None:
    for paid in (t for t in TRANSITIONS if PAYING & set(t.entries)):
        later = [t for t in TRANSITIONS if t.state in reachable(paid.to) and PAYING & set(t.entries)]
        assert not later, f"{paid} is followed by {later}"
        assert sum(entry in PAYING for entry in paid.entries) == 1


def test_whatever_leads_to_payment_brings_a_verdict_that_says_so() -> None:
    for t in TRANSITIONS:
        if t.to in (State.APPROVED, State.REINSTATED):
            assert t.verdict is not None
            assert t.verdict.outcome is Outcome.PAID
        if PAYING & set(t.entries):
            assert t.state in (State.APPROVED, State.REINSTATED, State.PRESENTED)


def test_a_claim_unpaid_is_never_recovered_and_a_claim_paid_never_denied() -> None:
    after_payment = set().union(*(reachable(t.to) for t in TRANSITIONS if PAYING & set(t.entries)))
    for t in TRANSITIONS:
        if t.state in after_payment and t.verdict is not None:
            assert t.verdict.outcome is Outcome.PAID
        if set(t.entries) & set(Entry) - PAYING:
            assert t.state in after_payment


def test_an_automatic_verdict_has_no_label_and_every_other_has_one_or_keeps_what_the_expert_found() -> None:
    for t in TRANSITIONS:
        if t.verdict is not None:
            keeps_the_finding = t.state in (State.EXAMINED, State.PROOF_REQUESTED) and t.verdict.source != "revealed"
            assert (t.verdict.label is None) == (t.verdict.source == "automatic" or keeps_the_finding)


def test_the_published_clocks_are_kept() -> None:
    assert DEADLINES[State.PROOF_AWAITED] == 7 * DAY
    assert DEADLINES[State.REIMBURSEMENT_DEMANDED] == 30 * DAY
    assert DEADLINES[State.DENIED_ABUSIVE] == DEADLINES[State.DENIED_UNSUBSTANTIATED] == 30 * DAY
    assert deadline(State.PROOF_AWAITED, 5) == 5 + 7 * DAY
    assert deadline(State.CLOSED, 5) is None


def test_resolved_states_only_wait_for_what_comes_to_light() -> None:
    for state in RESOLVED:
        assert {t.event for t in TRANSITIONS if t.state is state} <= {Event.ABUSE_REVEALED, Event.DEADLINE}


def test_the_diagram_shows_every_event_and_the_page_shows_the_diagram() -> None:
    lines = mermaid().splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert sum(line.count("<br>") + 1 for line in lines[2 : -len(FINAL)]) == len(TRANSITIONS)
    assert "insurer_pays_in_part (demand, recover_from_insurer)<br>deadline after 7 days (demand)" in "".join(lines)
    page = (Path(__file__).parents[2] / "docs" / "life.md").read_text(encoding="utf-8")
    assert f"```mermaid\n{mermaid()}\n```" in page, "write mermaid() into docs/life.md"
