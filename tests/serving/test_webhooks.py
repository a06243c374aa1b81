"""What is told to whom: with the change and never without it, once, and no more than they may know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pandas as pd
import pytest

from data_contracts import Label
from pipelines.parties import SimulatedParties
from serving import handover, queue
from serving.instants import DAY, micros
from serving.queue import Tier
from serving.store import Store
from serving.webhook_endpoints import EndpointError, add_endpoint, audience_of, end_endpoint, endpoints, exchange_secret
from serving.webhooks import MARKETPLACE, announce, case_answered
from tests.serving.cases import START, WEEK
from tests.serving.court import DECIDED, INSURER, TOWN, Court, court_over, insure_all, sellers

LISTENERS = (MARKETPLACE, "desk", "investigation", f"insurer:{INSURER}", "insurer:I-2", *(f"seller:{seller}" for seller in sellers()))


def listen(store: Store, *audiences: str) -> None:
    with store.write() as tx:
        for audience in audiences:
            add_endpoint(tx, f"at-{audience}", "tests", audience, "https://firm.example/", bytes(32), 0)


def told(store: Store) -> pd.DataFrame:
    """Messages with their audience and claim."""
    rows = store.read("webhook_messages")
    bodies = [json.loads(body) for body in rows["body"]]
    return rows.assign(audience=rows["endpoint_id"].str.removeprefix("at-"), claim_id=[body["data"]["claim_id"] for body in bodies])


@pytest.fixture
def court(store_url: str) -> Iterator[Court]:
    with court_over(store_url) as court:
        yield court


def test_every_case_that_is_opened_escalated_and_answered_is_told_with_the_change_and_to_whom_it_concerns(store_url: str) -> None:
    with Store(store_url, "NORMAL") as store:
        listen(store, *LISTENERS)
        store.record_decisions(TOWN.decisions)
        cases = store.read("cases")
        opened = told(store)
        assert set(zip(opened["audience"], opened["claim_id"], strict=True)) == {
            (whom, claim) for tier, claim in zip(cases["tier"], cases["claim_id"], strict=True) for whom in (tier, MARKETPLACE)
        }
        store.record_decisions(TOWN.decisions)  # decided already: nothing is opened, and nobody is told again
        assert len(told(store)) == len(opened)
        now = micros(DECIDED)
        with store.write() as tx:
            first, second = queue.lease(tx, Tier.DESK, "ann", now, DAY, 2)
            queue.answer(tx, first, Label.VALID, 30, 6_000, now)
            handover.escalate(tx, second, now)
        fresh = told(store).merge(opened[["message_id"]], how="left", indicator=True).query("_merge == 'left_only'")
        assert sorted(zip(fresh["audience"], fresh["kind"], fresh["claim_id"], strict=True)) == sorted(
            [
                (MARKETPLACE, "case.answered", first.claim_id),
                (MARKETPLACE, "case.opened", second.claim_id),
                ("investigation", "case.opened", second.claim_id),
            ]
        )


def test_what_is_undone_is_not_told(court: Court) -> None:
    listen(court.store, MARKETPLACE)
    now = micros(DECIDED)
    with pytest.raises(KeyboardInterrupt), court.store.write() as tx:
        (held,) = queue.lease(tx, Tier.DESK, "ann", now, DAY)
        queue.answer(tx, held, Label.VALID, 30, 6_000, now)
        raise KeyboardInterrupt
    assert court.store.read("webhook_messages").empty and court.store.read("expert_answers").empty


def test_the_same_change_is_never_told_twice(court: Court) -> None:
    listen(court.store, MARKETPLACE, "desk")
    with court.store.write() as tx:
        assert announce(tx, [case_answered("C1", "C1.1", 7)]) == 1
    names = set(court.store.read("webhook_messages")["message_id"])
    with pytest.raises(Exception, match=r"(?i)unique"), court.store.write() as tx:
        announce(tx, [case_answered("C1", "C1.1", 9)])
    assert set(court.store.read("webhook_messages")["message_id"]) == names
    assert all(name.startswith("msg_") and "." not in name for name in names)


def test_the_marketplace_is_told_of_every_move_and_sellers_of_what_they_can_see_has_changed(court: Court) -> None:
    listen(court.store, *LISTENERS)
    insure_all(court.store, INSURER)
    parties, known = SimulatedParties(TOWN.world), dict.fromkeys(sellers(), frozenset[tuple[str, str]]())
    for week in (2.01, 4, 7, 12, 30):
        before = court.store.read("proceedings").set_index("claim_id")["seq"]
        told_before = set(court.store.read("webhook_messages")["message_id"])
        court.carried(START + week * WEEK, parties)
        after = court.store.read("proceedings").set_index("claim_id")
        moved = set(after.index[after["seq"] != before.reindex(after.index)])
        messages = told(court.store)
        fresh = messages[~messages["message_id"].isin(told_before)]
        assert (fresh["kind"] == "resolution.changed").all()
        assert sorted(fresh.query("audience == 'marketplace'")["claim_id"]) == sorted(moved)
        heard = 0
        for seller in sellers()[:12]:
            sees = frozenset((one["claim_id"], one["stage"]) for one in court.listed(seller) + court.listed(seller, "closed"))
            mine = set(fresh[fresh["audience"] == f"seller:{seller}"]["claim_id"])
            assert mine == {claim for claim, _ in sees - known[seller]} - _moot(sees, known[seller])
            assert mine <= set(fresh[fresh["audience"] == f"insurer:{INSURER}"]["claim_id"])
            known[seller] = sees
            heard += len(mine)
        assert heard > 0 or week == 30
    assert set(told(court.store).query("audience == 'insurer:I-2'")["claim_id"]) == set()
    assert all(set(json.loads(body)["data"]) == {"claim_id"} for body in court.store.read("webhook_messages")["body"])


def _moot(sees: frozenset[tuple[str, str]], before: frozenset[tuple[str, str]]) -> set[str]:
    """Claims with nothing in them for the seller any more: withdrawn when it first could see them, or withdrawn before and now closed."""
    known = {claim for claim, _ in before}
    unheard = {claim for claim, stage in sees if stage == "withdrawn" and claim not in known}
    return unheard | {claim for claim, stage in sees if stage == "closed" and (claim, "withdrawn") in before}


def test_an_endpoint_is_told_from_when_it_is_added_until_it_is_removed_and_its_secret_is_in_no_words(court: Court) -> None:
    now = micros(court.now)
    with court.store.write() as tx:
        add_endpoint(tx, "e1", "tests", MARKETPLACE, "https://firm.example/", b"s" * 32, now)
    court.carried(DECIDED)
    count = len(court.store.read("webhook_messages"))
    assert count > 0
    with court.store.write() as tx:
        end_endpoint(tx, "e1", now)
        (one,) = endpoints(tx)
        assert one.ended_at == now and "ssss" not in repr(one)
        for change in (lambda: end_endpoint(tx, "e1", now), lambda: exchange_secret(tx, "nobody", bytes(32), now, now)):
            with pytest.raises(EndpointError, match="touchstone webhooks list"):
                change()
    court.carried(court.now + timedelta(days=9))
    assert len(court.store.read("webhook_messages")) == count


def test_an_exchanged_secret_signs_beside_the_old_one_until_its_time_is_over(court: Court) -> None:
    with court.store.write() as tx:
        add_endpoint(tx, "e1", "tests", MARKETPLACE, "https://firm.example/", b"a" * 32, 0)
        exchange_secret(tx, "e1", b"b" * 32, 10, 20)
        (one,) = endpoints(tx)
        assert (one.secrets(19), one.secrets(20)) == ((b"b" * 32, b"a" * 32), (b"b" * 32,))
        exchange_secret(tx, "e1", b"c" * 32, 30, 0)
        assert endpoints(tx)[0].secrets(30) == (b"c" * 32,)


@pytest.mark.parametrize("text", ["", "everybody", "seller", "seller:", "seller:a b", "customer:K1", "desk:1", "marketplace:x"])
def test_an_audience_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(EndpointError, match="audience: expected desk, investigation, marketplace, seller:SELLER or insurer:INSURER"):
        audience_of(text)
