"""Endpoints that want to be told: who listens where, for whom, and the secrets that sign what they are sent.

A secret must be kept as it is, for it signs; it is shown when it is made, never again, and is in no list, log or error.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, insert, select, update

from serving.identities import is_identifier
from serving.queue import Tier
from serving.schema_parties import WEBHOOK_ENDPOINTS
from serving.webhooks import MARKETPLACE

_NAMED = ("seller", "insurer")


class EndpointError(ValueError):
    """No such endpoint, or one that cannot be."""


@dataclass(frozen=True)
class Endpoint:
    """Where somebody is told.

    Parameters
    ----------
    endpoint_id
        Its name.
    owner
        Who is responsible for it, as people call them.
    audience
        What it is told of: see :class:`serving.webhooks.Happening`.
    url
        Where it listens.
    secret
        Signs what is sent.
    old_secret, old_until
        The secret before, which signs as well until an instant (microseconds UTC).
    created_at, ended_at
        Microseconds UTC; ``None``: it is still told.
    """

    endpoint_id: str
    owner: str
    audience: str
    url: str
    secret: bytes = field(repr=False)
    old_secret: bytes | None = field(repr=False)
    old_until: int | None
    created_at: int
    ended_at: int | None

    def secrets(self, now: int) -> tuple[bytes, ...]:
        """Return the secrets that sign at an instant, microseconds UTC."""
        old = self.old_secret is not None and self.old_until is not None and now < self.old_until
        return (self.secret, self.old_secret) if old and self.old_secret is not None else (self.secret,)


def audience_of(text: str) -> str:
    """Return an audience as it is written, if there can be one.

    Raises
    ------
    EndpointError
        If there cannot.

    Examples
    --------
    >>> audience_of("seller:S0042")
    'seller:S0042'
    """
    kind, colon, name = text.partition(":")
    if text not in (MARKETPLACE, *(tier.value for tier in Tier)) and not (colon and kind in _NAMED and is_identifier(name)):
        tiers = ", ".join(tier.value for tier in Tier)
        raise EndpointError(f"audience: expected {tiers}, {MARKETPLACE}, seller:SELLER or insurer:INSURER, found {text!r}")
    return text


def add_endpoint(tx: Connection, endpoint_id: str, owner: str, audience: str, url: str, secret: bytes, now: int) -> None:
    """Tell somebody of everything that happens from now on (microseconds UTC); the URL is judged by whoever takes it.

    Raises
    ------
    EndpointError
        If the audience cannot be, or nobody owns it.
    """
    if not owner:
        raise EndpointError("owner: expected who is responsible for the endpoint, found nobody")
    row = {"endpoint_id": endpoint_id, "owner": owner, "audience": audience_of(audience), "url": url, "secret": secret, "created_at": now}
    tx.execute(insert(WEBHOOK_ENDPOINTS).values(row))


def endpoints(tx: Connection) -> tuple[Endpoint, ...]:
    """Return every endpoint, those that have ended too, the oldest first."""
    rows = tx.execute(select(WEBHOOK_ENDPOINTS).order_by(WEBHOOK_ENDPOINTS.c.created_at, WEBHOOK_ENDPOINTS.c.endpoint_id)).mappings()
    bytes_of = ("secret", "old_secret")
    return tuple(Endpoint(**{**row, **{name: row[name] and bytes(row[name]) for name in bytes_of}}) for row in rows)


def end_endpoint(tx: Connection, endpoint_id: str, now: int) -> None:
    """Tell an endpoint nothing any more. Raises :class:`EndpointError` if there is none that is told."""
    _change(tx, endpoint_id, ended_at=now)


def exchange_secret(tx: Connection, endpoint_id: str, secret: bytes, now: int, both_until: int) -> None:
    """Sign with another secret from now on, and with the old one as well until an instant (both microseconds UTC).

    Raises
    ------
    EndpointError
        If there is no such endpoint that is told.
    """
    _change(tx, endpoint_id, old_secret=WEBHOOK_ENDPOINTS.c.secret, old_until=max(now, both_until), secret=secret)


def _change(tx: Connection, endpoint_id: str, **values: object) -> None:
    told = (WEBHOOK_ENDPOINTS.c.endpoint_id == endpoint_id, WEBHOOK_ENDPOINTS.c.ended_at.is_(None))
    if tx.execute(update(WEBHOOK_ENDPOINTS).where(*told).values(**values)).rowcount == 0:
        raise EndpointError(f"endpoint: expected the name of one that is told, found {endpoint_id!r}; touchstone webhooks list shows them")
