"""Cases read from the store are the cases that were written."""

from __future__ import annotations

import pytest

from serving import casework, proceedings
from serving.case import Case, Message
from serving.instants import DAY, micros
from serving.proceedings import ClaimFacts, UnknownClaimError
from serving.resolution import State
from serving.store import Store
from tests.serving.cases import town

TOWN = town(80, seed=5)
IDS = sorted(TOWN.claims["claim_id"])
FACTS = {row.claim_id: ClaimFacts(row.customer_id, row.seller_id, row.product_id, row.amount_cents) for row in TOWN.claims.itertuples()}
END = micros(TOWN.decisions["decided_at"].max())


def silent(_: Case) -> tuple[Message, ...]:
    return ()


def carry(store: Store, until: int) -> list[Case]:
    with store.write() as tx:
        before = proceedings.load(tx, IDS, FACTS)
        moved = [(case, casework.advance(case, (), (), until, silent, lambda _s, _at: True)) for case in before]
        proceedings.write(tx, moved, until)
    return [after.case for _, after in moved]


def test_what_was_written_is_loaded_to_the_last_field() -> None:
    with Store("sqlite://") as store:
        store.record_decisions(TOWN.decisions)
        for until in (END, END + 20 * DAY, END + 400 * DAY):
            written = carry(store, until)
            with store.view() as tx:
                assert proceedings.load(tx, IDS, {}) == written
                counts = proceedings.by_state(tx)
            assert sum(counts.values()) == len(IDS)
        assert counts[State.CLOSED] == len(IDS)


def test_a_case_is_awaited_as_long_as_its_clock_can_run_out_or_its_parties_may_answer() -> None:
    with Store("sqlite://") as store:
        store.record_decisions(TOWN.decisions)
        with store.view() as tx:
            assert proceedings.unopened(tx, END) == IDS
            assert proceedings.awaited(tx, END, True) == []
        carry(store, END)
        with store.view() as tx:
            assert proceedings.unopened(tx, END) == []
            assert proceedings.awaited(tx, END, False) == []
            assert set(proceedings.awaited(tx, END + 8 * DAY, False)) < set(proceedings.awaited(tx, END + 8 * DAY, True))


def test_a_case_left_to_its_clock_leaves_the_queue() -> None:
    with Store("sqlite://") as store:
        store.record_decisions(TOWN.decisions)
        carry(store, END + 80 * DAY)
        assert set(store.read("cases")["state"]) == {"withdrawn"}


def test_a_decided_claim_that_is_not_in_the_lake_is_named() -> None:
    with Store("sqlite://") as store:
        store.record_decisions(TOWN.decisions)
        with pytest.raises(UnknownClaimError, match=f"claim {IDS[0]}: expected in the table claims"), store.view() as tx:
            proceedings.load(tx, IDS[:1], {})
