"""Attestation-based client authentication: a wallet's provider vouches for this very instance of it, and the instance shows
that it holds the key the provider vouches for.

Source: OpenID4VCI 1.0, appendix E; draft-ietf-oauth-attestation-based-client-auth; HAIP 1.0, section 4.4.1. The client is
registered all the same: where its answers go to must not be a matter of what it says itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.clock import Clock
from gateway.errors import SettingsInvalid
from gateway.oauth.client import ATTESTED, WALLET, Client
from gateway.oauth.errors import InvalidClient, OAuthError
from gateway.oauth.jose import JoseInvalid, Jws, PublicKey, base64url, nobody, parse, read_key, verify
from gateway.oauth.jwks import KeySet, check_jwks, read_jwks
from gateway.oauth.ports import Clients, ReplaySet

ATTESTATION, POP = b"oauth-client-attestation", b"oauth-client-attestation-pop"
ATTESTATION_TYPE, POP_TYPE = "oauth-client-attestation+jwt", "oauth-client-attestation-pop+jwt"
WINDOW_S = 60
SKEW_S = 10
LONGEST_LIFE_S = 86_400 * 31
_LONGEST = 8_192
_LONGEST_JTI = 256

ReadChain = Callable[[Sequence[str], Sequence[bytes], datetime], Mapping[str, Any]]
"""(x5c, anchors in DER, now) -> the leaf's public JWK. Raises ValueError."""


@dataclass(frozen=True, slots=True)
class WalletProvider:
    """Who may vouch for which clients: by keys we hold, or by a chain to one of `anchors`."""

    name: str
    clients: frozenset[str]
    keys: KeySet = field(repr=False)
    anchors: tuple[bytes, ...] = field(default=(), repr=False)


class WalletAttestations:
    """Takes the two headers. `read_chain` None: no provider is known by certificates."""

    def __init__(
        self,
        providers: Sequence[WalletProvider],
        clients: Clients,
        issuer: str,
        clock: Clock,
        read_chain: ReadChain | None = None,
    ) -> None:
        self._providers, self._clients, self._issuer, self._clock = tuple(providers), clients, issuer, clock
        self._read_chain = read_chain

    async def authenticate(self, form: Mapping[str, str], headers: Mapping[bytes, bytes], replay: ReplaySet) -> Client:
        """The client. Raises InvalidClient, the same for an unknown client and whatever is wrong, after the same work;
        OAuthError invalid_request where a second method is tried beside."""
        if "client_assertion" in form or "client_assertion_type" in form:
            raise OAuthError("invalid_request", "one_client_method")
        try:
            attestation, pop = _read(headers.get(ATTESTATION), ATTESTATION_TYPE), _read(headers.get(POP), POP_TYPE)
            subject = attestation.claims.get("sub")
            if not isinstance(subject, str) or not 0 < len(subject) <= 64 or not subject.isprintable():
                raise InvalidClient
            client = await self._clients.find(subject)
            self._vouched(attestation, subject, client)
            cnf = attestation.claims.get("cnf")
            instance = read_key(cnf.get("jwk") if isinstance(cnf, Mapping) else None)
            verify(pop, instance)
        except JoseInvalid:
            raise InvalidClient from None
        self._check_life(attestation.claims)
        until = self._check_pop(pop.claims, subject)
        if client is None or form.get("client_id", subject) != subject:
            raise InvalidClient
        spent = base64url(hashlib.sha256(f"pop\0{instance.thumbprint}\0{pop.claims['jti']}".encode()).digest())
        if not await replay.spend("assertion", spent, until):
            raise InvalidClient
        return client

    def _vouched(self, attestation: Jws, subject: str, client: Client | None) -> None:
        """Raises JoseInvalid. One signature check, whoever is named."""
        alg, key = str(attestation.header["alg"]), None
        if client is not None and client.kind is WALLET and client.token_endpoint_auth_method == ATTESTED:
            key = next((found for one in self._providers if (found := self._key(one, attestation, subject))), None)
        verify(attestation, key or nobody(alg))

    def _key(self, provider: WalletProvider, attestation: Jws, subject: str) -> PublicKey | None:
        if subject not in provider.clients:
            return None
        try:
            x5c = attestation.header.get("x5c")
            if x5c is None:
                return provider.keys.select(attestation)
            if self._read_chain is None or not provider.anchors or not isinstance(x5c, list):
                return None
            return read_key(self._read_chain(x5c, provider.anchors, self._clock.now()))
        except (JoseInvalid, ValueError, TypeError):
            return None

    def _check_life(self, claims: Mapping[str, Any]) -> None:
        now = self._clock.now().timestamp()
        if not now < _number(claims.get("exp")) <= now + LONGEST_LIFE_S:
            raise InvalidClient
        if any(name in claims and _number(claims[name]) > now + SKEW_S for name in ("nbf", "iat")):
            raise InvalidClient

    def _check_pop(self, claims: Mapping[str, Any], subject: str) -> datetime:
        """Until when it must be remembered."""
        now, iat, jti = self._clock.now().timestamp(), _number(claims.get("iat")), claims.get("jti")
        if claims.get("aud") not in (self._issuer, [self._issuer]) or claims.get("iss", subject) != subject:
            raise InvalidClient
        if abs(now - iat) > WINDOW_S or ("exp" in claims and _number(claims["exp"]) <= now):
            raise InvalidClient
        if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_JTI:
            raise InvalidClient
        return datetime.fromtimestamp(iat, UTC) + timedelta(seconds=2 * WINDOW_S)


def read_providers(file: Path | None, read_anchor: Callable[[str], bytes] | None = None) -> tuple[WalletProvider, ...]:
    """`{"providers": [{"name", "clients": [client_id, ...], "jwks": {...}, "anchors": ["<PEM>", ...]}]}`; keys, anchors or
    both. Raises SettingsInvalid with every fault.
    """
    if file is None:
        return ()
    try:
        entries = json.loads(file.read_text("utf-8"))["providers"]
        assert isinstance(entries, list)  # noqa: S101  (caught below, with every other wrong form)
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise SettingsInvalid((f"wallet providers {file.name}: {type(error).__name__}",)) from None
    found, faults = [], []
    for number, one in enumerate(entries):
        try:
            found.append(_provider(one, read_anchor))
        except (ValueError, KeyError, TypeError, AttributeError, JoseInvalid) as error:
            faults.append(f"wallet providers {file.name}: entry {number}: {type(error).__name__}")
    if faults:
        raise SettingsInvalid(tuple(faults))
    return tuple(found)


def _provider(one: Mapping[str, Any], read_anchor: Callable[[str], bytes] | None) -> WalletProvider:
    clients, anchors, jwks = one["clients"], one.get("anchors", []), one.get("jwks")
    if one.keys() - {"name", "clients", "jwks", "anchors"} or not clients or not (jwks or anchors):
        raise ValueError("form")
    if not all(isinstance(text, str) for text in [one["name"], *clients, *anchors]):
        raise TypeError("texts")
    if anchors and read_anchor is None:
        raise ValueError("anchors")
    if jwks is not None:
        check_jwks(jwks)
    keys = read_jwks(jwks) if jwks is not None else KeySet(())
    return WalletProvider(
        one["name"], frozenset(clients), keys, tuple(read_anchor(text) for text in anchors if read_anchor is not None)
    )


def _read(header: bytes | None, typ: str) -> Jws:
    """Raises InvalidClient, JoseInvalid."""
    if header is None:
        raise InvalidClient
    jws = parse(header.decode("latin-1"), limit=_LONGEST)
    if jws.header.get("typ") != typ:
        raise InvalidClient
    return jws


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidClient
    return float(value)
