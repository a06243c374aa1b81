"""Assignments and ties at the edges; the histories are in ``test_queue``."""

from __future__ import annotations

import pytest

from data_contracts import Label
from serving import handover, queue, ties
from serving.instants import DAY, micros
from serving.queue import MEANT_FOR, ConflictOfInterestError, Tier
from serving.store import Store
from serving.ties import Tie, TieKind
from tests.serving.cases import town

TOWN = town(60, seed=3, weeks=1)
OPENED = micros(TOWN.decisions["decided_at"].max())
PARTIES = {row.claim_id: (row.customer_id, row.seller_id) for row in TOWN.claims.itertuples()}


def test_an_assigned_case_is_its_experts_until_the_assignment_is_stale_and_then_anybodys(store_url: str) -> None:
    with Store(store_url, "NORMAL") as store:
        store.record_decisions(TOWN.decisions)
        desk = store.read("cases").query("tier == 'desk'")["claim_id"].tolist()
        with store.write() as tx:
            assert handover.assign(tx, {**dict.fromkeys(desk, "ann"), "nowhere": "ann"}, OPENED) == tuple(desk)
            assert queue.lease(tx, Tier.DESK, "bob", OPENED + MEANT_FOR - 1, DAY) == ()
            assert len(queue.lease(tx, Tier.DESK, "ann", OPENED + MEANT_FOR - 1, DAY)) == 1
            assert len(queue.lease(tx, Tier.DESK, "bob", OPENED + MEANT_FOR, DAY)) == 1


def test_an_answer_is_refused_even_if_the_tie_was_written_beside_the_lease(store_url: str) -> None:
    with Store(store_url, "NORMAL") as store:
        store.record_decisions(TOWN.decisions, parties=PARTIES)
        with store.write() as tx:
            (held,) = queue.lease(tx, Tier.DESK, "ann", OPENED, DAY)
            ties.keep(tx, Tie("ann", TieKind.SELLER, PARTIES[held.claim_id][1]), OPENED)  # as a process at work at the same time would
        with pytest.raises(ConflictOfInterestError, match="ann"), store.write() as tx:
            queue.answer(tx, held, Label.VALID, 9, 9, OPENED + 1)
        assert store.read("expert_answers").empty
