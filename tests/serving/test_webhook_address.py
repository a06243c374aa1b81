"""Where webhooks may go: nothing that is only ours, however it is written."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.webhook_address import ForbiddenAddressError, Reach

PUBLIC = ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946")
OURS = (
    *("127.0.0.1", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1"),
    *("::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    *("2002:7f00:1::", "2001:0:53aa:64c::80ff:fffe"),
)


def test_public_addresses_are_reached_and_ours_are_not() -> None:
    assert all(Reach().allows(ip_address(text)) for text in PUBLIC)
    assert not [text for text in OURS if Reach().allows(ip_address(text))]
    assert all(Reach(development=True).allows(ip_address(text)) for text in OURS)


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_judged_as_the_one_that_is_meant(address: IPv4Address) -> None:
    bits = int(address)
    disguises = [IPv6Address((0xFFFF << 32) | bits), IPv6Address((0x64FF9B << 96) | bits), IPv6Address((0x2002 << 112) | (bits << 80))]
    assert [Reach().allows(one) for one in disguises] == [Reach().allows(address)] * 3


def test_a_network_is_reached_if_it_is_said_to_be_and_no_other() -> None:
    reach = Reach.of("10.1.0.0/16, fd00::/8")
    assert [reach.allows(ip_address(text)) for text in ("10.1.9.9", "fd00::7", "10.2.0.1", "127.0.0.1")] == [True, True, False, False]
    with pytest.raises(ValueError, match=r"10\.1"):
        Reach.of("10.1.0.1/16")


def test_one_forbidden_address_of_a_host_forbids_it_and_the_address_that_was_judged_is_the_one_that_is_used() -> None:
    parts = Reach().url("https://firm.example:8443/hooks?a=1")
    assert Reach().address(parts, lambda host, port: [PUBLIC[0], PUBLIC[1]]) == (PUBLIC[0], 8443)
    for found in ([PUBLIC[0], "10.0.0.1"], ["fe80::1%eth0"], []):
        with pytest.raises(ForbiddenAddressError, match=r"firm\.example: expected a host with public addresses"):
            Reach().address(parts, lambda host, port, found=found: found)


@pytest.mark.parametrize(
    "url",
    [
        *("", "firm.example", "http://firm.example/", "ftp://firm.example/", "https://", "https://a:b@firm.example/"),
        *("https://firm.example/#x", "https://firm.example:0/", "https://firm.example:99999/", "https://firm.example/a b"),
        *("https://firm.example/\r\nx: y", "https://[::1"),
    ],
)
def test_what_is_no_https_address_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenAddressError, match="url: expected"):
        Reach().url(url)
    assert Reach(development=True).url("http://127.0.0.1:8080/").port == 8080
