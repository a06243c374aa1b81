"""Routes and errors, over HTTP in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from data_contracts import CLAIMS
from data_contracts.claims import Claim
from data_contracts.decisions import Decision
from serving import app as module
from serving.app import create_app
from serving.engine import Engine
from tests.serving.homes import Small, body, store_at

GOLDEN = Path(__file__).parents[2] / "serving" / "openapi.json"
REWRITE = (
    'python -c "import json; from serving.app import create_app; '
    'print(json.dumps(create_app(None, None).openapi(), indent=1))" > serving/openapi.json'
)
JSON = {"content-type": "application/json"}


class Client:
    """Talks to an application in memory."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def request(self, method: str, path: str, **body: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://memory") as client:
                return await client.request(method, path, **body)

        return asyncio.run(ask())

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.request("POST", path, **body)


@pytest.fixture(scope="module")
def client(market: Small, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with store_at(tmp_path_factory.mktemp("store")) as store:
        yield Client(create_app(market.engine(store), lambda: market.now))


def problem(response: Any, status: int) -> dict[str, str]:
    """The fields named by an error answer, with what was found."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    told = response.json()
    assert told["status"] == status and told["type"].startswith("urn:touchstone:problem:") and told["title"] and told["detail"]
    assert all(error["expected"] and error["found"] for error in told["errors"])
    return {error["field"]: error["found"] for error in told["errors"]}


def test_a_claim_is_answered_with_its_decision_and_again_byte_for_byte(client: Client, market: Small) -> None:
    asked = body(market.live)
    first = client.post("/v1/claims:score", json=asked)
    assert first.status_code == 200, first.text
    decision = Decision.model_validate_json(first.content)
    assert decision.claim_id == asked["claim_id"] and decision.decided_at == market.now
    assert abs(decision.p_valid + decision.p_unsubstantiated + decision.p_abusive - 1) < 1e-9
    assert client.post("/v1/claims:score", json=asked).content == first.content
    assert client.get(f"/v1/decisions/{decision.claim_id}").content == first.content


def test_another_body_under_the_same_identity_is_a_conflict(client: Client, market: Small) -> None:
    asked = body(market.live)
    assert client.post("/v1/claims:score", json=asked).status_code == 200
    assert problem(client.post("/v1/claims:score", json=asked | {"amount_cents": 7}), 409) == {"amount_cents": "7"}


def test_every_wrong_field_is_named_in_the_words_of_the_contract(client: Client, market: Small) -> None:
    wrong = body(market.live) | {"amount_cents": 0, "kind": "theft", "filed_at": 1_700_000_000, "colour": "red"}
    del wrong["narrative"]
    response = client.post("/v1/claims:score", json=wrong)
    found = problem(response, 422)
    assert found["narrative"] == "nothing" and found["amount_cents"] == "0" and found["kind"] == "'theft'"
    assert set(found) == {"amount_cents", "kind", "filed_at", "colour", "narrative"}
    told = {error["field"]: error["expected"] for error in response.json()["errors"]}
    for name in ("amount_cents", "kind", "filed_at", "narrative"):
        assert told[name] == CLAIMS.column(name).expected


def test_times_out_of_order_are_named(client: Client, market: Small) -> None:
    asked = body(market.live)
    response = client.post("/v1/claims:score", json=asked | {"incident_at": "2031-01-01T00:00:00Z"})
    assert list(problem(response, 422)) == ["filed_at"]
    assert response.json()["errors"][0]["expected"] == "incident_at ≤ filed_at"


def test_a_claim_on_an_unknown_order_names_the_order(client: Client, market: Small) -> None:
    assert problem(client.post("/v1/claims:score", json=body(market.live) | {"claim_id": "new", "order_id": "none"}), 422) == {
        "order_id": "'none'"
    }


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"1", b'"x"', b"null", b'{"claim_id": "\\ud800"}', b'{"claim_id": NaN}'])
def test_what_is_no_claim_at_all_is_refused_politely(client: Client, content: bytes) -> None:
    assert problem(client.post("/v1/claims:score", content=content, headers=JSON), 422)


@pytest.mark.parametrize("content", [b"\xff", b"[" * 100_000, b'{"amount_cents": ' + b"9" * 5000 + b"}"])
def test_what_cannot_be_read_is_refused_politely(client: Client, content: bytes) -> None:
    assert problem(client.post("/v1/claims:score", content=content, headers=JSON), 400) == {"body": "something else"}


def test_a_body_that_is_not_declared_as_json_is_refused(client: Client, market: Small) -> None:
    content = json.dumps(body(market.live)).encode()
    assert list(problem(client.post("/v1/claims:score", content=content, headers={"content-type": "text/plain"}), 422)) == ["body"]


def test_what_is_not_there_is_a_problem_too(client: Client) -> None:
    assert problem(client.get("/v1/decisions/none"), 404) == {"claim_id": "'none'"}
    assert problem(client.get("/v1/decisions/two words"), 422) == {"claim_id": "'two words'"}
    assert problem(client.get("/nowhere"), 404) == {}
    assert problem(client.get("/v1/claims:score"), 405) == {}


def test_health_readiness_and_versions(client: Client, market: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/healthz").json() == client.get("/readyz").json() == {"status": "ok"}
    versions = client.get("/version").json()
    assert versions["bundle"] == market.bundle.hash and versions["touchstone"] == module.version("touchstone")
    monkeypatch.setattr(Engine, "reachable", lambda _: False)
    assert problem(client.get("/readyz"), 503) == {"store": "none"}


def test_a_bug_is_told_without_its_insides(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Engine, "decision", fail)
    response = client.get("/v1/decisions/C1")
    assert problem(response, 500) == {} and "secret" not in response.text


def test_the_schema_is_the_golden_file_and_its_bodies_are_the_contracts(client: Client) -> None:
    schema = client.get("/openapi.json").json()
    assert schema == json.loads(GOLDEN.read_text(encoding="utf-8")), f"review the change, then write the file anew: {REWRITE}"
    assert list(schema["components"]["schemas"]["Claim"]["properties"]) == list(Claim.model_fields)
    assert list(schema["components"]["schemas"]["Decision"]["properties"]) == list(Decision.model_fields)
    assert "HTTPValidationError" not in schema["components"]["schemas"]
