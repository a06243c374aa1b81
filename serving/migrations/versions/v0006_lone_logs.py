"""Logs of the online history that are read alone move to a table whose key is a whole number.

What their numbers were made of is written down here once more: a step does not change when the code does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_LONE = (0x8020, 0x8022, 0x8024, 0x8028, 0x802A, 0x802C, 0x8040, 0x8051, 0x8061)
"""Numbers of the logs that move: contents, uses by customer and buckets of stories and of pictures; own claims; components."""

_ODD, _HALF, _PORTION = 0x9E3779B97F4A7C15, 1 << 63, 50_000

_SHELVES = sa.table("history_shelves", *(sa.column(name) for name in ("shelf", "log", "first_at", "closed", "page")))
_PAGES = sa.table("history_pages", *(sa.column(name) for name in ("shelf", "log", "first_at", "page")))
_NEW = sa.table("history_lone", *(sa.column(name) for name in ("number", "first_at", "closed", "page")))


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "history_lone",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.BigInteger(), nullable=False),
        sa.Column("page", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    tx = op.get_bind()
    for rows in _portions(tx, _SHELVES, "shelf", "log"):
        tx.execute(sa.insert(_NEW), [{**row, "number": _number(row.pop("shelf"), row.pop("log"))} for row in rows])
    for rows in _portions(tx, _PAGES, "shelf", "log", "first_at"):
        moved = [{**row, "shelf": _number(row["shelf"], row["log"]).to_bytes(8, "big", signed=True), "log": 0} for row in rows]
        tx.execute(sa.insert(_PAGES), moved)
    for table in (_SHELVES, _PAGES):
        tx.execute(sa.delete(table).where(table.c.log.in_(_LONE)))


def _portions(tx: sa.Connection, table: sa.TableClause, *names: str) -> Iterator[list[dict[str, Any]]]:
    """Read the rows that move, so many at once, each time from behind those before."""
    key = [table.c[name] for name in names]
    behind: sa.ColumnElement[bool] = sa.true()
    while True:
        chosen = sa.select(table).where(table.c.log.in_(_LONE), behind).order_by(*key).limit(_PORTION)
        rows = [dict(row) for row in tx.execute(chosen).mappings()]
        if not rows:
            return
        behind = sa.tuple_(*key) > sa.tuple_(*(sa.literal(rows[-1][name]) for name in names))
        yield rows


def _number(shelf: bytes, log: int) -> int:
    number = 1 << 32 | log
    for at in range(2, len(shelf), 8):
        number = number * _ODD + int.from_bytes(shelf[at : at + 8], "big", signed=True)
    return (number + _HALF) % (1 << 64) - _HALF
