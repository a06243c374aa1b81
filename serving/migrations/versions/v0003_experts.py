"""What the expert queue keeps besides its cases: whose they are, who is tied to whom, who is meant for what, what was answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Take the step."""
    for name, kind in (("customer_id", sa.String()), ("seller_id", sa.String()), ("acknowledged_at", sa.BigInteger())):
        op.add_column("cases", sa.Column(name, kind, nullable=True))
    op.add_column("expert_answers", sa.Column("rationale", sa.String(), nullable=True))
    op.create_table(
        "expert_ties",
        sa.Column("expert", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("party", sa.String(), nullable=False),
        sa.Column("declared_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("expert", "kind", "party"),
    )
    op.create_table(
        "assignments",
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("expert", sa.String(), nullable=False),
        sa.Column("planned_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["cases.claim_id"]),
        sa.PrimaryKeyConstraint("claim_id"),
    )
    op.create_table(
        "expert_calls",
        sa.Column("expert", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("print", sa.LargeBinary(), nullable=False),
        sa.Column("reply", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("expert", "key"),
    )
    _carry_over()


def _carry_over() -> None:
    """Name customer and seller of the cases that are there, and when they were first taken, as far as the store knows."""
    for name in ("customer_id", "seller_id"):
        found = ", ".join(f"(SELECT {name} FROM {table} WHERE {table}.claim_id = cases.claim_id)" for table in ("claims", "proceedings"))
        op.execute(f"UPDATE cases SET {name} = COALESCE({found})")
    # Of earlier leases only the present one is known: no case is said to have been taken sooner than it can be shown to have been.
    op.execute("UPDATE cases SET acknowledged_at = leased_at WHERE token > 0")
