"""On PostgreSQL the online history is dealt to partitions by its keys; SQLite has none and is left as it is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_PARTITIONED = {"history_shelves": "shelf", "history_lone": "number", "history_pages": "shelf"}
"""Tables of the history, and the column by whose hash each is dealt: all rows that are asked for together lie together."""

_PARTITIONS = 8


def upgrade() -> None:
    """Take the step: a partitioned table takes the name, the key and the rows of the one before it."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, column in _PARTITIONED.items():
        key = sa.inspect(op.get_bind()).get_pk_constraint(table)["constrained_columns"]
        whole = f"{table}_whole"
        op.rename_table(table, whole)
        op.execute(f"CREATE TABLE {table} (LIKE {whole} INCLUDING DEFAULTS) PARTITION BY HASH ({column})")
        for number in range(_PARTITIONS):
            op.execute(f"CREATE TABLE {table}_{number} PARTITION OF {table} FOR VALUES WITH (MODULUS {_PARTITIONS}, REMAINDER {number})")
        op.execute(f"INSERT INTO {table} SELECT * FROM {whole}")
        op.drop_table(whole)
        # The key comes last: an index is built faster over rows that are there than row by row.
        op.create_primary_key(f"{table}_pkey", table, key)
