"""A small typed client of the endpoint, on the standard library alone.

What may be tried again is tried again, after the pause that the endpoint asks for: a connection that broke, a busy endpoint
(429), one that was not ready or had a bug (500, 502, 503, 504). Every attempt of one call carries the same ``Idempotency-Key``, so
that a claim is decided once however often its answer was lost on the way.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit
from uuid import uuid4

from data_contracts.claims import Claim
from data_contracts.contract import Row
from data_contracts.decisions import Decision
from serving.messages import Decisions, Receipts, Received, Scored, Versions
from serving.problem import Problem

AGAIN = frozenset({429, 500, 502, 503, 504})
"""Statuses after which the same call may succeed."""

_LONGEST_PAUSE = 30.0

Exchange = Callable[[str, str, bytes | None, Mapping[str, str]], tuple[int, dict[str, str], bytes]]
"""Carries method, path, body and headers; returns status, headers in lower case and body."""


class ProblemError(Exception):
    """The endpoint answered with a problem; :attr:`problem` names every field that was wrong."""

    def __init__(self, problem: Problem) -> None:
        told = "; ".join(f"{e.field}: expected {e.expected}, found {e.found}" for e in problem.errors)
        super().__init__(f"{problem.status} {problem.title}: {told or problem.detail}")
        self.problem = problem


class UnreachableError(ConnectionError):
    """No attempt got an answer."""


@dataclass
class Client:
    """Calls one endpoint; not to be shared between threads.

    Parameters
    ----------
    url
        Such as ``https://claims.example.org``.
    key
        An API key or a token; empty in development mode.
    timeout
        Seconds that one attempt may take.
    attempts
        How often a call is tried at most.
    trust
        TLS settings; by default the system's.
    pause, fresh
        How to wait some seconds, and how to make an idempotency key; to be replaced in tests.
    exchange
        What carries requests instead of a connection to the address, such as :class:`serving.inside.Inside`.

    Examples
    --------
    >>> Client("http://127.0.0.1:9", attempts=1).versions()
    Traceback (most recent call last):
    serving.client.UnreachableError: http://127.0.0.1:9: no answer to GET /version in 1 attempts, at last ConnectionRefusedError
    """

    url: str
    key: str = field(default="", repr=False)
    timeout: float = 10.0
    attempts: int = 4
    trust: ssl.SSLContext | None = None
    pause: Callable[[float], None] = time.sleep
    fresh: Callable[[], str] = lambda: str(uuid4())
    exchange: Exchange | None = field(default=None, repr=False)
    _connection: http.client.HTTPConnection | None = field(default=None, init=False, repr=False)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def score(self, claim: Claim, idempotency_key: str | None = None) -> Decision:
        """Return the decision on a claim: a new one, or the first that was ever made.

        Raises
        ------
        ProblemError
            If it is refused (409, 422, …), or still is not answered after the last attempt.
        UnreachableError
            If no attempt got an answer.
        """
        body = claim.model_dump_json().encode()
        return Decision.model_validate_json(self.call("POST", "/v1/claims:score", body, idempotency_key or self.fresh()))

    def score_many(self, claims: Sequence[Claim]) -> list[Scored]:
        """Return what became of each of up to 1,000 claims, in their order."""
        body = json.dumps({"claims": [claim.model_dump(mode="json") for claim in claims]}).encode()
        return Decisions.model_validate_json(self.call("POST", "/v1/claims:batchScore", body)).results

    def decision(self, claim_id: str) -> Decision | None:
        """Return the decision on a claim, ``None`` if it has none."""
        found = self._looked_up(f"/v1/decisions/{quote(claim_id, safe='')}")
        return None if found is None else Decision.model_validate_json(found)

    def claim(self, claim_id: str) -> Claim | None:
        """Return a claim as the endpoint received it, ``None`` if it did not."""
        found = self._looked_up(f"/v1/claims/{quote(claim_id, safe='')}")
        return None if found is None else Claim.model_validate_json(found)

    def tell(self, table: str, rows: Sequence[Row]) -> list[Received]:
        """Tell what happened: up to 1,000 rows of a contract. Told twice, they are known the second time."""
        body = json.dumps({"table": table, "rows": [row.model_dump(mode="json") for row in rows]}).encode()
        return Receipts.model_validate_json(self.call("POST", "/v1/events", body)).results

    def versions(self) -> Versions:
        """Return what decides."""
        return Versions.model_validate_json(self.call("GET", "/version"))

    def _looked_up(self, path: str) -> bytes | None:
        try:
            return self.call("GET", path)
        except ProblemError as error:
            if error.problem.status == 404:
                return None
            raise

    def call(
        self, method: str, path: str, body: bytes | None = None, key: str | None = None, also: Mapping[str, str] | None = None
    ) -> bytes:
        """Return the answer's body, after as many attempts as it takes; for what has no method of its own.

        Parameters
        ----------
        method, path, body
            The request; a body is JSON.
        key
            Idempotency key.
        also
            Further headers.

        Raises
        ------
        ProblemError, UnreachableError
            As :meth:`score`.
        """
        headers = {"accept": "application/json", **(also or {})} | ({"content-type": "application/json"} if body is not None else {})
        headers |= {
            name: value for name, value in (("authorization", self.key and f"Bearer {self.key}"), ("idempotency-key", key)) if value
        }
        broke: Exception | None = None
        for attempt in range(1, self.attempts + 1):
            try:
                status, told, answer = self._attempt(method, path, body, headers)
            except (OSError, http.client.HTTPException) as error:
                broke, wait = error, 0.1 * 2**attempt
                self.close()
            else:
                broke = None
                if status < 300:
                    return answer
                if status not in AGAIN or attempt == self.attempts:
                    raise ProblemError(_problem(status, answer))
                asked = told.get("retry-after", "")
                wait = float(asked) if asked.isdecimal() else 0.1 * 2**attempt
            if attempt < self.attempts:
                self.pause(min(wait, _LONGEST_PAUSE))
        raise UnreachableError(f"{self.url}: no answer to {method} {path} in {self.attempts} attempts, at last {type(broke).__name__}")

    def _attempt(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        if self.exchange is not None:
            return self.exchange(method, path, body, headers)
        if self._connection is None:
            self._connection = _connection(self.url, self.timeout, self.trust)
        self._connection.request(method, path, body, dict(headers))
        response = self._connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def _connection(url: str, timeout: float, trust: ssl.SSLContext | None) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"url: expected http:// or https:// and a host, found {url!r}")
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=trust or ssl.create_default_context())


def _problem(status: int, body: bytes) -> Problem:
    """Read a problem; what stands between us and the endpoint may answer with something else."""
    try:
        return Problem.model_validate_json(body)
    except ValueError:
        return Problem(type="about:blank", title=f"HTTP {status}", status=status, detail="", errors=[])
