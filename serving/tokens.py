"""Signed tokens (JWT) of an identity provider, as another way to say who calls.

Only asymmetric signatures are accepted, so that nobody who can read our settings can make a token; a token must name its end,
its issuer, its audience (us) and its subject, and its key. Scopes are those of the token's ``scope`` that we know.

References
----------
RFC 7519 (JWT), RFC 7517 (JWK sets), RFC 8725 (best current practices), RFC 9068 (the claim ``scope``).
"""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import jwt

from serving.auth import Caller, Scope

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""Signatures that are accepted."""

_MOST = 1_048_576
_SCOPES = frozenset(scope.value for scope in Scope)


@dataclass(frozen=True)
class Tokens:
    """Recognises callers by tokens.

    Parameters
    ----------
    keys
        The provider's public keys by their name (``kid``), see :func:`public_keys`.
    issuer, audience
        What a token must say in ``iss`` and ``aud``.
    """

    keys: Callable[[], Mapping[str, jwt.PyJWK]]
    issuer: str
    audience: str

    def __call__(self, credential: str) -> Caller | None:
        """Return who a token is about; ``None`` if it is not valid."""
        try:
            key = self.keys()[jwt.get_unverified_header(credential)["kid"]]
            told = jwt.decode(
                credential,
                key,
                algorithms=list(ALGORITHMS),
                audience=self.audience,
                issuer=self.issuer,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, KeyError, TypeError, ValueError):
            return None
        scopes = told.get("scope", "")
        held = frozenset(Scope(word) for word in str(scopes).split() if word in _SCOPES)
        return Caller(f"token:{told['sub']}"[:80], held)


def public_keys(source: str) -> dict[str, jwt.PyJWK]:
    """Read a JWK set from a file or an ``https`` address.

    Raises
    ------
    ValueError
        If it holds no key with a name.
    OSError
        If it cannot be read.
    """
    if source.startswith("https://"):
        with urllib.request.urlopen(source, timeout=5.0) as answer:  # noqa: S310  https and nothing else
            text = answer.read(_MOST).decode()
    else:
        text = Path(source).read_text(encoding="utf-8")
    try:
        held = {key.key_id: key for key in jwt.PyJWKSet.from_json(text).keys if key.key_id}
    except (jwt.PyJWTError, AttributeError, ValueError) as error:
        raise ValueError(f"{source}: expected a JWK set (RFC 7517), found {type(error).__name__}") from None
    if not held:
        raise ValueError(f"{source}: expected at least one key with a kid, found none")
    return held
