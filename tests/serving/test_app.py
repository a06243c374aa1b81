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
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import ValidationError
from pydantic_core import from_json

from data_contracts import CLAIMS
from data_contracts.claims import Claim
from data_contracts.decisions import Decision
from features.catalog import CATALOG
from serving import routes_operations
from serving.app import Outside, create_app
from serving.auth import Scope
from serving.doors import DOORS
from serving.engine import RECEIVES, Engine
from tests.serving.homes import Small, body, store_at

GOLDEN = Path(__file__).parents[2] / "serving" / "openapi.json"
REWRITE = 'python -c "from tests.serving.test_app import rewrite; rewrite()"'
JSON = {"content-type": "application/json"}


def rewrite() -> None:
    """Write the golden schema anew."""
    GOLDEN.write_text(json.dumps(app_of_nothing().openapi(), indent=1) + "\n", encoding="utf-8")


def app_of_nothing() -> FastAPI:
    """An application without an engine, good for its schema alone."""
    engine = Engine.__new__(Engine)
    engine.store = engine.policy = None  # type: ignore[assignment]
    return create_app(engine, lambda: None)  # type: ignore[arg-type,return-value]


class Client:
    """Talks to an application in memory."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def request(self, method: str, path: str, **body: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://memory") as client:
                return await client.request(method, path, **body)

        return asyncio.run(ask())

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.request("POST", path, **body)


@pytest.fixture(scope="module")
def engine(market: Small, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with store_at(tmp_path_factory.mktemp("store")) as store:
        yield market.engine(store)


@pytest.fixture(scope="module")
def client(market: Small, engine: Engine) -> Client:
    return Client(create_app(engine, lambda: market.now))


def problem(response: Any, status: int) -> dict[str, str]:
    """The fields named by an error answer, with what was found."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return errors(response.json(), status)


def errors(told: Any, status: int) -> dict[str, str]:
    assert told["status"] == status and told["type"].startswith("urn:touchstone:problem:") and told["title"] and told["detail"]
    assert all(error["expected"] and error["found"] for error in told["errors"])
    return {error["field"]: error["found"] for error in told["errors"]}


def fresh(market: Small, name: str, **changes: Any) -> dict[str, Any]:
    """A claim under a name of its own."""
    return body(market.live) | {"claim_id": name} | changes


def test_a_claim_is_answered_with_its_decision_and_again_byte_for_byte(client: Client, market: Small) -> None:
    asked = body(market.live)
    first = client.post("/v1/claims:score", json=asked)
    assert first.status_code == 200, first.text
    assert first.headers["content-type"] == "application/json" and first.headers["x-request-id"]
    decision = Decision.model_validate_json(first.content)
    assert decision.claim_id == asked["claim_id"] and decision.decided_at == market.now and decision.reasons
    assert abs(decision.p_valid + decision.p_unsubstantiated + decision.p_abusive - 1) < 1e-9
    assert client.post("/v1/claims:score", json=asked).content == first.content
    assert client.get(f"/v1/decisions/{decision.claim_id}").content == first.content
    received = Claim.model_validate_json(client.get(f"/v1/claims/{decision.claim_id}").content)
    assert received.model_copy(update={"recorded_at": None}) == Claim.model_validate(asked)


def test_another_body_under_the_same_identity_or_key_is_a_conflict(client: Client, market: Small) -> None:
    asked, key = fresh(market, "conflict"), {"idempotency-key": "K1"}
    first = client.post("/v1/claims:score", json=asked, headers=key)
    assert first.status_code == 200, first.text
    assert client.post("/v1/claims:score", json=asked, headers=key).content == first.content
    assert problem(client.post("/v1/claims:score", json=asked | {"amount_cents": 7}), 409) == {"amount_cents": "7"}
    assert problem(client.post("/v1/claims:score", json=fresh(market, "conflict-2"), headers=key), 409)
    for wrong in ("", "x" * 256, "é"):
        sent = {"idempotency-key": wrong.encode("latin-1")}
        assert list(problem(client.post("/v1/claims:score", json=asked, headers=sent), 422)) == ["idempotency-key"]


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
    response = client.post("/v1/claims:score", json=body(market.live) | {"incident_at": "2031-01-01T00:00:00Z"})
    assert list(problem(response, 422)) == ["filed_at"]
    assert response.json()["errors"][0]["expected"] == "incident_at ≤ filed_at"


