"""A partner's own registration (RFC 7591) and what it may do with it afterwards (RFC 7592).

Behind an initial access token that an operator hands out. Whose client it is, what kind and what at most stands in that
token; what the client proposes beyond is cut away, and the answer says what was registered.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from gateway.clock import Clock
from gateway.oauth.client import Client
from gateway.oauth.errors import OAuthError
from gateway.oauth.issue import new_secret
from gateway.oauth.keeping import InitialPolicy, Registered, Registrations
from gateway.oauth.ports import Revoker
from gateway.oauth.registration import as_metadata, read_client
from gateway.oauth.terms import Terms
from gateway.policy.purposes import PurposeRegister
from gateway.services.clients import ClientsRefused


class RegisterClient:
    """Every method that takes a token raises OAuthError invalid_token (401) for one that opens nothing."""

    def __init__(
        self,
        registrations: Registrations,
        revoker: Revoker,
        purposes: Callable[[], PurposeRegister],
        terms: Terms,
        clock: Clock,
    ) -> None:
        self._registrations, self._revoker, self._purposes = registrations, revoker, purposes
        self._terms, self._clock = terms, clock

    async def invite(self, policy: InitialPolicy, *, uses: int, lasts: timedelta, actor: tuple[str, str]) -> str:
        """A new initial access token, shown once. Raises ClientsRefused for purposes that are not registered."""
        unknown = sorted(code for code in policy.purposes if self._purposes().get(code) is None)
        if unknown:
            raise ClientsRefused([f"purposes: {code} is not in the register of purposes" for code in unknown])
        token = new_secret()
        until = self._clock.now() + lasts
        await self._registrations.invite(token, policy, uses=uses, until=until, actor=actor)
        return token

    async def register(self, initial_token: str | None, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """The registration as kept. Raises OAuthError: also invalid_client_metadata, invalid_redirect_uri; then the
        initial token is not spent."""
        if initial_token is None:
            raise _invalid_token()
        client_id = secrets.token_hex(16)
        own_token = new_secret()
        found = await self._registrations.register(
            initial_token, own_token, lambda policy: self._make(client_id, metadata, policy)
        )
        if found is None:
            raise _invalid_token()
        return self._shown(found, own_token)

    async def read(self, client_id: str, token: str | None) -> dict[str, Any]:
        return self._shown(await self._mine(client_id, token), token)

    async def change(self, client_id: str, token: str | None, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """What is left out goes back to its default (RFC 7592, section 2.2). Raises OAuthError as `register`."""
        held = await self._mine(client_id, token)
        if metadata.get("client_id") != client_id:
            raise OAuthError("invalid_client_metadata", "registration_client_id")
        client = self._make(client_id, metadata, held.policy)
        if client == held.client:
            return self._shown(held, token)
        if not await self._registrations.change(token or "", client):
            raise _invalid_token()
        await self._revoker.revoke_client(client_id)
        return self._shown(replace(held, client=client), token)

    async def delete(self, client_id: str, token: str | None) -> None:
        await self._mine(client_id, token)
        if await self._registrations.delete(token or "") is None:
            raise _invalid_token()
        await self._revoker.revoke_client(client_id)

    async def _mine(self, client_id: str, token: str | None) -> Registered:
        found = None if token is None else await self._registrations.find(token)
        if found is None or found.client.client_id != client_id:
            raise _invalid_token()
        return found

    def _make(self, client_id: str, metadata: Mapping[str, Any], policy: InitialPolicy) -> Client:
        if "software_statement" in metadata:
            raise OAuthError("unapproved_software_statement", "software_statement")
        if "jwks_uri" in metadata:
            raise OAuthError("invalid_client_metadata", "registration_jwks_uri")
        fixed = {
            "client_id": client_id, "org_id": policy.org_id, "org_kind": policy.org_kind, "kind": policy.kind,
            "jurisdiction": policy.jurisdiction, "roles": sorted(policy.roles), "is_resource_server": False,
        }  # fmt: skip
        proposed = {**metadata, **fixed}
        for name, most in (("purposes", policy.purposes), ("grant_types", policy.grant_types)):
            proposed[name] = _at_most(metadata.get(name), most)
        scope = metadata.get("scope")
        proposed["scope"] = " ".join(_at_most(scope.split() if isinstance(scope, str) else scope, policy.scope))
        wrong: list[str] = []
        client = read_client(
            proposed,
            lambda member, _: wrong.append(member),
            scopes=self._terms.scopes,
            register=self._purposes(),
        )
        if client is None:
            bad_uri = "redirect_uris" in wrong
            code = "invalid_redirect_uri" if bad_uri else "invalid_client_metadata"
            raise OAuthError(code, "registration_redirect_uris" if bad_uri else f"registration_{wrong[0]}")
        return client

    def _shown(self, registered: Registered, token: str | None) -> dict[str, Any]:
        return {
            **as_metadata(registered.client),
            "client_id_issued_at": int(registered.created_at.timestamp()),
            "registration_client_uri": f"{self._terms.issuer}/oauth/register/{registered.client.client_id}",
            "registration_access_token": token,
        }


def _at_most(proposed: Any, most: frozenset[str]) -> list[str]:
    """What is proposed, less what goes beyond; all there may be where nothing is proposed."""
    if not isinstance(proposed, list):
        return sorted(most)
    return sorted({one for one in proposed if isinstance(one, str) and one in most})


def _invalid_token() -> OAuthError:
    return OAuthError("invalid_token", "invalid_token", status=401)
