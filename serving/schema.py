"""The tables of the case store, in a form that SQLite and PostgreSQL both take.

Three kinds of table: *logs* that are only ever appended to (claims received, decisions, expert answers, answers of the parties, receipts,
events, postings, ledger lines, resolutions), *current state* that can be rebuilt from the logs (cases in the queue,
proceedings), and *marks* (how far a batch has come). Instants are ``int64`` microseconds UTC, money is ``int64`` cents.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
)

from data_contracts import ANSWERS, CLAIMS, DECISIONS, RESOLUTIONS, Contract

METADATA = MetaData()
"""Every table below."""

_TYPES: dict[str, type[Any]] = {
    "string": String,
    "integer": BigInteger,
    "number": Double,
    "boolean": Boolean,
    "instant": BigInteger,
}


def _of(contract: Contract) -> list[Column[Any]]:
    """Turn a contract's columns into columns of a database table."""
    return [
        Column(
            column.name,
            _TYPES[column.kind](),
            primary_key=column.name == contract.key,
            autoincrement=False,
            nullable=column.nullable,
            info={"instant": column.kind == "instant"},
        )
        for column in contract.columns
    ]


def _instant(name: str, nullable: bool = False) -> Column[Any]:
    return Column(name, BigInteger, nullable=nullable, info={"instant": True})


def _claim(table: str = "decisions", primary_key: bool = False) -> Column[Any]:
    return Column("claim_id", String, ForeignKey(f"{table}.claim_id"), nullable=False, primary_key=primary_key)


CLAIMS_TABLE = Table("claims", METADATA, *_of(CLAIMS))
"""Claims as the endpoint received them, as :data:`data_contracts.CLAIMS`; copied to the lake from here. Batches never write it."""

DECISIONS_TABLE = Table("decisions", METADATA, *_of(DECISIONS))
"""One row per decided claim, as :data:`data_contracts.DECISIONS`; never changed."""

