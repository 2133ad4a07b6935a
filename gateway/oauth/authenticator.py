"""From what a request to the GraphQL resource shows to its caller: token, proof of the key, and the store's door.

Source: RFC 9449, section 7; RFC 9068, section 4; RFC 8705, section 3; FAPI 2.0, section 5.3.4.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gateway.caller import Caller, Presented
from gateway.clock import Clock
from gateway.errors import Unauthenticated
from gateway.oauth.access_token import AccessToken, AccessTokens, TokenInvalid
from gateway.oauth.dpop import DpopProofs
from gateway.oauth.errors import OAuthError
from gateway.oauth.mtls import ClientCertificates
from gateway.oauth.ports import Admission, Door
from gateway.oauth.terms import SCOPE
from gateway.oauth.token_caller import ClaimsInvalid

_AUTHORIZATION = re.compile(r"(dpop|bearer) +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)
_GRAPHQL = "/graphql"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Spent:
    """What the door is to remember of this request, and the nonce the answer brings."""

    key: str | None
    until: datetime
    next_nonce: str | None = None


class TokenAuthenticator:
    """Implements `gateway.caller.Authenticator` for one resource. Everything is checked before anything is spent, and the
    store is asked once, for proof and revocation together."""

    def __init__(
        self,
        tokens: AccessTokens,
        proofs: DpopProofs,
        door: Door,
        clock: Clock,
        *,
        resource: str,
        certificates: ClientCertificates | None = None,
        on_revoked: Callable[[Caller], Awaitable[None]] | None = None,
    ) -> None:
        """`on_revoked` hears of a good proof of a dead token: whose consent ended may be using it still."""
        self._tokens, self._proofs, self._door, self._clock = tokens, proofs, door, clock
        self._resource, self._on_revoked = resource, on_revoked
        self._certificates = certificates or ClientCertificates(None, clock)

    async def __call__(self, presented: Presented) -> Caller:
        """See the port. Raises StoreUnavailable where the store does not answer: then nobody comes in."""
        if presented.authorization is None:
            raise self._refused("")
        match = _AUTHORIZATION.fullmatch(presented.authorization)
        if match is None:
            raise self._refused("invalid_token")
        scheme, text = match[1].lower(), match[2]
        try:
            token = await self._tokens.verify(text, audience=self._resource)
            caller = token.caller
        except (TokenInvalid, ClaimsInvalid):
            raise self._refused("invalid_token") from None
        if presented.path == _GRAPHQL and SCOPE not in token.scope:
            raise self._refused("insufficient_scope")
        spent = self._dpop(token, text, presented) if scheme == "dpop" else self._mtls(token, presented)
        key = spent.key if presented.use_once else None
        answer = await self._door.admit(_admission(caller, key, spent.until))
        if answer == "REPLAYED":
            raise self._refused("invalid_dpop_proof")
        if answer != "OK":
            if self._on_revoked is not None:
                await self._on_revoked(caller)
            raise self._refused("invalid_token")
        return caller if spent.next_nonce is None else replace(caller, next_nonce=spent.next_nonce)

    async def still(self, caller: Caller) -> bool:
        """See the port. Reads only."""
        if caller.expires_at <= self._clock.now():
            return False
        return await self._door.admit(_admission(caller, None, caller.expires_at)) == "OK"

    def _dpop(self, token: AccessToken, text: str, presented: Presented) -> _Spent:
        if token.jkt is None:
            raise self._refused("invalid_token")
        try:
            proof = self._proofs.check(presented.dpop, method=presented.method, path=presented.path, access_token=text)
        except OAuthError as error:
            raise Unauthenticated(error=error.code, nonce=error.nonce) from None
        if not hmac.compare_digest(proof.thumbprint, token.jkt):
            raise self._refused("invalid_token")
        return _Spent(proof.replay_key, proof.until, proof.next_nonce)

    def _mtls(self, token: AccessToken, presented: Presented) -> _Spent:
        """Bearer is for tokens bound to a certificate; one bound to a DPoP key is refused here (RFC 9449, 7.2)."""
        certificate = self._certificates.read(presented.client_certificate)
        if token.jkt is not None or token.x5t_s256 is None or certificate is None:
            raise self._refused("invalid_token")
        if not hmac.compare_digest(certificate.thumbprint, token.x5t_s256):
            raise self._refused("invalid_token")
        return _Spent(None, _NEVER)

    def _refused(self, error: str) -> Unauthenticated:
        return Unauthenticated(error=error, nonce=self._proofs.nonce)


def _admission(caller: Caller, proof_key: str | None, until: datetime) -> Admission:
    consents = tuple(detail.consent_id for detail in caller.details if detail.consent_id)
    return Admission(
        proof_key,
        until,
        caller.token_id,
        caller.grant_id,
        caller.client_id,
        caller.user_id,
        consents,
        caller.granted_at,
    )
