"""Delivery over real connections: everything arrives in the end or is a dead letter, under one name, and nobody waits for another."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from serving.instants import DAY, SECOND
from serving.store import Store
from serving.webhook_address import Reach
from serving.webhook_delivery import KEPT_FOR, MOST_ATTEMPTS, Delivery, dead_letters, revive, wait
from serving.webhook_endpoints import add_endpoint, end_endpoint, endpoints, exchange_secret
from serving.webhook_sending import Sender
from serving.webhook_signature import written
from serving.webhooks import MARKETPLACE, announce, case_answered
from tests.serving.receiver import Receiver, receiving

SECRET = bytes(range(32))


@dataclass
class Post:
    """A store with an outbox, a receiver, and the time."""

    store: Store
    receiver: Receiver
    now: int = 1_750_000_000 * SECOND
    rng: Random = field(default_factory=lambda: Random(0))

    def delivery(self) -> Delivery:
        return Delivery(self.store, Sender(Reach(development=True), patience=5.0), lambda: self.now, self.rng)

    def put(self, count: int, first: int = 0) -> None:
        with self.store.write() as tx:
            announce(tx, [case_answered(f"C{n}", f"C{n}.1", self.now) for n in range(first, first + count)])

    def add(self, name: str, url: str, audience: str = MARKETPLACE) -> None:
        with self.store.write() as tx:
            add_endpoint(tx, name, "tests", audience, url, SECRET, self.now)

    def states(self) -> dict[str, int]:
        return {str(state): int(count) for state, count in self.store.read("webhook_messages")["state"].value_counts().items()}


@pytest.fixture
def post(store_url: str) -> Iterator[Post]:
    with Store(store_url, "NORMAL") as store, receiving() as receiver:
        yield Post(store, receiver)


def test_what_is_put_into_the_outbox_arrives_once_signed_and_is_then_forgotten(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    post.add("e1", f"{post.receiver.url}/hooks")
    post.put(30)
    assert post.delivery().run() == {"delivered": 30, "failed": 0, "dead": 0}
    assert post.delivery().run() == {"delivered": 0, "failed": 0, "dead": 0}
    rows = post.store.read("webhook_messages").set_index("message_id")
    assert sorted(post.receiver.names()) == sorted(rows.index) and post.states() == {"delivered": 30}
    oracle = Webhook(written(SECRET))
    monkeypatch.setattr(oracle, "_Webhook__verify_timestamp", _instant)
    for _, headers, body in post.receiver.came:
        assert oracle.verify(body, headers)["type"] == "case.answered"
        assert rows.loc[headers["webhook-id"], "body"] == body and headers["webhook-timestamp"] == str(post.now // SECOND)
    post.now += KEPT_FOR
    post.put(1, first=99)
    post.delivery().run()
    assert len(post.store.read("webhook_messages")) == 1


def _instant(header: str) -> datetime:
    """Read the header without a look at the real clock."""
    return datetime.fromtimestamp(int(header), UTC)


def test_a_failure_is_tried_again_under_the_same_name_after_a_while_that_grows(post: Post) -> None:
    post.add("e1", post.receiver.url)
    post.put(1)
    post.receiver.answers = [(500, {}), (302, {}), (429, {"retry-after": "600"})]
    waits = []
    for _ in range(3):
        assert post.delivery().run() == {"delivered": 0, "failed": 1, "dead": 0}
        assert post.delivery().run()["failed"] == 0  # not at once
        (due,) = (int(at.timestamp() * 1e6) for at in post.store.read("webhook_messages")["next_at"])
        waits.append((due - post.now) / SECOND)
        post.now = due
    assert 2.5 <= waits[0] <= 7.5 and 10 <= waits[1] <= 30 and waits[2] == 600
    assert post.delivery().run()["delivered"] == 1 and len(set(post.receiver.names())) == 1 and len(post.receiver.came) == 4
    (row,) = post.store.read("webhook_messages").to_dict("records")
    assert row["attempts"] == 4 and pd.isna(row["last_error"])


def test_what_never_arrives_is_a_dead_letter_and_can_be_sent_again(post: Post) -> None:
    post.add("e1", post.receiver.url)
    post.put(1)
    post.receiver.answers = [(500, {})] * MOST_ATTEMPTS
    for _ in range(MOST_ATTEMPTS):
        post.delivery().run()
        post.now += 2 * DAY
    assert len(post.receiver.came) == MOST_ATTEMPTS and post.states() == {"dead": 1}
    post.delivery().run()
    assert len(post.receiver.came) == MOST_ATTEMPTS
    with post.store.write() as tx:
        (letter,) = dead_letters(tx)
        assert (letter.attempts, letter.last_error) == (MOST_ATTEMPTS, "answered 500")
        assert revive(tx, post.now, "msg_other") == 0 and revive(tx, post.now) == 1
    assert post.delivery().run()["delivered"] == 1 and set(post.receiver.names()) == {letter.message_id}


def test_an_endpoint_that_is_gone_or_removed_is_told_no_more(post: Post) -> None:
    post.add("e1", post.receiver.url)
    post.put(3)
    post.receiver.answers = [(410, {})]
    assert post.delivery().run() == {"delivered": 0, "failed": 0, "dead": 3} and len(post.receiver.came) == 1
    with post.store.view() as tx:
        assert endpoints(tx)[0].ended_at == post.now
    with post.store.write() as tx:
        assert revive(tx, post.now) == 3
    assert post.delivery().run()["dead"] == 3 and len(post.receiver.came) == 1


def test_an_endpoint_that_fails_keeps_nobody_else_waiting_and_is_not_asked_for_every_message(post: Post) -> None:
    with receiving() as broken:
        broken.answers = [(500, {})] * 1000
        post.add("bad", broken.url)
        post.add("good", post.receiver.url)
        post.put(40)
        told = post.delivery().run()
        assert told["delivered"] == 40 == len(post.receiver.came)
        assert len(broken.came) == told["failed"] <= 40 // 3 + 1


def test_several_that_deliver_at_once_send_everything_once(post: Post) -> None:
    post.add("e1", post.receiver.url)
    post.put(60)
    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(lambda _: post.delivery().run(), range(3)))
    assert sum(one["delivered"] for one in told) == 60 == len(post.receiver.names()) == len(set(post.receiver.names()))


def test_who_dies_while_sending_loses_nothing(post: Post) -> None:
    post.add("e1", post.receiver.url)
    post.put(5)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Delivery(post.store, killed, lambda: post.now, post.rng).run()  # type: ignore[arg-type]
    assert post.delivery().run()["delivered"] < 5
    post.now += 120 * SECOND
    post.delivery().run()
    assert post.states() == {"delivered": 5} and len(set(post.receiver.names())) == 5


def test_both_secrets_sign_while_one_is_exchanged(post: Post) -> None:
    post.add("e1", post.receiver.url)
    with post.store.write() as tx:
        exchange_secret(tx, "e1", b"n" * 32, post.now, post.now + DAY)
    post.put(1)
    post.delivery().run()
    post.now += DAY
    post.put(1, first=7)
    post.delivery().run()
    assert [len(headers["webhook-signature"].split()) for _, headers, _ in post.receiver.came] == [2, 1]


def test_nothing_is_delivered_to_an_endpoint_that_was_removed_before(post: Post) -> None:
    post.add("e1", post.receiver.url)
    post.put(2)
    with post.store.write() as tx:
        end_endpoint(tx, "e1", post.now)
    post.delivery().run()
    assert post.receiver.came == [] and "dead" in post.states()


@given(st.integers(1, 200), st.integers(0, 2**32))
def test_waits_grow_fourfold_up_to_a_day_and_never_agree(attempts: int, seed: int) -> None:
    middle = min(5 * SECOND * 4 ** (attempts - 1), DAY)
    assert middle * 0.5 <= wait(attempts, Random(seed)) <= middle * 1.5
    assert len({wait(attempts, Random(seed + n)) for n in range(5)}) > 1