CASES = Table(
    "cases",
    METADATA,
    _claim(primary_key=True),
    Column("tier", String, nullable=False),
    Column("value_cents", BigInteger, nullable=False),
    Column("minutes", BigInteger, CheckConstraint("minutes > 0"), nullable=False),
    Column("priority", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    _instant("opened_at"),
    _instant("due_at"),
    Column("holder", String),
    _instant("leased_at", nullable=True),
    _instant("lease_expires_at", nullable=True),
    Column("token", BigInteger, nullable=False),
    Column("customer_id", String),
    Column("seller_id", String),
    _instant("acknowledged_at", nullable=True),
    Index("cases_next", "tier", "state", "priority"),
    Index("cases_due", "tier", "state", "due_at"),
)
"""The expert queue: one row per case sent to an expert; ``token`` counts its leases and fences off stale holders.

``customer_id`` and ``seller_id`` keep out experts who are tied to them; ``acknowledged_at`` is when an expert first took the case.
"""

EXPERT_ANSWERS = Table(
    "expert_answers",
    METADATA,
    Column("answer_id", String, primary_key=True),
    _claim("cases"),
    Column("token", BigInteger, nullable=False),
    Column("expert", String, nullable=False),
    Column("label", String, nullable=False),
    Column("minutes", BigInteger, nullable=False),
    Column("fee_cents", BigInteger, nullable=False),
    _instant("answered_at"),
    Column("rationale", String),
    UniqueConstraint("claim_id", "token"),
)
"""Every answer of every expert; a second answer to a case is a second row."""

EXPERT_TIES = Table(
    "expert_ties",
    METADATA,
    Column("expert", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("party", String, primary_key=True),
    _instant("declared_at"),
)
"""Customers and sellers whose cases an expert must not see, see :mod:`serving.ties`."""

ASSIGNMENTS = Table(
    "assignments",
    METADATA,
    _claim("cases", primary_key=True),
    Column("expert", String, nullable=False),
    _instant("planned_at"),
)
"""Which expert a waiting case is meant for; it is offered to nobody else until the assignment is stale."""

EXPERT_CALLS = Table(
    "expert_calls",
    METADATA,
    Column("expert", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("print", LargeBinary, nullable=False),
    Column("reply", LargeBinary, nullable=False),
    _instant("at"),
)
"""What experts were answered under the idempotency keys that they gave, see :mod:`serving.repeated`."""

ANSWERS_TABLE = Table("answers", METADATA, *_of(ANSWERS), Index("answers_claim", "claim_id"))
"""The inbox: what seller, insurer, customer and marketplace said, as :data:`data_contracts.ANSWERS`."""

PROCEEDINGS = Table(
    "proceedings",
    METADATA,
    _claim(primary_key=True),
    Column("customer_id", String, nullable=False),
    Column("seller_id", String, nullable=False),
    Column("product_id", String, nullable=False),
    Column("amount_cents", BigInteger, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("seq", BigInteger, nullable=False),
    _instant("opened_at"),
    _instant("since"),
    _instant("last_at"),
    _instant("deadline", nullable=True),
    _instant("paid_at", nullable=True),
    Column("outcome", String),
    Column("found", String),
)
"""Where each claim stands between filed and closed; equal to the last of its events."""

CASE_EVENTS = Table(
    "case_events",
    METADATA,
    _claim("proceedings", primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("from_state", String, nullable=False),
    Column("event", String, nullable=False),
    Column("to_state", String, nullable=False),
    _instant("at"),
)
"""Every transition of every claim, numbered from 1."""

RECEIPTS = Table(
    "receipts",
    METADATA,
    Column("message_id", String, primary_key=True),
    _claim("proceedings"),
    Column("disposition", String, nullable=False),
    Column("seq", BigInteger, nullable=False),
    _instant("at"),
    Index("receipts_claim", "claim_id"),
)
"""How each answer was taken: ``applied`` by event number ``seq``, or why it could not be."""

POSTINGS = Table(
    "postings",
    METADATA,
    _claim("proceedings", primary_key=True),
    Column("step", String, primary_key=True),
    _instant("at"),
)
"""Idempotency keys of the ledger: a step of a claim is posted once."""

LEDGER = Table(
    "ledger",
    METADATA,
    Column("claim_id", String, primary_key=True),
    Column("step", String, primary_key=True),
    Column("account", String, primary_key=True),
    Column("amount_cents", BigInteger, CheckConstraint("amount_cents <> 0"), nullable=False),
    ForeignKeyConstraint(["claim_id", "step"], ["postings.claim_id", "postings.step"]),
)
"""The lines of the postings, in signed cents; the lines of one posting sum to zero."""

RESOLUTIONS_TABLE = Table("resolutions", METADATA, *_of(RESOLUTIONS), Index("resolutions_known", "known_at"))
"""What became known, as :data:`data_contracts.RESOLUTIONS`; copied to the lake from here."""

MARKS = Table("marks", METADATA, Column("name", String, primary_key=True), _instant("at"))
"""How far a batch has come, written in the transaction of the work itself."""

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("key_id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("scopes", String, nullable=False),
    Column("per_second", BigInteger),
    _instant("created_at"),
    _instant("expires_at", nullable=True),
    _instant("revoked_at", nullable=True),
)
"""Who may call the endpoint, see :mod:`serving.keys`: only the SHA-256 of each key's secret is kept."""

KNOWN_ROWS = Table(
    "known_rows",
    METADATA,
    Column("name", String, primary_key=True),
    Column("held", String, nullable=False),
    Column("print", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""What claims and events may refer to, and by which a repetition is told from a contradiction, see :mod:`serving.known`."""

RECEIVED_EVENTS = Table(
    "received_events",
    METADATA,
    Column("contract", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("body", String, nullable=False),
    _instant("known_at"),
    _instant("received_at"),
)
"""Events as the endpoint received them, each as the JSON of its contract; copied to the lake from here. Batches never write it."""

AUDIT_LOG = Table(
    "audit_log",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    _instant("at"),
    Column("body", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("audit_subject", "subject", "kind"),
)
"""Everything decided, answered and received, in order, each entry bound to the one before by its hash, see :mod:`serving.audit`."""

IDEMPOTENCY_KEYS = Table(
    "idempotency_keys",
    METADATA,
    Column("key", String, primary_key=True),
    Column("claim_id", String, nullable=False),
    Column("print", LargeBinary, nullable=False),
)
"""Keys that callers gave, and the claim that each came with first."""

EXPERTS_TAKEN = Table(
    "experts_taken",
    METADATA,
    _instant("day"),
    Column("action", String, nullable=False),
    Column("cases", BigInteger, nullable=False),
    PrimaryKeyConstraint("day", "action"),
)
"""How many cases of each day took an expert's capacity; counted up with the decisions themselves."""

SHADOW_DECISIONS = Table(
    "shadow_decisions",
    METADATA,
    _claim(primary_key=True),
    Column("bundle", String, primary_key=True),
    Column("action", String, nullable=False),
    Column("p_valid", Double, nullable=False),
    Column("p_unsubstantiated", Double, nullable=False),
    Column("p_abusive", Double, nullable=False),
    _instant("decided_at"),
)
"""What a challenger would have decided; stored beside, never acted on."""

PARITY_SAMPLES = Table(
    "parity_samples",
    METADATA,
    _claim(primary_key=True),
    Column("catalog", String, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("differs", BigInteger),
    Index("parity_open", "differs"),
)
"""Feature rows that decisions were made with, kept for some claims until the batch has computed them as well; ``differs``: how many
features it found otherwise."""
