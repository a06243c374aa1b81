"""The routes about claims: decide one, decide many, look one up."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from data_contracts import CLAIMS
from data_contracts.claims import Claim
from serving.aside import Aside
from serving.auth import Caller
from serving.call import Call, Reply
from serving.engine import Engine
from serving.gate import refused
from serving.identities import is_identifier
from serving.line import TOGETHER, Answer, FullError, LateError, Line
from serving.messages import MOST_ROWS
from serving.problem import RefusalError, body_refused
from serving.refusals import Violation, shown, violations_of

_KEY = re.compile(rb"[\x21-\x7e]{1,255}")

Spend = Callable[[Caller, int, float], None]
"""Takes from a caller's limit, or refuses."""


@dataclass(frozen=True)
class ClaimRoutes:
    """What the routes about claims need.

    Parameters
    ----------
    engine
        Looks up.
    line
        Waits for decisions.
    aside
        Reads.
    spend
        Charges a batch for each further claim.
    """

    engine: Engine
    line: Line
    aside: Aside
    spend: Spend

    async def score_claim(self, call: Call) -> Reply:
        """Decide a claim and record the decision before answering; the same claim again is answered with its first decision."""
        body = await call.json()
        try:
            claim = Claim.model_validate_json(body)
        except ValidationError as error:
            raise body_refused(error, CLAIMS) from None
        (answer,) = await self.line.ask((claim,), (idempotency_key(call),))
        if isinstance(answer, bytes):
            return Reply(answer)
        raise answer

    async def score_claims(self, call: Call) -> Reply:
        """Decide up to 1,000 claims, each for itself: one that is refused does not touch the others; 200 with one result per claim."""
        rows = rows_of(await call.json(), "claims")
        self.spend(call.caller, len(rows) - 1, perf_counter())
        results = [_result(answer) for answer in await self.decided(rows)]
        return Reply(b'{"results":[' + b",".join(results) + b"]}")

    async def get_decision(self, call: Call) -> Reply:
        """Return the decision on a claim, whether the endpoint or a batch made it: probabilities, action, reasons, versions."""
        return await self._found(call, self.engine.decision, "a claim that is decided")

    async def get_claim(self, call: Call) -> Reply:
        """Return a claim as it was received."""
        return await self._found(call, self.engine.claim, "a claim that was received here")

    async def decided(self, rows: Sequence[Any]) -> list[Answer]:
        """Decide rows as JSON gave them, some at a time; those that are no claims are refused without going to the line."""
        answers: list[Answer] = [_claim_or_refusal(row) for row in rows]
        places = [place for place, answer in enumerate(answers) if isinstance(answer, _Ready)]
        for start in range(0, len(places), TOGETHER):
            part = places[start : start + TOGETHER]
            claims = [answers[place].claim for place in part]  # type: ignore[union-attr]
            try:
                found = await self.line.ask(claims, [None] * len(part))
            except (FullError, LateError) as error:
                if start == 0:
                    raise
                found = [error] * len(part)
            for place, answer in zip(part, found, strict=True):
                answers[place] = answer
        return answers

    async def _found(self, call: Call, look_up: Callable[[str], bytes | None], expected: str) -> Reply:
        claim_id = call.path["claim_id"]
        if not is_identifier(claim_id):
            raise RefusalError(422, Violation("claim_id", CLAIMS.column("claim_id").expected, shown(claim_id)))
        found = await self.aside.do(lambda: look_up(claim_id))
        if found is None:
            raise RefusalError(404, Violation("claim_id", expected, shown(claim_id)))
        return Reply(found)


class _Ready(Exception):  # noqa: N818  travels among the answers until it has one
    """A claim that waits for its answer."""

    def __init__(self, claim: Claim) -> None:
        super().__init__()
        self.claim = claim


def rows_of(body: bytes, name: str) -> list[Any]:
    """Return the list that a body holds under a name.

    Raises
    ------
    RefusalError
        400 if the body is no JSON; 422 if it is no object with a list of 1 to :data:`~serving.messages.MOST_ROWS` rows there.
    """
    whole = json_of(body)
    rows = whole.get(name) if isinstance(whole, dict) else None
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_ROWS:
        found = f"a list of {len(rows)}" if isinstance(rows, list) else shown(rows if isinstance(whole, dict) else whole)
        raise RefusalError(422, Violation(name, f"a list of 1 to {MOST_ROWS} objects", found))
    return rows


def json_of(body: bytes) -> Any:
    """Return what a body says: 400 if it is no JSON."""
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise RefusalError(400, Violation("body", "JSON in UTF-8", shown(str(error)))) from None


def idempotency_key(call: Call) -> str | None:
    """Return what the caller gave to tell a repetition by: 422 if it is no key."""
    key = call.headers.get(b"idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise RefusalError(422, Violation("idempotency-key", "1 to 255 visible ASCII characters", shown(key.decode("latin-1"))))
    return key.decode("ascii")


def _claim_or_refusal(row: Any) -> Exception:
    try:
        return _Ready(Claim.model_validate(row))
    except ValidationError as error:
        return RefusalError(422, *violations_of(error, CLAIMS))


def _result(answer: Answer) -> bytes:
    if isinstance(answer, bytes):
        return b'{"status":200,"decision":%b,"problem":null}' % answer
    reply = refused(answer)
    return b'{"status":%d,"decision":null,"problem":%b}' % (reply.status, reply.body)
