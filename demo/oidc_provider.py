"""An OIDC provider of the officers' world, small and real: discovery, keys, a login form, codes with PKCE, ID tokens.

`python -m demo.oidc_provider FILE` serves what a TOML file says until it is stopped:

    issuer = "http://127.0.0.1:8700"
    [[clients]]
    client_id = "yimen"
    secret = "..."                       # client_secret_basic, or:
    public_key_file = "yimen.pub.pem"    # private_key_jwt
    redirect_uris = ["http://127.0.0.1:8000/login/oidc/demo/callback"]
    [[users]]
    login = "cc0001"
    password = "..."
    sub = "cc0001"
    name = "周凯"

Everything is kept in memory and made anew at each start, the signing key too.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import sys
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

import uvicorn
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, import_key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

_CODE_S = 60
_REQUEST_S = 600
_TOKEN_S = 300
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_PAGE = """<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>演示身份平台</title><h1>演示身份平台 <small>demo identity provider</small></h1><p>{note}</p>
<form method="post" action="{action}"><input type="hidden" name="ticket" value="{ticket}">
<p><label>账号 login<br><input name="login" autocomplete="username" required></label></p>
<p><label>密码 password<br><input name="password" type="password" autocomplete="current-password" required></label></p>
<p><button>登录 log in</button></p></form></html>"""

Twist = Callable[[dict[str, Any], dict[str, Any]], None]
"""Changes the header and the claims of an ID token before it is signed: what a test makes go wrong."""


@dataclass(frozen=True, slots=True)
class OidcClientEntry:
    client_id: str
    redirect_uris: tuple[str, ...]
    secret: str | None = field(default=None, repr=False)
    public_key: str | None = field(default=None, repr=False)  # PEM


@dataclass(frozen=True, slots=True)
class OidcUser:
    login: str
    sub: str
    name: str
    password: str = field(repr=False)
    acr: str = "1"


@dataclass(slots=True)
class _Asked:
    """An authorization request, then the code made of it. Both are single use."""

    parameters: Mapping[str, str]
    until: float
    user: OidcUser | None = None
    auth_time: int = 0


class OidcProvider:
    """One issuer. `twist` and `sign` are for tests of those who rely on it."""

    def __init__(
        self,
        issuer: str,
        clients: Mapping[str, OidcClientEntry],
        users: Mapping[str, OidcUser],
        *,
        iss_parameter: bool = True,
    ) -> None:
        self.issuer, self.clients, self.users, self.iss_parameter = issuer, clients, users, iss_parameter
        self.key = ECKey.generate_key("P-256", {"kid": secrets.token_hex(4), "use": "sig", "alg": "ES256"})
        self.twist: Twist = lambda header, claims: None
        self.sign: Callable[[dict[str, Any], dict[str, Any]], str] = self._signed
        self.answer_iss = issuer  # what the callback's `iss` says
        self._waiting: dict[str, _Asked] = {}
        self._codes: dict[str, _Asked] = {}
        self._assertions: set[str] = set()

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/jwks", self._jwks),
                Route("/authorize", self._authorize, methods=["GET"]),
                Route("/authorize", self._log_in, methods=["POST"]),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    async def _discovery(self, request: Request) -> Response:
        found: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "acr_values_supported": ["1", "2"],
        }
        if self.iss_parameter:
            found["authorization_response_iss_parameter_supported"] = True
        return JSONResponse(found)

    async def _jwks(self, request: Request) -> Response:
        return JSONResponse(KeySet([self.key]).as_dict(private=False))

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        client = self.clients.get(asked.get("client_id", ""))
        if client is None or asked.get("redirect_uri") not in client.redirect_uris:
            return HTMLResponse("unknown client or redirect_uri", 400)
        wanted = {"response_type": "code", "code_challenge_method": "S256"}
        if any(asked.get(name) != value for name, value in wanted.items()) or not asked.get("code_challenge"):
            return self._back(asked, {"error": "invalid_request"})
        if "openid" not in asked.get("scope", "").split():
            return self._back(asked, {"error": "invalid_scope"})
        ticket = secrets.token_urlsafe(24)
        self._waiting[ticket] = _Asked(asked, time.time() + _REQUEST_S)
        return self._form(ticket, "")

    async def _log_in(self, request: Request) -> Response:
        form = await _form_of(request)
        ticket, login = form.get("ticket", ""), form.get("login", "").strip().lower()
        asked = self._waiting.get(ticket)
        if asked is None or asked.until < time.time():
            return HTMLResponse("请重新开始 begin again", 400)
        user = self.users.get(login)
        given = form.get("password", "").encode()
        if user is None or not hmac.compare_digest(given, user.password.encode()):
            return self._form(ticket, "账号或密码不正确。 Login or password is not right.", 403)
        del self._waiting[ticket]
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Asked(asked.parameters, time.time() + _CODE_S, user, int(time.time()))
        return self._back(asked.parameters, {"code": code})

    async def _token(self, request: Request) -> Response:
        form = await _form_of(request)
        client = self._client(request.headers.get("authorization", ""), form)
        if client is None:
            return JSONResponse({"error": "invalid_client"}, 401)
        code = self._codes.pop(form.get("code", ""), None)
        if form.get("grant_type") != "authorization_code" or code is None or code.user is None:
            return JSONResponse({"error": "invalid_grant"}, 400)
        asked = code.parameters
        challenge = create_s256_code_challenge(form.get("code_verifier", ""))
        fits = (
            code.until >= time.time()
            and asked["client_id"] == client.client_id
            and asked["redirect_uri"] == form.get("redirect_uri")
            and asked["code_challenge"] == challenge
        )
        if not fits:
            return JSONResponse({"error": "invalid_grant"}, 400)
        body = {
            "access_token": secrets.token_urlsafe(32),
            "token_type": "Bearer",
            "expires_in": _TOKEN_S,
            "id_token": self._id_token(client, code.user, code),
        }
        return JSONResponse(body, headers={"cache-control": "no-store"})

    def _id_token(self, client: OidcClientEntry, user: OidcUser, code: _Asked) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer, "sub": user.sub, "aud": client.client_id, "iat": now, "exp": now + _TOKEN_S,
            "auth_time": code.auth_time, "acr": user.acr, "amr": ["pwd"], "name": user.name,
        }  # fmt: skip
        if "nonce" in code.parameters:
            claims["nonce"] = code.parameters["nonce"]
        header = {"alg": "ES256", "kid": self.key.kid}
        self.twist(header, claims)
        return self.sign(header, claims)

    def _signed(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        return jwt.encode(header, claims, self.key)

    def _client(self, authorization: str, form: Mapping[str, str]) -> OidcClientEntry | None:
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() == "basic":
            try:
                client_id, _, secret = base64.b64decode(rest).decode().partition(":")
            except ValueError:
                return None
            client = self.clients.get(unquote_plus(client_id))
            if client is None or client.secret is None:
                return None
            return client if hmac.compare_digest(unquote_plus(secret).encode(), client.secret.encode()) else None
        return self._by_assertion(form) if form.get("client_assertion_type") == _ASSERTION else None

    def _by_assertion(self, form: Mapping[str, str]) -> OidcClientEntry | None:
        """private_key_jwt, RFC 7523: for this endpoint, short, once."""
        for client in self.clients.values():
            if client.public_key is None:
                continue
            try:
                key = import_key(client.public_key, "EC")
                claims = jwt.decode(form.get("client_assertion", ""), key, algorithms=["ES256"]).claims
            except (JoseError, ValueError):
                continue
            now, jti = time.time(), str(claims.get("jti"))
            right = claims.get("iss") == claims.get("sub") == client.client_id
            ours = claims.get("aud") in (f"{self.issuer}/token", self.issuer)
            if right and ours and now < claims.get("exp", 0) <= now + 3700 and jti not in self._assertions:
                self._assertions.add(jti)
                return client
        return None

    def _back(self, asked: Mapping[str, str], answer: dict[str, str]) -> Response:
        answer |= {"state": asked["state"]} if "state" in asked else {}
        answer |= {"iss": self.answer_iss} if self.iss_parameter else {}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", 303)

    def _form(self, ticket: str, note: str, status: int = 200) -> Response:
        return HTMLResponse(_PAGE.format(note=escape(note), ticket=ticket, action="/authorize"), status)


async def _form_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode()))


def read_provider(path: Path) -> OidcProvider:
    """From the file the module's text describes."""
    given = tomllib.loads(path.read_text("utf-8"))
    clients = {
        one["client_id"]: OidcClientEntry(
            one["client_id"],
            tuple(one["redirect_uris"]),
            one.get("secret"),
            (path.parent / one["public_key_file"]).read_text("utf-8") if "public_key_file" in one else None,
        )
        for one in given["clients"]
    }
    users = {
        one["login"]: OidcUser(
            one["login"], one["sub"], one.get("name", one["login"]), one["password"], one.get("acr", "1")
        )
        for one in given["users"]
    }
    return OidcProvider(given["issuer"], clients, users)


def main(arguments: list[str]) -> None:
    provider = read_provider(Path(arguments[0]))
    address = urlsplit(provider.issuer)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    uvicorn.run(provider.app(), host=host, port=port, log_level="warning", access_log=False, server_header=False)


if __name__ == "__main__":
    main(sys.argv[1:])
