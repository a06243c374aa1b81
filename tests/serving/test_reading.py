"""What a transaction knows around claims: everything that is there, nothing else, and never more than is left."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from data_contracts import CLAIMS, Action, Route
from data_contracts.decisions import Decision
from serving.decided import day_of
from serving.instants import micros
from serving.known import named, print_of
from serving.reading import Around, Asked, Reading, names_of
from tests.serving.homes import HISTORY, POLICY, Small, claim, store_at

SECOND = timedelta(seconds=1)


def test_a_claim_as_it_came_is_its_plain_values_and_their_print(market: Small) -> None:
    one = claim(market.live)
    asked = Asked.of(3, one, "k")
    assert asked.values["filed_at"] == micros(one.filed_at) and asked.values["kind"] == one.kind.value
    assert asked.print == print_of(CLAIMS, asked.values) and (asked.place, asked.key) == (3, "k")


def test_around_a_group_stands_what_the_store_knows_and_nothing_else(market: Small, tmp_path: Path) -> None:
    decided, new = claim(market.live), claim(market.live, 1, order_id="none")
    with store_at(tmp_path) as store:
        body = market.engine(store).score(decided, market.now, "k")
        with store.view() as view:
            reading = Reading(view, HISTORY, POLICY)
            group = [Asked.of(0, decided, "k"), Asked.of(1, new, "unknown")]
            around = Around.of(reading.driver, group)
    assert around.answers == {decided.claim_id: body}
    assert around.keys == {"k": (decided.claim_id, group[0].print)}
    assert set(around.rows) <= {name for asked in group for name in names_of(asked)}
    assert around.rows[named("claims", decided.claim_id)].print == group[0].print
    assert named("claims", new.claim_id) not in around.rows and named("orders", "none") not in around.rows


def test_what_drafts_take_of_the_experts_day_is_left_to_nobody_else_and_never_falls_below_nothing(market: Small, tmp_path: Path) -> None:
    day = day_of(micros(market.now))
    with store_at(tmp_path) as store:
        decision = Decision.model_validate_json(market.engine(store).score(claim(market.live), market.now))
        with store.view() as view:
            reading = Reading(view, HISTORY, replace(POLICY, desk=replace(POLICY.desk, cases=2, days=1, experts=1)))
            before = reading.capacity_on(day)
            looks = ((Action.PAY, Route.AUTOMATIC), (Action.DESK, Route.RULE), *((Action.DESK, Route.VALUE_OF_REVIEW),) * 3)
            left = []
            for action, route in looks:
                reading.took(decision.model_copy(update={"action": action, "route": route}), day)
                left.append(reading.capacity_on(day).desk)
    assert left == [before.desk, before.desk, *(max(0, before.desk - taken) for taken in (1, 2, 3))]
    assert reading.capacity_on(day).investigations == before.investigations


def test_a_reading_that_remembers_the_last_one_knows_what_one_that_starts_anew_knows(market: Small, tmp_path: Path) -> None:
    asked = Asked.of(0, claim(market.live), None)
    with store_at(tmp_path) as store:
        engine = market.engine(store)
        with store.view() as view:
            before = Reading(view, HISTORY, POLICY)
            before.history.vector(asked.values)
        for scored in (False, True):
            if scored:  # by the same customer, just before
                engine.score(asked.claim.model_copy(update={"claim_id": "C-before", "filed_at": asked.claim.filed_at - SECOND}), market.now)
            with store.view() as view:
                found = [Reading(view, HISTORY, POLICY, last) for last in (before, None)]
                vectors = [one.history.vector(asked.values).tobytes() for one in found]
            assert vectors[0] == vectors[1] and (found[0].head == before.head) is not scored
            assert found[0].watermark == found[1].watermark
