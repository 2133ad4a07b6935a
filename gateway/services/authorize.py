"""What the pages of /oauth/authorize stand on: load what was pushed, then approve or deny it, once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

from gateway.oauth.errors import OAuthError
from gateway.oauth.holder import HolderApproval, is_holders
from gateway.oauth.keeping import PushedRequest
from gateway.oauth.ports import Login
from gateway.oauth.rar import Asked, read_granted
from gateway.oauth.server import Server
from gateway.oauth.terms import REQUEST_URI
from gateway.policy.purposes import PurposeRegister


@dataclass(frozen=True, slots=True)
class AskedPurpose:
    """One thing the client wants, in words fit for a page. `datatypes` None: whatever the rules allow for the purpose."""

    code: str
    title_zh: str
    title_en: str
    basis_zh: str
    basis_en: str
    reference: str | None  # the case number
    datatypes: tuple[str, ...] | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class PendingAuthorization:
    """A pushed request that waits for its officer. Show it, then hand it to `approve` or `deny`."""

    client_id: str
    request_uri: str
    client_name: str
    org_id: str  # whose client it is
    redirect_host: str  # where the browser goes afterwards, as scheme://host[:port], fit for form-action
    asked: tuple[AskedPurpose, ...]  # empty: whatever purposes both client and officer have
    expires_at: datetime
    level: int = 1  # the least authentication level wanted (`acr_values`)
    max_age_s: int | None = None  # the login must not be older
    log_in_again: bool = False  # `prompt=login`
    no_page: bool = False  # `prompt=none`: answer without showing anything
    pushed: PushedRequest = field(repr=False, kw_only=True)

    @property
    def is_holders(self) -> bool:
        """A person's wallet asks, so the person answers, on pages of their own."""
        return is_holders(self.pushed)


class AuthorizationRequests(Protocol):
    """What the authorize pages ask for."""

    async def load(self, client_id: str | None, request_uri: str | None) -> PendingAuthorization:
        """What `client_id` pushed under `request_uri`; loading spends nothing, so a page may be loaded again.

        Raises OAuthError: always a page, never a redirect, because nothing here is trusted yet.
        """
        ...

    async def approve(self, pending: PendingAuthorization, login: Login) -> str:
        """The URL to send the browser to with 303: a code, or an error of the standard where `login` may not grant this
        (too low a level, a purpose the officer does not have). The request_uri is burnt by this, once.

        Raises OAuthError (a page) where the request was answered before or ran out meanwhile.
        """
        ...

    async def deny(self, pending: PendingAuthorization, error: str = "access_denied") -> str:
        """The URL to send the browser to: `error` (access_denied, login_required, consent_required, ...). Burns, too.

        Raises OAuthError like `approve`.
        """
        ...


class Authorize:
    """Implements `AuthorizationRequests` on the authorization server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def load(self, client_id: str | None, request_uri: str | None) -> PendingAuthorization:
        """See the port."""
        if not client_id or not request_uri or not client_id.isprintable():
            raise OAuthError("invalid_request", "authorize_parameters")
        kit = self._server.kit
        pushed = await kit.pushed.find(request_uri) if request_uri.startswith(REQUEST_URI) else None
        client = await kit.clients.find(client_id)
        if pushed is None or client is None or pushed.client_id != client_id:
            raise OAuthError("invalid_request_uri", "invalid_request_uri")
        asked = pushed.parameters
        if asked["redirect_uri"] not in client.redirect_uris:  # taken off the registration since
            raise OAuthError("invalid_request", "redirect_uri")
        register = kit.register()
        return PendingAuthorization(
            client_id=client_id,
            request_uri=request_uri,
            client_name=client.client_name,
            org_id=client.org_id,
            redirect_host=_origin(asked["redirect_uri"]),
            asked=tuple(_shown(one, register) for one in read_granted(asked["authorization_details"], register)),
            expires_at=pushed.expires_at,
            level=asked["level"],
            max_age_s=asked["max_age"],
            log_in_again="login" in asked["prompt"],
            no_page="none" in asked["prompt"],
            pushed=pushed,
        )

    async def approve(self, pending: PendingAuthorization, login: Login) -> str:
        """See the port."""
        if pending.is_holders:
            raise OAuthError("invalid_request", "invalid_request_uri")
        if login.level < pending.level:
            return await self.deny(pending, "unmet_authentication_requirements")
        if self._too_old(pending, login):
            return await self.deny(pending, "login_required")
        try:
            return await self._server.approve(pending.request_uri, pending.pushed, login)
        except OAuthError as error:
            if error.code in ("invalid_request_uri", "invalid_client", "invalid_request"):
                raise  # answered before, or nobody left to send an answer to
            return await self.deny(pending, error.code)

    async def approve_holder(self, pending: PendingAuthorization, approval: HolderApproval) -> str:
        """The URL with the code, after the person's own yes. Raises OAuthError like `approve`."""
        return await self._server.approve_holder(pending.request_uri, pending.pushed, approval)

    async def deny(self, pending: PendingAuthorization, error: str = "access_denied") -> str:
        """See the port."""
        return await self._server.refuse(pending.request_uri, pending.pushed, error)

    def _too_old(self, pending: PendingAuthorization, login: Login) -> bool:
        if pending.max_age_s is None:
            return False
        return self._server.kit.clock.now() - login.auth_time > timedelta(seconds=pending.max_age_s)


def _shown(asked: Asked, register: PurposeRegister) -> AskedPurpose:
    detail = asked.detail
    rule = register.get(detail.purpose)
    assert rule is not None  # noqa: S101  (`read_granted` refuses a purpose that is in no register)
    return AskedPurpose(
        detail.purpose, rule.title_zh, rule.title_en, rule.basis_zh, rule.basis_en, detail.reference,
        None if detail.datatypes is None else tuple(sorted(detail.datatypes)), detail.until,
    )  # fmt: skip


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return f"{parts.scheme}:"  # an application's own scheme: the whole of it is that application's
    return f"{parts.scheme}://{parts.netloc}"
