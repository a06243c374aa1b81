"""Webhooks on the command line: a secret shown once, endpoints listed and ended, messages delivered, dead letters sent again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serving.store import Store
from serving.webhook_delivery import MOST_ATTEMPTS
from serving.webhook_endpoints import endpoints
from serving.webhook_signature import read_secret, written
from serving.webhooks import announce, case_answered
from tests.console import Finished, touchstone
from tests.serving.receiver import Receiver, receiving

Webhooks = Callable[..., Finished]
URL = "https://firm.example/hooks"
GOOD = ("--url", URL, "--audience", "desk", "--owner", "The firm")


@pytest.fixture
def webhooks(tmp_path: Path) -> Webhooks:
    return lambda *arguments: touchstone("webhooks", *arguments, "--home", str(tmp_path))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def store_in(home: Path) -> Store:
    return Store(f"sqlite:///{home / 'store.db'}", "NORMAL")


def test_a_secret_is_shown_once_or_read_from_a_file_and_never_listed(webhooks: Webhooks, tmp_path: Path) -> None:
    made = webhooks("add", *GOOD)
    assert made.code == 0 and made.out.count("\n") == 1 and "whsec_" not in made.err
    file = tmp_path / "secret"
    file.write_text(f"{written(b'f' * 40)}\n")
    filed = webhooks("add", *GOOD[:2], "--audience", "seller:S1", "--owner", "S1", "--secret-file", str(file))
    assert filed.code == 0 and "whsec_" not in filed.out + filed.err
    with store_in(tmp_path) as store, store.view() as tx:
        assert [one.secret for one in endpoints(tx)] == [read_secret(made.out.strip()), b"f" * 40]
    listed = webhooks("list").out
    assert "The firm" in listed and "seller:S1" in listed and "whsec_" not in listed


def test_a_secret_is_exchanged_and_an_endpoint_removed(webhooks: Webhooks, tmp_path: Path) -> None:
    first = webhooks("add", *GOOD)
    name = first.err.split()[1]
    second = webhooks("rotate", name, "--overlap-hours", "1")
    with store_in(tmp_path) as store, store.view() as tx:
        (one,) = endpoints(tx)
    assert (one.secret, one.old_secret) == tuple(read_secret(made.out.strip()) for made in (second, first))
    assert webhooks("remove", name).code == 0 and " no " in webhooks("list").out
    assert webhooks("remove", name).code == 2 and "touchstone webhooks list" in webhooks("rotate", name).err


def test_what_is_due_is_delivered_and_a_dead_letter_shown_and_sent_again(webhooks: Webhooks, tmp_path: Path, receiver: Receiver) -> None:
    webhooks("add", "--url", receiver.url, "--audience", "marketplace", "--owner", "us", "--development")
    with store_in(tmp_path) as store, store.write() as tx:
        announce(tx, [case_answered("C1", "C1.1", 0)])
    assert webhooks("deliver").code == 0 and receiver.came == []  # this machine is reached in development alone
    receiver.answers = [(500, {})] * MOST_ATTEMPTS
    for _ in range(MOST_ATTEMPTS - 1):
        with store_in(tmp_path) as store, store.write() as tx:
            tx.exec_driver_sql("UPDATE webhook_messages SET next_at = 0")
        assert webhooks("deliver", "--development").code == 0
    assert len(receiver.came) == MOST_ATTEMPTS - 1
    dead = webhooks("dead")
    assert dead.code == 1 and "case.answered" in dead.out and "answered 500" in dead.out
    receiver.answers = []
    assert webhooks("replay", "msg_other").code == 2
    assert webhooks("replay").code == 0 and webhooks("dead").code == 0
    assert "delivered" in webhooks("deliver", "--development").out and len(set(receiver.names())) == 1
    assert len(receiver.came) == MOST_ATTEMPTS


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", *GOOD[2:]), "url: expected https://"),
        (("add", "--url", "http://firm.example", *GOOD[2:]), "url: expected https://"),
        (("add", "--url", URL, "--audience", "all", "--owner", "x"), "audience: expected desk"),
        (("add", *GOOD[:4]), "owner: expected"),
        (("add", *GOOD, "--networks", "10.0.0.1/8"), "10.0.0.1/8"),
        (("remove",), "endpoint: expected"),
    ],
)
def test_what_cannot_be_done_is_said(webhooks: Webhooks, arguments: tuple[str, ...], words: str) -> None:
    found = webhooks(*arguments)
    assert found.code == 2 and words in found.err.replace("\n", " ")
