"""The short way: whatever is asked, it answers as the long one does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from serving.app import Outside, create_app
from serving.call import Call, Reply, add
from serving.doors import DOORS
from serving.endpoint import fixed
from serving.gate import Bounds
from tests.serving.homes import Small, body, store_at
from tests.serving.test_app import Client, app_of_nothing

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def ways(market: Small, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Client]]:
    """The same endpoint twice: with short ways, and with none because it is traced."""
    with store_at(tmp_path_factory.mktemp("store")) as store:
        engine, bounds = market.engine(store), Bounds(body=20_000)
        apps = [create_app(engine, lambda: market.now, Outside(bounds=bounds, tracing=traced)) for traced in (False, True)]
        for app in apps:
            Client(app).get("/healthz")  # layers and gate are made with the first request
        assert len(apps[0]._gate.own) > 20 and not apps[1]._gate.own
        yield Client(apps[0]), Client(apps[1])


def shown(response: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    """All that a caller sees, in order."""
    return response.status_code, response.content, [(name, value) for name, value in response.headers.items() if name != "x-request-id"]


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "BREW"])
@pytest.mark.parametrize("path", sorted({door.path for door in DOORS} - {"/metrics"} | {"/v1/claims:score/", "/nowhere", "/console"}))
def test_every_address_answers_every_method_as_by_the_long_way(ways: tuple[Client, Client], method: str, path: str) -> None:
    short, long = (way.request(method, path + "?limit=x", headers=JSON, content=b"[]") for way in ways)
    assert shown(short) == shown(long)
    assert all(response.headers["x-request-id"] for response in (short, long))


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"x" * 20_001, "\u00e9".encode("latin-1")])
@pytest.mark.parametrize("headers", [{}, JSON, {"content-type": "text/plain"}, JSON | {"idempotency-key": "\x00"}])
def test_what_cannot_be_read_is_refused_alike(ways: tuple[Client, Client], content: bytes, headers: dict[str, str]) -> None:
    short, long = (way.post("/v1/claims:score", content=content, headers=headers) for way in ways)
    assert shown(short) == shown(long) and short.status_code in (400, 413, 415, 422)


def test_a_claim_decided_by_either_way_is_answered_alike_by_both(ways: tuple[Client, Client], market: Small) -> None:
    for turn, (first, second) in enumerate((ways, ways[::-1])):
        asked = body(market.live) | {"claim_id": f"either-{turn}"}
        one, other = (way.post("/v1/claims:score", json=asked, headers={"x-request-id": "mine"}) for way in (first, second))
        assert one.status_code == 200 and shown(one) == shown(other) and one.headers["x-request-id"] == "mine"


def test_only_bare_routes_with_a_fixed_address_are_short() -> None:
    async def handler(call: Call) -> Reply:
        """Answer."""
        return Reply(b"")

    app: Any = app_of_nothing()
    add(app, "POST", "/v1/new:thing", handler, str)
    found = fixed(app.routes)
    assert found["POST", "/v1/new:thing"] is handler and ("POST", "/v1/claims:score") in found
    assert not any("{" in path or path in ("/openapi.json", "/console") for _, path in found)