def test_a_claim_on_an_unknown_order_names_the_order(client: Client, market: Small) -> None:
    assert problem(client.post("/v1/claims:score", json=fresh(market, "new", order_id="none")), 422)["order_id"] == "'none'"


@pytest.mark.parametrize("content", [b"[]", b"1", b'"x"', b"null", b'{"claim_id": 1}', b"{}"])
def test_what_is_no_claim_is_refused_politely(client: Client, content: bytes) -> None:
    assert problem(client.post("/v1/claims:score", content=content, headers=JSON), 422)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[" * 60_000, b'{"amount_cents": ' + b"9" * 5000, b'{"claim_id": "\\ud800"}', b'{"claim_id": Nan}']
)
@pytest.mark.parametrize("path", ["/v1/claims:score", "/v1/claims:batchScore", "/v1/events", "/invocations"])
def test_what_cannot_be_read_is_refused_politely(client: Client, path: str, content: bytes) -> None:
    assert list(problem(client.post(path, content=content, headers=JSON), 400)) == ["body"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
def test_a_body_that_is_not_declared_as_json_is_refused(client: Client, market: Small, kind: str) -> None:
    content = json.dumps(body(market.live)).encode()
    assert list(problem(client.post("/v1/claims:score", content=content, headers={"content-type": kind}), 415)) == ["content-type"]
    assert client.post("/v1/claims:score", content=content, headers={"content-type": "Application/JSON; charset=utf-8"}).status_code == 200


@given(st.data())
def test_a_claim_in_a_batch_is_read_exactly_as_alone(market: Small, data: st.DataObject) -> None:
    values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
    changes = data.draw(st.dictionaries(st.sampled_from(list(Claim.model_fields)), values | st.lists(values, max_size=2), max_size=3))
    text = json.dumps(body(market.live) | changes)
    verdicts = []
    for read in (lambda: Claim.model_validate_json(text), lambda: Claim.model_validate(from_json(text))):
        try:
            verdicts.append(read())
        except ValidationError as error:
            verdicts.append([found["loc"] for found in error.errors()])  # type: ignore[arg-type]
    assert verdicts[0] == verdicts[1]


def test_a_batch_answers_every_claim_for_itself(client: Client, market: Small) -> None:
    good, also = fresh(market, "batch-1"), fresh(market, "batch-2", narrative="another")
    rows = [good, {}, also, good, good | {"amount_cents": 7}, 5, fresh(market, "batch-3", order_id="none")]
    response = client.post("/v1/claims:batchScore", json={"claims": rows})
    assert response.status_code == 200, response.text
    results = response.json()["results"]
    assert [result["status"] for result in results] == [200, 422, 200, 200, 409, 422, 422]
    assert results[0] == results[3]
    assert client.post("/v1/claims:score", json=good).json() == results[0]["decision"]
    assert "order_id" in errors(results[6]["problem"], 422) and "amount_cents" in errors(results[4]["problem"], 409)


def test_a_thousand_claims_are_a_batch_and_one_more_is_not(client: Client) -> None:
    statuses = {result["status"] for result in client.post("/v1/claims:batchScore", json={"claims": [{}] * 1000}).json()["results"]}
    assert statuses == {422}
    for wrong in ({"claims": [{}] * 1001}, {"claims": []}, {"claims": 7}, {}, [], 7):
        assert list(problem(client.post("/v1/claims:batchScore", json=wrong), 422)) == ["claims"]


def test_events_are_taken_once_and_each_for_itself(client: Client, market: Small) -> None:
    order = body(market.tables["orders"].tail(1)) | {"order_id": "O-new"}
    rows = [order, order, order | {"quantity": 999_999_999}, 7]
    told = [client.post("/v1/events", json={"table": "orders", "rows": rows}) for _ in range(2)]
    assert [[row["status"] for row in answer.json()["results"]] for answer in told] == [[200, 200, 422, 422]] * 2
    assert [row["known"] for row in told[0].json()["results"]][:2] == [False, True]
    assert [row["known"] for row in told[1].json()["results"]][:2] == [True, True]
    assert problem(client.post("/v1/events", json={"table": "decisions", "rows": [{}]}), 422) == {"table": "'decisions'"}
    assert problem(client.post("/v1/events", json={"table": "orders", "rows": []}), 422) == {"rows": "a list of 0"}


def test_an_event_changes_what_is_known_of_the_next_claim(client: Client, market: Small) -> None:
    """An order told over HTTP can be claimed on."""
    order = body(market.tables["orders"].tail(1)) | {"order_id": "O-then"}
    claim = fresh(market, "on-it", **{name: order[name] for name in ("order_id", "customer_id", "seller_id", "product_id")})
    claim |= {"incident_at": order["delivered_at"] or order["ordered_at"], "filed_at": market.now.isoformat()}
    assert "order_id" in problem(client.post("/v1/claims:score", json=claim), 422)
    assert client.post("/v1/events", json={"table": "orders", "rows": [order]}).json()["results"][0]["status"] == 200
    assert client.post("/v1/claims:score", json=claim).status_code == 200


def test_mlflows_protocol_predicts_rows_of_features_in_both_forms(client: Client, market: Small, engine: Engine) -> None:
    matrix = engine.features(market.live.iloc[[0]])
    rows = json.loads(matrix.to_json(orient="records", double_precision=15))
    split = {"columns": [*matrix, "ignored"], "data": [[*rows[0].values(), "x"]], "index": [7]}
    expected = engine.probabilities(matrix).iloc[0].to_dict()
    for asked in ({"dataframe_records": rows}, {"dataframe_split": split}):
        (found,) = client.post("/invocations", json=asked).json()["predictions"]
        assert found == pytest.approx(expected, abs=1e-6)
    assert client.get("/ping").content == b"\n"


def test_mlflows_protocol_decides_claims_too(client: Client, market: Small) -> None:
    asked = fresh(market, "mlflow")
    (found,) = client.post("/invocations", json={"dataframe_records": [asked]}).json()["predictions"]
    assert found == client.get("/v1/decisions/mlflow").json()
    assert "rows[1].order_id" in problem(client.post("/invocations", json={"dataframe_records": [asked, asked | {"order_id": 7}]}), 422)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        [],
        {"instances": [1]},
        {"dataframe_records": []},
        {"dataframe_records": [7]},
        {"dataframe_records": [{}] * 1001},
        {"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}},
        {"dataframe_split": {"columns": 7, "data": []}},
        {"dataframe_records": [{"a": 1}]},
        {"dataframe_records": [dict.fromkeys(CATALOG.names, "text")]},
        {"dataframe_records": [dict.fromkeys(CATALOG.names, 10**400)]},
    ],
)
def test_what_mlflow_would_not_take_is_named(client: Client, asked: Any) -> None:
    assert problem(client.post("/invocations", content=json.dumps(asked), headers=JSON), 422)


