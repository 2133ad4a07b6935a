"""Authlib's authorization server, bridged to async and held to FAPI 2.0.

Authlib's flows are plain functions that call out for clients, codes and tokens. `greenlet_spawn` runs one on a greenlet,
and `await_only` inside it hands a coroutine to the event loop and waits: the code reads as authlib wrote it, and no thread
is involved (ADR 0007). Every error leaves as OAuthError.
"""

# Authlib says no types.
# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer
from sqlalchemy.util import await_only, greenlet_spawn

from gateway.oauth.client import WALLET
from gateway.oauth.errors import InvalidClient, OAuthError
from gateway.oauth.flow_request import FlowClient, FlowRequest
from gateway.oauth.grants import (
    AuthorizationCodeGrant,
    ClientCredentialsGrant,
    HolderCodeGrant,
    PreAuthorizedCodeGrant,
    RefreshTokenGrant,
)
from gateway.oauth.holder import CODE, HOLDER, HolderApproval, credential_request
from gateway.oauth.incoming import Incoming
from gateway.oauth.introspection import Introspection
from gateway.oauth.issue import lifetime_s, new_grant_id, new_secret
from gateway.oauth.keeping import Code, PushedRequest
from gateway.oauth.kit import Kit
from gateway.oauth.par import parameters, refuse_misplaced
from gateway.oauth.pkce import S256
from gateway.oauth.ports import Grant, Login
from gateway.oauth.revocation import Revocation
from gateway.oauth.terms import REQUEST_URI


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back, as JSON; `nonce` as the DPoP-Nonce header."""

    status: int
    body: Mapping[str, Any] = field(repr=False)
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """An officer's yes to a pushed request."""

    request_uri: str
    pushed: PushedRequest
    login: Login


