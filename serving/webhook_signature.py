"""Signs what is sent to webhook endpoints, as Standard Webhooks says: HMAC-SHA256 over name, instant and body.

A receiver who checks the signature and the instant (five minutes is usual) and keeps the names that it has seen knows that a message is
ours, is new, and comes once.

References
----------
Standard Webhooks, https://www.standardwebhooks.com: *Signature scheme*, symmetric, version 1.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from hashlib import sha256

SECRET_BYTES = 32
"""Random bytes of a secret that is made here."""

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64


def written(secret: bytes) -> str:
    """Return a secret as people pass it on.

    >>> written(bytes(24))
    'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    """
    return _PREFIX + b64encode(secret).decode()


def read_secret(text: str) -> bytes:
    """Return the secret that a text holds.

    Raises
    ------
    ValueError
        If it is not ``whsec_`` and 24 to 64 bytes in base 64. The text is never told.

    Examples
    --------
    >>> read_secret(written(bytes(range(32)))) == bytes(range(32))
    True
    """
    try:
        secret = b64decode(text.strip().removeprefix(_PREFIX), validate=True)
    except ValueError:
        secret = b""
    if not text.strip().startswith(_PREFIX) or not _SHORTEST <= len(secret) <= _LONGEST:
        raise ValueError(f"secret: expected {_PREFIX} and {_SHORTEST} to {_LONGEST} bytes in base 64, found something else")
    return secret


def signed(message_id: str, seconds: int, body: bytes, secrets: Sequence[bytes]) -> dict[str, str]:
    """Return the headers that go with a message.

    Parameters
    ----------
    message_id
        Its name, the same at every attempt; holds no full stop.
    seconds
        When this attempt is made, seconds since 1970 UTC.
    body
        What is sent, byte for byte.
    secrets
        Each signs: two while a secret is being exchanged.

    Examples
    --------
    >>> signed("msg_1", 0, b"{}", [bytes(24)])["webhook-signature"]
    'v1,2GF8lg2r21anFV6A2lgzCfWiGl1i1KlH7anAuH8//Xk='
    """
    content = b"%s.%d.%s" % (message_id.encode("ascii"), seconds, body)
    each = ("v1," + b64encode(hmac.new(secret, content, sha256).digest()).decode() for secret in secrets)
    return {"webhook-id": message_id, "webhook-timestamp": str(seconds), "webhook-signature": " ".join(each)}
