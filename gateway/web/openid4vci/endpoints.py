"""Nonce, credential, deferred and notification endpoint (OpenID4VCI 1.0, sections 7, 8, 9, 11)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import orjson
from starlette.types import Receive, Scope, Send

from credentials.errors import CredentialsError
from credentials.openid4vci.encryption import RequestKey, encrypt_response
from credentials.openid4vci.refused import INVALID_ENCRYPTION, INVALID_NOTIFICATION, INVALID_REQUEST, Refused
from gateway.errors import GatewayError
from gateway.services.credentials.issue_credential import Answer
from gateway.services.credentials.ports import HolderGrant
from gateway.web.body import ClientGone, check_content_type, read_body
from gateway.web.challenge import NONCE
from gateway.web.negotiation import media_type
from gateway.web.oauth import wrong_method
from gateway.web.oauth_problems import JSON, NO_STORE, answer
from gateway.web.openid4vci.door import Holder, HolderDoor
from gateway.web.openid4vci.problems import vci_problem
from gateway.web.problems import Headers, Reply
from gateway.web.strict_json import loads
from gateway.web.token_door import single

JWT = b"application/jwt"
_BYTES, _DEPTH, _SECONDS = 65_536, 12, 10.0


class Ask(Protocol):
    async def __call__(self, grant: HolderGrant, said: Any, *, encrypted: bool) -> Answer: ...


class NonceEndpoint:
    """Without a token, without a body: whoever asks gets one, and it is worth nothing by itself."""

    def __init__(self, make: Callable[[], str], dpop_nonce: Callable[[], str | None]) -> None:
        self._make, self._dpop_nonce = make, dpop_nonce

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            reply = wrong_method("POST")
        else:
            reply = answer(200, {"c_nonce": self._make()}, self._dpop_nonce())
        await reply(scope, receive, send)


class _ForHolders(ABC):
    """Whoever comes has a token of a grant, and POSTs; what is refused is said in the standard's form."""

    def __init__(self, path: str, door: HolderDoor, malformed: str) -> None:
        self._path, self._door, self._malformed = path, door, malformed

    @abstractmethod
    async def answer(self, holder: Holder, scope: Scope, receive: Receive) -> Answer | None:
        """None: done, and there is nothing to say. Raises GatewayError, CredentialsError."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = await self._reply(scope, receive)
        except ClientGone:
            return
        await reply(scope, receive, send)

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        if scope["method"] != "POST":
            return wrong_method("POST")
        try:
            holder = await self._door(scope, self._path)
            found = await self.answer(holder, scope, receive)
        except (GatewayError, CredentialsError) as caught:
            return vci_problem(caught, self._malformed)
        return _nothing(holder.next_nonce) if found is None else _reply(found, holder.next_nonce)


class HolderEndpoint(_ForHolders):
    """A JSON object or a JWE of one; the answer encrypted where the wallet asked for that."""

    def __init__(
        self,
        path: str,
        door: HolderDoor,
        key: RequestKey,
        ask: Ask,
        *,
        encryption_required: bool = False,
        malformed: str = INVALID_REQUEST,
    ) -> None:
        super().__init__(path, door, malformed)
        self._key, self._ask, self._required = key, ask, encryption_required

    async def answer(self, holder: Holder, scope: Scope, receive: Receive) -> Answer:
        """See above."""
        said, encrypted = await self._read(scope, receive)
        return await self._ask(holder.grant, said, encrypted=encrypted)

    async def _read(self, scope: Scope, receive: Receive) -> tuple[Any, bool]:
        headers = single(scope)
        kind, _ = media_type(headers.get(b"content-type", b"").decode("latin-1"))
        encrypted = kind == "application/jwt"
        if not encrypted:
            if self._required:
                raise Refused(INVALID_ENCRYPTION, "vci_encryption_required")
            check_content_type(headers)
        raw = await read_body(receive, headers, limit=_BYTES, seconds=_SECONDS)
        if encrypted:
            raw = self._key.open(raw.decode("latin-1").strip())
        return loads(raw, depth=_DEPTH), encrypted


class NotificationEndpoint(_ForHolders):
    """204, again and again for the same (section 11.2)."""

    def __init__(self, path: str, door: HolderDoor, notify: Callable[[HolderGrant, Any], Awaitable[None]]) -> None:
        super().__init__(path, door, INVALID_NOTIFICATION)
        self._notify = notify

    async def answer(self, holder: Holder, scope: Scope, receive: Receive) -> None:
        """See above."""
        headers = single(scope)
        check_content_type(headers)
        said = loads(await read_body(receive, headers, limit=_BYTES, seconds=_SECONDS), depth=_DEPTH)
        await self._notify(holder.grant, said)


def _reply(found: Answer, nonce: str | None) -> Reply:
    body = _bytes(found.body)
    if found.encryption is None:
        return Reply(found.status, body, JSON, [*NO_STORE, *_nonce(nonce)])
    sealed = encrypt_response(body, found.encryption).encode()
    return Reply(found.status, sealed, JWT, [*NO_STORE, *_nonce(nonce)])


def _nothing(nonce: str | None) -> Reply:
    reply = Reply(204, b"", JSON, [*NO_STORE, *_nonce(nonce)])
    reply.headers = [one for one in reply.headers if one[0] not in (b"content-type", b"content-length")]
    return reply


def _bytes(body: Mapping[str, Any]) -> bytes:
    return orjson.dumps(dict(body))


def _nonce(nonce: str | None) -> Headers:
    return () if nonce is None else ((NONCE, nonce.encode()),)
