"""The gate: nobody gets further than their key reaches, nothing escapes as a traceback, every answer is dressed the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.auth import Caller, Recognise, anyone
from serving.auth import Scope as May
from serving.call import CALL, Reply, answer
from serving.doors import DOORS
from serving.gate import HEADERS, Bounds, Gate
from serving.limits import Limits

KEYS = {scope.value: Caller(scope.value, frozenset({scope})) for scope in May}
INSIDE = "/v1/decisions/C1"
TELL = "/v1/claims:score"

Answered = list[tuple[str, str, int]]


def gate(app: ASGIApp, answered: Answered | None = None, bounds: Bounds | None = None, per_second: int = 0) -> Gate:
    ways: tuple[Recognise, ...] = (KEYS.get,)  # type: ignore[assignment]
    told: Callable[..., None] = lambda *found: None if answered is None else answered.append(found[:3])  # noqa: E731
    return Gate(app, lambda given: anyone(given, ways), Limits(per_second, 1.0), lambda: "made", told, bounds or Bounds())


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body that arrived."""
    await answer(send, Reply(b"%d bytes" % len(await scope[CALL].body()), kind=b"text/plain"))


def ask(app: ASGIApp, path: str = TELL, method: str = "POST", key: str | None = "admin", **more: Any) -> httpx.Response:
    async def one() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://memory") as client:
            headers = ({} if key is None else {"authorization": f"Bearer {key}"}) | more.pop("headers", {})
            return await client.request(method, path, headers=headers, **more)

    return asyncio.run(one())


@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door.method} {door.path}")
@pytest.mark.parametrize("scope", [*May, None])
def test_every_door_opens_for_its_scope_and_for_admin_and_for_nobody_else(door: Any, scope: May | None) -> None:
    found = ask(gate(echo), door.path.replace("{claim_id}", "C1"), door.method, None if scope is None else scope.value)
    if door.scope is None or scope in (*door.scopes, May.ADMIN):
        assert found.status_code == 200
    else:
        assert found.status_code == (401 if scope is None else 403)
        assert ("www-authenticate" in found.headers) == (scope is None)


@pytest.mark.parametrize("path", ["/", "/nowhere", "/v1", "/v1/", "/v1/claims", "/docs", "/v1/decisions/a/b", "//v1/events", "/admin"])
def test_who_has_no_key_does_not_learn_what_is_there(path: str) -> None:
    assert ask(gate(echo), path, key=None).status_code == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic admin", "Bearer wrong", "admin", "Bearer admin extra"])
def test_only_a_known_credential_opens(header: str) -> None:
    assert ask(gate(echo), key=None, headers={"authorization": header}).status_code == 401


def test_a_key_may_come_in_the_other_header_and_never_beside_a_wrong_one() -> None:
    assert ask(gate(echo), key=None, headers={"x-api-key": "admin"}).status_code == 200
    assert ask(gate(echo), key="wrong", headers={"x-api-key": "admin"}).status_code == 401


@pytest.mark.parametrize("key", ["admin", None])
def test_every_answer_carries_the_headers_and_its_name(key: str | None) -> None:
    found = ask(gate(echo), key=key, headers={"x-request-id": "mine-7"})
    assert found.headers["x-request-id"] == "mine-7"
    assert {name.decode(): value.decode() for name, value in HEADERS}.items() <= dict(found.headers).items()
    assert "server" not in found.headers
    assert ask(gate(echo), headers={"x-request-id": "x" * 65}).headers["x-request-id"] == "made"


@pytest.mark.parametrize(("size", "declared", "status"), [(100, True, 200), (101, True, 413), (100, False, 200), (101, False, 413)])
def test_a_body_is_as_large_as_it_may_be_whether_it_says_so_or_not(size: int, declared: bool, status: int) -> None:
    async def parts() -> Any:
        yield b"x" * 50
        yield b"x" * (size - 50)

    found = ask(gate(echo, bounds=Bounds(body=100)), content=b"x" * size if declared else parts())
    assert found.status_code == status
    if status == 413:
        (error,) = found.json()["errors"]
        assert error["expected"] == "at most 100 bytes" and found.headers["connection"] == "close"


def test_a_body_that_does_not_arrive_is_not_waited_for() -> None:
    sent: list[Any] = []

    async def one() -> None:
        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": TELL, "headers": [(b"x-api-key", b"admin")]}
        await gate(echo, bounds=Bounds(patience=0.01))(scope, receive, send)

    asyncio.run(one())
    assert sent[0]["status"] == 408


def test_no_more_are_let_in_at_once_than_there_is_place_for_but_health_is_always_told() -> None:
    async def one() -> list[int]:
        release, statuses = asyncio.Event(), []

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == TELL:
                await release.wait()
            await answer(send, Reply(b""))

        async with httpx.AsyncClient(transport=httpx.ASGITransport(gate(slow, bounds=Bounds(at_once=2))), base_url="http://m") as client:
            headers = {"x-api-key": "admin"}
            waiting = [asyncio.create_task(client.post(TELL, headers=headers)) for _ in range(2)]
            while not all(task.get_stack() for task in waiting) or len(asyncio.all_tasks()) < 3:
                await asyncio.sleep(0)
            for _ in range(5):
                await asyncio.sleep(0)
            refused = await client.post(TELL, headers=headers)
            assert refused.headers["retry-after"] == "1"
            statuses += [refused.status_code, (await client.get("/healthz")).status_code]
            release.set()
            return statuses + [response.status_code for response in await asyncio.gather(*waiting)]

    assert asyncio.run(one()) == [429, 200, 200, 200]


def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    app = gate(echo, per_second=1)
    assert ask(app).status_code == 200
    found = ask(app)
    assert found.status_code == 429 and found.headers["retry-after"] == "1"
    assert ask(app, key="score").status_code == 200
    assert ask(app, "/healthz", "GET", key=None).status_code == 200


def test_a_bug_is_a_problem_without_its_words() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("Mrs Miller's kettle")

    found = ask(gate(broken))
    assert found.status_code == 500 and found.json()["type"] == "urn:touchstone:problem:internal" and "kettle" not in found.text


def test_every_answer_is_counted_once_under_its_template() -> None:
    answered: Answered = []
    app = gate(echo, answered)
    ask(app, INSIDE, "GET")
    ask(app, "/v1/decisions/another", "GET", key=None)
    ask(app, "/some/where", "BREW")
    route = "/v1/decisions/{claim_id}"
    assert answered == [("GET", route, 200), ("GET", route, 401), ("other", "elsewhere", 200)]
    assert json.dumps(answered).count("another") == 0
