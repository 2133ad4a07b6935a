"""From what a request to the GraphQL resource shows to its caller: token, proof of the key, and the store's door.

Source: RFC 9449, section 7; RFC 9068, section 4; RFC 8705, section 3; FAPI 2.0, section 5.3.4.
"""

from __future__ import annotations

import hmac
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import structlog

from gateway.caller import Admission, Caller, CallerKind, Presented
from gateway.clock import Clock
from gateway.errors import NotAdmitted, Unauthenticated
from gateway.oauth.access_token import AccessToken, AccessTokens, TokenInvalid
from gateway.oauth.dpop import DpopProofs, Proof
from gateway.oauth.errors import OAuthError
from gateway.oauth.mtls import ClientCertificates
from gateway.oauth.ports import Door
from gateway.oauth.terms import SCOPE
from gateway.oauth.token_caller import ClaimsInvalid

_log = structlog.get_logger(__name__)
# Only the scheme's case is of no matter: a whole token looked at that way costs as much as all else but the signature.
_AUTHORIZATION = re.compile(r"((?i:dpop|bearer)) +([A-Za-z0-9._~+/-]+=*)")
_GRAPHQL = "/graphql"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_SEEN = 4_096  # keys of proofs; below 1 MB
_DEAD = 4_096
_ALL_BUT_LAST = attrgetter(*(name for name in Caller.__slots__ if name not in ("next_nonce", "admission")))
_MAKE: Callable[..., Any] = Caller
assert Caller.__slots__[-2:] == ("next_nonce", "admission")  # noqa: S101  (`_with` below rests on it)


class TokenAuthenticator:
    """Implements `gateway.caller.Authenticator` for one resource. Everything is checked before anything is spent, and the
    store is asked once, for proof and revocation together: here, or with the record of the answer (ADR 0021)."""

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
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._dead: OrderedDict[str, None] = OrderedDict()

    async def __call__(self, presented: Presented) -> Caller:
        """See the port. Raises StoreUnavailable where the store does not answer: then nobody comes in."""
        return await self.settle(await self._checked(presented))

    async def unspent(self, presented: Presented) -> Caller:
        """See the port. Only officers come in so: what partners and systems ask spends a budget or a consent before it is
        recorded. Nor does whoever shows a proof this process has seen, or a token it saw die: nothing is fetched for them.
        """
        caller = await self._checked(presented)
        admission = caller.admission
        if caller.kind is not CallerKind.OFFICER or admission is None or caller.token_id in self._dead:
            return await self.settle(caller)
        if admission.proof_key is not None:
            if admission.proof_key in self._seen:
                await self.settle(_with(caller, caller.next_nonce, replace(admission, proof_key=None)))
                raise self._refused("invalid_dpop_proof")  # the first of them has it, or had it
            _remember(self._seen, admission.proof_key, _SEEN)
        return caller

    async def settle(self, caller: Caller) -> Caller:
        """See the port. Raises StoreUnavailable."""
        if caller.admission is None:
            return caller
        answer = await self._door.admit(caller.admission)
        if answer != "OK":
            raise await self._turned_away(caller, answer)
        return _with(caller, caller.next_nonce, None)

    async def turned_away(self, caller: Caller, error: NotAdmitted) -> Unauthenticated:
        """See the port. Departments were asked by then, and nobody was told what they said."""
        _log.warning("turned_away_after_asking", answer=error.answer)
        return await self._turned_away(caller, error.answer)

    async def still(self, caller: Caller) -> bool:
        """See the port. Reads only."""
        if caller.expires_at <= self._clock.now():
            return False
        return await self._door.admit(_admission(caller, None, caller.expires_at)) == "OK"

    async def _checked(self, presented: Presented) -> Caller:
        """All that needs no store."""
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
        if scheme != "dpop":
            self._mtls(token, presented)
            return _with(caller, None, _admission(caller, None, _NEVER))
        proof = self._dpop(token, presented)
        key = proof.replay_key if presented.use_once else None
        return _with(caller, proof.next_nonce, _admission(caller, key, proof.until))

    def _dpop(self, token: AccessToken, presented: Presented) -> Proof:
        if token.jkt is None:
            raise self._refused("invalid_token")
        try:
            proof = self._proofs.check(presented.dpop, method=presented.method, path=presented.path, ath=token.ath)
        except OAuthError as error:
            raise Unauthenticated(error=error.code, nonce=error.nonce) from None
        if not hmac.compare_digest(proof.thumbprint, token.jkt):
            raise self._refused("invalid_token")
        return proof

    def _mtls(self, token: AccessToken, presented: Presented) -> None:
        """Bearer is for tokens bound to a certificate; one bound to a DPoP key is refused here (RFC 9449, 7.2)."""
        certificate = self._certificates.read(presented.client_certificate)
        if token.jkt is not None or token.x5t_s256 is None or certificate is None:
            raise self._refused("invalid_token")
        if not hmac.compare_digest(certificate.thumbprint, token.x5t_s256):
            raise self._refused("invalid_token")

    async def _turned_away(self, caller: Caller, answer: str) -> Unauthenticated:
        if answer == "REPLAYED":
            return self._refused("invalid_dpop_proof")
        _remember(self._dead, caller.token_id, _DEAD)  # for good: no revocation is taken back
        if self._on_revoked is not None:
            await self._on_revoked(caller)
        return self._refused("invalid_token")

    def _refused(self, error: str) -> Unauthenticated:
        return Unauthenticated(error=error, nonce=self._proofs.nonce)


def _remember(where: OrderedDict[str, None], what: str, most: int) -> None:
    where[what] = None
    if len(where) > most:
        where.popitem(last=False)


def _with(caller: Caller, next_nonce: str | None, admission: Admission | None) -> Caller:
    """`dataclasses.replace` at a third of its cost, in every request."""
    rest: tuple[Any, ...] = _ALL_BUT_LAST(caller)
    made: Caller = _MAKE(*rest, next_nonce, admission)
    return made


def _admission(caller: Caller, proof_key: str | None, until: datetime) -> Admission:
    consents = tuple([detail.consent_id for detail in caller.details if detail.consent_id]) if caller.details else ()
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