class Server(AuthorizationServer):
    def __init__(self, kit: Kit) -> None:
        super().__init__(scopes_supported=list(kit.terms.scopes))
        self.kit = kit
        if kit.holder is not None:
            self.register_grant(HolderCodeGrant)
        self.register_grant(AuthorizationCodeGrant, [S256()])
        self.register_grant(ClientCredentialsGrant)
        self.register_grant(RefreshTokenGrant)
        if kit.pre_authorized is not None:
            self.register_grant(PreAuthorizedCodeGrant)
        self.register_endpoint(Introspection)
        self.register_endpoint(Revocation)

    async def token(self, incoming: Incoming) -> Answer:
        """RFC 6749, section 3.2. Raises OAuthError."""
        if "grant_type" not in incoming.form:
            raise OAuthError("invalid_request", "grant_type")
        return await self._run(incoming, self.create_token_response)

    async def push(self, incoming: Incoming) -> Answer:
        """RFC 9126. Raises OAuthError."""
        return await self._run(incoming, self._push)

    async def introspect(self, incoming: Incoming) -> Answer:
        """RFC 7662. Raises OAuthError."""
        return await self._run(incoming, lambda request: self.create_endpoint_response("introspection", request))

    async def revoke(self, incoming: Incoming) -> Answer:
        """RFC 7009. Raises OAuthError."""
        return await self._run(incoming, lambda request: self.create_endpoint_response("revocation", request))

    async def approve(self, request_uri: str, pushed: PushedRequest, login: Login) -> str:
        """The URL with the code. Raises OAuthError: access_denied, invalid_authorization_details for what `login` or the
        client may not have; others where there is nobody to send an answer to.
        """
        form = {name: value for name, value in pushed.parameters.items() if isinstance(value, str)}
        form = {**form, "client_id": pushed.client_id, "scope": " ".join(pushed.parameters["scope"])}
        request = FlowRequest(Incoming("/oauth/authorize", form, {}), self.kit.clock.now())
        approval = Approval(request_uri, pushed, login)
        answer: Answer = await greenlet_spawn(self._approve, request, approval)
        return str(answer.body["location"])

    async def approve_holder(self, request_uri: str, pushed: PushedRequest, approval: HolderApproval) -> str:
        """The URL with a wallet's code, after the person said yes. Raises OAuthError where it was answered before."""
        kit, asked = self.kit, pushed.parameters
        client, now = await kit.clients.find(pushed.client_id), self.kit.clock.now()
        if client is None or client.kind is not WALLET or asked["redirect_uri"] not in client.redirect_uris:
            raise OAuthError("invalid_request_uri", "invalid_request_uri")
        until = now + timedelta(seconds=kit.terms.code_s)
        claims = {
            "kind": HOLDER, "org_id": approval.acting["org_id"], "subject_id": approval.subject_id,
            "acting": dict(approval.acting), "configuration_ids": list(approval.configuration_ids),
            "identified": asked["identified"], "offer_id": approval.offer_id,
        }  # fmt: skip
        grant = Grant(new_grant_id(), client.client_id, "person", frozenset(), [], claims, now, until)
        code = CODE + new_secret()
        kept = Code(
            grant.grant_id, client.client_id, asked["redirect_uri"], asked["code_challenge"], "", until,
            asked.get("dpop_jkt"),
        )  # fmt: skip
        if not await kit.grants.authorise(request_uri, code, kept, grant):
            raise OAuthError("invalid_request_uri", "invalid_request_uri")
        return self.back_to(asked["redirect_uri"], {"code": code}, asked.get("state"))

    async def refuse(self, request_uri: str, pushed: PushedRequest, error: str) -> str:
        """The URL with `error`, the request burnt. Raises OAuthError where it was answered before."""
        if not await self.kit.pushed.burn(request_uri):
            raise OAuthError("invalid_request_uri", "invalid_request_uri")
        redirect_uri, state = pushed.parameters["redirect_uri"], pushed.parameters.get("state")
        return self.back_to(redirect_uri, {"error": error}, state)

    def back_to(self, redirect_uri: str, answer: Mapping[str, str], state: str | None) -> str:
        """`redirect_uri` with an authorization response, success or not; `iss` is always there (RFC 9207)."""
        params = [*answer.items(), *([("state", state)] if state is not None else []), ("iss", self.kit.terms.issuer)]
        return str(add_params_to_uri(redirect_uri, params))

    # What authlib calls.

    def query_client(self, client_id: str) -> FlowClient | None:
        found = await_only(self.kit.clients.find(client_id))
        return None if found is None else FlowClient(found)

    def authenticate_client(self, request: FlowRequest, methods: Any, endpoint: str = "token") -> FlowClient:
        """Authlib's own methods (secrets, `none`) are never asked; its check of assertions is not ours (peers.md).

        Where no proof of a key can follow, the assertion is spent here; else `settle` spends both in one go.
        """
        incoming = request.incoming
        client = FlowClient(
            await_only(self.kit.assertions.authenticate(incoming.form, incoming.headers, request.tally))
        )
        if endpoint in ("introspection", "revocation"):
            self.settle(request, client)
        return client

    def settle(self, request: FlowRequest, client: FlowClient) -> None:
        said = await_only(self.kit.counter.settle(client.registered, request.tally.spends))
        if said == "CHANGED":
            raise _Changed
        if said == "dpop":
            raise OAuthError("invalid_dpop_proof", "dpop_replayed", nonce=self.kit.bind.nonce)
        if said != "OK":
            raise InvalidClient

    def issue(self, request: FlowRequest, grant: Grant, resource: str) -> dict[str, Any]:
        """The answer with an access token for `grant`, which is already as narrow as it shall be."""
        issued = await_only(
            self.kit.tokens.issue(
                grant,
                audience=resource,
                cnf=request.binding.cnf,
                granted_at=grant.granted_at or request.began,
                lifetime_s=lifetime_s(grant, self.kit.terms.access_s, self.kit.clock.now()),
            )
        )
        answer: dict[str, Any] = {
            "access_token": issued.token,
            "token_type": request.binding.token_type,
            "expires_in": issued.expires_in,
            "scope": " ".join(sorted(grant.scope)),
        }
        if grant.authorization_details:
            answer["authorization_details"] = list(grant.authorization_details)
        return answer

    def create_oauth2_request(self, request: FlowRequest) -> FlowRequest:
        return request

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def handle_response(self, status: int, body: Any, headers: Any) -> Answer:
        return Answer(status, {"location": body} if isinstance(body, str) else body)

    def handle_error_response(self, request: FlowRequest, error: OAuth2Error) -> Answer:
        raise our_error(error)

    # The plain halves of what is async above.

    def _push(self, request: FlowRequest) -> Answer:
        kit, form = self.kit, request.form
        client = self.authenticate_client(request, (), "par")
        request.binding = await_only(kit.bind.if_any(request.incoming, request.tally))
        self.settle(request, client)
        if client.registered.kind is WALLET:
            return self._push_of_wallet(request, client)
        refuse_misplaced(form, client.registered)
        form["client_id"] = client.client_id
        self.get_authorization_grant(request).validate_authorization_request()
        now = kit.clock.now()
        kept = parameters(
            form, client.registered, request.scope or "", request.binding.jkt,
            terms=kit.terms, register=kit.register(), now=now,
        )  # fmt: skip
        return self._keep(client, kept, kit.terms.request_s)

    def _push_of_wallet(self, request: FlowRequest, client: FlowClient) -> Answer:
        kit = self.kit
        if kit.holder is None or not client.check_response_type("code"):
            raise OAuthError("unauthorized_client", "unauthorized_client")
        kept = credential_request(
            request.form, client.registered, request.binding.jkt, kit.holder.configurations(), kit.terms
        )
        return self._keep(client, kept, kit.terms.wallet_request_s)

    def _keep(self, client: FlowClient, kept: Mapping[str, Any], seconds: int) -> Answer:
        request_uri = REQUEST_URI + new_secret()
        until = self.kit.clock.now() + timedelta(seconds=seconds)
        await_only(self.kit.pushed.push(request_uri, PushedRequest(client.client_id, kept, expires_at=until)))
        return Answer(201, {"request_uri": request_uri, "expires_in": seconds})

    def _approve(self, request: FlowRequest, approval: Approval) -> Answer:
        try:
            grant = self.get_authorization_grant(request)
        except OAuth2Error as error:
            raise our_error(error) from None
        answer: Answer = self.create_authorization_response(request, approval, grant)
        return answer

    async def _run(self, incoming: Incoming, flow: Any) -> Answer:
        for _ in range(3):
            request = FlowRequest(incoming, self.kit.clock.now())
            try:
                answer: Answer = await greenlet_spawn(flow, request)
            except OAuth2Error as error:  # where authlib lets one through itself
                raise our_error(error) from None
            except _Changed:  # the registration was read before its last change; nothing is spent yet
                continue
            return replace(answer, nonce=request.binding.next_nonce)
        raise InvalidClient


class _Changed(Exception):
    """The client is not as it was read."""


def our_error(error: OAuth2Error) -> OAuthError:
    """Authlib's code with our words: its descriptions repeat what the request said, and its invalid_client is a 400."""
    if error.error == "invalid_client":
        return InvalidClient()
    return OAuthError(str(error.error), str(error.error), status=400)
