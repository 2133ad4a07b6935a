"""From the headers of a request to the caller its token stands for, for the JSON endpoints beside GraphQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.types import Scope

from gateway.caller import Authenticator, Caller, Presented
from gateway.errors import Unauthenticated
from gateway.web.problems import Refusal

Admit = Callable[[Scope], Awaitable[Caller]]
_ONCE = (b"authorization", b"dpop")


def token_door(authenticate: Authenticator) -> Admit:
    """Raises Refusal UNAUTHENTICATED with a challenge by RFC 9449 7.1. A header sent twice is no header of ours."""

    async def admit(scope: Scope) -> Caller:
        values: dict[bytes, list[bytes]] = {name: [] for name in _ONCE}
        for name, value in scope["headers"]:
            if name in values:
                values[name].append(value)
        if any(len(found) > 1 for found in values.values()):
            raise Refusal("UNAUTHENTICATED", _challenge("invalid_request", None))
        authorization, dpop = (found[0].decode("latin-1") if found else None for found in values.values())
        try:
            return await authenticate(Presented(authorization, scope["method"], scope["path"], dpop))
        except Unauthenticated as refused:
            raise Refusal("UNAUTHENTICATED", _challenge(refused.error, refused.nonce)) from None

    return admit


def nonce_header(caller: Caller) -> list[tuple[bytes, bytes]]:
    """A fresh DPoP nonce, where one is due, goes with whatever is answered."""
    return [] if caller.next_nonce is None else [(b"dpop-nonce", caller.next_nonce.encode("ascii"))]


def _challenge(error: str, nonce: str | None) -> list[tuple[bytes, bytes]]:
    said = f'DPoP realm="yimen", algs="ES256 PS256 EdDSA"{f", error={chr(34)}{error}{chr(34)}" if error else ""}'
    headers = [(b"www-authenticate", said.encode("ascii"))]
    return headers if nonce is None else [*headers, (b"dpop-nonce", nonce.encode("ascii"))]
