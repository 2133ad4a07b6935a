"""Tokens of wallets that came by the authorization code flow."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from datetime import timedelta

from gateway.clock import Clock
from gateway.oauth.holder import HOLDER, HolderToken
from gateway.oauth.ports import Grant
from gateway.services.credentials.ports import Acting, HolderGrant, HolderGrants, NewToken


class CodeFlowTokens:
    """Implements `gateway.oauth.holder.HolderTokens`."""

    def __init__(
        self, grants: HolderGrants, configurations: Callable[[], Collection[str]], clock: Clock, *, token_s: int
    ) -> None:
        self._grants, self._configurations, self._clock, self._token_s = grants, configurations, clock, token_s

    def configurations(self) -> Collection[str]:
        """See the port."""
        return self._configurations()

    async def open(self, grant: Grant, jkt: str | None) -> HolderToken | None:
        """See the port. The grant keeps its id, so that a code that comes back ends what came of it."""
        said = grant.claims
        if said.get("kind") != HOLDER:
            return None
        wanted = tuple(one for one in said["configuration_ids"] if one in self._configurations())
        if not wanted:
            return None
        token = secrets.token_urlsafe(32)
        until = self._clock.now() + timedelta(seconds=self._token_s)
        identifiers = {secrets.token_urlsafe(12): one for one in wanted} if said["identified"] else {}
        held = HolderGrant(
            grant.grant_id, said["subject_id"], Acting(**said["acting"]), wanted, identifiers, said["offer_id"],
            grant.client_id, jkt, until,
        )  # fmt: skip
        new = NewToken(grant.grant_id, token, until, grant.client_id, jkt, identified=bool(identifiers))
        if not await self._grants.grant(held, new):
            return None
        return HolderToken(token, self._token_s, identifiers)

    async def end(self, grant_id: str) -> None:
        """See the port."""
        await self._grants.revoke(grant_id)
