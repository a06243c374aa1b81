"""Reads what people outside ask for: bodies by their models, cursors of lists; 400 and 422 name everything that is wrong."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError

from data_contracts import CLAIMS
from serving.call import Call
from serving.identities import is_identifier
from serving.problem import RefusalError
from serving.refusals import Violation, shown
from serving.routes_claims import json_of

Asked = TypeVar("Asked", bound=BaseModel)


def read(model: type[Asked], body: bytes) -> Asked:
    """Read a request: 400 if it is no JSON, 422 naming every field that is wrong."""
    json_of(body)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None


def read_query(model: type[Asked], call: Call) -> Asked:
    """Read what stands behind the question mark: 422 naming everything that is wrong."""
    try:
        return model.model_validate(dict(parse_qsl(call.query.decode("latin-1"), keep_blank_values=True)))
    except ValidationError as error:
        raise invalid(error) from None


def claim_of(call: Call) -> str:
    """Return the claim that a path names: 422 if it is no identity."""
    claim_id = call.path["claim_id"]
    if not is_identifier(claim_id):
        raise RefusalError(422, Violation("claim_id", CLAIMS.column("claim_id").expected, shown(claim_id)))
    return claim_id


def invalid(error: ValidationError) -> RefusalError:
    """Return the refusal that names every field that is wrong."""
    return RefusalError(422, *(_wrong(one) for one in error.errors(include_url=False)))


def _wrong(error: Any) -> Violation:
    where = ".".join(str(part) for part in error["loc"]) or "body"
    return Violation(
        where, error["msg"].removeprefix("Input should be "), "nothing" if error["type"] == "missing" else shown(error["input"])
    )


def cursor_of(after: str | None) -> str | None:
    """Return the cursor behind an identity.

    >>> opened(cursor_of("C1")), cursor_of(None)
    ('C1', None)
    """
    return None if after is None else urlsafe_b64encode(after.encode()).decode()


def opened(cursor: str | None) -> str:
    """Return the identity that a cursor stands behind, empty for none; 422 if nobody gave it."""
    if cursor is None:
        return ""
    try:
        after = urlsafe_b64decode(cursor.encode()).decode()
    except ValueError:
        after = ""
    if not is_identifier(after):
        raise RefusalError(422, Violation("cursor", "next_cursor of a page before", shown(cursor)))
    return after
