"""Whoever sends hostile requests: the keys of honest clients, and every honest request, to be spoiled."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp

from gateway.bootstrap.authorization import partner_policy
from gateway.clock import SystemClock
from gateway.oauth.client_assertion import ASSERTION_TYPE
from gateway.oauth.jose import PrivateKey, access_token_hash
from gateway.oauth.keeping import InitialPolicy
from gateway.oauth.pkce import challenge_of
from gateway.oauth.terms import RAR_TYPE
from tests.fakes.login_house import hidden, see, send
from tests.fakes.tokens import nonce_for
from tests.flows.house import CASE, House
from tests.hostile.wire import FORM, Answer, Request, form, talk

REDIRECT, OTHER_REDIRECT = "https://desk.example/callback", "https://other.example/callback"
VERIFIER = "hostile-verifier-0123456789-abcdefghijklmnop"
ITEM, OTHER_ITEM = "conductStatement.reportedOnTime", "conductStatement.trainingDone"
ID_NO, NAME = "440606199003070017", "张三"


class Ahead:
    """The clock of the house, which a request may put forward."""

    def __init__(self) -> None:
        self.by = timedelta()

    def now(self) -> datetime:
        return SystemClock().now() + self.by


@dataclass
class Token:
    """What a token endpoint gave, and the key it is bound to."""

    access: str
    key: PrivateKey = field(repr=False)
    refresh: str = ""


@dataclass
class Attacker:
    """Requests are honest as they come from here; `Request`'s own methods and the keywords spoil them."""

    house: House
    clock: Ahead
    keys: dict[str, PrivateKey]
    browser: aiohttp.ClientSession
    consent_id: str
    dpop: PrivateKey = field(default_factory=PrivateKey.generate)
    watched: str = ""  # the token a hostile request tries to end

    @property
    def url(self) -> str:
        return self.house.url

    @property
    def port(self) -> int:
        return int(urlsplit(self.url).port or 0)

    @property
    def now(self) -> int:
        return int(self.clock.now().timestamp())

    @property
    def server_nonce(self) -> str:
        return str(self.house.gateway.oauth.server_proofs.nonce)

    @property
    def resource_nonce(self) -> str:
        return str(nonce_for(self.house.gateway.oauth))

    @property
    def store(self) -> Any:
        return self.house.gateway.store

    async def send(self, request: Request) -> Answer:
        return await talk(self.port, request)

    @contextmanager
    def later(self, seconds: float) -> Iterator[None]:
        """What is made within is of a clock put forward; negative, of one put back."""
        self.clock.by += timedelta(seconds=seconds)
        try:
            yield
        finally:
            self.clock.by -= timedelta(seconds=seconds)

    # What a client signs. A claim of None is left out; `null` is not something JSON needs here.

    def assertion_claims(self, client: str = "system", **claims: Any) -> dict[str, Any]:
        told = {"iss": client, "sub": client, "aud": self.url, "iat": self.now, "exp": self.now + 60,
                "jti": secrets.token_hex(8)} | claims  # fmt: skip
        return {name: value for name, value in told.items() if value is not None}

    def assertion(
        self,
        client: str = "system",
        key: PrivateKey | None = None,
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        signer = key or self.keys[client]
        return signer.sign({"kid": signer.kid} if header is None else header, self.assertion_claims(client, **claims))

    def public(self, key: PrivateKey | None = None) -> dict[str, Any]:
        return {name: (key or self.dpop).public_jwk()[name] for name in ("kty", "crv", "x", "y")}

    def proof_claims(self, path: str, method: str = "POST", token: str | None = None, **claims: Any) -> dict[str, Any]:
        nonce = self.server_nonce if token is None else self.resource_nonce
        told = {"htm": method, "htu": self.url + path, "iat": self.now, "jti": secrets.token_hex(8), "nonce": nonce}
        told |= {"ath": access_token_hash(token)} if token is not None else {}
        return {name: value for name, value in (told | claims).items() if value is not None}

    def proof(
        self,
        path: str,
        key: PrivateKey | None = None,
        header: Mapping[str, Any] | None = None,
        *,
        method: str = "POST",
        token: str | None = None,
        **claims: Any,
    ) -> str:
        head = {"typ": "dpop+jwt", "jwk": self.public(key)} | dict(header or {})
        head = {name: value for name, value in head.items() if value is not None}
        return (key or self.dpop).sign(head, self.proof_claims(path, method, token, **claims))

    # What a client sends.

    def post(
        self,
        path: str,
        client: str = "system",
        *,
        assertion: str | None = None,
        proof: str | None = "",
        **more: str | None,
    ) -> Request:
        """A form with the client's assertion, and a proof unless `proof` is None."""
        whole = {
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion or self.assertion(client),
            **more,
        }
        shown = self.proof(path) if proof == "" else proof
        made = Request("POST", path, (("content-type", FORM),), form({k: v for k, v in whole.items() if v is not None}))
        return made if shown is None else made.header("dpop", shown)

    def token(self, client: str = "system", **more: Any) -> Request:
        """client_credentials."""
        return self.post("/oauth/token", client, **({"grant_type": "client_credentials"} | more))

    def bank_token(self, *details: Mapping[str, Any], **more: Any) -> Request:
        return self.token("bank", **({"authorization_details": json.dumps(list(details or [self.detail()]))} | more))

    def par(self, client: str = "desk", **more: Any) -> Request:
        whole: dict[str, Any] = {
            "response_type": "code", "redirect_uri": REDIRECT if client == "desk" else OTHER_REDIRECT, "scope": "graphql",
            "state": "st", "code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256", "proof": None,
        }  # fmt: skip
        return self.post("/oauth/par", client, **(whole | more))

    def redeem(self, code: str, client: str = "desk", **more: Any) -> Request:
        whole = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER,
                 "redirect_uri": REDIRECT if client == "desk" else OTHER_REDIRECT}  # fmt: skip
        return self.post("/oauth/token", client, **(whole | more))

    def renew(self, refresh: str, client: str = "desk", **more: Any) -> Request:
        return self.post("/oauth/token", client, **({"grant_type": "refresh_token", "refresh_token": refresh} | more))

    def introspect(self, token: str, client: str = "rs", **more: Any) -> Request:
        return self.post("/oauth/introspect", client, **({"token": token, "proof": None} | more))

    def revoke(self, token: str, client: str = "desk", **more: Any) -> Request:
        return self.post("/oauth/revoke", client, **({"token": token, "proof": None} | more))

    def authorize(self, request_uri: str | None, client: str | None = "desk", **more: str) -> Request:
        """As a browser without a session opens it."""
        asked = {"client_id": client, "request_uri": request_uri, **more}
        given = {name: value for name, value in asked.items() if value is not None}
        return Request("GET", f"/oauth/authorize?{urlencode(given)}")

    def register(
        self, initial: str | None, proposed: Any, method: str = "POST", path: str = "/oauth/register"
    ) -> Request:
        body = proposed if isinstance(proposed, bytes) else json.dumps(proposed).encode()
        made = Request(method, path, (("content-type", "application/json"),), body)
        return made if initial is None else made.header("authorization", f"Bearer {initial}")

    def ask(self, token: Token, query: str | None = None, *, proof: str | None = "", scheme: str = "DPoP") -> Request:
        """A question to /graphql."""
        body = {"query": query or question(), "variables": {"idNo": ID_NO, "name": NAME}}
        headers = (("content-type", "application/json"), ("authorization", f"{scheme} {token.access}"))
        made = Request("POST", "/graphql", headers, json.dumps(body).encode())
        shown = self.proof("/graphql", token.key, token=token.access) if proof == "" else proof
        return made if shown is None else made.header("dpop", shown)

    # What honest clients have got.

    def detail(self, **changes: Any) -> dict[str, Any]:
        """What the bank may ask."""
        told = {"type": RAR_TYPE, "purpose": {"code": "LOAN_SERVICE", "reference": "loan-1"}, "datatypes": [ITEM],
                "subjects": {"consent_id": self.consent_id}} | changes  # fmt: skip
        return {name: value for name, value in told.items() if value is not None}

    async def good(self, request: Request, status: int = 200) -> Any:
        """The JSON of an answer to an honest request."""
        answer = await self.send(request)
        assert answer.status == status, (answer.status, answer.body)
        return answer.json

    async def system(self, **more: Any) -> Token:
        return Token((await self.good(self.token(**more)))["access_token"], self.dpop)

    async def bank(self, *details: Mapping[str, Any]) -> Token:
        return Token((await self.good(self.bank_token(*details)))["access_token"], self.dpop)

    async def pushed(self, client: str = "desk", **more: Any) -> str:
        return str((await self.good(self.par(client, **more), 201))["request_uri"])

    async def decided(self, request_uri: str, client: str = "desk", decision: str = "approve") -> str:
        """Where the browser of the officer, who has logged in, is sent after 同意."""
        shown = await see(self.browser, self.url + self.authorize(request_uri, client).target)
        assert shown.status == 200, (shown.status, shown.location)
        answer = await send(
            self.browser, f"{self.url}/oauth/authorize", hidden(shown.text, "/oauth/authorize") | {"decision": decision}
        )
        assert answer.status == 303, answer.text
        return answer.location

    async def code(self, client: str = "desk", **more: Any) -> str:
        back = urlsplit(await self.decided(await self.pushed(client, **more), client))
        return dict(one.split("=", 1) for one in back.query.split("&"))["code"]

    async def officer(self, client: str = "desk", **more: Any) -> Token:
        said = await self.good(self.redeem(await self.code(client, **more), client))
        return Token(said["access_token"], self.dpop, said["refresh_token"])

    async def invited(self, uses: int = 1, days: float = 1, *, desk: bool = False) -> str:
        """An initial access token for a bank, or for a desk of officers."""
        policy = partner_policy("bank", "BANK", "", frozenset({"LOAN_SERVICE"}))
        if desk:
            grants = frozenset({"authorization_code", "refresh_token"})
            purposes = frozenset({"CC_PLAN"})
            policy = InitialPolicy(
                "CC-JUSTICE", "CORRECTION_AGENCY", "440604", "OFFICER", frozenset({"graphql"}), purposes, grants
            )
        own = self.house.gateway.authorization.register
        return await own.invite(policy, uses=uses, lasts=timedelta(days=days), actor=("OPERATOR", "o"))

    def proposed(self, **changes: Any) -> dict[str, Any]:
        jwk = PrivateKey.generate().public_jwk()
        told = {"client_name": "新来的银行", "jwks": {"keys": [jwk]}} | changes
        return {name: value for name, value in told.items() if value is not None}

    def forget(self) -> None:
        """What processes remember of good requests: a spoiled guard may have let something in there."""
        parts = self.house.gateway.oauth
        parts.server_proofs._headers.clear()
        parts.authenticate._proofs._headers.clear()
        parts.tokens._verified.clear()
        self.house.gateway.authorization.server.kit.assertions._key_sets._sets.clear()
        self.house.gateway.authorization.server.kit.counter._known.clear()  # type: ignore[attr-defined]
        self.house.gateway.snapshots.current.policy.forget()  # type: ignore[attr-defined] # how an asker stands is kept


def question(purpose: str = "CC_RECEPTION", part: str = "identity { state best { name } }", **said: str) -> str:
    told = "".join(f', {name}: "{value}"' for name, value in ({"caseNo": CASE} | said).items() if value)
    return f"""query($idNo: String!, $name: String!) @purpose(code: "{purpose}"{told}) {{
  person(idNo: $idNo, name: $name) {{ {part} }} }}"""


def loan(item: str = "reportedOnTime", purpose: str = "LOAN_SERVICE") -> str:
    return question(purpose, f"conductStatements {{ state records {{ {item} }} }}", caseNo="", reference="loan-1")
