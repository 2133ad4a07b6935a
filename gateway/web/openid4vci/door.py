"""Who comes to the endpoints of the credential issuer: a wallet with a token of its grant, and the key it is bound to.

Source: OpenID4VCI 1.0, section 8.3.1.1; RFC 6750, section 3; RFC 9449, section 7.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass

from starlette.types import Scope

from gateway.errors import Unauthenticated
from gateway.oauth.dpop import DpopProofs
from gateway.oauth.errors import OAuthError
from gateway.oauth.ports import ReplaySet
from gateway.services.credentials.ports import HolderGrant, HolderGrants
from gateway.web.token_door import presented, single

_AUTHORIZATION = re.compile(r"(dpop|bearer) +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)
_LONGEST = 2_048


@dataclass(frozen=True, slots=True)
class Holder:
    """The grant behind a token, and the DPoP nonce the answer brings, if any."""

    grant: HolderGrant
    next_nonce: str | None = None


class HolderDoor:
    """Everything is checked before the proof is spent."""

    def __init__(self, grants: HolderGrants, proofs: DpopProofs, spent: ReplaySet) -> None:
        self._grants, self._proofs, self._spent = grants, proofs, spent

    async def __call__(self, scope: Scope, path: str) -> Holder:
        """`path`: ours, below our base URL. Raises Unauthenticated, StoreUnavailable."""
        shown = presented(scope["method"], path, single(scope), None)
        if shown.authorization is None:
            raise self._refused("")
        match = _AUTHORIZATION.fullmatch(shown.authorization[:_LONGEST])
        if match is None:
            raise self._refused("invalid_token")
        scheme, token = match[1].lower(), match[2]
        grant = await self._grants.find(token)
        # A token bound to a key is refused as a mere bearer's, and the other way round (RFC 9449, 7.2).
        if grant is None or (scheme == "dpop") != (grant.jkt is not None):
            raise self._refused("invalid_token")
        if grant.jkt is None:
            return Holder(grant)
        try:
            proof = self._proofs.check(shown.dpop, method=shown.method, path=path, access_token=token)
        except OAuthError as error:
            raise Unauthenticated(error=error.code, nonce=error.nonce) from None
        if not hmac.compare_digest(proof.thumbprint, grant.jkt):
            raise self._refused("invalid_token")
        if not await self._spent.spend("dpop", proof.replay_key, proof.until):
            raise self._refused("invalid_dpop_proof")
        return Holder(grant, proof.next_nonce)

    def _refused(self, error: str) -> Unauthenticated:
        return Unauthenticated(error=error, nonce=self._proofs.nonce)
