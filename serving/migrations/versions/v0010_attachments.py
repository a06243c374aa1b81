"""Decisions of a batch are one entry of the audit log, what they are lies beside it; no decision is ever changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_KEPT = ("audit_attachments", "decisions")


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "audit_attachments",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("decisions", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["audit_log.seq"]),
        sa.PrimaryKeyConstraint("seq"),
    )
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()


def _guard_sqlite() -> None:
    """Let nobody change or delete what was decided."""
    for table in _KEPT:
        for act in ("UPDATE", "DELETE"):
            told = f"SELECT RAISE(ABORT, '{table}: rows are never changed or deleted');"
            op.execute(f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} BEGIN {told} END")


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION rows_kept() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '%: rows are never changed or deleted', TG_TABLE_NAME; END $$"
    )
    for table in _KEPT:
        for act, each in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            name = f"{table}_no_{act.split()[0].lower()}"
            op.execute(f"CREATE TRIGGER {name} BEFORE {act} ON {table} FOR EACH {each} EXECUTE FUNCTION rows_kept()")
