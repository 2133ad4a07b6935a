"""A credential issuer on a real port whose facts, seals and clock a test holds in its hands; and a wallet that speaks to it.

The store, the keys, the status lists, the token endpoint and the endpoints of OpenID4VCI are the real ones; only what the
departments say is made up. `tests/flows` has the same with real departments.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from credentials.credential_type import SD_JWT, W3C, configuration_of
from credentials.jose import LocalSigner, base64url, decrypt, dumps, encrypt, generate_private_jwk, sign
from credentials.type_files import load_types
from gateway.bootstrap.authorization import authorization
from gateway.bootstrap.credential_attesters import key_attesters
from gateway.bootstrap.credential_issuance import IssuingRoom, issuing_room
from gateway.bootstrap.credential_offers import OfferRoom, offer_room
from gateway.bootstrap.credential_status import key_room
from gateway.bootstrap.oauth_parts import oauth_parts
from gateway.caller import Seals
from gateway.clock import Clock
from gateway.oauth.jose import PrivateKey, access_token_hash
from gateway.policy.purposes import read_register
from gateway.services.credentials.offer_credential import Offered
from gateway.services.credentials.ports import Acting, FactSource, FactsState, Fetched, OfferOrigin
from gateway.services.ledger.seals import Unsealed
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.store.credentials.holders import StoredHolders
from gateway.web.app import build_app
from gateway.web.serve import bind, server_for
from gateway.web.settings import WebSettings

PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
ACTING = Acting("agency-1", "CORRECTION_AGENCY", "440604", "(2026)粤0604刑初123号")
READY = Fetched(
    FactsState.READY,
    {"resident": True, "district": "440604", "since_year": 2021},
    (FactSource("residence", "mps", None),),
    receipt_id="0193c0de-0000-7000-8000-000000000001",
)


@dataclass
class HandFacts:
    """A `FetchFacts` by hand: what it says next, and what it was asked."""

    says: Fetched = READY
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    async def __call__(self, subject_id: str, type_id: str, acting: Acting, *, purpose: str, reference: str) -> Fetched:
        self.asked.append((subject_id, type_id, purpose))
        return self.says


@dataclass
class IssuerHouse:
    url: str
    store: Store
    offers: OfferRoom
    room: IssuingRoom
    facts: HandFacts
    clock: Clock
    session: aiohttp.ClientSession = field(repr=False)
    id_no: str = "440606199003070017"

    async def person(self) -> str:
        (subject_id,) = await self.store.subjects.intern([self.id_no])
        return subject_id

    async def offer(self, *types: str, subject_id: str | None = None, tx_code: bool = False, **given: Any) -> Offered:
        return await self.offers.offer(
            acting=ACTING,
            actor_user="u-1",
            origin=OfferOrigin.OFFICER,
            subject_id=subject_id or await self.person(),
            configuration_ids=types or ("residence",),
            tx_code=tx_code,
            **given,
        )

    def wallet(self, **given: Any) -> Wallet:
        return Wallet(self.url, self.session, self.clock, **given)


@asynccontextmanager
async def issuer_house(
    settings: Settings, clock: Clock, *, facts: HandFacts | None = None, seals: Seals | None = None, **given: Any
) -> AsyncIterator[IssuerHouse]:
    """`settings` name a database; `given` are further ones for `replace`."""
    from dataclasses import replace

    listener = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = replace(settings, public_url=url, **given)
    facts, seals = facts or HandFacts(), seals or Unsealed()
    with closing(listener):
        store = await open_store(settings, clock)
        try:
            async with key_room(settings, store, clock) as keys:
                types = load_types()
                known = [configuration_of(one, form) for one in types for form in (SD_JWT, W3C)]
                offers = offer_room(settings, store, store.inbox, seals, clock, lambda: known)
                room = issuing_room(
                    settings, store, clock, ring=keys.rings.issuer, types=types, status=keys.lists, offers=offers,
                    facts=facts, seals=seals, messages=store.inbox, attesters=key_attesters(settings, clock),
                    persons=StoredHolders(store.database, store.subjects, clock),
                )  # fmt: skip
                parts = oauth_parts(settings, store, clock)
                server = authorization(store, clock, settings, parts, read_register, room.codes)
                pages = [*server.routes, *room.routes, *keys.routes]
                app = build_app(
                    execute=_Nobody(), authenticate=parts.authenticate, settings=WebSettings(base_url=url), pages=pages
                )
                serving = asyncio.create_task((web := server_for(app)).serve(sockets=[listener]))
                try:
                    async with asyncio.timeout(20):
                        while not web.started:
                            await asyncio.sleep(0.01)
                    async with aiohttp.ClientSession(trust_env=False) as session:
                        yield IssuerHouse(url, store, offers, room, facts, clock, session)
                finally:
                    web.should_exit = True
                    await serving
        finally:
            await store.close()


class _Nobody:
    """An `Execute` that nobody asks here."""

    async def __call__(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("nobody asks the graph here")

    def subscribe(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("nobody asks the graph here")


@dataclass(frozen=True)
class Heard:
    """An answer: `body` is its JSON where it is any."""

    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass
class Wallet:
    """An anonymous wallet. `dpop`: it binds its token to a key."""

    url: str
    session: aiohttp.ClientSession = field(repr=False)
    clock: Clock
    dpop: PrivateKey | None = None
    token: str = ""
    token_type: str = "Bearer"
    keys: list[LocalSigner] = field(default_factory=list)

    async def open(self, link: str) -> dict[str, Any]:
        """The offer behind a link."""
        uri = parse_qs(urlsplit(link).query)["credential_offer_uri"][0]
        async with self.session.get(uri) as response:
            assert response.status == 200, await response.text()
            return dict(await response.json())

    async def redeem(self, offer: Mapping[str, Any], **form: Any) -> Heard:
        code = offer["grants"][PRE_AUTHORIZED]["pre-authorized_code"]
        return await self.ask_token(code, **form)

    async def ask_token(self, code: str, **form: Any) -> Heard:
        told = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": code, **form}
        headers = {} if self.dpop is None else {"DPoP": self.proof_of_key("POST", "/oauth/token")}
        async with self.session.post(f"{self.url}/oauth/token", data=told, headers=headers) as response:
            heard = await _heard(response)
        if heard.status == 200:
            self.token, self.token_type = heard.body["access_token"], heard.body["token_type"]
        return heard

    async def nonce(self) -> str:
        async with self.session.post(f"{self.url}/openid4vci/nonce") as response:
            assert response.status == 200
            return str((await response.json())["c_nonce"])

    def proof(
        self,
        nonce: Any,
        key: LocalSigner | None = None,
        *,
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A key proof that holds, but for what is said otherwise; a claim None is left out."""
        if key is None:
            key = LocalSigner.generate()
            self.keys.append(key)
        now = int(self.clock.now().timestamp())
        told = {"aud": self.url, "iat": now, "nonce": nonce, **claims}
        head = {"typ": "openid4vci-proof+jwt", "jwk": dict(key.public.jwk), **(header or {})}
        return sign(
            key,
            {name: value for name, value in head.items() if value is not None},
            dumps({name: value for name, value in told.items() if value is not None}),
        )

    async def proofs(self, number: int = 1) -> dict[str, list[str]]:
        nonce = await self.nonce()
        return {"jwt": [self.proof(nonce) for _ in range(number)]}

    async def credential(self, configuration_id: str = "residence", number: int = 1, **members: Any) -> Heard:
        """A good request, but for `members`; a member None is left out."""
        told: dict[str, Any] = {"credential_configuration_id": configuration_id, **members}
        if "proofs" not in told and "proof" not in told:
            told["proofs"] = await self.proofs(number)
        return await self.post("/openid4vci/credential", {k: v for k, v in told.items() if v is not None})

    async def deferred(self, transaction_id: str, **members: Any) -> Heard:
        return await self.post("/openid4vci/deferred", {"transaction_id": transaction_id, **members})

    async def notify(self, notification_id: str, event: str = "credential_accepted") -> Heard:
        return await self.post("/openid4vci/notification", {"notification_id": notification_id, "event": event})

    async def post(
        self, path: str, told: Any = None, *, data: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Heard:
        given = {"Authorization": f"{self.token_type} {self.token}", "Content-Type": "application/json"}
        if self.dpop is not None:
            given["DPoP"] = self.proof_of_key("POST", path, ath=access_token_hash(self.token))
        given |= headers or {}
        given = {name: value for name, value in given.items() if value}
        body = dumps(told) if data is None else data
        async with self.session.post(self.url + path, data=body, headers=given) as response:
            return await _heard(response)

    def proof_of_key(self, method: str, path: str, **claims: Any) -> str:
        assert self.dpop is not None
        told = {"htm": method, "htu": self.url + path, "iat": int(self.clock.now().timestamp()),
                "jti": secrets.token_hex(8)} | claims  # fmt: skip
        public = {name: self.dpop.public_jwk()[name] for name in ("kty", "crv", "x", "y")}
        return self.dpop.sign({"typ": "dpop+jwt", "jwk": public}, told)

    async def encrypted(self, path: str, told: Mapping[str, Any], *, enc: str = "A256GCM") -> tuple[Heard, Any]:
        """The request encrypted, the answer asked for encrypted; and what the answer's JWE holds, if it is one."""
        async with self.session.get(f"{self.url}/.well-known/openid-credential-issuer") as response:
            (key,) = (await response.json())["credential_request_encryption"]["jwks"]["keys"]
        mine = generate_private_jwk()
        public = {name: mine[name] for name in ("kty", "crv", "x", "y")} | {"alg": "ECDH-ES", "kid": "w-1"}
        body = {**told, "credential_response_encryption": {"jwk": public, "enc": enc}}
        jwe = encrypt(dumps(body), key, enc="A128GCM")
        heard = await self.post(path, data=jwe.encode(), headers={"Content-Type": "application/jwt"})
        if not heard.headers["Content-Type"].startswith("application/jwt"):
            return heard, None
        header, plain = decrypt(str(heard.body), mine)
        return heard, (header, plain)


def seconds(clock: Any, number: float) -> datetime:
    at: datetime = clock.now() + timedelta(seconds=number)
    return at


def credentials_in(heard: Heard) -> Sequence[str]:
    return [one["credential"] for one in heard.body["credentials"]]


def unsigned(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """A JWT with `alg` none."""
    return ".".join((base64url(dumps(dict(header))), base64url(dumps(dict(claims))), ""))


async def _heard(response: aiohttp.ClientResponse) -> Heard:
    text = await response.text()
    is_json = response.content_type == "application/json" and text
    return Heard(response.status, await response.json() if is_json else text, response.headers)
