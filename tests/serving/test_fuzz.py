"""Whatever is sent, the endpoint answers as its schema says: never a 5xx, never nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from serving.app import Outside, create_app
from serving.auth import Caller, Scope
from serving.doors import DOORS
from serving.problem import Problem
from tests.serving.homes import Small, body, store_at
from tests.serving.running import running
from tests.serving.test_app import app_of_nothing

SCHEMA = schemathesis.openapi.from_dict(app_of_nothing().openapi())
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

FEW = settings(
    max_examples=12,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
"""A few hundred requests in all; ``benchmarks/fuzz.py`` sends a hundred thousand."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = ["content-type", "idempotency-key", "authorization", "x-api-key", "x-request-id", "traceparent", "accept", "cookie"]
VALUES = st.sampled_from(["application/json", "", "0", "text/plain", "Bearer x"]) | st.text(st.characters(max_codepoint=126), max_size=20)
HEADERS = st.dictionaries(st.sampled_from(NAMES), VALUES.map(lambda text: "".join(c for c in text if c >= " ").strip()), max_size=3)


@pytest.fixture(scope="module")
def url(market: Small, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with store_at(tmp_path_factory.mktemp("store")) as store:
        everybody = Caller("fuzz", frozenset({Scope.ADMIN, Scope.RULINGS}))  # who is to resolve claims must speak for a party
        app = create_app(market.engine(store), lambda: market.now, Outside(lambda _credential: everybody, patience=60.0))
        with running(app) as address:
            assert httpx.post(f"{address}/v1/claims:score", json=body(market.live), timeout=60).status_code == 200  # everything is compiled
            yield address


def fair(response: httpx.Response) -> None:
    """An answer is no 5xx and, where it is a refusal, a problem."""
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        assert Problem.model_validate_json(response.content).status == response.status_code


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_every_operation_answers_as_its_schema_says(url: str, operation: Any, mode: GenerationMode) -> None:
    if mode is GenerationMode.NEGATIVE and not operation.body and not operation.path_parameters:
        return  # nothing can be wrong with it

    @FEW
    @given(operation.as_strategy(mode))
    def answers(case: Any) -> None:
        case.call_and_validate(base_url=url, checks=CHECKS, timeout=60)

    answers()


def test_any_json_and_any_bytes_anywhere_are_answered_fairly(url: str, market: Small) -> None:
    good = body(market.live)
    mutated = st.dictionaries(st.sampled_from(list(good)), JSON, min_size=1, max_size=4).map(lambda changes: good | changes)
    anything = st.one_of(
        JSON, mutated, st.lists(mutated, max_size=3).map(lambda rows: {"claims": rows}), mutated.map(lambda r: {"dataframe_records": [r]})
    ).map(lambda value: json.dumps(value).encode())
    doors = st.sampled_from([(door.method, door.path.replace("{claim_id}", "C1")) for door in DOORS])
    doors |= st.tuples(st.sampled_from(["PUT", "DELETE", "GET"]), st.just("/v1/claims:score"))
    with httpx.Client(base_url=url, timeout=60) as client:

        @settings(FEW, max_examples=200)
        @given(
            doors | st.tuples(st.sampled_from(["PUT", "DELETE", "GET"]), st.just("/v1/claims:score")),
            anything | st.binary(max_size=200),
            HEADERS,
        )
        def answers(door: tuple[str, str], content: bytes, headers: dict[str, str]) -> None:
            sent = {"content-type": "application/json"} | headers
            fair(client.request(*door, content=content if door[0] != "GET" else None, headers=sent))

        answers()
    assert httpx.post(f"{url}/v1/claims:score", json=good, timeout=60).status_code == 200
