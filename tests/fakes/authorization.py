"""An authorization server on a real store, and a client that speaks to it well or badly on purpose."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from gateway.bootstrap.authorization import Authorization, authorization
from gateway.bootstrap.oauth_parts import oauth_parts
from gateway.caller import CallerKind, SharingDetail
from gateway.clock import Clock
from gateway.oauth.client import Client
from gateway.oauth.client_assertion import ASSERTION_TYPE
from gateway.oauth.errors import OAuthError
from gateway.oauth.incoming import Incoming
from gateway.oauth.jose import PrivateKey
from gateway.oauth.pkce import challenge_of
from gateway.oauth.ports import Login
from gateway.oauth.terms import RAR_TYPE
from gateway.policy.purposes import PurposeRegister, read_register
from gateway.services.authorize import PendingAuthorization
from gateway.settings import Settings
from gateway.store import Store

BASE = "https://gw.example"
REDIRECT = "https://desk.example/cb"
VERIFIER = "v" * 43
REGISTER = read_register()
OFFICER_KEY, BANK_KEY, SYSTEM_KEY, RS_KEY, DPOP_KEY = (PrivateKey.generate() for _ in range(5))

OFFICER = Client(
    "desk", "社矫工作台", CallerKind.OFFICER, "agency-1", "CORRECTION_AGENCY", "440604",
    {"keys": [OFFICER_KEY.public_jwk()]},
    grant_types=frozenset({"authorization_code", "refresh_token"}), redirect_uris=(REDIRECT,),
    scope=frozenset({"graphql"}), purposes=frozenset({"CC_RECEPTION", "CC_TRANSFER", "CC_PLAN"}),
)  # fmt: skip
BANK = Client(
    "bank", "某银行", CallerKind.PARTNER, "bank-1", "BANK", "", {"keys": [BANK_KEY.public_jwk()]},
    grant_types=frozenset({"client_credentials"}), scope=frozenset({"graphql"}), purposes=frozenset({"LOAN_SERVICE"}),
)  # fmt: skip
SYSTEM = Client(
    "shunde", "顺德网关", CallerKind.SYSTEM, "agency-2", "CORRECTION_AGENCY", "440606",
    {"keys": [SYSTEM_KEY.public_jwk()]}, grant_types=frozenset({"client_credentials"}), scope=frozenset({"graphql"}),
    purposes=frozenset({"CC_TRANSFER", "CC_RECEPTION"}), roles=frozenset({"CASE_OFFICER"}),
)  # fmt: skip
RS = Client(
    "rs", "资源服务器", CallerKind.SYSTEM, "agency-1", "CORRECTION_AGENCY", "440604", {"keys": [RS_KEY.public_jwk()]},
    is_resource_server=True,
)  # fmt: skip
KEYS = {"desk": OFFICER_KEY, "bank": BANK_KEY, "shunde": SYSTEM_KEY, "rs": RS_KEY}


@dataclass
class Covered:
    """A `ConsentsAtIssue` by heart: consent id -> (fields, end)."""

    held: dict[str, tuple[frozenset[str], datetime]] = field(default_factory=dict)

    async def cover(self, client: Client, details: Sequence[SharingDetail]) -> Sequence[datetime | None]:
        found = [self.held.get(one.consent_id or "") for one in details]
        return [
            end[1] if end is not None and (one.datatypes or frozenset()) <= end[0] else None
            for one, end in zip(details, found, strict=True)
        ]


class Desk:
    """The server, and what a client sends it."""

    def __init__(self, store: Store, clock: Clock, *, nonces: bool = False, base: str = BASE) -> None:
        self.store, self.clock, self.consents = store, clock, Covered()
        self.register: PurposeRegister = REGISTER
        settings = Settings(public_url=base, dpop_nonces="everywhere" if nonces else "off")
        self.parts = oauth_parts(settings, store, clock)
        self.tokens = self.parts.tokens
        self.built: Authorization = authorization(store, clock, settings, self.parts, lambda: self.register)
        self.server, self.authorize, self.base = self.built.server, self.built.authorize, base
        self.server.kit = replace(self.server.kit, consents=self.consents)

    async def register_all(self, *clients: Client) -> None:
        await self.store.clients.put(clients or (OFFICER, BANK, SYSTEM, RS), actor_org="o", actor_user="u")

    def now(self) -> int:
        return int(self.clock.now().timestamp())

    def assertion(
        self, client_id: str, key: PrivateKey | None = None, header: Mapping[str, Any] | None = None, **claims: Any
    ) -> str:
        told = {"iss": client_id, "sub": client_id, "aud": self.base, "exp": self.now() + 60, "iat": self.now(),
                "jti": secrets.token_hex(8)} | claims  # fmt: skip
        return (key or KEYS[client_id]).sign(header or {}, told)

    def proof(self, path: str, key: PrivateKey = DPOP_KEY, **claims: Any) -> str:
        told = {"htm": "POST", "htu": self.base + path, "iat": self.now(), "jti": secrets.token_hex(8)} | claims
        public = {name: key.public_jwk()[name] for name in ("kty", "crv", "x", "y")}
        return key.sign({"typ": "dpop+jwt", "jwk": public}, told)

    def incoming(
        self, path: str, client_id: str, form: Mapping[str, Any], *, dpop: str | None = "", key: PrivateKey = DPOP_KEY
    ) -> Incoming:
        """`dpop`: "" makes a good proof, None sends none. A value that is no text is sent as JSON."""
        whole = {
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion(client_id),
            **{name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in form.items()},
        }
        shown = self.proof(path, key) if dpop == "" else dpop
        headers = {} if shown is None else {b"dpop": shown.encode()}
        return Incoming(path, {name: value for name, value in whole.items() if value}, headers)

    async def push(self, client_id: str = "desk", *, dpop: str | None = None, **form: Any) -> str:
        """The request_uri of a good request, but for `form`."""
        whole = {"response_type": "code", "redirect_uri": REDIRECT, "scope": "graphql", "state": "st",
                 "code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256"} | form  # fmt: skip
        answer = await self.server.push(self.incoming("/oauth/par", client_id, whole, dpop=dpop))
        assert answer.status == 201
        return str(answer.body["request_uri"])

    async def pending(self, **form: Any) -> PendingAuthorization:
        return await self.authorize.load("desk", await self.push(**form))

    async def code(self, *, login: Login | None = None, **form: Any) -> str:
        """A code, by the service the pages stand on."""
        url = await self.authorize.approve(await self.pending(**form), login or self.login())
        return answer_of(url)["code"]

    async def redeem(self, code: str, client_id: str = "desk", *, key: PrivateKey = DPOP_KEY, **form: Any) -> Any:
        whole = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT,
                 "code_verifier": VERIFIER} | form  # fmt: skip
        return (await self.server.token(self.incoming("/oauth/token", client_id, whole, key=key))).body

    async def tokens_of_officer(self, **form: Any) -> Any:
        return await self.redeem(await self.code(**form))

    async def refresh(self, token: str, client_id: str = "desk", **form: Any) -> Any:
        whole = {"grant_type": "refresh_token", "refresh_token": token} | form
        return (await self.server.token(self.incoming("/oauth/token", client_id, whole))).body

    async def credentials(self, client_id: str, **form: Any) -> Any:
        whole = {"grant_type": "client_credentials"} | form
        return (await self.server.token(self.incoming("/oauth/token", client_id, whole))).body

    async def introspect(self, client_id: str, token: str, **form: Any) -> Any:
        whole = {"token": token} | form
        return (await self.server.introspect(self.incoming("/oauth/introspect", client_id, whole, dpop=None))).body

    async def revoke(self, client_id: str, token: str, **form: Any) -> int:
        whole = {"token": token} | form
        return (await self.server.revoke(self.incoming("/oauth/revoke", client_id, whole, dpop=None))).status

    async def claims(self, token: str) -> Mapping[str, Any]:
        return (await self.tokens.verify(token)).claims

    def login(self, **changes: Any) -> Login:
        given: dict[str, Any] = {
            "user_id": "u-1", "org_id": "agency-1", "org_kind": "CORRECTION_AGENCY", "jurisdiction": "440604",
            "roles": frozenset({"CASE_OFFICER"}), "posts": frozenset({"p-1"}),
            "purposes": frozenset({"CC_RECEPTION", "CC_PLAN"}), "level": 2, "auth_time": self.clock.now(),
            "session_id": "s-1", "amr": ("pwd", "otp"),
        }  # fmt: skip
        return Login(**(given | changes))


def answer_of(url: str) -> dict[str, str]:
    """The authorization response in a URL; a parameter that is there twice fails."""
    found = parse_qs(urlsplit(url).query, strict_parsing=True)
    assert all(len(values) == 1 for values in found.values())
    return {name: values[0] for name, values in found.items()}


def officer_detail(**changes: Any) -> dict[str, Any]:
    given = {"type": RAR_TYPE, "purpose": {"code": "CC_RECEPTION", "reference": "(2026)粤0604刑初123号"}}
    return given | changes


def bank_detail(**changes: Any) -> dict[str, Any]:
    given = {"type": RAR_TYPE, "purpose": {"code": "LOAN_SERVICE", "reference": "loan-1"},
             "datatypes": ["conductStatement.result"], "subjects": {"consent_id": "c-1"}}  # fmt: skip
    return given | changes


async def refused(asked: Any) -> OAuthError:
    """The OAuthError that awaiting `asked` raises."""
    try:
        answer = await asked
    except OAuthError as error:
        return error
    raise AssertionError(f"not refused: {answer}")
