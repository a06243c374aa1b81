"""What experts answered, as their quality is learned from it: hidden where it was, a truth for gold answers alone, nothing of later."""

from __future__ import annotations

import pandas as pd

from data_contracts import Label
from models.quality_checks import Checks, draw
from serving import queue, second_looks
from serving.expert_answers import answers_of, truths
from serving.instants import DAY, micros
from serving.schema import RESOLUTIONS_TABLE
from serving.second_looks import Why
from serving.store import Store
from tests.serving.cases import town

TOWN = town(60, seed=3, weeks=1)
OPENED = micros(TOWN.decisions["decided_at"].max())


def answered(store: Store, expert: str, now: int, *claims: str) -> list[str]:
    with store.write() as tx:
        leases = (
            queue.lease_these(tx, claims, queue.Tier.DESK, expert, now, DAY)
            if claims
            else queue.lease(tx, queue.Tier.DESK, expert, now, DAY, 5)
        )
        for held in leases:
            queue.answer(tx, held, Label.VALID, 30, 6_000, now)
    return [held.claim_id for held in leases]


def revealed(store: Store, claim: str, known_at: int) -> None:
    row = {"customer_id": "K", "seller_id": "S", "product_id": "P", "outcome": "paid", "propensity": 1.0, "paid_cents": 1}
    with store.write() as tx:
        tx.execute(
            RESOLUTIONS_TABLE.insert().values(
                resolution_id=f"{claim}.9",
                claim_id=claim,
                source="revealed",
                label="abusive",
                resolved_at=known_at,
                known_at=known_at,
                **row,
            )
        )


def test_a_truth_is_told_of_gold_answers_alone_and_only_once_it_is_known() -> None:
    with Store("sqlite://", "NORMAL") as store:
        store.record_decisions(TOWN.decisions)
        first, *_ = answered(store, "ann", OPENED)
        answered(store, "bob", OPENED + 1)
        revealed(store, first, OPENED + 2 * DAY)
        with store.write() as tx:
            assert second_looks.ask(tx, first, Why.GOLD, OPENED + 3 * DAY) is not None
        assert answered(store, "bob", OPENED + 4 * DAY, first) == [first]
        with store.view() as tx:
            found = answers_of(tx, Checks(), 100)
            latest = answers_of(tx, Checks(), 3)
            before = answers_of(tx, Checks(), 100, OPENED + 4 * DAY)
            assert (truths(tx), truths(tx, OPENED + DAY)) == ({first: "abusive"}, {})
    gold = found.dropna(subset="truth")
    assert gold[["claim_id", "expert", "truth"]].to_numpy().tolist() == [[first, "bob", "abusive"]]
    assert len(before) == len(found) - 1 and before["truth"].isna().all()
    assert found["hidden"].tolist() == draw(Checks(), pd.Series(found["claim_id"])).hidden.tolist()
    assert found["answered_at"].is_monotonic_decreasing and len(latest) == 3
