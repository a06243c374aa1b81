"""Carries one message to an endpoint: one POST over one connection to an address that was judged, and what came of it."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult

from serving.webhook_address import ForbiddenAddressError, Reach, Resolve, looked_up

PATIENCE = 10.0
"""Seconds that an endpoint may take for each step of an attempt."""

GONE = 410
"""The answer of an endpoint that wants no messages any more."""

_LONGEST_WAIT = 86_400


@dataclass(frozen=True)
class Attempt:
    """What came of an attempt.

    Parameters
    ----------
    status
        Of the answer; ``None``: there was none.
    said
        What went wrong, for people; empty after a success. Never what the endpoint answered.
    after
        Seconds after which the endpoint asked to be tried again.
    """

    status: int | None
    said: str = ""
    after: int = 0

    @property
    def delivered(self) -> bool:
        """Whether the endpoint took the message: any status from 200 to 299."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the endpoint wants no messages any more."""
        return self.status == GONE


Send = Callable[[str, bytes, Mapping[str, str]], Attempt]
"""Carries body and headers to a URL."""


@dataclass(frozen=True)
class Sender:
    """Sends messages.

    Parameters
    ----------
    reach
        How far it may go.
    patience
        Seconds to wait for each step.
    trust
        TLS settings; by default the system's.
    resolve
        Looks hosts up.
    """

    reach: Reach
    patience: float = PATIENCE
    trust: ssl.SSLContext | None = None
    resolve: Resolve = looked_up

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> Attempt:
        """Make one attempt. Whatever goes wrong outside is what came of it, and nothing is raised."""
        try:
            parts = self.reach.url(url)
            connection = self._connection(parts)
        except ForbiddenAddressError as error:
            return Attempt(None, str(error))
        except OSError as error:
            return Attempt(None, f"looking the host up: {type(error).__name__}")
        told = {"content-type": "application/json", "user-agent": "Touchstone", **headers}
        try:
            connection.request("POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, told)
            response = connection.getresponse()
            return _came(response.status, response.getheader("retry-after", ""))
        except (OSError, http.client.HTTPException) as error:
            return Attempt(None, f"no answer: {type(error).__name__}")
        finally:
            connection.close()

    def _connection(self, parts: SplitResult) -> http.client.HTTPConnection:
        address = self.reach.address(parts, self.resolve)
        trust = (self.trust or ssl.create_default_context()) if parts.scheme == "https" else None
        return _Pinned(parts.hostname or "", address, self.patience, trust)


class _Pinned(http.client.HTTPConnection):
    """A connection to an address, in the name of a host; with TLS, the certificate must be the host's."""

    def __init__(self, host: str, address: tuple[str, int], patience: float, trust: ssl.SSLContext | None) -> None:
        if trust is not None:
            self.default_port = 443  # so that the header Host names no port that goes without saying
        super().__init__(host, address[1], timeout=patience)
        self._address, self._trust = address, trust

    def connect(self) -> None:
        self.sock = socket.create_connection(self._address, self.timeout)
        if self._trust is not None:
            self.sock = self._trust.wrap_socket(self.sock, server_hostname=self.host)


def _came(status: int, after: str) -> Attempt:
    if 200 <= status < 300:
        return Attempt(status)
    wait = min(int(after), _LONGEST_WAIT) if after.isascii() and after.isdecimal() and len(after) < 9 else 0
    return Attempt(status, f"answered {status}", wait)
