"""From the headers of a request to the caller its token stands for, for the JSON endpoints beside GraphQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.types import Scope

from gateway.caller import Authenticator, Caller, Presented
from gateway.errors import Unauthenticated
from gateway.web.challenge import NONCE, refusal

Admit = Callable[[Scope], Awaitable[Caller]]


def token_door(authenticate: Authenticator, base_url: str, certificate_header: str | None = None) -> Admit:
    """Raises Refusal with the challenge. A header that came twice is "twice", which is no token and no proof."""
    certificate_name = None if certificate_header is None else certificate_header.lower().encode()

    async def admit(scope: Scope) -> Caller:
        headers: dict[bytes, str] = {}
        for name, value in scope["headers"]:
            headers[name] = "twice" if name in headers else value.decode("latin-1")
        shown = Presented(
            headers.get(b"authorization"),
            scope["method"],
            scope["path"],
            headers.get(b"dpop"),
            None if certificate_name is None else headers.get(certificate_name),
        )
        try:
            return await authenticate(shown)
        except Unauthenticated as error:
            raise refusal(error, base_url) from None

    return admit


def nonce_header(caller: Caller) -> list[tuple[bytes, bytes]]:
    """The client's next DPoP nonce, where one is due."""
    return [] if caller.next_nonce is None else [(NONCE, caller.next_nonce.encode("ascii"))]
