"""The client's side of the authorization server: what `yimen token` does for a client with its key."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from adapters.egress import Channel
from adapters.errors import SourceUnavailable
from adapters.oauth_client import OAuthClient, Refused, Registration, Token, nonce_of
from adapters.oauth_jose import dpop_proof
from gateway.errors import RequestRefused
from gateway.oauth.terms import RAR_TYPE

TIMEOUT_S = 10.0
NAME = "token"


def sharing_detail(
    purpose: str,
    *,
    location: str,
    reference: str | None = None,
    consent_id: str | None = None,
    fields: Sequence[str] = (),
) -> dict[str, Any]:
    """One `authorization_details` object of our type; `fields` are "noun.field"."""
    detail: dict[str, Any] = {"type": RAR_TYPE, "actions": ["read"], "locations": [location]}
    detail["purpose"] = {"code": purpose} | ({"reference": reference} if reference else {})
    if fields:
        detail["datatypes"] = sorted(set(fields))
    if consent_id:
        detail["subjects"] = {"consent_id": consent_id}
    return detail


async def client_token(client: OAuthClient) -> Token:
    """A token for the client itself. Raises RequestRefused in words an operator can act on."""
    try:
        return await client.client_credentials(timeout_s=TIMEOUT_S)
    except SourceUnavailable as error:
        raise spoken(error) from None


async def headers_for(client: OAuthClient, token: Token, channel: Channel, method: str, url: str) -> dict[str, str]:
    """The two headers of one request to a resource, for whoever sends it themselves.

    A nonce is fetched by asking once without a body; the proof given out has not been used.
    """
    key, now = client.dpop_key, client.now
    authorization = f"DPoP {token.value}"
    asked = {"authorization": authorization, "dpop": dpop_proof(key, method, url, now(), token=token.value)}
    try:
        reply = await channel.send(method, url, headers=asked, timeout_s=TIMEOUT_S)
    except SourceUnavailable as error:
        raise spoken(error) from None
    proof = dpop_proof(key, method, url, now(), nonce=nonce_of(reply), token=token.value)
    return {"Authorization": authorization, "DPoP": proof}


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """One authorization request that was pushed: where the officer's browser goes, and what must come back."""

    url: str
    redirect_uri: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)


async def push(client: OAuthClient, redirect_uri: str, *, login_hint: str = "") -> CodeRequest:
    """Push the authorization request (RFC 9126) with PKCE S256, bound to the client's DPoP key. Raises RequestRefused."""
    wanted: Registration = client.registration
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    form = {
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "scope": wanted.scope,
        "resource": wanted.resource,
        "login_hint": login_hint,
        "authorization_details": json.dumps(list(wanted.details), ensure_ascii=False) if wanted.details else "",
    }
    try:
        pushed = await client.post(
            "pushed_authorization_request_endpoint",
            {name: value for name, value in form.items() if value},
            timeout_s=TIMEOUT_S,
        )
        endpoint = await client.endpoint("authorization_endpoint", timeout_s=TIMEOUT_S)
    except SourceUnavailable as error:
        raise spoken(error) from None
    request_uri = pushed.get("request_uri")
    if not isinstance(request_uri, str) or not request_uri:
        raise RequestRefused("TOKEN_UNAVAILABLE", "授权服务器没有给出 request_uri / it gave no request_uri")
    query = urlencode({"client_id": wanted.client_id, "request_uri": request_uri})
    return CodeRequest(f"{endpoint}?{query}", redirect_uri, state, verifier)


async def redeem(client: OAuthClient, request: CodeRequest, answer: Mapping[str, str]) -> Token:
    """The token for what came back to the redirect URI. Raises RequestRefused: another state, another issuer, an error."""
    if not secrets.compare_digest(answer.get("state", "").encode(), request.state.encode()):
        raise RequestRefused(
            "TOKEN_REFUSED", "回调的 state 不符, 未使用 / the state that came back is not ours; not used"
        )
    if answer.get("iss") != client.registration.issuer:  # RFC 9207: or another server's answer was slipped in
        raise RequestRefused("TOKEN_REFUSED", "回调来自另一个 issuer, 未使用 / another issuer answered; not used")
    if "error" in answer or not answer.get("code"):
        code = answer.get("error", "")
        shown = code if code.isascii() and code.replace("_", "").isalpha() and len(code) < 60 else "error"
        raise RequestRefused("TOKEN_REFUSED", f"没有授权 / not authorized: {shown}")
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": request.redirect_uri,
        "code_verifier": request.verifier,
    }
    try:
        return await client.token(form, timeout_s=TIMEOUT_S)
    except SourceUnavailable as error:
        raise spoken(error) from None


def spoken(error: SourceUnavailable) -> RequestRefused:
    """What went wrong, for a terminal: the standard's code or our reason, never a word of the request."""
    if isinstance(error, Refused):
        hint = _HINTS.get(error.code, "")
        said = error.code or "it said no"
        return RequestRefused("TOKEN_REFUSED", f"授权服务器拒绝 / the authorization server refused: {said}{hint}")
    return RequestRefused(
        "TOKEN_UNAVAILABLE", f"没有取得令牌 / no token: {error.reason}" + (f" ({error.detail})" if error.detail else "")
    )


_HINTS: Mapping[str, str] = {
    "invalid_client": " - 客户端号、密钥或本机时钟不对 / the client id, its key or this machine's clock is wrong",
    "invalid_authorization_details": " - 用途、字段或同意不属于此客户端 / purpose, field or consent is not this client's",
    "invalid_scope": " - 未登记的 scope / a scope this client is not registered for",
    "unauthorized_client": " - 此客户端未登记这种方式 / this client is not registered for this grant",
    "invalid_target": " - resource 不是此网关 / the resource is not this gateway",
}