def test_what_is_not_there_is_a_problem_too(client: Client) -> None:
    assert problem(client.get("/v1/decisions/none"), 404) == {"claim_id": "'none'"}
    assert problem(client.get("/v1/claims/none"), 404) == {"claim_id": "'none'"}
    assert problem(client.get("/v1/decisions/two words"), 422) == {"claim_id": "'two words'"}
    for path in ("/nowhere", "/healthz/", "/v1/decisions/", "/docs", "/redoc"):
        assert problem(client.get(path), 404) == {}
    assert problem(client.get("/v1/claims:score"), 405) == {}


def test_health_readiness_and_versions(client: Client, market: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/healthz").json() == client.get("/readyz").json() == {"status": "ok"}
    versions = client.get("/version").json()
    assert versions["bundle"] == market.bundle.hash and versions["touchstone"] == routes_operations.version("touchstone")
    monkeypatch.setattr(Engine, "reachable", lambda _: False)
    assert problem(client.get("/readyz"), 503) == {"store": "none"}


def test_the_metrics_tell_requests_times_line_and_versions(client: Client, market: Small) -> None:
    client.post("/v1/claims:score", json=body(market.live))
    page = client.get("/metrics").text
    assert 'touchstone_requests_total{method="POST",route="/v1/claims:score",status="200"}' in page
    assert f'bundle="{market.bundle.hash}"' in page and "touchstone_parity_mismatches_total 0.0" in page
    # a claim leaves the line right after its answer, not before
    assert any("touchstone_line_claims 0.0" in client.get("/metrics").text for _ in range(1_000))


def test_a_bug_is_told_without_its_insides(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Engine, "decision", fail)
    response = client.get("/v1/decisions/C1")
    assert problem(response, 500) == {} and "secret" not in response.text


def test_a_full_line_is_429_and_a_late_answer_503(market: Small, engine: Engine) -> None:
    asked = {"json": fresh(market, "full")}
    full = Client(create_app(engine, lambda: market.now, Outside(waiting=0))).post("/v1/claims:score", **asked)
    assert problem(full, 429) == {} and full.headers["retry-after"] == "1"
    late = Client(create_app(engine, lambda: market.now, Outside(patience=1e-9)))
    assert problem(late.post("/v1/claims:score", **asked), 503) == {}
    assert problem(late.get("/v1/decisions/full"), 503) == {}


def test_every_worker_is_in_a_trace_that_the_caller_began(market: Small, engine: Engine) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    app = create_app(engine, lambda: market.now, Outside(tracing=True))
    app._telemetry["tracer_provider"] = provider
    began = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    assert Client(app).request("GET", "/v1/decisions/none", headers=began).status_code == 404
    (span,) = spans.get_finished_spans()
    assert span.kind is trace.SpanKind.SERVER and f"{span.context.trace_id:x}" == "a" * 32
    assert span.parent is not None and f"{span.parent.span_id:x}" == "b" * 16


def test_the_schema_is_the_golden_file_and_its_bodies_are_the_contracts(client: Client) -> None:
    schema = client.get("/openapi.json").json()
    assert schema == json.loads(GOLDEN.read_text(encoding="utf-8")), f"review the change, then write the file anew: {REWRITE}"
    schemas = schema["components"]["schemas"]
    assert list(schemas["Claim"]["properties"]) == list(Claim.model_fields)
    assert list(schemas["Decision"]["properties"]) == list(Decision.model_fields)
    assert {f"{table.title().replace('_', '')}Events" for table in RECEIVES} <= set(schemas)
    assert "HTTPValidationError" not in schemas and schema["openapi"].startswith("3.1")


def test_every_operation_is_behind_a_door_and_says_which_scope_it_needs() -> None:
    schema = app_of_nothing().openapi()
    said = {(method.upper(), path): op.get("x-scope") for path, ops in schema["paths"].items() for method, op in ops.items()}
    doors = {(door.method, door.path): " or ".join(door.scopes) or None for door in DOORS if door.path != "/openapi.json"}
    assert said == doors and {Scope(scope) for scopes in said.values() if scopes for scope in scopes.split(" or ")} <= set(Scope)
    assert all(bool(op["security"]) == ("x-scope" in op) for ops in schema["paths"].values() for op in ops.values())
