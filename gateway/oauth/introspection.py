"""Introspection (RFC 7662): for registered resource servers and for the client whose token it is, nobody else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from sqlalchemy.util import await_only

from gateway.oauth.access_token import AccessToken, TokenInvalid
from gateway.oauth.errors import OAuthError
from gateway.oauth.keeping import RefreshToken
from gateway.oauth.ports import Admission, Grant

if TYPE_CHECKING:
    from gateway.oauth.flow_host import FlowHost
    from gateway.oauth.flow_request import FlowClient, FlowRequest
    from gateway.oauth.kit import Kit

_SHOWN = ("iss", "sub", "aud", "client_id", "exp", "iat", "jti", "scope", "cnf", "acr", "amr", "auth_time")
_SHOWN_OF_OURS = ("authorization_details", "grant_id", "kind", "org_id", "org_kind", "jurisdiction", "roles", "posts",
                  "purposes", "level")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Held:
    """A live token of ours: an access token, or a refresh token with its grant."""

    client_id: str
    access: AccessToken | None = None
    refresh: RefreshToken | None = None
    grant: Grant | None = None

    @property
    def grant_id(self) -> str:
        if self.refresh is not None:
            return self.refresh.grant_id
        assert self.access is not None  # noqa: S101  (one of the two is there)
        return str(self.access.claims["grant_id"])

    def is_expired(self) -> bool:
        """Looking it up has seen to that."""
        return False

    def is_revoked(self) -> bool:
        return False

    def check_client(self, client: FlowClient) -> bool:
        return self.client_id == client.client_id


def find_token(kit: Kit, text: str) -> Held | None:
    """The live token `text` is, whatever the hint says: a wrong hint must not hide a token (RFC 7009, section 2.1)."""
    now = kit.clock.now()
    try:
        access = await_only(kit.tokens.verify(text))
    except TokenInvalid:
        access = None
    if access is not None:
        claims = access.claims
        details = claims.get("authorization_details", ())
        consents = tuple(one["subjects"]["consent_id"] for one in details if one.get("subjects"))
        seen = Admission(None, now, claims["jti"], claims["grant_id"], claims["client_id"], claims["sub"], consents,
                         access.granted_at)  # fmt: skip
        return Held(claims["client_id"], access=access) if await_only(kit.door.admit(seen)) == "OK" else None
    refresh = await_only(kit.grants.find_refresh_token(text))
    grant = None if refresh is None else await_only(kit.grants.find(refresh.grant_id))
    if refresh is None or grant is None:
        return None
    seen = Admission(None, now, "", grant.grant_id, grant.client_id, grant.user_id, (), grant.granted_at)
    return Held(refresh.client_id, refresh=refresh, grant=grant) if await_only(kit.door.admit(seen)) == "OK" else None


class Introspection(IntrospectionEndpoint):
    server: FlowHost

    def check_params(self, request: FlowRequest, client: FlowClient) -> None:
        """Unlike authlib we take any hint: one we do not know is to be ignored (RFC 7662, section 2.1)."""
        if "token" not in request.form:
            raise OAuthError("invalid_request", "token_missing")

    def query_token(self, token_string: str, token_type_hint: str | None) -> Held | None:
        return find_token(self.server.kit, token_string)

    def check_permission(self, token: Held, client: FlowClient, request: FlowRequest) -> bool:
        """A resource server sees access tokens, its client both; to anybody else there is no such token."""
        mine = token.check_client(client)
        return mine or (client.registered.is_resource_server and token.access is not None)

    def introspect_token(self, token: Held) -> dict[str, Any]:
        if token.access is not None:
            claims = token.access.claims
            shown = {name: claims[name] for name in (*_SHOWN, *_SHOWN_OF_OURS) if name in claims}
            return {"active": True, "token_type": "DPoP" if token.access.jkt else "Bearer", **shown}
        refresh, grant = token.refresh, token.grant
        assert refresh is not None  # noqa: S101  (one of the two is there)
        assert grant is not None  # noqa: S101  (and it came with its grant)
        shown = {
            "active": True,
            "iss": self.server.kit.terms.issuer,
            "sub": grant.user_id,
            "client_id": refresh.client_id,
            "scope": " ".join(sorted(grant.scope)),
            "iat": int(refresh.issued_at.timestamp()),
            "exp": int(refresh.expires_at.timestamp()),
            "grant_id": grant.grant_id,
        }
        if grant.authorization_details:
            shown["authorization_details"] = list(grant.authorization_details)
        return shown
