"""The token endpoint's half of an offer: a pre-authorized code for an access token (OpenID4VCI 1.0, section 6)."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from gateway.clock import Clock
from gateway.oauth.credential_details import granted_details
from gateway.oauth.errors import OAuthError
from gateway.oauth.keeping import ShownCode
from gateway.oauth.ports import ReplaySet
from gateway.services.credentials.ports import CodeRefused, HolderGrants, NewToken

_ERRORS = {
    CodeRefused.UNKNOWN: ("invalid_grant", "vci_code"),
    CodeRefused.TX_CODE_WRONG: ("invalid_grant", "vci_tx_code_wrong"),
    CodeRefused.TX_CODE_MISSING: ("invalid_request", "vci_tx_code_missing"),
    CodeRefused.TX_CODE_UNEXPECTED: ("invalid_request", "vci_tx_code_unexpected"),
    CodeRefused.NOT_OFFERED: ("invalid_authorization_details", "vci_not_offered"),
}


class RedeemCode:
    """Implements `gateway.oauth.keeping.PreAuthorizedCodes`."""

    def __init__(self, grants: HolderGrants, spent: ReplaySet, clock: Clock, *, token_s: int, anonymous: bool) -> None:
        """`anonymous`: the profile lets wallets in that are no clients."""
        self._grants, self._clock, self._token_s = grants, clock, token_s
        self.spent, self.anonymous = spent, anonymous
        self._guesses = Guesses()

    async def look(self, code: str, network: str) -> None:
        """See the port."""
        if await self._grants.offered(code):
            return
        if self._guesses.too_many(network):
            raise OAuthError("temporarily_unavailable", "vci_guesses", status=429)
        self._guesses.count(network)
        raise OAuthError(*_ERRORS[CodeRefused.UNKNOWN])

    async def redeem(self, shown: ShownCode) -> Mapping[str, Any]:
        """See the port."""
        # A right code is taken all the same: who shares a network with a guesser, as all telephones of an operator may,
        # is not shut out by them. What is tried with a right code is counted at its offer.
        if self._guesses.too_many(shown.network) and not await self._grants.offered(shown.code):
            raise OAuthError("temporarily_unavailable", "vci_guesses", status=429)
        token = secrets.token_urlsafe(32)
        until = self._clock.now() + timedelta(seconds=self._token_s)
        new = NewToken(
            secrets.token_hex(16), token, until, shown.client_id, shown.jkt,
            identified=shown.wanted is not None, wanted=shown.wanted,
        )  # fmt: skip
        found = await self._grants.redeem(shown.code, shown.tx_code, new)
        if isinstance(found, CodeRefused):
            if found in (CodeRefused.UNKNOWN, CodeRefused.TX_CODE_WRONG):
                self._guesses.count(shown.network)
            code, reason = _ERRORS[found]
            raise OAuthError(code, reason)
        answer: dict[str, Any] = {"access_token": token, "expires_in": self._token_s}
        if found.identifiers:
            answer["authorization_details"] = granted_details(found.identifiers)
        return answer


class Guesses:
    """Wrong codes by network, in this process (elsewhere: what one grant asks for): a code cannot be guessed, and this keeps
    the trying cheap for us.

    What bounds the guessing of a transaction code is counted in the store, offer by offer.
    """

    def __init__(
        self, most: int = 60, span_s: float = 600.0, *, now: Callable[[], float] = time.monotonic, networks: int = 4096
    ) -> None:
        self._most, self._span_s, self._now, self._networks = most, span_s, now, networks
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def too_many(self, network: str) -> bool:
        since, number = self._seen.get(network, (0.0, 0))
        return number >= self._most and self._now() - since < self._span_s

    def count(self, network: str) -> None:
        since, number = self._seen.pop(network, (self._now(), 0))
        if self._now() - since >= self._span_s:
            since, number = self._now(), 0
        self._seen[network] = since, number + 1
        if len(self._seen) > self._networks:
            self._seen.popitem(last=False)
