"""What the endpoint keeps: history by shelves, known rows, events, audit log, keys, shadow and samples of features."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from data_contracts import DECISIONS
from serving.decided import record

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Take the step."""
    _tables_1()
    _tables_2()
    _tables_3()
    _guard()
    _carry_over()


def _tables_1() -> None:
    op.drop_table("history_pages")
    op.create_table(
        "history_pages",
        sa.Column("shelf", sa.LargeBinary(), nullable=False),
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("page", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("shelf", "log", "first_at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("per_second", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key_id"),
    )
    op.create_table(
        "audit_log",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("audit_subject", "audit_log", ["subject", "kind"], unique=False)
    op.create_table(
        "experts_taken",
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("cases", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "action"),
    )


def _tables_2() -> None:
    op.create_table(
        "history_shelves",
        sa.Column("shelf", sa.LargeBinary(), nullable=False),
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.BigInteger(), nullable=False),
        sa.Column("page", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("shelf", "log"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("print", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "known_rows",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("held", sa.String(), nullable=False),
        sa.Column("print", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "received_events",
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("known_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("contract", "key"),
    )
    op.create_table(
        "parity_samples",
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("catalog", sa.String(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("differs", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["claim_id"],
            ["decisions.claim_id"],
        ),
        sa.PrimaryKeyConstraint("claim_id"),
    )
    op.create_index("parity_open", "parity_samples", ["differs"], unique=False)


def _tables_3() -> None:
    op.create_table(
        "shadow_decisions",
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("bundle", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("p_valid", sa.Double(), nullable=False),
        sa.Column("p_unsubstantiated", sa.Double(), nullable=False),
        sa.Column("p_abusive", sa.Double(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["claim_id"],
            ["decisions.claim_id"],
        ),
        sa.PrimaryKeyConstraint("claim_id", "bundle"),
    )


def _guard() -> None:
    """Let nobody change or delete an entry of the audit log."""
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            told = "SELECT RAISE(ABORT, 'audit_log: entries are never changed or deleted');"
            op.execute(f"CREATE TRIGGER audit_log_no_{act.lower()} BEFORE {act} ON audit_log BEGIN {told} END")
        return
    op.execute(
        "CREATE FUNCTION audit_log_kept() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'audit_log: entries are never changed or deleted'; END $$"
    )
    for act, each in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
        name = f"audit_log_no_{act.split()[0].lower()}"
        op.execute(f"CREATE TRIGGER {name} BEFORE {act} ON audit_log FOR EACH {each} EXECUTE FUNCTION audit_log_kept()")


def _carry_over() -> None:
    """Begin the audit log with the decisions that were made before there was one, and count what they took of the experts' days."""
    tx = op.get_bind()
    columns = [column.name for column in DECISIONS.columns]
    found = tx.execute(sa.text(f"SELECT {', '.join(columns)} FROM decisions ORDER BY decided_at, claim_id")).all()
    if found:
        record(tx, [dict(zip(columns, row, strict=True)) for row in found])
