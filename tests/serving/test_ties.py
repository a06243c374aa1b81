"""Conflict of interest at the edges; the histories are in ``test_queue``."""

from __future__ import annotations

from serving import handover, queue, ties
from serving.instants import DAY, micros
from serving.queue import Tier
from serving.store import Store
from serving.ties import Tie, TieKind
from tests.serving.cases import town

TOWN = town(60, seed=3, weeks=1)
OPENED = micros(TOWN.decisions["decided_at"].max())


def test_whoever_is_tied_to_anybody_is_not_offered_a_case_of_which_nobody_knows_whose_it_is(store_url: str) -> None:
    with Store(store_url, "NORMAL") as store:
        store.record_decisions(TOWN.decisions)  # a batch that did not say
        with store.write() as tx:
            handover.declare(tx, Tie("ann", TieKind.SELLER, "S1"), OPENED)
            assert queue.lease(tx, Tier.DESK, "ann", OPENED, DAY) == ()
            assert len(queue.lease(tx, Tier.DESK, "bob", OPENED, DAY)) == 1


def test_a_tie_declared_twice_is_one_and_keeps_its_first_instant(store_url: str) -> None:
    tie = Tie("ann", TieKind.CUSTOMER, "K1")
    with Store(store_url, "NORMAL") as store:
        with store.write() as tx:
            for at in (DAY, 2 * DAY):
                ties.keep(tx, tie, at)
            assert ties.ties_of(tx, "ann") == {tie} and ties.ties_of(tx, "bob") == frozenset()
        assert [micros(at) for at in store.read("expert_ties")["declared_at"]] == [DAY]
