"""The client against the real endpoint over a real socket, and against one that fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from data_contracts.orders import Order
from serving.app import Outside, create_app
from serving.auth import Caller, Scope
from serving.client import Client, ProblemError, UnreachableError
from serving.problem import problem
from tests.serving.homes import Small, body, claim, store_at
from tests.serving.running import running

KEYS = {"right": Caller("right", frozenset({Scope.ADMIN})), "reader": Caller("reader", frozenset({Scope.READ}))}


@pytest.fixture(scope="module")
def url(market: Small, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with store_at(tmp_path_factory.mktemp("store")) as store:
        app = create_app(market.engine(store), lambda: market.now, Outside(recognise=lambda given: KEYS.get(given or "")))
        with running(app) as address:
            yield address


def test_a_claim_is_decided_looked_up_and_decided_the_same_again(url: str, market: Small) -> None:
    with Client(url, "right") as client:
        first = client.score(claim(market.live))
        assert client.score(claim(market.live)) == first == client.decision(first.claim_id)
        received = client.claim(first.claim_id)
        assert received is not None and received.narrative == claim(market.live).narrative
        assert client.decision("none") is None and client.claim("none") is None
        assert client.versions().bundle == market.bundle.hash


def test_many_claims_and_events_are_answered_one_by_one(url: str, market: Small) -> None:
    with Client(url, "right") as client:
        good, wrong = claim(market.live, 1), claim(market.live, 2, claim_id="wrong", order_id="none")
        results = client.score_many([good, wrong])
        assert [result.status for result in results] == [200, 422]
        assert results[1].problem is not None and "order_id" in [error.field for error in results[1].problem.errors]
        order = Order.model_validate(body(market.tables["orders"].tail(1)) | {"order_id": "O-client"})
        assert [client.tell("orders", [order])[0].known for _ in range(2)] == [False, True]


def test_a_refusal_says_what_was_wrong_and_is_not_tried_again(url: str, market: Small) -> None:
    with Client(url, "right", pause=lambda _: pytest.fail("paused")) as client:
        client.score(claim(market.live, 3))
        with pytest.raises(ProblemError, match=r"409 .*amount_cents: expected .*, found 7") as refused:
            client.score(claim(market.live, 3, amount_cents=7))
        assert refused.value.problem.status == 409
    for key, status in (("wrong", 401), ("reader", 403), ("", 401)):
        with Client(url, key) as client, pytest.raises(ProblemError) as refused:
            client.score(claim(market.live))
        assert refused.value.problem.status == status


def test_a_key_is_never_shown() -> None:
    assert "secret" not in repr(Client("http://x", "secret"))


def test_only_addresses_of_the_web_are_called() -> None:
    for wrong in ("file:///etc/passwd", "ftp://x", "x:1"):
        with pytest.raises(ValueError, match="expected http"):
            Client(wrong).versions()


Script = list[tuple[int, dict[str, str], bytes] | None]


@pytest.fixture
def scripted() -> Iterator[Callable[[Script], tuple[str, list[Any]]]]:
    """An endpoint that answers as it is told, one answer after another; ``None``: it hangs up."""
    servers: list[HTTPServer] = []

    def start(script: Script) -> tuple[str, list[Any]]:
        seen: list[Any] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["content-length"]))
                seen.append((self.headers["idempotency-key"], text))
                answer = script[len(seen) - 1]
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, told = answer
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(told))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_: Any) -> None: ...

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}", seen

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def refusal(status: int, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, problem(status).model_dump_json().encode()


@pytest.fixture(scope="module")
def decided(market: Small, url: str) -> bytes:
    with Client(url, "right") as client:
        return client.score(claim(market.live)).model_dump_json().encode()


def test_what_may_be_tried_again_is_with_the_same_key_and_the_pause_that_was_asked_for(
    scripted: Callable[[Script], tuple[str, list[Any]]], market: Small, decided: bytes
) -> None:
    address, seen = scripted([refusal(429, retry_after="7"), None, refusal(503), (200, {}, decided)])
    pauses: list[float] = []
    with Client(address, pause=pauses.append) as client:
        assert client.score(claim(market.live)).model_dump_json().encode() == decided
    assert len(seen) == 4 and len({key for key, _ in seen}) == 1 and seen[0][0]
    assert len({text for _, text in seen}) == 1 and json.loads(seen[0][1])["claim_id"]
    assert pauses[0] == 7.0 and len(pauses) == 3


def test_two_calls_have_two_keys(scripted: Callable[[Script], tuple[str, list[Any]]], market: Small, decided: bytes) -> None:
    address, seen = scripted([(200, {}, decided)] * 3)
    with Client(address) as client:
        for key in (None, None, "mine"):
            client.score(claim(market.live), key)
    assert len({key for key, _ in seen}) == 3 and seen[2][0] == "mine"


def test_after_the_last_attempt_the_last_answer_is_told(scripted: Callable[[Script], tuple[str, list[Any]]], market: Small) -> None:
    address, seen = scripted([refusal(429), (502, {}, b"<html>a proxy</html>")])
    with Client(address, attempts=2, pause=lambda _: None) as client, pytest.raises(ProblemError, match="502"):
        client.score(claim(market.live))
    address, seen = scripted([None, None])
    with Client(address, attempts=2, pause=lambda _: None) as client, pytest.raises(UnreachableError, match="in 2 attempts"):
        client.score(claim(market.live))
    assert len(seen) == 2


def test_the_pause_is_never_longer_than_half_a_minute(
    scripted: Callable[[Script], tuple[str, list[Any]]], market: Small, decided: bytes, tmp_path: Path
) -> None:
    address, _ = scripted([refusal(429, retry_after="86400"), (200, {}, decided)])
    pauses: list[float] = []
    with Client(address, pause=pauses.append) as client:
        client.score(claim(market.live))
    assert pauses == [30.0]
