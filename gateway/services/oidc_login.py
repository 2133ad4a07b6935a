"""Logging in through an OIDC provider: their word on who it is, our word on what that officer may do, our own session."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from adapters.egress import Egress
from gateway.clock import Clock
from gateway.services.identities import OfficerRecord, Officers
from gateway.services.log_in import LoggedIn, Refused
from gateway.services.login_ports import Accounts, Attempts, Steps
from gateway.services.officer_sessions import OfficerSessions
from gateway.services.oidc_client import OidcClient, OidcFailed
from gateway.services.oidc_providers import OidcProvider

_log = structlog.get_logger(__name__)
_STEP_S = 600.0


@dataclass(frozen=True, slots=True)
class Departure:
    """Where to send the browser, and the cookie its way back is known by."""

    url: str = field(repr=False)
    cookie: str = field(repr=False)


class OidcLogin:
    """All the providers there are. Each has a redirect_uri of its own, so an answer cannot be passed off as another's."""

    def __init__(
        self,
        providers: Sequence[OidcProvider],
        *,
        base_url: str,
        egress: Egress,
        officers: Officers,
        accounts: Accounts,
        steps: Steps,
        attempts: Attempts,
        sessions: OfficerSessions,
        clock: Clock,
    ) -> None:
        self._clients = {
            one.name: OidcClient(one, egress, clock, f"{base_url}/login/oidc/{one.name}/callback") for one in providers
        }
        self._officers, self._accounts, self._steps = officers, accounts, steps
        self._attempts, self._sessions, self._clock = attempts, sessions, clock

    @property
    def providers(self) -> tuple[OidcProvider, ...]:
        return tuple(client.provider for client in self._clients.values())

    async def depart(self, name: str, go_on: str) -> Departure | None:
        """None for a provider there is not. Raises OidcFailed where it cannot be reached."""
        client = self._clients.get(name)
        if client is None:
            return None
        state, nonce, verifier, cookie = (secrets.token_urlsafe(32) for _ in range(4))
        url = await client.authorization_url(state, nonce, verifier)
        data = {"state": state, "nonce": nonce, "verifier": verifier, "go_on": go_on}
        await self._steps.begin(cookie, _purpose(name), data, self._clock.now() + timedelta(seconds=_STEP_S))
        return Departure(url, cookie)

    async def arrive(self, name: str, cookie: str, answer: Mapping[str, str]) -> LoggedIn | Refused:
        """What the browser brings back, looked at once: the step is spent whatever comes of it."""
        client = self._clients.get(name)
        data = None if client is None else await self._steps.take(cookie, _purpose(name))
        if client is None or data is None:
            return Refused()
        if not hmac.compare_digest(answer.get("state", "").encode(), str(data["state"]).encode()):
            return Refused()
        try:
            claims = await client.claims(answer, data["nonce"], data["verifier"])
        except OidcFailed as failed:
            _log.warning("oidc_refused", provider=name, why=failed.why)
            return Refused()
        provider = client.provider
        officer = await self._officer(provider, claims)
        if officer is None or not officer.active:
            await self._attempts.failed(
                officer.user_id if officer else None, officer.org_id if officer else "", "OIDC", 1
            )
            return Refused()
        return await self._open(provider, officer, claims, data["go_on"])

    async def _officer(self, provider: OidcProvider, claims: Mapping[str, Any]) -> OfficerRecord | None:
        """By (iss, sub) only: an e-mail or a name is not who somebody is, and nobody is made up on arrival."""
        if provider.users == "external_id":
            return await self._officers.officer_by_external_id(claims["sub"])
        user_id = await self._accounts.external_user(provider.issuer, claims["sub"])
        return None if user_id is None else await self._officers.officer(user_id)

    async def _open(
        self, provider: OidcProvider, officer: OfficerRecord, claims: Mapping[str, Any], go_on: str
    ) -> LoggedIn:
        level = provider.acr_levels.get(str(claims.get("acr")), provider.level)
        said = claims.get("amr") or ()
        amr = tuple(one for one in said if isinstance(one, str) and len(one) <= 32)[:8]
        auth_time = min(self._clock.now(), datetime.fromtimestamp(claims["auth_time"], UTC))
        cookie = secrets.token_urlsafe(32)
        login = await self._sessions.open(cookie, officer, level, amr, auth_time=auth_time)
        return LoggedIn(login, cookie, go_on, officer.login)


def _purpose(name: str) -> str:
    return f"OIDC/{name}"
