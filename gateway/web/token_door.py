"""From the headers of a request to the caller its token stands for, and to the nonce the answer brings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.types import Scope

from gateway.caller import Authenticator, Caller, Presented
from gateway.errors import Unauthenticated
from gateway.web.challenge import NONCE, refusal

Admit = Callable[[Scope], Awaitable[Caller]]


def token_door(authenticate: Authenticator, base_url: str, certificate_header: str | None = None) -> Admit:
    """For the JSON endpoints beside GraphQL. Raises Refusal with the challenge."""

    async def admit(scope: Scope) -> Caller:
        try:
            return await authenticate(presented(scope["method"], scope["path"], single(scope), certificate_header))
        except Unauthenticated as error:
            raise refusal(error, base_url) from None

    return admit


def presented(method: str, path: str, headers: Mapping[bytes, bytes], certificate_header: str | None) -> Presented:
    """What the headers show of their sender, of each header one. `path` is what a proof names, below our base URL."""
    authorization, dpop = headers.get(b"authorization"), headers.get(b"dpop")
    certificate = None if certificate_header is None else headers.get(certificate_header.lower().encode())
    return Presented(
        None if authorization is None else authorization.decode("latin-1"),
        method,
        path,
        None if dpop is None else dpop.decode("latin-1"),
        None if certificate is None else certificate.decode("latin-1"),
    )


def single(scope: Scope) -> dict[bytes, bytes]:
    """The headers by name. Several lines of `accept` or `cookie` are one list; a second line of any other makes both
    unusable: "twice" is no token and no proof."""
    given = scope["headers"]
    headers: dict[bytes, bytes] = dict(given)
    if len(headers) == len(given):
        return headers
    headers = {}
    for name, value in given:
        if name not in headers:
            headers[name] = value
        elif name == b"accept":
            headers[name] += b"," + value
        elif name == b"cookie":
            headers[name] += b"; " + value
        else:
            headers[name] = b"twice"
    return headers


def next_nonce(caller: Caller) -> list[tuple[bytes, bytes]]:
    """The header that gives a client its next DPoP nonce, where the last one is about to end (RFC 9449, 8.2)."""
    return [] if caller.next_nonce is None else [(NONCE, caller.next_nonce.encode())]
