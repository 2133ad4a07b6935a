"""The grant types, as authlib's flows with the order of things put right.

Authlib saves the new token and then deletes the code or the old refresh token, so two who ask at once both get one. Here
whatever may be used once is consumed first, in one statement; then it is looked at; then something new is made.
"""

# Authlib says no types.
# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, TokenMixin, grants
from sqlalchemy.util import await_only

from gateway.caller import CallerKind
from gateway.oauth.client import WALLET
from gateway.oauth.credential_details import granted_details, read_credential_details
from gateway.oauth.errors import OAuthError
from gateway.oauth.holder import CODE as HOLDER_CODE
from gateway.oauth.issue import (
    claims_of_client,
    claims_of_login,
    narrowed_to,
    new_grant_id,
    new_secret,
    resource_asked,
    still_granted,
)
from gateway.oauth.keeping import Code, PreAuthorizedCodes, RefreshToken, ShownCode
from gateway.oauth.pkce import check_verifier
from gateway.oauth.ports import Admission, Grant
from gateway.oauth.rar import Asked, check_for, parse, read_granted
from gateway.oauth.terms import AUTHORIZATION_CODE, CREDENTIAL_SCOPE, PRE_AUTHORIZED_CODE, WITHOUT_DETAILS

if TYPE_CHECKING:
    from gateway.oauth.client import Client
    from gateway.oauth.flow_host import FlowHost
    from gateway.oauth.flow_request import FlowClient, FlowRequest
    from gateway.oauth.incoming import Incoming


class FlowCode(AuthorizationCodeMixin):
    def __init__(self, code: Code) -> None:
        self.kept, self.code_challenge, self.code_challenge_method = code, code.code_challenge, "S256"

    def get_redirect_uri(self) -> str:
        return self.kept.redirect_uri

    def get_scope(self) -> None:
        """The grant's; a code has none of its own."""


class FlowRefreshToken(TokenMixin):
    def __init__(self, text: str, token: RefreshToken) -> None:
        self.text, self.kept = text, token

    def check_client(self, client: FlowClient) -> bool:
        return self.kept.client_id == client.client_id

    def get_scope(self) -> None:
        """The grant's; see `narrowed_to`."""


class _OurGrant:
    """What every grant type here does alike. Stands before authlib's class."""

    request: FlowRequest
    server: FlowHost
    resource: str = ""

    def authenticate_token_endpoint_client(self) -> FlowClient:
        """The client, and the key its tokens will be bound to: both settled before anything else is looked at or spent."""
        client = self.server.authenticate_client(self.request, ())
        self.request.client = client
        request = self.request
        request.binding = await_only(self.server.kit.bind(request.incoming, client.registered, request.tally))
        self.server.settle(request, client)
        return client

    def generate_token(self, user: Grant, **_: Any) -> dict[str, Any]:
        """Authlib's generator never sees the request; this one does, for what a token is bound to stands there."""
        return self.server.issue(self.request, user, self.resource)

    def save_token(self, token: Any) -> None:
        """Nothing to save: access tokens are signed, refresh tokens are kept by whoever makes one."""

    def live(self, grant_id: str, client: Client) -> Grant:
        """The grant as of now, or OAuthError invalid_grant. A revoked user, client or grant gets nothing more."""
        kit, now = self.server.kit, self.server.kit.clock.now()
        grant = await_only(kit.grants.find(grant_id))
        if grant is None or (grant.expires_at is not None and grant.expires_at <= now):
            raise OAuthError("invalid_grant", "invalid_grant")
        seen = Admission(None, now, "", grant.grant_id, grant.client_id, grant.user_id, (), grant.granted_at)
        if await_only(kit.door.admit(seen)) != "OK":
            raise OAuthError("invalid_grant", "grant_ended")
        return still_granted(grant, client, kit.register(), now)

    def narrow(self, grant: Grant, scope: str | None) -> Grant:
        kit, form = self.server.kit, self.request.form
        return narrowed_to(
            grant, scope, form.get("authorization_details"),
            terms=kit.terms, register=kit.register(), now=kit.clock.now(),
        )  # fmt: skip


