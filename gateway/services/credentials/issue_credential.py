"""A wallet's credential request, from its token to signed credentials (OpenID4VCI 1.0, section 8).

The order is fixed: what was asked, whether the keys are the wallet's, whether anything may be granted now; only then are
departments asked, and only a whole answer of theirs is signed. Where they do not answer it is neither yes nor no, but later.
"""

from __future__ import annotations

import hashlib
import logging
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from credentials.credential_type import split_configuration
from credentials.errors import ProofInvalid
from credentials.jose import PublicKey, read_key
from credentials.openid4vci.encryption import ResponseEncryption
from credentials.openid4vci.proof import Attesters, Expected, Proven, check_attestation, check_jwt_proofs
from credentials.openid4vci.refused import (
    DENIED,
    INSUFFICIENT_SCOPE,
    INVALID_NONCE,
    INVALID_PROOF,
    INVALID_REQUEST,
    UNKNOWN_CONFIGURATION,
    UNKNOWN_IDENTIFIER,
    Refused,
)
from credentials.openid4vci.request import JWT, CredentialRequest, read_credential_request
from gateway.caller import Seals
from gateway.clock import Clock
from gateway.oauth.errors import OAuthError
from gateway.services.credentials.make_credentials import Batch, MakeCredentials
from gateway.services.credentials.nonces import CredentialNonces
from gateway.services.credentials.ports import (
    Deferred,
    DeferredRequests,
    FactsState,
    Fetched,
    FetchFacts,
    HolderGrant,
    HolderGrants,
    Offers,
)
from gateway.services.credentials.redeem_code import Guesses

PURPOSE = "CREDENTIAL_ISSUE"
_log = logging.getLogger(__name__)
_RETRY = timedelta(seconds=60)
_SEALING = timedelta(seconds=5)
_LONGEST_INTERVAL_S = 86_400
MOST_ASKED, ASKED_WITHIN_S = 60, 600.0
"""Credential requests of one grant, in one process: each asks departments, whose patience is for everybody's documents."""
MOST_WAITING = 3
"""Of one grant and configuration: a job asks about each again and again, and a message says when it is there."""


class ComeBack(Protocol):
    async def __call__(self, key: str, deferred: Deferred) -> None:
        """Somebody looks at it again in the background, at `deferred.retry_at`."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` goes back, encrypted where the wallet asked for that."""

    status: int
    body: Mapping[str, Any] = field(repr=False)
    encryption: ResponseEncryption | None = None


@dataclass(frozen=True, slots=True)
class Issuing:
    """What the use cases of issuing stand on. `most`: credentials of one request."""

    issuer: str
    make: MakeCredentials
    facts: FetchFacts
    nonces: CredentialNonces
    grants: HolderGrants
    deferred: DeferredRequests
    offers: Offers
    seals: Seals
    clock: Clock
    come_back: ComeBack
    most: int
    deferred_for: timedelta
    encryption_required: bool = False
    attesters: Attesters | None = None
    attested: frozenset[str] = frozenset()  # types for which a wallet provider must attest the keys


