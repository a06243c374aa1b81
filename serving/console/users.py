"""Users of the console: their names, roles and passwords.

A password is kept as Argon2id hash with the parameters that OWASP's Password Storage Cheat Sheet names first. Whoever gives a name that
nobody has waits as long as somebody who gave a wrong password, so that nobody learns which names there are. A user's name is also the
name by which experts are known to the queue: what ann does by the API with a key made for her name and what she does here is one person's
work.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, delete, insert, select, update

from serving.console.roles import Role
from serving.schema_console import SESSIONS, USERS

SHORTEST, LONGEST = 12, 256
"""Characters of a password."""

NAME = r"[a-z0-9][a-z0-9._-]{0,63}"
"""A user's name."""

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$NCqYXafQXLmtuZib0+LWzg$9+apsxxSGOPp3kX8yPrAos1P7s4k/pp78OL0ZmERWsg"
"""A hash that belongs to no password anybody knows: compared with where there is no such user."""


class UserError(ValueError):
    """A user who cannot be made, found or changed so; the message says what was expected."""


@dataclass(frozen=True)
class User:
    """Somebody who may sign in.

    Parameters
    ----------
    name
        Up to 64 small letters, digits, dots, hyphens and underscores.
    role
        What they may do.
    created_at, changed_at, disabled_at
        When they were made, got their present password, and were shut out (microseconds UTC); ``None``: they were not.
    """

    name: str
    role: Role
    created_at: int
    changed_at: int
    disabled_at: int | None = None


def check_password(name: str, password: str) -> str:
    """Return a password that may be used.

    Raises
    ------
    UserError
        If it is too short or too long, or the user's own name.

    Examples
    --------
    >>> check_password("ann", "too short")
    Traceback (most recent call last):
    serving.console.users.UserError: password: expected 12 to 256 characters that do not hold the name, found 9 characters
    """
    if not SHORTEST <= len(password) <= LONGEST or name in password.lower():
        found = f"{len(password)} characters" if name not in password.lower() else "the name in it"
        raise UserError(f"password: expected {SHORTEST} to {LONGEST} characters that do not hold the name, found {found}")
    return password


def add_user(tx: Connection, name: str, role: Role, password: str, now: int) -> User:
    """Make a user (``now`` in microseconds UTC).

    Raises
    ------
    UserError
        If the name is no name or taken, or the password cannot be used.

    Examples
    --------
    >>> from serving.store import Store
    >>> with Store("sqlite://") as store, store.write() as tx:
    ...     add_user(tx, "ann", Role.EXPERT, "a long enough one", now=5).role.value
    'expert'
    """
    if not re.fullmatch(NAME, name):
        raise UserError(f"name: expected up to 64 small letters, digits, dots, hyphens and underscores, found {ascii(name)[:80]}")
    if find_user(tx, name) is not None:
        raise UserError(f"name: expected one that nobody has, found {name!r}; its password can be changed")
    kept = _HASHER.hash(check_password(name, password))
    tx.execute(insert(USERS).values(name=name, role=role.value, password=kept, created_at=now, changed_at=now))
    return User(name, role, now, now)


def find_user(tx: Connection, name: str) -> User | None:
    """Return a user by name, ``None`` if there is none."""
    row = tx.execute(select(USERS).where(USERS.c.name == name)).one_or_none()
    return None if row is None else _user(row)


def every_user(tx: Connection) -> list[User]:
    """Return all users, those who are shut out as well, by name."""
    return [_user(row) for row in tx.execute(select(USERS).order_by(USERS.c.name))]


def set_password(tx: Connection, name: str, password: str, now: int) -> None:
    """Give a user another password and end their sessions.

    Raises
    ------
    UserError
        If there is no such user or the password cannot be used.
    """
    kept = _HASHER.hash(check_password(name, password))
    _change(tx, name, password=kept, changed_at=now)


def disable_user(tx: Connection, name: str, now: int) -> None:
    """Shut a user out and end their sessions. Raises :class:`UserError` if there is no such user."""
    _change(tx, name, disabled_at=now)


def enable_user(tx: Connection, name: str) -> None:
    """Let a user in again. Raises :class:`UserError` if there is no such user."""
    _change(tx, name, disabled_at=None)


def _change(tx: Connection, name: str, **values: object) -> None:
    if tx.execute(update(USERS).where(USERS.c.name == name).values(**values)).rowcount == 0:
        raise UserError(f"name: expected a user, found {ascii(name)[:80]}; touchstone users list shows them")
    tx.execute(delete(SESSIONS).where(SESSIONS.c.name == name))


def password_of(tx: Connection, name: str) -> str | None:
    """Return the kept hash of somebody who may sign in; ``None`` for anybody else."""
    return tx.execute(select(USERS.c.password).where(USERS.c.name == name, USERS.c.disabled_at.is_(None))).scalar_one_or_none()


def is_password(kept: str | None, password: str) -> bool:
    """Tell whether a password is the one that is kept; takes as long where there is none.

    >>> is_password(None, "anything at all")
    False
    """
    try:
        _HASHER.verify(kept or _NOBODYS, password[: LONGEST + 1])
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def _user(row: object) -> User:
    values = {name: getattr(row, name) for name in ("name", "created_at", "changed_at", "disabled_at")}
    return User(role=Role(row.role), **values)  # type: ignore[attr-defined]