class AuthorizationCodeGrant(_OurGrant, grants.AuthorizationCodeGrant):
    """With PAR and PKCE S256 only. `S256` is its extension."""

    def create_authorization_response(self, redirect_uri: str, grant_user: Any) -> tuple[int, str, list[Any]]:
        """Ours ends in a URL; the pages send it with 303 (authlib says 302, which lets a browser repeat the POST)."""
        self.request.user = grant_user
        code = new_secret()
        self.save_authorization_code(code, self.request)
        return 303, self.server.back_to(redirect_uri, {"code": code}, self.request.form.get("state")), []

    def save_authorization_code(self, code: str, request: FlowRequest) -> None:
        """Grant and code are kept and the request_uri burnt in one transaction, or none of it."""
        kit, form, approval = self.server.kit, request.form, request.user
        client = request.client.registered
        pushed = approval.pushed
        asked = read_granted(pushed.parameters["authorization_details"], kit.register())
        check_for(client, asked)
        login, now = approval.login, kit.clock.now()
        until = now + timedelta(seconds=kit.terms.refresh_s)
        grant = Grant(
            new_grant_id(), client.client_id, login.user_id, frozenset(pushed.parameters["scope"]),
            [one.as_json() for one in asked], claims_of_login(login, client, asked), request.began,
            until if login.until is None else min(until, login.until),
        )  # fmt: skip
        kept = Code(
            grant.grant_id, client.client_id, form["redirect_uri"], form["code_challenge"],
            pushed.parameters["resource"], now + timedelta(seconds=kit.terms.code_s),
            pushed.parameters.get("dpop_jkt"),
        )  # fmt: skip
        if not await_only(kit.grants.authorise(approval.request_uri, code, kept, grant)):
            raise OAuthError("invalid_request_uri", "invalid_request_uri")

    def query_authorization_code(self, code: str, client: FlowClient) -> FlowCode | None:
        """Consumed by asking, whoever asks: a code in the wrong hands is spent, too."""
        kit = self.server.kit
        found = await_only(kit.grants.redeem(code))
        if found is None or found.client_id != client.client_id or found.expires_at <= kit.clock.now():
            raise OAuthError("invalid_grant", "invalid_grant")
        if found.dpop_jkt is not None and found.dpop_jkt != self.request.binding.jkt:
            raise OAuthError("invalid_grant", "dpop_key")
        return FlowCode(found)

    def delete_authorization_code(self, authorization_code: FlowCode) -> None:
        """Long done."""

    def authenticate_user(self, authorization_code: FlowCode) -> Grant:
        kept = authorization_code.kept
        self.resource = resource_asked(self.request.form.get("resource"), self.server.kit.terms, kept.resource)
        return self.narrow(self.live(kept.grant_id, self.request.client.registered), None)

    def generate_token(self, user: Grant, include_refresh_token: bool = False, **_: Any) -> dict[str, Any]:
        kit = self.server.kit
        token = self.server.issue(self.request, user, self.resource)
        if include_refresh_token:
            text, now = new_secret(), kit.clock.now()
            until = user.expires_at or now + timedelta(seconds=kit.terms.refresh_s)
            kept = RefreshToken(user.grant_id, user.client_id, self.resource, now, until)
            if not await_only(kit.grants.add_refresh_token(text, kept)):
                raise OAuthError("invalid_grant", "grant_ended")  # the code was shown again meanwhile
            token["refresh_token"] = text
        return token


