"""Client authentication: private_key_jwt (RFC 7523, as FAPI 2.0 wants it), or a certificate where that is switched on."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.clock import Clock
from gateway.oauth.attestation import ATTESTATION, POP, WalletAttestations
from gateway.oauth.client import Client
from gateway.oauth.errors import InvalidClient, OAuthError
from gateway.oauth.jose import JoseInvalid, Jws, base64url, nobody, parse, verify
from gateway.oauth.jwks import KeySets
from gateway.oauth.mtls import ClientCertificates
from gateway.oauth.ports import Clients, ReplaySet

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
METHOD = "private_key_jwt"
FARTHEST_EXP_S = 300
SKEW_S = 10
_LONGEST_JTI = 256
_LONGEST_CLIENT_ID = 256
_EDWARDS = ("EdDSA", "Ed25519")  # two names of one algorithm, RFC 9864


class ClientAssertions:
    """Who the client is, for every endpoint that asks: token, PAR, introspection, revocation."""

    def __init__(
        self,
        clients: Clients,
        replay: ReplaySet,
        issuer: str,
        clock: Clock,
        certificates: ClientCertificates | None = None,
        attestations: WalletAttestations | None = None,
    ) -> None:
        self._clients, self._replay, self._issuer, self._clock = clients, replay, issuer, clock
        self._certificates = certificates or ClientCertificates(None, clock)
        self._attestations = attestations
        self._key_sets = KeySets()

    async def authenticate(
        self, form: Mapping[str, str], headers: Mapping[bytes, bytes], replay: ReplaySet | None = None
    ) -> Client:
        """The client that sent `form`, under exactly one method. `headers`: lower-case names, as `web.graphql.single`.
        `replay` stands in for the one that spends at once.

        Raises InvalidClient, the same for an unknown client and a bad assertion and after the same work; OAuthError
        invalid_request where the request tries two methods or none we know.
        """
        if b"authorization" in headers or "client_secret" in form:
            raise OAuthError("invalid_request", "one_client_method")
        if self._attestations is not None and (ATTESTATION in headers or POP in headers):
            return await self._attestations.authenticate(form, headers, replay or self._replay)
        assertion, kind = form.get("client_assertion"), form.get("client_assertion_type")
        if assertion is None and kind is None:
            return await self._by_certificate(form, headers)
        if kind != ASSERTION_TYPE:
            raise OAuthError("invalid_request", "client_assertion_type")
        if assertion is None:
            raise InvalidClient
        return await self._by_assertion(assertion, form.get("client_id"), replay or self._replay)

    async def _by_assertion(self, assertion: str, client_id: str | None, replay: ReplaySet) -> Client:
        try:
            jws = parse(assertion)
        except JoseInvalid:
            raise InvalidClient from None
        claims = jws.claims
        subject = claims.get("sub")
        if not isinstance(subject, str) or not _may_be_a_client(subject):
            raise InvalidClient
        client = await self._clients.find(subject)
        self._verify(jws, client)
        if client is None or claims.get("iss") != subject or client_id not in (None, subject):
            raise InvalidClient
        if claims.get("aud") != self._issuer:  # a string: an array, or an endpoint's URL, is refused
            raise InvalidClient
        until = self._check_times(claims)
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_JTI:
            raise InvalidClient
        spent = base64url(hashlib.sha256(f"{subject}\0{jti}".encode()).digest())
        if not await replay.spend("assertion", spent, until):
            raise InvalidClient
        return client

    def _verify(self, jws: Jws, client: Client | None) -> None:
        """Raises InvalidClient. Costs one signature check whoever is named, so time tells nobody which clients exist."""
        alg, key = str(jws.header["alg"]), None
        if client is not None and client.token_endpoint_auth_method == METHOD and _registered(client, alg):
            with contextlib.suppress(JoseInvalid):
                key = self._key_sets.of(client.jwks).select(jws)
        try:
            verify(jws, key or nobody(alg))
        except JoseInvalid:
            raise InvalidClient from None

    def _check_times(self, claims: Mapping[str, Any]) -> datetime:
        """Until when the `jti` must be remembered. Raises InvalidClient."""
        now = self._clock.now().timestamp()
        exp = _number(claims.get("exp"))
        if not now < exp <= now + FARTHEST_EXP_S + SKEW_S:
            raise InvalidClient
        if any(name in claims and _number(claims[name]) > now + SKEW_S for name in ("nbf", "iat")):
            raise InvalidClient
        return datetime.fromtimestamp(exp, UTC) + timedelta(seconds=2 * SKEW_S)

    async def _by_certificate(self, form: Mapping[str, str], headers: Mapping[bytes, bytes]) -> Client:
        certificate = self._certificates.read(self._certificates.header_of(headers))
        client_id = form.get("client_id", "")
        if certificate is None or not _may_be_a_client(client_id):
            raise InvalidClient
        client = await self._clients.find(client_id)
        if client is None or not self._certificates.is_of(certificate, client):
            raise InvalidClient
        return client


def _may_be_a_client(client_id: str) -> bool:
    """Whether it is worth a look-up: PostgreSQL has no text with a NUL in it, and an outage it is not."""
    return 0 < len(client_id) <= _LONGEST_CLIENT_ID and client_id.isprintable()


def _registered(client: Client, alg: str) -> bool:
    wanted = client.token_endpoint_auth_signing_alg
    return alg in (_EDWARDS if wanted in _EDWARDS else (wanted,))


def _number(value: Any) -> float:
    """Raises InvalidClient for anything but a JSON number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidClient
    return float(value)
