"""Who calls and what they may do: API keys, or signed tokens of an identity provider (JWT).

A caller is found from the ``Authorization: Bearer`` header (or ``X-API-Key``). Every route needs one scope, or none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Scope(StrEnum):
    """What a caller may do; ``admin`` may do everything."""

    SCORE = "score"
    EVENTS = "events"
    READ = "read"
    EXPERT = "expert"
    INVESTIGATOR = "investigator"
    SELLER = "seller"
    INSURER = "insurer"
    CUSTOMERS = "customers"
    RULINGS = "rulings"
    ADMIN = "admin"


PARTY_SCOPES = frozenset({Scope.SELLER, Scope.INSURER, Scope.CUSTOMERS, Scope.RULINGS})
"""Who holds one of these speaks for a party to claims, and for no other."""


@dataclass(frozen=True)
class Caller:
    """Somebody who was recognised.

    Parameters
    ----------
    name
        The key's identifier or the token's subject: what logs and limits know them by.
    scopes
        What they may do.
    per_second
        Requests per second that they may make on average; ``None``: as the settings say.
    holder
        Whom the key was made for; ``None``: the name says it.
    """

    name: str
    scopes: frozenset[Scope]
    per_second: int | None = None
    holder: str | None = None

    @property
    def person(self) -> str:
        """Who answers for what is done: the same after a key was exchanged.

        >>> Caller("0a1b", frozenset(), None, "ann").person, Caller("token:ann", frozenset()).person
        ('ann', 'token:ann')
        """
        return self.name if self.holder is None else self.holder

    def may(self, scope: Scope) -> bool:
        """Tell whether the caller may do something.

        >>> Caller("a", frozenset({Scope.READ})).may(Scope.SCORE), DEVELOPER.may(Scope.SCORE)
        (False, True)
        """
        return scope in self.scopes or Scope.ADMIN in self.scopes


NOBODY = Caller("", frozenset())
"""Somebody who was not asked who they are: the open routes."""

DEVELOPER = Caller("development", frozenset({Scope.ADMIN}))
"""Everybody, in development mode."""


class Recognise(Protocol):
    """Finds the caller of a credential."""

    def __call__(self, credential: str) -> Caller | None:
        """Return the caller, ``None`` if the credential is not valid."""
        ...


def credential_of(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the credential that a request carries, ``None`` if there is none.

    >>> credential_of({b"authorization": b"Bearer abc"}), credential_of({b"x-api-key": b"abc"}), credential_of({})
    ('abc', 'abc', None)
    """
    header = headers.get(b"authorization")
    if header is not None:
        kind, _, token = header.partition(b" ")
        found = token.strip() if kind.lower() == b"bearer" else b""
    else:
        found = headers.get(b"x-api-key", b"")
    return found.decode("ascii", "replace") or None


def anyone(credential: str | None, among: tuple[Recognise, ...]) -> Caller | None:
    """Return the caller that the first of several ways recognises."""
    if credential is None:
        return None
    return next((caller for recognise in among if (caller := recognise(credential)) is not None), None)