class ClientCredentialsGrant(_OurGrant, grants.ClientCredentialsGrant):
    """A client by itself. A partner's says what for, which fields and by which consent, and that must hold now."""

    def validate_token_request(self) -> None:
        super().validate_token_request()
        kit, form = self.server.kit, self.request.form
        client = self.request.client.registered
        scope = self.request.client.get_allowed_scope(form.get("scope"))
        if scope is None:
            raise OAuthError("invalid_scope", "invalid_scope")
        self.resource = resource_asked(form.get("resource"), kit.terms)
        asked: tuple[Asked, ...] = ()
        if "authorization_details" in form:
            asked = parse(
                form["authorization_details"], location=kit.terms.graphql, register=kit.register(),
                now=kit.clock.now(),
            )  # fmt: skip
        if asked or not WITHOUT_DETAILS.issuperset(scope.split()):  # what can only ask persons rests on no consent yet
            check_for(client, asked)
        if client.kind is CallerKind.PARTNER:
            asked = self._covered(client, asked)
        self.grant = Grant(
            new_grant_id(), client.client_id, client.client_id, frozenset(scope.split()),
            [one.as_json() for one in asked], claims_of_client(client, asked), self.request.began,
        )  # fmt: skip

    def generate_token(self, user: Any = None, **_: Any) -> dict[str, Any]:
        return self.server.issue(self.request, self.grant, self.resource)

    def _covered(self, client: Client, asked: tuple[Asked, ...]) -> tuple[Asked, ...]:
        """Within the consents as they stand now, each detail ending with its consent at the latest."""
        ends = await_only(self.server.kit.consents.cover(client, [one.detail for one in asked]))
        found = []
        for one, end in zip(asked, ends, strict=True):
            if end is None or end <= self.server.kit.clock.now():
                raise OAuthError("invalid_authorization_details", "rar_consent")
            if one.detail.until is not None and one.detail.until > end:
                raise OAuthError("invalid_authorization_details", "rar_until")
            found.append(replace(one, detail=replace(one.detail, until=one.detail.until or end)))
        return tuple(found)


class RefreshTokenGrant(_OurGrant, grants.RefreshTokenGrant):
    """Rotation is the client's registered choice; where it is on, a token that comes back ends its grant."""

    def authenticate_refresh_token(self, refresh_token: str) -> FlowRefreshToken | None:
        kit = self.server.kit
        found = await_only(kit.grants.find_refresh_token(refresh_token))
        if found is None:
            await_only(kit.grants.reused(refresh_token, self.request.client.client_id))
            raise OAuthError("invalid_grant", "invalid_grant")
        return FlowRefreshToken(refresh_token, found)

    def _validate_token_scope(self, token: FlowRefreshToken) -> None:
        """`authenticate_user` does, against the grant as it is now."""

    def authenticate_user(self, refresh_token: FlowRefreshToken) -> Grant:
        kept, form = refresh_token.kept, self.request.form
        self.resource = resource_asked(form.get("resource"), self.server.kit.terms, kept.resource)
        return self.narrow(self.live(kept.grant_id, self.request.client.registered), form.get("scope"))

    def issue_token(self, user: Grant, refresh_token: FlowRefreshToken) -> dict[str, Any]:
        client, kit = self.request.client.registered, self.server.kit
        if client.refresh_rotation != "always":
            return self.server.issue(self.request, user, self.resource)
        text = new_secret()
        kept = replace(refresh_token.kept, issued_at=kit.clock.now())  # its end stays where the login put it
        if not await_only(kit.grants.rotate_refresh_token(refresh_token.text, client.client_id, text, kept)):
            raise OAuthError("invalid_grant", "invalid_grant")
        return {**self.server.issue(self.request, user, self.resource), "refresh_token": text}

    def revoke_old_credential(self, refresh_token: FlowRefreshToken) -> None:
        """Long done."""


