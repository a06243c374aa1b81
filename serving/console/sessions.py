"""Who is signed in: a random identifier in a cookie, its hash in the store, an end after silence and an end in any case.

The identifier is 256 random bits, so a plain SHA-256 of it is kept, as for API keys (:mod:`serving.keys`). It is made anew at every sign-
in, and forms carry a token that only who knows it can compute. A user who is shut out, or whose password was changed, has no session any
more.

References
----------
OWASP, Session Management Cheat Sheet; OWASP, Cross-Site Request Forgery Prevention Cheat Sheet (HMAC of the session).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from serving.console.roles import Role
from serving.console.users import User
from serving.instants import SECOND
from serving.schema_console import SESSIONS, USERS

IDLE = 30 * 60 * SECOND
"""A session ends after so much silence, microseconds."""

ABSOLUTE = 12 * 3600 * SECOND
"""A session ends so long after sign-in whatever happens, microseconds."""

ENTROPY = 32
"""Random bytes of an identifier."""

_NOTED_EVERY = 60 * SECOND  # not every look needs a write
_IDENTIFIER = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Session:
    """A signed-in user.

    Parameters
    ----------
    user
        Who.
    digest
        What the store knows the session by.
    form
        What every form of theirs must carry.
    stale
        Whether it is time to note that they are still here.
    """

    user: User
    digest: bytes
    form: str
    stale: bool


def form_token(identifier: str) -> str:
    """Return the token that forms carry under a cookie's identifier.

    >>> form_token("a") == form_token("a"), form_token("a") == form_token("b")
    (True, False)
    """
    return hmac.new(identifier.encode(), b"form", hashlib.sha256).hexdigest()


def open_session(tx: Connection, name: str, entropy: bytes, now: int) -> str:
    """Sign a user in and return the identifier for their cookie; sessions that are over are swept out.

    Parameters
    ----------
    tx
        A write transaction.
    name
        Who has shown their password.
    entropy
        :data:`ENTROPY` bytes from a source fit for secrets.
    now
        Microseconds UTC.
    """
    if len(entropy) != ENTROPY:
        raise ValueError(f"session: expected {ENTROPY} random bytes, found {len(entropy)}")
    tx.execute(delete(SESSIONS).where((SESSIONS.c.ends_at <= now) | (SESSIONS.c.seen_at <= now - IDLE)))
    identifier = entropy.hex()
    row = {"digest": _digest(identifier), "name": name, "opened_at": now, "seen_at": now, "ends_at": now + ABSOLUTE}
    tx.execute(insert(SESSIONS).values(**row))
    return identifier


def find_session(tx: Connection, identifier: str, now: int) -> Session | None:
    """Return whose session a cookie names at an instant (microseconds UTC); ``None`` if it is none, over, or its user shut out."""
    if not _IDENTIFIER.fullmatch(identifier):
        return None
    digest = _digest(identifier)
    query = select(USERS, SESSIONS.c.seen_at).join(SESSIONS, SESSIONS.c.name == USERS.c.name)
    lasts = (SESSIONS.c.ends_at > now, SESSIONS.c.seen_at > now - IDLE, USERS.c.disabled_at.is_(None))
    row = tx.execute(query.where(SESSIONS.c.digest == digest, *lasts)).one_or_none()
    if row is None:
        return None
    user = User(row.name, Role(row.role), row.created_at, row.changed_at)
    return Session(user, digest, form_token(identifier), now - row.seen_at >= _NOTED_EVERY)


def note_seen(tx: Connection, session: Session, now: int) -> None:
    """Note that somebody is still here."""
    tx.execute(update(SESSIONS).where(SESSIONS.c.digest == session.digest).values(seen_at=now))


def end_session(tx: Connection, identifier: str) -> None:
    """Sign somebody out; a session that is not there is no error."""
    tx.execute(delete(SESSIONS).where(SESSIONS.c.digest == _digest(identifier)))


def _digest(identifier: str) -> bytes:
    return hashlib.sha256(identifier.encode()).digest()
