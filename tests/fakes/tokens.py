"""Callers for tests: a key, a token made in this process by the real `AccessTokens`, and the headers of each request.

    caller = await officer(gateway)                    # or partner(gateway, details=[...])
    headers = caller.headers("POST", f"{url}/graphql")  # a new proof each time

A process of its own (`yimen serve`) is reached by opening its store here: `async with issuing(settings) as parts: ...`.
Nonces: where the gateway wants one, `caller.headers` uses what `caller.heard(response.headers)` heard last; `caller.nonce`
may be set beforehand from `nonce_for(gateway)`, which spares the first refusal.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from gateway.bootstrap.oauth_parts import OAuthParts, oauth_parts
from gateway.clock import Clock, SystemClock
from gateway.oauth.jose import PrivateKey, access_token_hash
from gateway.oauth.ports import Grant
from gateway.oauth.terms import RAR_TYPE, SCOPE
from gateway.settings import Settings
from gateway.store import Store, open_store

PURPOSES = ("CC_RECEPTION", "CC_TRANSFER", "CC_PLAN", "CC_HELP")


class Opened(Protocol):
    """What an open gateway and `issuing` have in common."""

    @property
    def settings(self) -> Settings: ...

    @property
    def oauth(self) -> OAuthParts: ...


@dataclass
class Asker:
    """Whoever has a token. `token_id`, `grant_id` are there to be revoked."""

    token: str
    token_id: str
    grant_id: str
    key: PrivateKey
    clock: Clock
    expires_at: datetime
    nonce: str | None = None
    nonce_of: OAuthParts | None = field(default=None, repr=False)  # asks the gateway in this process, each time

    def proof(self, method: str, url: str, **claims: Any) -> str:
        """A DPoP proof for one request; `claims` spoil it."""
        told = {
            "htm": method, "htu": url.partition("?")[0], "iat": int(self.clock.now().timestamp()), "jti": secrets.token_urlsafe(16),
            "ath": access_token_hash(self.token),
        }  # fmt: skip
        nonce = self.nonce if self.nonce_of is None else nonce_for(self.nonce_of)
        if nonce is not None:
            told["nonce"] = nonce
        public = {name: self.key.public_jwk()[name] for name in ("kty", "crv", "x", "y")}
        return self.key.sign({"typ": "dpop+jwt", "jwk": public}, told | claims)

    def headers(self, method: str, url: str) -> dict[str, str]:
        """For one request, once."""
        return {"authorization": f"DPoP {self.token}", "dpop": self.proof(method, url)}

    def init(self, url: str) -> dict[str, Any]:
        """The first message of a WebSocket; `url` is the https or http URL of the endpoint, not the ws one."""
        return {"type": "connection_init", "payload": self.headers("GET", url)}

    def heard(self, headers: Mapping[str, str]) -> bool:
        """Whether the answer brought a nonce to use from now on."""
        nonce = headers.get("dpop-nonce") or headers.get("DPoP-Nonce")
        self.nonce = nonce or self.nonce
        return nonce is not None


def nonce_for(parts: OAuthParts) -> str | None:
    """The GraphQL resource's nonce in force."""
    return parts.authenticate._proofs.nonce


async def officer(
    opened: Opened,
    user_id: str = "officer-lin",
    *,
    org_id: str = "cc-jo-zumiao",
    org_kind: str = "JUSTICE_OFFICE",
    jurisdiction: str = "440604",
    roles: Iterable[str] = ("JUSTICE_OFFICER",),
    posts: Iterable[str] = (),
    purposes: Iterable[str] = PURPOSES,
    level: int = 2,
    client_id: str = "officer-desk",
    details: Sequence[Mapping[str, Any]] = (),
    **claims: Any,
) -> Asker:
    """An officer who has logged in through an officers' client."""
    told = {
        "kind": "OFFICER", "org_id": org_id, "org_kind": org_kind, "jurisdiction": jurisdiction, "roles": sorted(roles),
        "posts": sorted(posts), "purposes": sorted(purposes), "level": level, **claims,
    }  # fmt: skip
    return await _asker(opened, client_id, user_id, told, details)


async def partner(
    opened: Opened,
    client_id: str = "bank-1",
    *,
    org_id: str = "bank",
    org_kind: str = "BANK",
    details: Sequence[Mapping[str, Any]] = (),
    kind: str = "PARTNER",
    scope: Iterable[str] = (SCOPE,),
    **claims: Any,
) -> Asker:
    """A partner's client (or, by `kind`, a regulator's system). Its purposes are those of its `details`."""
    told = {
        "kind": kind, "org_id": org_id, "org_kind": org_kind, "jurisdiction": "", "roles": [], "posts": [],
        "purposes": sorted({one["purpose"]["code"] for one in details}), "level": 2, **claims,
    }  # fmt: skip
    return await _asker(opened, client_id, client_id, told, details, scope)


def detail(
    purpose: str, *, datatypes: Sequence[str] | None = None, consent_id: str | None = None, reference: str | None = None
) -> dict[str, Any]:
    """One object of our RAR type, as it is granted."""
    found: dict[str, Any] = {"type": RAR_TYPE, "actions": ["read"], "purpose": {"code": purpose}}
    if reference is not None:
        found["purpose"]["reference"] = reference
    if datatypes is not None:
        found["datatypes"] = list(datatypes)
    if consent_id is not None:
        found["subjects"] = {"consent_id": consent_id}
    return found


async def _asker(
    opened: Opened,
    client_id: str,
    user_id: str,
    claims: Mapping[str, Any],
    details: Sequence[Mapping[str, Any]],
    scope: Iterable[str] = (SCOPE,),
) -> Asker:
    key = PrivateKey.generate()
    grant = Grant(secrets.token_hex(16), client_id, user_id, frozenset(scope), details, claims)
    issued = await opened.oauth.tokens.issue(
        grant, audience=f"{opened.settings.base_url}/graphql", cnf={"jkt": key.public.thumbprint}, lifetime_s=3600
    )
    clock = opened.oauth.tokens._clock
    return Asker(issued.token, issued.token_id, grant.grant_id, key, clock, issued.expires_at, nonce_of=opened.oauth)


@dataclass(frozen=True, slots=True)
class Issuing:
    """Keys and tokens of a gateway that runs elsewhere, over its database."""

    settings: Settings
    oauth: OAuthParts
    store: Store


@asynccontextmanager
async def issuing(settings: Settings) -> AsyncIterator[Issuing]:
    """`settings` as the other process has them: same database, same master key, same `public_url` (or host and port)."""
    clock = SystemClock()
    store = await open_store(settings, clock)
    try:
        yield Issuing(settings, oauth_parts(settings, store, clock), store)
    finally:
        await store.close()
