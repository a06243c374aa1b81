"""API keys: made, kept as hashes in the store, recognised, revoked.

A key is ``tsk_<identifier>_<secret>``. The identifier finds the row; of the secret only its SHA-256 is kept. The secret is 256
random bits, so that a slow password hash would protect nothing more and would cost every request its time (OWASP Password
Storage Cheat Sheet: slow hashes are for secrets that people choose). Hashes are compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from serving.auth import PARTY_SCOPES, Caller, Scope
from serving.identities import is_identifier
from serving.schema import API_KEYS
from serving.store import Store

ENTROPY = 38
"""Random bytes that a key is made of: 6 for the identifier, 32 for the secret."""

_MARK = "tsk"
_NOBODY = hashlib.sha256(b"").digest()


@dataclass(frozen=True)
class Key:
    """What is kept of a key.

    Parameters
    ----------
    key_id
        12 hexadecimal digits.
    name
        Who holds it, as people call them.
    digest
        SHA-256 of the secret.
    scopes
        What its holder may do.
    created_at, expires_at, revoked_at
        Microseconds UTC; ``None``: never.
    per_second
        Requests per second on average; ``None``: as the settings say.
    """

    key_id: str
    name: str
    digest: bytes
    scopes: frozenset[Scope]
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    per_second: int | None = None

    def holds(self, at: int) -> bool:
        """Tell whether the key is valid at an instant, microseconds UTC."""
        return all(end is None or at < end for end in (self.expires_at, self.revoked_at))


def make(
    entropy: bytes,
    name: str,
    scopes: Iterable[Scope],
    now: int,
    expires_at: int | None = None,
    per_second: int | None = None,
) -> tuple[str, Key]:
    """Return a new key as its holder gets it, once, and what is kept of it.

    Parameters
    ----------
    entropy
        :data:`ENTROPY` bytes from a source fit for secrets.
    name, scopes, expires_at, per_second
        As :class:`Key` keeps them.
    now
        Microseconds UTC.

    Raises
    ------
    ValueError
        If there is too little entropy, no name or no scope, the key would never be valid, or it would speak for several parties or for
        nobody whom claims can name.

    Examples
    --------
    >>> text, key = make(bytes(38), "claims service", [Scope.SCORE], now=0)
    >>> text[:17], key.key_id, text.encode() in key.digest
    ('tsk_000000000000_', '000000000000', False)
    """
    held = frozenset(scopes)
    if len(entropy) != ENTROPY:
        raise ValueError(f"key: expected {ENTROPY} random bytes, found {len(entropy)}")
    if not name or not held:
        raise ValueError(f"key: expected a name and at least one scope, found {name!r} and {len(held)} scopes")
    if expires_at is not None and expires_at <= now:
        raise ValueError("key: expected an end after now, found one before: it would never be valid")
    if per_second is not None and per_second < 1:
        raise ValueError(f"key: expected at least 1 request per second, found {per_second}")
    _check_party(name, held)
    key_id, secret = entropy[:6].hex(), urlsafe_b64encode(entropy[6:]).decode().rstrip("=")
    digest = hashlib.sha256(secret.encode()).digest()
    return f"{_MARK}_{key_id}_{secret}", Key(key_id, name, digest, held, now, expires_at, None, per_second)


def _check_party(name: str, scopes: frozenset[Scope]) -> None:
    speaks = scopes & PARTY_SCOPES
    if len(speaks) > 1:
        raise ValueError(f"key: expected one that speaks for a single party, found {', '.join(sorted(speaks))}; make a key for each")
    if speaks & {Scope.SELLER, Scope.INSURER} and not is_identifier(name):
        raise ValueError(f"key: expected the {min(speaks)}'s identity as the name, as claims have it, found {name!r}")


def add_key(store: Store, key: Key) -> None:
    """Keep a key."""
    with store.write() as tx:
        tx.execute(insert(API_KEYS).values({**vars(key), "scopes": " ".join(sorted(key.scopes))}))


def end_key(store: Store, key_id: str, at: int) -> bool:
    """Revoke a key from an instant on (microseconds UTC; later than now: it is still valid until then). Tells whether there was one.

    A key that is revoked already keeps the earlier instant.
    """
    ends = API_KEYS.c.revoked_at
    with store.write() as tx:
        known = tx.execute(select(API_KEYS.c.key_id).where(API_KEYS.c.key_id == key_id)).first() is not None
        tx.execute(update(API_KEYS).where(API_KEYS.c.key_id == key_id, ends.is_(None) | (ends > at)).values(revoked_at=at))
    return known


def kept_keys(store: Store) -> dict[str, Key]:
    """Return every key by its identifier, those that are no longer valid too."""
    with store.view() as tx:
        rows = tx.execute(select(API_KEYS).order_by(API_KEYS.c.created_at, API_KEYS.c.key_id)).mappings().all()
    keys = [Key(**{**row, "digest": bytes(row["digest"]), "scopes": frozenset(map(Scope, row["scopes"].split()))}) for row in rows]
    return {key.key_id: key for key in keys}


@dataclass(frozen=True)
class Keyring:
    """Recognises callers by their keys.

    Parameters
    ----------
    keys
        The keys that are kept, by identifier.
    now
        The present instant, microseconds UTC.

    Examples
    --------
    >>> text, key = make(bytes(38), "claims service", [Scope.SCORE], now=0, expires_at=10)
    >>> ring = Keyring(lambda: {key.key_id: key}, now=lambda: 5)
    >>> ring(text).name, ring(text + "x"), Keyring(ring.keys, now=lambda: 10)(text)
    ('000000000000', None, None)
    """

    keys: Callable[[], Mapping[str, Key]]
    now: Callable[[], int]

    def __call__(self, credential: str) -> Caller | None:
        """Return who holds a key; ``None`` if it is none of ours or no longer valid."""
        mark, _, rest = credential.partition("_")
        key_id, _, secret = rest.partition("_")
        if mark != _MARK:
            return None
        key = self.keys().get(key_id)
        same = hmac.compare_digest(_NOBODY if key is None else key.digest, hashlib.sha256(secret.encode()).digest())
        if key is None or not same or not key.holds(self.now()):
            return None
        return Caller(key.key_id, key.scopes, key.per_second, key.name)
