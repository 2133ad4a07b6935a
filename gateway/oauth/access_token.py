"""Access tokens as signed JSON (RFC 9068): everything a resource must know of the caller, and the key it is bound to.

The signature of a token is checked once and remembered by the token's hash; its end, its key's being published and (at the
door, in the store) its revocation are looked at every time.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from gateway.caller import Caller
from gateway.clock import Clock
from gateway.oauth.jose import JoseInvalid, access_token_hash, parse, verify
from gateway.oauth.ports import Grant
from gateway.oauth.signing_keys import SigningKeys
from gateway.oauth.token_caller import caller_of

LIFETIME_S = 600
LONGEST_LIFETIME_S = 3600
"""What a retired signing key waits for."""

LONGEST_TOKEN = 16_384
_KEPT = 4_096
_SKEW_S = 10


class TokenInvalid(Exception):
    """Not a live access token of ours for this resource. `why` is a short code, never for the wire."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """`token` is the secret; the rest may be told."""

    token: str = field(repr=False)
    token_id: str
    expires_at: datetime
    expires_in: int  # seconds, as a token response says it


@dataclass(frozen=True)
class AccessToken:
    """A token that verified. `jkt` and `x5t_s256` are its `cnf`: one of them is always there."""

    claims: Mapping[str, Any] = field(repr=False)
    kid: str
    expires_at: datetime
    jkt: str | None
    x5t_s256: str | None
    ath: str = field(default="", repr=False)  # as a proof names the token it belongs to (RFC 9449 4.2)

    @property
    def token_id(self) -> str:
        return str(self.claims["jti"])

    @property
    def granted_at(self) -> datetime:
        return datetime.fromtimestamp(self.claims["granted_at"], UTC)

    @cached_property
    def scope(self) -> Sequence[str]:
        """None of them where the token says it oddly."""
        scope = self.claims.get("scope")
        return scope.split(" ") if isinstance(scope, str) else ()

    @cached_property
    def audiences(self) -> Sequence[str]:
        return _audiences(self.claims)

    @cached_property
    def caller(self) -> Caller:
        """Who it stands for."""
        return caller_of(self.claims, self.expires_at)


class AccessTokens:
    """Issues and verifies the tokens of one issuer. `audiences` are the resources it may issue for."""

    def __init__(self, issuer: str, keys: SigningKeys, clock: Clock, *, lifetime_s: int = LIFETIME_S) -> None:
        self._issuer, self._keys, self._clock = issuer, keys, clock
        self._lifetime_s = min(lifetime_s, LONGEST_LIFETIME_S)
        self._verified: OrderedDict[bytes, AccessToken] = OrderedDict()

    async def issue(
        self,
        grant: Grant,
        *,
        audience: str,
        cnf: Mapping[str, str],
        granted_at: datetime | None = None,
        lifetime_s: int | None = None,
        scope: Sequence[str] | None = None,
        authorization_details: Sequence[Mapping[str, Any]] | None = None,
    ) -> IssuedToken:
        """A token under `grant`, for one resource, bound to `cnf` ({"jkt": ..} or {"x5t#S256": ..}).

        `grant.claims` go along: kind, org_id, org_kind, jurisdiction, roles, posts, purposes, level, and auth_time, acr,
        amr where a person logged in. `scope` and `authorization_details` are the grant's unless narrowed.

        `granted_at`: when the grant came to be, read before its client or login was looked up, and at a refresh still
        that of the grant; a later revocation of user or client ends the token. Default: as the grant says, else now.
        """
        if not cnf:
            raise ValueError("a token is bound to a key")
        now = self._clock.now()
        issued = int(now.timestamp())
        lifetime_s = min(lifetime_s or self._lifetime_s, LONGEST_LIFETIME_S)
        details = grant.authorization_details if authorization_details is None else authorization_details
        claims: dict[str, Any] = dict(grant.claims)
        claims.update(
            iss=self._issuer,
            sub=grant.user_id,
            aud=audience,
            client_id=grant.client_id,
            iat=issued,
            exp=issued + lifetime_s,
            jti=secrets.token_hex(16),
            grant_id=grant.grant_id,
            granted_at=(granted_at or grant.granted_at or now).timestamp(),
            scope=" ".join(sorted(grant.scope) if scope is None else scope),
            cnf=dict(cnf),
        )
        if details:
            claims["authorization_details"] = [dict(one) for one in details]
        key = await self._keys.current()
        token = key.sign({"typ": "at+jwt", "kid": key.kid}, claims)
        return IssuedToken(token, claims["jti"], datetime.fromtimestamp(claims["exp"], UTC), lifetime_s)

    async def verify(self, token: str, *, audience: str | None = None) -> AccessToken:
        """The token's content. With `audience`, that resource must be named by it; a resource always says its own.

        Raises TokenInvalid for whatever is not ours, whole, bound and unexpired. Whether it was revoked, and whether its
        sender holds the key, are other questions. Source: RFC 9068, section 4.
        """
        place = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        found = self._verified.get(place)
        if found is None:
            found = await self._verify(token)
            self._verified[place] = found
            if len(self._verified) > _KEPT:
                self._verified.popitem(last=False)
        elif not self._keys.published(found.kid) and await self._keys.find(found.kid) is None:
            raise TokenInvalid("key")
        if found.expires_at <= self._clock.now():
            self._verified.pop(place, None)
            raise TokenInvalid("expired")
        if audience is not None and audience not in found.audiences:
            raise TokenInvalid("aud")
        return found

    async def _verify(self, token: str) -> AccessToken:
        try:
            jws = parse(token, limit=LONGEST_TOKEN)
            kid = jws.kid
            if jws.header.get("typ") not in ("at+jwt", "application/at+jwt"):
                raise TokenInvalid("typ")  # an ID token or an assertion posing as an access token
            key = await self._keys.find(kid)
            if key is None or kid is None:
                raise TokenInvalid("key")
            verify(jws, key, ("ES256",))
        except JoseInvalid as error:
            raise TokenInvalid(error.why) from None
        claims = jws.claims
        texts = all(isinstance(claims.get(name), str) for name in ("iss", "sub", "client_id", "jti", "grant_id"))
        times = all(type(claims.get(name)) in (int, float) for name in ("exp", "iat", "granted_at"))
        cnf = claims.get("cnf")
        if not texts or not times or not isinstance(cnf, dict) or not _audiences(claims):
            raise TokenInvalid("claims")
        if claims["iss"] != self._issuer:
            raise TokenInvalid("iss")
        if claims["iat"] > self._clock.now().timestamp() + _SKEW_S:
            raise TokenInvalid("iat")
        jkt, x5t = cnf.get("jkt"), cnf.get("x5t#S256")
        if (jkt is None and x5t is None) or not isinstance(jkt, str | None) or not isinstance(x5t, str | None):
            raise TokenInvalid("cnf")
        try:
            expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        except (ValueError, OverflowError, OSError):  # no time a calendar knows
            raise TokenInvalid("claims") from None
        return AccessToken(claims, kid, expires_at, jkt, x5t, access_token_hash(token))


def _audiences(claims: Mapping[str, Any]) -> tuple[str, ...]:
    aud = claims.get("aud")
    if isinstance(aud, str):
        return (aud,)
    return tuple(one for one in aud if isinstance(one, str)) if isinstance(aud, list) else ()


def longest_wait() -> timedelta:
    """How long a token issued now can still be good, clocks included."""
    return timedelta(seconds=LONGEST_LIFETIME_S + 2 * 60)
