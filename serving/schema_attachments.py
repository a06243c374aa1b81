"""The table of what is too much for an entry of the audit log, see :mod:`serving.attachments`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary, Table

from serving.schema import METADATA

AUDIT_ATTACHMENTS = Table(
    "audit_attachments",
    METADATA,
    Column("seq", BigInteger, ForeignKey("audit_log.seq"), primary_key=True, autoincrement=False),
    Column("first_at", BigInteger, nullable=False, info={"instant": True}),
    Column("last_at", BigInteger, nullable=False, info={"instant": True}),
    Column("decisions", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
"""The decisions that an entry of the audit log enters together, as Parquet; how many, and when the first and the last were made."""
