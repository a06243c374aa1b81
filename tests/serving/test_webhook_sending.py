"""One attempt over a real connection: what is sent, what is followed, and where it never goes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from serving.webhook_address import Reach
from serving.webhook_sending import Attempt, Sender
from tests.serving.receiver import Receiver, receiving

SEND = Sender(Reach(development=True), patience=5.0)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_path_query_headers_and_body_arrive_as_they_are(receiver: Receiver) -> None:
    assert SEND(f"{receiver.url}/hooks?a=1&b", b'{"x":"\xc3\xa9"}', {"webhook-id": "msg_1"}) == Attempt(204)
    ((path, headers, body),) = receiver.came
    assert (path, body, headers["webhook-id"], headers["content-type"]) == (
        "/hooks?a=1&b",
        b'{"x":"\xc3\xa9"}',
        "msg_1",
        "application/json",
    )
    assert headers["host"] == receiver.url.removeprefix("http://")


def test_a_redirection_is_a_failure_and_nobody_follows_it(receiver: Receiver) -> None:
    receiver.answers = [(307, {"location": f"{receiver.url}/elsewhere"})]
    came = SEND(receiver.url, b"{}", {})
    assert (came.status, came.delivered, came.said) == (307, False, "answered 307") and len(receiver.came) == 1


@pytest.mark.parametrize(("after", "seconds"), [("120", 120), ("999999", 86_400), ("soon", 0), ("", 0), ("-5", 0), ("9" * 400, 0)])
def test_the_pause_that_an_endpoint_asks_for_is_bounded(receiver: Receiver, after: str, seconds: int) -> None:
    receiver.answers = [(503, {"retry-after": after})]
    assert SEND(receiver.url, b"{}", {}) == Attempt(503, "answered 503", seconds)


def test_nothing_is_sent_to_this_machine_unless_it_may_be(receiver: Receiver) -> None:
    port = int(receiver.url.rpartition(":")[2])
    told = Sender(Reach())(f"https://localhost:{port}/", b"{}", {})
    assert told.status is None and "localhost: expected a host with public addresses alone" in told.said
    assert "expected https://" in Sender(Reach())(receiver.url, b"{}", {}).said
    allowed = Sender(Reach((ip_network("127.0.0.0/8"), ip_network("::1/128"))), patience=5.0)(f"https://127.0.0.1:{port}/", b"{}", {})
    assert allowed.said == "no answer: SSLError" or "SSL" in allowed.said  # it went there, and found no certificate
    assert receiver.came == []


def test_a_name_that_changes_its_meaning_is_met_at_the_address_that_was_judged(receiver: Receiver) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.255.255.1"]

    port = receiver.url.rpartition(":")[2]
    assert Sender(Reach(development=True), resolve=resolve)(f"http://firm.invalid:{port}/", b"{}", {}).delivered
    assert asked == ["firm.invalid"] and receiver.came[0][1]["host"] == f"firm.invalid:{port}"


def test_nobody_listening_and_nobody_known_is_what_came_of_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        port = taken.getsockname()[1]
        assert SEND(f"http://127.0.0.1:{port}/", b"{}", {}) == Attempt(None, "no answer: ConnectionRefusedError")

    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror

    assert Sender(Reach(), resolve=unknown)("https://firm.invalid/", b"{}", {}) == Attempt(None, "looking the host up: gaierror")
