"""Who wants to be told what: webhook endpoints, and the outbox into which messages are put with the change that they tell of.

A message is written in the transaction of what happened, so none is lost and none tells of what was undone; its name follows from what
happened, so that nothing is told twice. :mod:`serving.webhook_delivery` sends them, signed as Standard Webhooks says.

Messages are thin: who gets one learns that something happened to a claim of theirs, and asks the API for the rest.

References
----------
Standard Webhooks, https://www.standardwebhooks.com: identifiers, timestamps, signatures, retries.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, insert, select

from serving.instants import moment
from serving.schema_parties import WEBHOOK_ENDPOINTS, WEBHOOK_MESSAGES

MARKETPLACE = "marketplace"
"""The audience that is told of everything that happens to claims."""

_AT_ONCE = 1_000


class MessageState(StrEnum):
    """Where a message of the outbox stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


class Kind(StrEnum):
    """What is told."""

    CASE_OPENED = "case.opened"
    CASE_ANSWERED = "case.answered"
    RESOLUTION_CHANGED = "resolution.changed"


@dataclass(frozen=True)
class Happening:
    """Something that somebody may want to be told.

    Parameters
    ----------
    kind
        What it is.
    key
        Names it among everything that ever happens.
    at
        When, microseconds UTC.
    data
        What is told of it, plain values.
    audiences
        Whom it concerns: ``desk``, ``investigation``, ``seller:<seller>``, ``insurer:<insurer>``, :data:`MARKETPLACE`.
    """

    kind: Kind
    key: str
    at: int
    data: Mapping[str, Any]
    audiences: tuple[str, ...]


def announce(tx: Connection, happened: Sequence[Happening]) -> int:
    """Put messages into the outbox: one for every endpoint of those whom it concerns.

    Parameters
    ----------
    tx
        The write transaction of what happened.
    happened
        In order; without any, nothing is asked of the store.

    Returns
    -------
    int
        How many messages there are to be sent.
    """
    told = _endpoints(tx, {audience for one in happened for audience in one.audiences}) if happened else {}
    rows = [_message(one, endpoint) for one in happened for audience in one.audiences for endpoint in told.get(audience, ())]
    if rows:
        tx.execute(insert(WEBHOOK_MESSAGES), rows)
    return len(rows)


def case_opened(claim_id: str, tier: str, at: int, due_at: int, because: str = "opened") -> Happening:
    """Return that a case waits for the experts of a tier, from an instant on and until another (microseconds UTC)."""
    told = {"claim_id": claim_id, "tier": tier, "due_at": moment(due_at).isoformat()}
    return Happening(Kind.CASE_OPENED, f"{claim_id}.{because}", at, told, (tier, MARKETPLACE))


def case_answered(claim_id: str, answer_id: str, at: int) -> Happening:
    """Return that an expert has answered a case; the marketplace alone is told, for a second look must not be known as one."""
    return Happening(Kind.CASE_ANSWERED, f"{answer_id}.answered", at, {"claim_id": claim_id, "answer_id": answer_id}, (MARKETPLACE,))


def resolution_changed(claim_id: str, seq: int, at: int, audiences: tuple[str, ...]) -> Happening:
    """Return that a claim has moved on; where it stands is told by the API, to each as much as they may know."""
    return Happening(Kind.RESOLUTION_CHANGED, f"{claim_id}.{seq}.changed", at, {"claim_id": claim_id}, audiences)


def _endpoints(tx: Connection, audiences: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    asked = sorted(audiences)
    columns = WEBHOOK_ENDPOINTS.c
    for start in range(0, len(asked), _AT_ONCE):
        query = select(columns.audience, columns.endpoint_id).where(
            columns.audience.in_(asked[start : start + _AT_ONCE]), columns.ended_at.is_(None)
        )
        for audience, endpoint in tx.execute(query.order_by(columns.endpoint_id)):
            found.setdefault(audience, []).append(endpoint)
    return found


def _message(one: Happening, endpoint: str) -> dict[str, Any]:
    body = {"type": one.kind.value, "timestamp": moment(one.at).isoformat(), "data": dict(one.data)}
    return {
        "message_id": "msg_" + blake2b(f"{one.key}\0{endpoint}".encode(), digest_size=16).hexdigest(),  # what signs holds no full stop
        "endpoint_id": endpoint,
        "kind": one.kind.value,
        "body": json.dumps(body, separators=(",", ":")).encode(),
        "state": MessageState.WAITING.value,
        "attempts": 0,
        "created_at": one.at,
        "next_at": one.at,
        "ended_at": None,
        "last_error": None,
    }
