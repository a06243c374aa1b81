"""The tables of what parties say, of how cases go on from one expert to others, and of who is told.

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
"""Cases that went from the desk to the investigators, by an expert or as part of a ring's file."""

SECOND_LOOKS = Table(
    "second_looks",
    METADATA,
    Column("claim_id", String, ForeignKey("cases.claim_id"), primary_key=True),
    Column("token", BigInteger, primary_key=True, autoincrement=False),
    Column("why", String, nullable=False),
    _instant("asked_at"),
    _instant("due_at"),
)
"""Answered cases that others are to look at too: an answer under a token above ``token`` is theirs, see :mod:`serving.second_looks`."""

RING_FILES = Table(
    "ring_files",
    METADATA,
    Column("claim_id", String, ForeignKey("cases.claim_id"), primary_key=True),
    Column("file_id", String, nullable=False),
    Column("value_cents", BigInteger, nullable=False),
    _instant("opened_at"),
    Index("ring_files_file", "file_id"),
)
"""Cases that are investigated together for one fee, see :mod:`serving.ring_work`; ``value_cents`` is that of the whole file."""

CASE_FILINGS = Table(
    "case_filings",
    METADATA,
    Column("claim_id", String, ForeignKey("cases.claim_id"), primary_key=True),
    Column("body", String, nullable=False),
)
"""What was filed, of cases whose claims a batch decided: what experts are shown of it, as JSON, see :mod:`serving.casefile`."""

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
