"""One request to the console as those who answer it see it, and what they answer with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from models.policy import Policy
from models.quality_checks import Checks
from serving.console.records import Records
from serving.console.roles import Role
from serving.console.sessions import Session
from serving.limits import Limits
from serving.store import Store


@dataclass(frozen=True)
class Office:
    """What every answer can use.

    Parameters
    ----------
    store
        The case store.
    policy
        Prices, fees and minutes.
    records
        What is known of claims and parties.
    versions
        Names what decides.
    entropy
        Makes so many random bytes, fit for secrets.
    tries
        How often somebody may try a password.
    secure
        Whether cookies are for HTTPS alone: everywhere but in development on this machine.
    checks
        Draws the cases that are judged without the model's opinion.
    """

    store: Store
    policy: Policy
    records: Records
    versions: Callable[[], Mapping[str, str]]
    entropy: Callable[[int], bytes]
    tries: Limits
    secure: bool = True
    checks: Checks = field(default_factory=Checks)


@dataclass(frozen=True)
class Visit:
    """A request.

    Parameters
    ----------
    now
        The present instant, microseconds UTC.
    path
        Parameters of the path.
    query, form
        Name → value of what stands behind the question mark, and of the form that was sent; the last of equal names.
    session
        Who is signed in; ``None``: nobody.
    cookie
        The session's identifier as sent; empty without one.
    address
        Where the request came from.
    seconds
        A steadily rising clock.
    """

    now: int
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    session: Session | None
    cookie: str
    address: str
    seconds: float

    @property
    def name(self) -> str:
        """Who is signed in, by name."""
        return "" if self.session is None else self.session.user.name

    @property
    def role(self) -> Role:
        """The role of who is signed in."""
        if self.session is None:
            raise WrongError(401, "Please sign in.")
        return self.session.user.role


@dataclass(frozen=True)
class Shown:
    """A page: its template, what it shows, the HTTP status, and a session cookie to set (empty: to take away; ``None``: to leave alone)."""

    template: str
    content: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    cookie: str | None = None


@dataclass(frozen=True)
class Sent:
    """Another page to go to after something was done: its path behind the root, what to say there, and a cookie as in :class:`Shown`."""

    to: str
    said: str = ""
    cookie: str | None = None


Answer = Shown | Sent


class WrongError(Exception):
    """A request that is answered with a page that says what is wrong and what to do; the status is HTTP's."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words
