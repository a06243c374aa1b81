"""The tables of who may sign in to the console and who is signed in."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String, Table

from serving.schema import METADATA

USERS = Table(
    "users",
    METADATA,
    Column("name", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("password", String, nullable=False),
    Column("created_at", BigInteger, nullable=False, info={"instant": True}),
    Column("changed_at", BigInteger, nullable=False, info={"instant": True}),
    Column("disabled_at", BigInteger, nullable=True, info={"instant": True}),
)
"""Who may sign in, see :mod:`serving.console.users`: of a password only its Argon2 hash is kept."""

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("name", String, ForeignKey("users.name"), nullable=False),
    Column("opened_at", BigInteger, nullable=False, info={"instant": True}),
    Column("seen_at", BigInteger, nullable=False, info={"instant": True}),
    Column("ends_at", BigInteger, nullable=False, info={"instant": True}),
    Index("sessions_name", "name"),
)
"""Who is signed in, see :mod:`serving.console.sessions`: of a session's identifier only its SHA-256 is kept."""
