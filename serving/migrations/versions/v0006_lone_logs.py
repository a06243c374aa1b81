"""Logs of the online history that are read alone move to a table whose key is a whole number; buckets say more of each story.

What their numbers and briefs are made of is written down here once more: a step does not change when the code does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_LONE = (0x8020, 0x8022, 0x8024, 0x8028, 0x802A, 0x802C, 0x8040, 0x8051, 0x8061)
"""Numbers of the logs that move: contents, uses by customer and buckets of stories and of pictures; own claims; components."""

_TOLD, _BUCKET = 0x8020, 0x8024
"""Of those: what each story is compared by, and the stories of each bucket, behind each of which its brief is written."""

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
    briefs = {_code(row["shelf"]): _brief(row["page"]) for rows in _portions(tx, _SHELVES, "shelf", "log", logs=[_TOLD]) for row in rows}
    for rows in _portions(tx, _SHELVES, "shelf", "log"):
        tx.execute(sa.insert(_NEW), [_moved(row, briefs) for row in rows])
    for rows in _portions(tx, _PAGES, "shelf", "log", "first_at"):
        moved = [_moved(row, briefs) for row in rows]
        tx.execute(sa.insert(_PAGES), [{**row, "shelf": row.pop("number").to_bytes(8, "big", signed=True), "log": 0} for row in moved])
    for table in (_SHELVES, _PAGES):
        tx.execute(sa.delete(table).where(table.c.log.in_(_LONE)))


def _moved(row: dict[str, Any], briefs: dict[int, int]) -> dict[str, Any]:
    """Give a page its number, and where it is a bucket of stories the brief of each."""
    shelf, log, page = row["shelf"], row["log"], row["page"]
    if log == _BUCKET:
        words: npt.NDArray[np.int64] = np.frombuffer(page, dtype="<i8").reshape(-1, 2)
        told = [[briefs.get(code, code)] for code in words[:, 1].tolist()]  # before the first row nobody stands
        page = np.hstack([words, np.array(told, dtype=np.int64)]).tobytes()
    return {**{name: value for name, value in row.items() if name not in ("shelf", "log")}, "number": _number(shelf, log), "page": page}


def _code(shelf: bytes) -> int:
    return int.from_bytes(shelf[2:10], "big", signed=True)


def _brief(page: bytes) -> int:
    """Put the size of a set of hashes, up to 255, above one mark for each of its elements."""
    words: npt.NDArray[np.uint64] = np.frombuffer(page, dtype="<u8")
    marks = int(np.bitwise_or.reduce(np.uint64(1) << (words >> np.uint64(58)), initial=np.uint64(0))) % (1 << 56)
    return (min(len(words), 255) << 56 | marks) - (len(words) > 127) * 2 * _HALF


def _portions(tx: sa.Connection, table: sa.TableClause, *names: str, logs: Sequence[int] = _LONE) -> Iterator[list[dict[str, Any]]]:
    """Read the rows that move, so many at once, each time from behind those before."""
    key = [table.c[name] for name in names]
    behind: sa.ColumnElement[bool] = sa.true()
    while True:
        chosen = sa.select(table).where(table.c.log.in_(logs), behind).order_by(*key).limit(_PORTION)
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
