"""Where webhooks may go: to public addresses by HTTPS, so that nobody who names an address reaches what only we can reach.

A name is looked up at every attempt and the connection is made to the very address that was judged, because a name can mean one
address while it is judged and another one a moment later (DNS rebinding). Redirections are never followed.

References
----------
OWASP, Server-Side Request Forgery Prevention Cheat Sheet.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

Resolve = Callable[[str, int], list[str]]
"""Looks up the addresses of a host and port."""

_TRANSLATED = IPv6Network("64:ff9b::/96")
"""Addresses that stand for IPv4 addresses behind a translator (NAT64)."""


class ForbiddenAddressError(ValueError):
    """An address to which nothing is sent."""


@dataclass(frozen=True)
class Reach:
    """How far webhooks may go.

    Parameters
    ----------
    networks
        Networks that may be reached although they are not public.
    development
        Whether anything may be reached, and without TLS.
    """

    networks: tuple[Network, ...] = ()
    development: bool = False

    @classmethod
    def of(cls, networks: str, development: bool = False) -> Reach:
        """Read networks as they are written, such as ``10.1.0.0/16, fd00::/8``.

        Raises
        ------
        ValueError
            If something is no network.

        Examples
        --------
        >>> Reach.of("10.1.0.0/16").allows(ip_address("10.1.2.3")), Reach().allows(ip_address("10.1.2.3"))
        (True, False)
        """
        return cls(tuple(ip_network(text.strip()) for text in networks.split(",") if text.strip()), development)

    def allows(self, address: Address) -> bool:
        """Tell whether an address may be reached."""
        meant = _meant(address)
        return self.development or (meant.is_global and not meant.is_multicast) or any(meant in network for network in self.networks)

    def url(self, text: str) -> SplitResult:
        """Return a URL that may be told to us as an endpoint's, in its parts.

        Raises
        ------
        ForbiddenAddressError
            If it is no HTTPS address (in development: HTTP), or holds a name and password or a fragment.
        """
        schemes = ("https", "http") if self.development else ("https",)
        try:
            parts = urlsplit(text)
            good = bool(parts.hostname) and parts.port != 0
        except ValueError:
            raise ForbiddenAddressError(f"url: expected an address, found {text!r}") from None
        plain = text.isascii() and text.isprintable() and " " not in text
        if parts.scheme not in schemes or not good or not plain or parts.username is not None or parts.fragment:
            expected = f"{' or '.join(f'{scheme}://' for scheme in schemes)}, a host and a path, no user and no fragment"
            raise ForbiddenAddressError(f"url: expected {expected}, found {text!r}")
        return parts

    def address(self, parts: SplitResult, resolve: Resolve) -> tuple[str, int]:
        """Return the address and port to connect to for a URL.

        Raises
        ------
        ForbiddenAddressError
            If the host has any address that may not be reached, or none.
        """
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        found = resolve(host, port)
        wrong = [text for text in found if not self.allows(ip_address(text.partition("%")[0]))]
        if wrong or not found:
            raise ForbiddenAddressError(f"{host}: expected a host with public addresses alone, found {', '.join(wrong) or 'none'}")
        return found[0], port


def _meant(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def looked_up(host: str, port: int) -> list[str]:
    """Return the addresses of a host, in the order in which they are to be tried; ``OSError`` if it has none.

    >>> looked_up("127.0.0.1", 80)
    ['127.0.0.1']
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
