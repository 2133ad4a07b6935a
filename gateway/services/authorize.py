"""What the pages of /oauth/authorize stand on: load what was pushed, then approve or deny it, once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.oauth.keeping import PushedRequest
from gateway.oauth.ports import Login


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
