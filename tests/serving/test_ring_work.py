"""Files of rings in the queue: only waiting cases are filed, whoever may see them takes them together, one fee is paid."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from data_contracts import Label
from serving import handover, queue, ring_work
from serving.instants import DAY, micros
from serving.queue import Tier
from serving.store import Store
from serving.ties import Tie, TieKind
from tests.serving.cases import town

TOWN = town(160, seed=3, weeks=1)
NOW = micros(TOWN.decisions["decided_at"].max())
DESK = TOWN.decisions.loc[TOWN.decisions["action"] == "DESK", "claim_id"].tolist()
INVESTIGATED = TOWN.decisions.loc[TOWN.decisions["action"] == "INVESTIGATE", "claim_id"].tolist()
PARTIES = {claim: (f"K-{claim}", "S") for claim in (*DESK, *INVESTIGATED)}


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store(store_url, "NORMAL") as opened:
        opened.record_decisions(TOWN.decisions, parties=PARTIES)
        yield opened


def test_a_file_is_of_cases_that_wait_from_either_tier_and_of_two_at_least(store: Store) -> None:
    with store.write() as tx:
        (taken,) = queue.lease(tx, Tier.DESK, "ann", NOW, DAY)
        free = [claim for claim in DESK if claim != taken.claim_id]
        assert ring_work.open_file(tx, [taken.claim_id, free[0]], 90_000, NOW, 600) == ()
        mine = [taken.claim_id, free[1], INVESTIGATED[0], free[0]]
        assert ring_work.open_file(tx, mine, 90_000, NOW, 600) == (free[1], INVESTIGATED[0], free[0])
        assert ring_work.open_file(tx, mine, 90_000, NOW, 600) == ()
        assert set(ring_work.siblings(tx, free[0])) == {free[1], INVESTIGATED[0]} and ring_work.siblings(tx, taken.claim_id) == ()
    cases = store.read("cases").set_index("claim_id").loc[[free[1], INVESTIGATED[0], free[0]]]
    assert set(cases["tier"]) == {"investigation"} and set(cases["minutes"]) == {200}
    assert set(cases["priority"]) == {queue.priority(90_000, 600)}
    assert set(store.read("escalations")["claim_id"]) == {free[0], free[1]}


def test_who_takes_one_case_takes_those_of_the_file_that_they_may_see_and_the_first_answer_is_paid(store: Store) -> None:
    with store.write() as tx:
        file = ring_work.open_file(tx, DESK[:4], 90_000, NOW, 600)
        handover.declare(tx, Tie("zoe", TieKind.CUSTOMER, f"K-{DESK[3]}"), NOW)
        first = queue.lease_these(tx, [DESK[0]], Tier.INVESTIGATION, "zoe", NOW, DAY)
        rest = ring_work.lease_files(tx, first, NOW, DAY)
        assert sorted(held.claim_id for held in (*first, *rest)) == sorted(set(file) - {DESK[3]})
        assert ring_work.lease_files(tx, (*first, *rest), NOW, DAY) == ()
        assert not ring_work.is_paid(tx, rest[0].claim_id)
        queue.answer(tx, first[0], Label.ABUSIVE, 600, 250_000, NOW + 1)
        assert ring_work.is_paid(tx, rest[0].claim_id) and ring_work.is_paid(tx, DESK[3]) and not ring_work.is_paid(tx, DESK[9])
