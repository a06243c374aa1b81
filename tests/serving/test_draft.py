"""The laws of drafting: together as one after the other, and nothing done twice that still holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts import Action
from data_contracts.decisions import Decision
from models.policy import Policy
from models.review import Capacity
from models.scorer import Scorer
from serving.decided import day_of
from serving.decider import Decider
from serving.draft import Draft, Look, enough, look, settle
from serving.instants import micros
from serving.reading import Asked, Reading
from serving.refusals import InvalidClaimError
from tests.serving.homes import HISTORY, POLICY, Small, claim, store_at

SKEW = timedelta(minutes=1)
TIGHT = replace(POLICY, desk=replace(POLICY.desk, cases=2, days=1, experts=1))


@pytest.fixture(scope="module")
def decider(market: Small) -> Decider:
    return Decider(Scorer(market.bundle, POLICY, None, HISTORY.names), market.bundle.hash)


@pytest.fixture(scope="module")
def filled(market: Small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drafts")
    with store_at(folder) as store:
        market.engine(store)
    return folder


@contextmanager
def reading(folder: Path, policy: Policy = POLICY) -> Iterator[Reading]:
    """What a transaction knows of the small market's past."""
    with store_at(folder) as store, store.view() as view:
        yield Reading(view, HISTORY, policy)


def asked_for(market: Small, count: int) -> list[Asked]:
    return [Asked.of(row, claim(market.live, row), None) for row in range(count)]


def test_claims_settled_together_are_decided_as_one_after_the_other(market: Small, filled: Path, decider: Decider) -> None:
    with reading(filled, TIGHT) as known:
        looks, answers = look(known, asked_for(market, 12), decider, market.now, SKEW, {})
        left = {day: known.capacity_on(day) for day in {day_of(micros(market.now))}}
        drafts = settle(known, looks, decider, market.now)
    assert not answers and list(drafts) == list(range(12))
    for place, one in looks.items():
        day = day_of(micros(market.now))
        alone = decider.scorer.score_one(one.read.vector, vars(one.asked.claim), one.insured, left[day], market.now)
        assert drafts[place].decision == alone
        left[day] = _less(left[day], alone)
    assert left[day_of(micros(market.now))].desk == 0  # the last of them found the desk full


def _less(left: Capacity, decision: Decision) -> Capacity:
    desk, investigated = (decision.action is action for action in (Action.DESK, Action.INVESTIGATE))
    return Capacity(max(0, left.desk - desk), max(0, left.investigations - investigated))


@settings(max_examples=40, deadline=None)
@given(place=st.integers(0, 5), desk=st.integers(0, 6), investigations=st.integers(0, 3), more=st.integers(0, 50))
def test_no_more_of_the_experts_capacity_matters_than_is_enough(
    market: Small, decider: Decider, place: int, desk: int, investigations: int, more: int
) -> None:
    """Two capacities of which the same is enough decide every claim alike: that is when an earlier decision is kept."""
    asked = claim(market.live, place)
    (seen,) = decider.scorer.see([np.zeros(len(HISTORY.names))])
    (priced,) = decider.scorer.price([seen], [vars(asked)], [False])
    one, other = Capacity(desk, investigations), Capacity(desk + more, investigations + more)
    found = [decider.scorer.decide(seen, priced, vars(asked), left, market.now) for left in (one, other)]
    assert enough(one) != enough(other) or found[0] == found[1]


def test_what_still_holds_is_not_done_again(market: Small, filled: Path, decider: Decider) -> None:
    asked = asked_for(market, 3)
    with reading(filled) as known:
        looks, _ = look(known, asked, decider, market.now, SKEW, {})
        drafts = settle(known, looks, decider, market.now)
    with reading(filled) as known:
        again, _ = look(known, asked, decider, market.now, SKEW, drafts)
        kept = settle(known, again, decider, market.now - timedelta(seconds=1))
        other = replace(decider, bundle="another")
        anew, _ = look(known, asked, other, market.now, SKEW, drafts)
    assert all(kept[place].decision is drafts[place].decision for place in drafts)
    assert all(anew[place].read is drafts[place].look.read and anew[place].old is None for place in drafts)


@given(filed=st.integers(-5, 5), then=st.integers(-5, 5), now=st.integers(-5, 5))
def test_features_hold_if_nothing_was_written_or_the_history_had_passed_the_filing(filed: int, then: int, now: int) -> None:
    asked = Asked(0, None, {"filed_at": filed}, b"", None)  # type: ignore[arg-type]
    made = Draft(Look(asked, None, False, False, lambda: None), None, None, None, then, None)  # type: ignore[arg-type, return-value]
    assert made.holds_vector(now) == (now == then or filed - 1 <= then)


def test_a_claim_that_cannot_be_looked_at_is_answered_and_the_others_wait_for_their_decision(
    market: Small, filled: Path, decider: Decider
) -> None:
    asked = [*asked_for(market, 2), Asked.of(2, claim(market.live, 2, seller_id="nobody"), None)]
    with reading(filled) as known:
        looks, answers = look(known, asked, decider, market.now, SKEW, {})
        assert settle(known, {}, decider, market.now) == {}
    assert list(looks) == [0, 1] and isinstance(answers[2], InvalidClaimError)
