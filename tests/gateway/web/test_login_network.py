"""Where a visitor comes from, behind proxies that are trusted and others that are not."""

from __future__ import annotations

import pytest

from gateway.web.network import network_of


@pytest.mark.parametrize(
    ("client", "forwarded", "trusted", "network"),
    [
        ("203.0.113.9", None, (), "203.0.113.0/24"),
        ("2001:db8:1:2ff::1", None, (), "2001:db8:1:200::/56"),
        ("::ffff:203.0.113.9", None, (), "203.0.113.0/24"),
        ("64:ff9b::203.0.113.9", None, (), "203.0.113.0/24"),
        ("203.0.113.9", "198.51.100.1", (), "203.0.113.0/24"),  # nobody is trusted: what it says is nothing
        ("10.0.0.1", "198.51.100.1", ("10.0.0.0/8",), "198.51.100.0/24"),
        ("10.0.0.1", "192.0.2.7, 198.51.100.1", ("10.0.0.0/8",), "198.51.100.0/24"),  # the left is the visitor's word
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", ("10.0.0.0/8",), "198.51.100.0/24"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", ("10.0.0.0/8",), "10.0.0.0/24"),
        ("10.0.0.1", "nonsense", ("10.0.0.0/8",), "10.0.0.0/24"),
        ("10.0.0.1", None, ("10.0.0.0/8",), "10.0.0.0/24"),
        (None, None, (), "unknown"),
        ("testclient", None, (), "unknown"),
    ],
)
def test_a_network_is_found(client: str | None, forwarded: str | None, trusted: tuple[str, ...], network: str) -> None:
    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
    scope = {"client": None if client is None else (client, 1), "headers": headers}
    assert network_of(scope, trusted) == network


def test_several_headers_are_one_list() -> None:
    headers = [(b"x-forwarded-for", b"192.0.2.7"), (b"x-forwarded-for", b"198.51.100.1")]
    assert network_of({"client": ("10.0.0.1", 1), "headers": headers}, ("10.0.0.1",)) == "198.51.100.0/24"
