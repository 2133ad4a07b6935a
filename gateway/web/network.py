"""Where a request comes from, as far as counting failed logins needs it: a network, never a whole address."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

_V4, _V6 = 24, 56  # what one household or office is given


def network_of(scope: Scope, trusted_proxies: Sequence[str] = ()) -> str:
    """A network in CIDR form, "unknown" where there is no address.

    X-Forwarded-For is read from the right and only as far as it was written by a trusted proxy: what stands left of
    that, anybody can have sent.
    """
    client = scope.get("client")
    address = _parsed(client[0]) if client else None
    proxies = [ip_network(one, strict=False) for one in trusted_proxies]
    hops = [
        hop.strip()
        for name, value in scope["headers"]
        if name == b"x-forwarded-for"
        for hop in value.decode("latin-1").split(",")
    ]
    while address is not None and hops and any(address in one for one in proxies):
        further = _parsed(hops.pop())
        if further is None:
            break
        address = further
    if address is None:
        return "unknown"
    return str(ip_network((address, _V4 if address.version == 4 else _V6), strict=False))


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or (address if address not in _EMBEDDED else IPv4Address(address.packed[-4:]))
    return address


_EMBEDDED = IPv6Network("64:ff9b::/96")  # NAT64, RFC 6052
