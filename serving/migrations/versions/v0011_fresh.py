"""Last pages of the history that were written lately stand in small tables in front of the large ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Take the step."""
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "history_fresh_shelves",
        sa.Column("shelf", sa.LargeBinary(), nullable=False),
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        *_last(),
        sa.PrimaryKeyConstraint("shelf", "log"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "history_fresh_lone",
        sa.Column("number", whole, autoincrement=False, nullable=False),
        *_last(),
        sa.PrimaryKeyConstraint("number"),
    )


def _last() -> list[sa.Column[object]]:
    return [
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.BigInteger(), nullable=False),
        sa.Column("page", sa.LargeBinary(), nullable=False),
    ]