class IssueCredential:
    def __init__(self, issuing: Issuing) -> None:
        self._on = issuing
        self._asked = Guesses(MOST_ASKED, ASKED_WITHIN_S)

    async def __call__(self, grant: HolderGrant, said: Any, *, encrypted: bool) -> Answer:
        """200 or 202. Raises Refused; OAuthError where one grant asks too often; KeysUnavailable, StoreUnavailable, LedgerUnwitnessed, LedgerHalted."""
        on = self._on
        request = read_credential_request(
            said, encrypted=encrypted, most=on.most, encryption_required=on.encryption_required
        )
        configuration_id = self._configuration(grant, request)
        keys = await self._keys(grant, request, configuration_id)
        if configuration_id in grant.ended:
            raise Refused(DENIED)
        if self._asked.too_many(grant.grant_id):
            raise _often()
        self._asked.count(grant.grant_id)
        if request.legacy:
            _log.info("a wallet sent the proof of an older draft")
        await on.seals.allow()
        fetched = await fetch(on, grant, configuration_id)
        if fetched.state in (FactsState.NOT_MET, FactsState.REFUSED):
            await note(on, grant, "FAILED")
            raise Refused(DENIED)
        wanted = {"keys": [dict(key.jwk) for key in keys], "encryption": _json(request.encryption)}
        now = on.clock.now()
        waits = Deferred(
            grant.grant_id, grant.subject_id, configuration_id, wanted, fetched.retry_at or now + _RETRY,
            now + on.deferred_for,
        )  # fmt: skip
        if fetched.state is not FactsState.READY:
            await note(on, grant, "DEFERRED")
            return await self._wait(waits, request.encryption)
        batch = await on.make(grant, configuration_id, keys, fetched)
        if await on.seals.sealed(batch.batch_id) is False:
            return await self._wait(held(waits, batch, on.clock.now() + _SEALING), request.encryption)
        return Answer(200, batch.body, request.encryption)

    async def _wait(self, waits: Deferred, encryption: ResponseEncryption | None) -> Answer:
        on = self._on
        if await on.deferred.number(waits) >= MOST_WAITING:
            raise _often()
        transaction_id = secrets.token_urlsafe(32)
        await on.deferred.add(transaction_id, waits)
        await on.grants.extend(waits.grant_id, waits.expires_at)
        if "ready" not in waits.request:
            await on.come_back(transaction_key(transaction_id), waits)
        return waiting(on, transaction_id, waits, encryption)

    def _configuration(self, grant: HolderGrant, request: CredentialRequest) -> str:
        """What the token is for, named the way the token answer named it (section 8.2)."""
        if request.identifier is not None:
            found = grant.identifiers.get(request.identifier)
            if found is None:
                raise Refused(UNKNOWN_IDENTIFIER)
        else:
            if grant.identifiers:
                raise Refused(INVALID_REQUEST, "vci_identifier_needed")
            found = request.configuration_id or ""
        if split_configuration(found)[0] not in self._on.make.types:
            raise Refused(UNKNOWN_CONFIGURATION)
        if found not in grant.configuration_ids:
            raise Refused(INSUFFICIENT_SCOPE)  # there is such a credential, and this token is for others
        return found

    async def _keys(
        self, grant: HolderGrant, request: CredentialRequest, configuration_id: str
    ) -> tuple[PublicKey, ...]:
        """The keys that were proved; the nonce is spent last, so that nothing but good proofs costs a write."""
        on = self._on
        expected = Expected(on.issuer, on.clock.now(), grant.client_id, on.attesters)
        try:
            proven = self._proven(request, expected)
        except ProofInvalid as error:
            raise Refused(INVALID_NONCE if error.why == "nonce" else INVALID_PROOF, f"vci_proof_{error.why}") from None
        if split_configuration(configuration_id)[0] in on.attested and not proven.attested:
            raise Refused(INVALID_PROOF, "vci_proof_attester")
        if not all(on.nonces.good(nonce) for nonce in proven.nonces):
            raise Refused(INVALID_NONCE)
        for nonce in sorted(proven.nonces):
            if not await on.nonces.spend(nonce):
                raise Refused(INVALID_NONCE)
        return proven.keys

    def _proven(self, request: CredentialRequest, expected: Expected) -> Proven:
        if request.proof_type == JWT:
            return check_jwt_proofs(request.proofs, expected)
        return check_attestation(request.proofs[0], expected, most=self._on.most)


async def fetch(on: Issuing, grant: HolderGrant, configuration_id: str) -> Fetched:
    """The facts as they are at this moment."""
    type_id, _ = split_configuration(configuration_id)
    reference = grant.offer_id or grant.grant_id
    return await on.facts(grant.subject_id, type_id, grant.acting, purpose=PURPOSE, reference=reference)


def transaction_key(transaction_id: str) -> str:
    """By which the background knows a request that waits; it does not lead back to the transaction_id."""
    return hashlib.sha256(transaction_id.encode()).hexdigest()


def held(waits: Deferred, batch: Batch, retry_at: datetime) -> Deferred:
    """The same request with its answer ready, to be handed over once it may be."""
    ready = {"ready": dict(batch.body), "batch_id": batch.batch_id}
    return replace(waits, request={**waits.request, **ready}, retry_at=retry_at)


def waiting(on: Issuing, transaction_id: str, waits: Deferred, encryption: ResponseEncryption | None) -> Answer:
    """202 with whole seconds until it is worth asking again (section 8.3)."""
    left = math.ceil((waits.retry_at - on.clock.now()).total_seconds())
    interval = max(1, min(left, _LONGEST_INTERVAL_S))
    return Answer(202, {"transaction_id": transaction_id, "interval": interval}, encryption)


def keys_of(waits: Deferred) -> tuple[PublicKey, ...]:
    return tuple(read_key(one) for one in waits.request["keys"])


async def note(on: Issuing, grant: HolderGrant, kind: str) -> None:
    """A line of the offer's timeline, where there is an offer."""
    if grant.offer_id is not None:
        await on.offers.note(grant.offer_id, kind)


def _often() -> OAuthError:
    return OAuthError("temporarily_unavailable", "vci_often", status=429)


def _json(encryption: ResponseEncryption | None) -> dict[str, Any] | None:
    return None if encryption is None else encryption.as_json()