class HolderCodeGrant(_OurGrant, grants.BaseGrant, grants.TokenEndpointMixin):
    """A wallet's code, after a person said yes. Stands before `AuthorizationCodeGrant`, which knows officers' codes.

    Everything is looked at before the code is consumed, so that of many at once exactly one gets a token, whatever else
    was tried with the code; and nobody gets any further without the verifier and the key.
    """

    GRANT_TYPE = AUTHORIZATION_CODE

    @classmethod
    def check_token_endpoint(cls, request: FlowRequest) -> bool:
        form = request.form
        return form.get("grant_type") == cls.GRANT_TYPE and form.get("code", "").startswith(HOLDER_CODE)

    def validate_token_request(self) -> None:
        client = self.authenticate_token_endpoint_client()
        kit, form = self.server.kit, self.request.form
        found = await_only(kit.grants.look(form["code"]))
        if kit.holder is None or found is None or client.registered.kind is not WALLET:
            raise OAuthError("invalid_grant", "invalid_grant")
        if found.client_id != client.client_id or found.expires_at <= kit.clock.now():
            raise OAuthError("invalid_grant", "invalid_grant")
        if form.get("redirect_uri") != found.redirect_uri:
            raise OAuthError("invalid_grant", "redirect_uri")
        check_verifier(form.get("code_verifier", ""), found.code_challenge)
        jkt = self.request.binding.jkt
        if jkt is None or found.dpop_jkt not in (None, jkt):
            raise OAuthError("invalid_grant", "dpop_key")
        grant, replayed = await_only(kit.grants.redeem_checked(form["code"], within_s=_AT_ONCE_S))
        if replayed is not None:
            await_only(kit.holder.end(replayed))
        token = None if grant is None else await_only(kit.holder.open(grant, jkt))
        if token is None:
            raise OAuthError("invalid_grant", "invalid_grant")
        self.answer: dict[str, Any] = {
            "access_token": token.access_token, "token_type": "DPoP", "expires_in": token.expires_in,
        }  # fmt: skip
        if token.identifiers:
            self.answer["authorization_details"] = granted_details(token.identifiers)
        elif grant is not None:
            self.answer["scope"] = " ".join(CREDENTIAL_SCOPE + one for one in grant.claims["configuration_ids"])

    def create_token_response(self) -> tuple[int, dict[str, Any], Any]:
        return 200, self.answer, self.TOKEN_RESPONSE_HEADER


_AT_ONCE_S = 5
"""Whoever shows a used code within this time lost a race, perhaps against its own second try, and ends nothing."""


class PreAuthorizedCodeGrant(_OurGrant, grants.BaseGrant, grants.TokenEndpointMixin):
    """OpenID4VCI 1.0, section 6. Registered only where the server was handed a `PreAuthorizedCodes`."""

    GRANT_TYPE = PRE_AUTHORIZED_CODE

    def validate_token_request(self) -> None:
        form, codes = self.request.form, self.server.kit.pre_authorized
        if codes is None:
            raise OAuthError("unsupported_grant_type", "unsupported_grant_type")
        client_id = self._client_id(codes)
        code = form.get("pre-authorized_code")
        if code is None:
            raise OAuthError("invalid_request", "invalid_request")
        wanted = None
        if "authorization_details" in form:
            wanted = read_credential_details(form["authorization_details"], self.server.kit.terms.issuer)
        shown = ShownCode(
            code, form.get("tx_code"), wanted, client_id, self.request.binding.jkt, self.request.incoming.network
        )
        self.answer = await_only(codes.redeem(shown))

    def create_token_response(self) -> tuple[int, dict[str, Any], Any]:
        answer = {**self.answer, "token_type": self.request.binding.token_type}
        return 200, answer, self.TOKEN_RESPONSE_HEADER

    def _client_id(self, codes: PreAuthorizedCodes) -> str:
        """ "" for a wallet that does not authenticate, where that is allowed: a `client_id` it may send proves nothing."""
        request = self.request
        if codes.anonymous and not is_authenticating(request.incoming):
            request.binding = await_only(self.server.kit.bind.if_any(request.incoming, request.tally))
            if (code := request.form.get("pre-authorized_code")) is not None:  # proofs cost a stranger nothing to make
                await_only(codes.look(code, request.incoming.network))
            for one in request.tally.spends:
                if not await_only(codes.spent.spend(one.kind, one.key, one.until)):
                    raise OAuthError("invalid_dpop_proof", "dpop_replayed", nonce=self.server.kit.bind.nonce)
            return ""
        client = self.authenticate_token_endpoint_client()
        if not client.check_grant_type(self.GRANT_TYPE):
            raise OAuthError("unauthorized_client", "unauthorized_client")
        return str(client.client_id)


def is_authenticating(incoming: Incoming) -> bool:
    """Whether somebody tries to be a certain client, well or badly."""
    return bool(_AUTHENTICATING & set(incoming.form)) or any(name in incoming.headers for name in _ATTESTED)


_AUTHENTICATING = frozenset({"client_assertion", "client_assertion_type", "client_secret"})
_ATTESTED = (b"oauth-client-attestation", b"oauth-client-attestation-pop", b"authorization")
