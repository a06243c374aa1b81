"""The tables of what parties say and of who is told: statements, sellers' insurers, escalations, webhooks.

On the same metadata as :mod:`serving.schema`, apart from it because one module of all tables would be too long to read.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String, Table

from serving.schema import METADATA


def _instant(name: str, nullable: bool = False) -> Column[Any]:
    return Column(name, BigInteger, nullable=nullable, info={"instant": True})


STATEMENTS = Table(
    "statements",
    METADATA,
    Column("answer_id", String, ForeignKey("answers.answer_id"), primary_key=True),
    Column("claim_id", String, ForeignKey("proceedings.claim_id"), nullable=False),
    Column("party", String, nullable=False),
    Column("speaker", String, nullable=False),
    Column("verb", String, nullable=False),
    Column("body", String, nullable=False),
    _instant("said_at"),
    Index("statements_claim", "claim_id"),
)
"""Who said what by the API, in their words: beside each answer the request as it came (``body``, JSON), see :mod:`serving.party_work`."""

SELLER_INSURERS = Table(
    "seller_insurers",
    METADATA,
    Column("seller_id", String, primary_key=True),
    Column("insurer", String, primary_key=True),
    Column("policy_number", String, nullable=False),
    _instant("named_at"),
)
"""Whom sellers named as their insurer: these see and answer the sellers' cases from then on."""

ESCALATIONS = Table(
    "escalations",
    METADATA,
    Column("claim_id", String, ForeignKey("cases.claim_id"), primary_key=True),
    Column("expert", String, nullable=False),
    _instant("at"),
)
"""Cases that the desk gave to the investigators."""

WEBHOOK_ENDPOINTS = Table(
    "webhook_endpoints",
    METADATA,
    Column("endpoint_id", String, primary_key=True),
    Column("owner", String, nullable=False),
    Column("audience", String, nullable=False),
    Column("url", String, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("old_secret", LargeBinary),
    _instant("old_until", nullable=True),
    _instant("created_at"),
    _instant("ended_at", nullable=True),
)
"""Where somebody wants to be told, as whom (``audience``), and the secrets that sign what is sent."""

WEBHOOK_MESSAGES = Table(
    "webhook_messages",
    METADATA,
    Column("message_id", String, primary_key=True),
    Column("endpoint_id", String, ForeignKey("webhook_endpoints.endpoint_id"), nullable=False),
    Column("kind", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    _instant("created_at"),
    _instant("next_at"),
    _instant("ended_at", nullable=True),
    Column("last_error", String),
    Index("webhook_messages_next", "state", "next_at"),
)
"""The outbox: what is to be told, written in the transaction of what happened; delivered, or dead after the last attempt.

``next_at`` is when a message is tried next, and of a delivered one when it is forgotten.
"""
