"""Second looks, files of rings, and what was filed with the cases of a batch."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "second_looks",
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("token", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["cases.claim_id"]),
        sa.PrimaryKeyConstraint("claim_id", "token"),
    )
    op.create_table(
        "ring_files",
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("file_id", sa.String(), nullable=False),
        sa.Column("value_cents", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["cases.claim_id"]),
        sa.PrimaryKeyConstraint("claim_id"),
    )
    op.create_index("ring_files_file", "ring_files", ["file_id"])
    op.create_table(
        "case_filings",
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["cases.claim_id"]),
        sa.PrimaryKeyConstraint("claim_id"),
    )
