"""A person's wallet in the code flow: what it may push, who may redeem its code, and that exactly one does."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from jwcrypto.jwk import JWK

from gateway.bootstrap.credential_attesters import _leaf
from gateway.errors import SettingsInvalid
from gateway.oauth.attestation import ATTESTATION_TYPE, POP_TYPE, WalletAttestations, WalletProvider, read_providers
from gateway.oauth.client import ATTESTED, WALLET, Client
from gateway.oauth.client_assertion import ClientAssertions
from gateway.oauth.errors import OAuthError
from gateway.oauth.holder import HolderApproval, HolderToken
from gateway.oauth.incoming import Incoming
from gateway.oauth.jose import PrivateKey, thumbprint
from gateway.oauth.jwks import KeySet, read_jwks
from gateway.oauth.pkce import challenge_of
from gateway.oauth.ports import Grant
from gateway.oauth.registration import read_client
from gateway.oauth.server import Server
from gateway.oauth.terms import REQUEST_URI
from gateway.services.authorize import Authorize
from tests.credentials.certificates import Made, Recipe, authority
from tests.fakes.authorization import BASE, DPOP_KEY, KEYS, REGISTER, VERIFIER, Desk
from tests.gateway.oauth.conftest import HandClock

pytestmark = pytest.mark.anyio
BACK = "com.example.wallet:/cb"
WALLET_KEY, PROVIDER_KEY, INSTANCE_KEY, OTHER_KEY = (PrivateKey.generate() for _ in range(4))
KEYS["wallet"] = WALLET_KEY
KEYS["other-wallet"] = OTHER_KEY


def wallet(client_id: str = "wallet", **changes: Any) -> Client:
    given: dict[str, Any] = {
        "client_id": client_id, "client_name": "某钱包", "kind": WALLET, "org_id": "vendor", "org_kind": "WALLET_PROVIDER",
        "jurisdiction": "", "jwks": {"keys": [KEYS[client_id].public_jwk()]} if client_id in KEYS else {"keys": []},
        "grant_types": frozenset({"authorization_code"}), "redirect_uris": (BACK,),
    }  # fmt: skip
    return Client(**(given | changes))


@dataclass
class Kept:
    """`HolderTokens` by heart."""

    opened: list[tuple[Grant, str | None]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    there: bool = True

    def configurations(self) -> Collection[str]:
        return {"residence", "residence.w3c", "business"}

    async def open(self, grant: Grant, jkt: str | None) -> HolderToken | None:
        if not self.there:
            return None
        self.opened.append((grant, jkt))
        named = {f"id-{one}": one for one in grant.claims["configuration_ids"]} if grant.claims["identified"] else {}
        return HolderToken(f"token-{len(self.opened)}", 900, named)

    async def end(self, grant_id: str) -> None:
        self.ended.append(grant_id)


@dataclass
class House:
    desk: Desk
    kept: Kept
    server: Server
    requests: Authorize

    async def push(self, client_id: str = "wallet", *, without: str = "", **form: Any) -> str:
        whole = {"response_type": "code", "redirect_uri": BACK, "scope": "credential:residence", "state": "st",
                 "code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256"} | form  # fmt: skip
        whole.pop(without, None)
        answer = await self.server.push(self.desk.incoming("/oauth/par", client_id, whole, dpop=None))
        assert (answer.status, answer.body["expires_in"]) == (201, 590)
        return str(answer.body["request_uri"])

    async def code(self, client_id: str = "wallet", **form: Any) -> str:
        pending = await self.requests.load(client_id, await self.push(client_id, **form))
        asked = tuple(pending.pushed.parameters["configuration_ids"])
        acting = {"org_id": "office", "org_kind": "JUSTICE_OFFICE", "jurisdiction": "440604", "case_no": "1"}
        url = await self.requests.approve_holder(pending, HolderApproval("s1", acting, asked, None))
        assert url.startswith(BACK + "?")
        said = parse_qs(urlsplit(url).query)
        assert (said["iss"], said["state"]) == ([BASE], ["st"])
        return said["code"][0]

    async def redeem(
        self, code: str, client_id: str = "wallet", *, key: PrivateKey | None = DPOP_KEY, **form: Any
    ) -> Mapping[str, Any]:
        whole = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": BACK,
            "code_verifier": VERIFIER,
        } | form
        incoming = (
            self.desk.incoming("/oauth/token", client_id, whole, dpop=None)
            if key is None
            else self.desk.incoming("/oauth/token", client_id, whole, key=key)
        )
        return (await self.server.token(incoming)).body


@pytest.fixture
async def house(desk: Desk) -> House:
    kept = Kept()
    server = Server(replace(desk.server.kit, holder=kept))
    await desk.register_all(wallet(), wallet("other-wallet"), wallet("attested", token_endpoint_auth_method=ATTESTED))
    return House(desk, kept, server, Authorize(server))


async def refused(ask: Any) -> str:
    with pytest.raises(OAuthError) as caught:
        await ask
    return caught.value.code


async def test_from_the_pushed_request_to_the_token(house: House) -> None:
    said = await house.redeem(await house.code())
    assert said == {
        "access_token": "token-1", "token_type": "DPoP", "expires_in": 900, "scope": "credential:residence",
    }  # fmt: skip
    grant, jkt = house.kept.opened[0]
    assert (grant.claims["subject_id"], grant.claims["acting"]["org_id"]) == ("s1", "office")
    assert grant.claims["configuration_ids"] == ["residence"]
    assert jkt == thumbprint(DPOP_KEY.public_jwk())
    assert grant.user_id == "person"


async def test_details_are_answered_with_identifiers_and_unknown_scopes_are_ignored(house: House) -> None:
    details = [{"type": "openid_credential", "credential_configuration_id": "business", "locations": [BASE]}]
    code = await house.code(scope="openid credential:passport", authorization_details=details)
    said = await house.redeem(code)
    assert said["authorization_details"] == [
        {
            "type": "openid_credential",
            "credential_configuration_id": "business",
            "credential_identifiers": ["id-business"],
        }
    ]
    assert "scope" not in said


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"scope": "graphql"}, "invalid_scope"),
        ({"scope": "credential:passport"}, "invalid_scope"),
        ({"redirect_uri": "com.example.wallet:/cb2"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"authorization_details": [{"type": "urn:yimen:data-sharing:v1"}]}, "invalid_authorization_details"),
        (
            {"authorization_details": [{"type": "openid_credential", "credential_configuration_id": "passport"}]},
            "invalid_authorization_details",
        ),
        (
            {
                "authorization_details": [
                    {
                        "type": "openid_credential", "credential_configuration_id": "residence",
                        "locations": ["https://other.example"],
                    }
                ]
            },
            "invalid_authorization_details",
        ),
        ({"issuer_state": "x" * 300}, "invalid_request"),
        ({"issuer_state": "x\0"}, "invalid_request"),
        ({"request_uri": "urn:x"}, "invalid_request"),
    ],
)  # fmt: skip
async def test_what_a_wallet_may_not_push(house: House, form: dict[str, Any], error: str) -> None:
    assert await refused(house.push(**form)) == error


async def test_an_officers_client_asks_for_no_credential_and_a_wallet_has_no_other_grant(house: House) -> None:
    await house.desk.register_all()
    assert await refused(house.desk.push(scope="credential:residence")) == "invalid_scope"
    form = {"grant_type": "client_credentials"}
    incoming = house.desk.incoming("/oauth/token", "wallet", form)
    assert await refused(house.server.token(incoming)) == "unauthorized_client"


async def test_an_officer_cannot_answer_for_a_person(house: House) -> None:
    pending = await house.requests.load("wallet", await house.push())
    assert pending.is_holders
    assert await refused(house.requests.approve(pending, house.desk.login())) == "invalid_request"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_id": "wallet", "redirect_uri": "https://else.example"}, "invalid_grant"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"code": "wc.made-up"}, "invalid_grant"),
    ],
)
async def test_the_wrong_hands_get_nothing_and_spend_nothing(house: House, form: dict[str, str], error: str) -> None:
    code = await house.code()
    assert await refused(house.redeem(**({"code": code} | form))) == error
    assert await refused(house.redeem(code, "other-wallet")) == "invalid_grant"
    assert (await house.redeem(code))["access_token"] == "token-1"


async def test_no_proof_no_token(house: House) -> None:
    code = await house.code()
    assert await refused(house.redeem(code, key=None)) == "invalid_dpop_proof"
    assert (await house.redeem(code))["token_type"] == "DPoP"


async def test_a_code_bound_to_a_key_is_redeemed_by_that_key(house: House) -> None:
    code = await house.code(dpop_jkt=thumbprint(DPOP_KEY.public_jwk()))
    assert await refused(house.redeem(code, key=PrivateKey.generate())) == "invalid_grant"
    assert (await house.redeem(code))["access_token"] == "token-1"


async def test_a_code_is_past_after_its_minute(house: House, clock: HandClock) -> None:
    code = await house.code()
    clock.forward(61)
    assert await refused(house.redeem(code)) == "invalid_grant"
    assert house.kept.opened == []


async def test_of_many_at_once_exactly_one_wins_and_stays(house: House, clock: HandClock) -> None:
    code = await house.code()
    found = await asyncio.gather(*(house.redeem(code) for _ in range(8)), return_exceptions=True)
    assert [one["access_token"] for one in found if isinstance(one, Mapping)] == ["token-1"]
    assert house.kept.ended == []
    clock.forward(6)
    assert await refused(house.redeem(code)) == "invalid_grant"
    assert house.kept.ended == [house.kept.opened[0][0].grant_id]


async def test_where_the_ground_is_gone_there_is_no_token(house: House) -> None:
    code = await house.code()
    house.kept.there = False
    assert await refused(house.redeem(code)) == "invalid_grant"


async def test_a_person_says_yes_once(house: House) -> None:
    pending = await house.requests.load("wallet", await house.push())
    approval = HolderApproval("s1", {"org_id": "office"}, ("residence",), None)
    await house.requests.approve_holder(pending, approval)
    assert await refused(house.requests.approve_holder(pending, approval)) == "invalid_request_uri"
    assert await refused(house.requests.load("wallet", pending.request_uri)) == "invalid_request_uri"


async def test_a_no_is_told_and_burns_the_request(house: House) -> None:
    pending = await house.requests.load("wallet", await house.push())
    assert parse_qs(urlsplit(await house.requests.deny(pending)).query)["error"] == ["access_denied"]
    assert await refused(house.requests.load("wallet", pending.request_uri)) == "invalid_request_uri"


# Registration.


def faults_of(**changes: Any) -> list[str]:
    found: list[str] = []
    given = {
        "client_id": "w", "client_name": "某钱包", "kind": "WALLET", "org_id": "vendor", "org_kind": "WALLET_PROVIDER",
        "jwks": {"keys": [WALLET_KEY.public_jwk()]}, "redirect_uris": [BACK], **changes,
    }  # fmt: skip
    client = read_client(given, lambda member, wrong: found.append(member), scopes=("graphql",), register=REGISTER)
    assert (client is None) == bool(found)
    if client is not None:
        assert (client.kind, client.scope, client.purposes) == (WALLET, frozenset(), frozenset())
    return found


@pytest.mark.parametrize(
    "uri", [BACK, "eu.europa.ec.euidi://authorization", "https://wallet.example/cb", "http://127.0.0.1:9/cb"]
)
def test_where_a_wallet_may_be_sent_back_to(uri: str) -> None:
    assert faults_of(redirect_uris=[uri]) == []


@pytest.mark.parametrize(
    "uri", ["wallet:/cb", "javascript:alert(1)", "com.example:/cb#x", "http://w.example/cb", "data:x"]
)
def test_where_it_may_not(uri: str) -> None:
    assert faults_of(redirect_uris=[uri]) == ["redirect_uris"]


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"purposes": ["CC_RECEPTION"]}, "purposes"),
        ({"scope": "graphql"}, "scope"),
        ({"roles": ["CASE_OFFICER"]}, "roles"),
        ({"grant_types": ["client_credentials"]}, "grant_types"),
        ({"is_resource_server": True, "grant_types": ["authorization_code"]}, "kind"),
        ({"token_endpoint_auth_method": "tls_client_auth"}, "token_endpoint_auth_method"),
    ],
)
def test_what_a_wallet_cannot_be(changes: dict[str, Any], at: str) -> None:
    assert at in faults_of(**changes)


def test_one_that_is_attested_needs_no_key_of_its_own() -> None:
    assert faults_of(token_endpoint_auth_method=ATTESTED, jwks=None) == []
    assert faults_of(jwks=None) == ["jwks"]


# Attestation.


@dataclass
class Attested:
    """An instance of the wallet "attested", and what its provider says of it."""

    house: House

    def headers(
        self, *, by: PrivateKey = PROVIDER_KEY, pop_by: PrivateKey = INSTANCE_KEY, typ: str = ATTESTATION_TYPE,
        pop_typ: str = POP_TYPE, pop: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None, **claims: Any,
    ) -> dict[bytes, bytes]:  # fmt: skip
        now = self.house.desk.now()
        public = {name: INSTANCE_KEY.public_jwk()[name] for name in ("kty", "crv", "x", "y")}
        said = {"sub": "attested", "exp": now + 3600, "iat": now, "cnf": {"jwk": public}} | claims
        shown = {"aud": BASE, "iat": now, "jti": secrets.token_hex(8)} | (pop or {})
        return {
            b"oauth-client-attestation": by.sign({"typ": typ, **(header or {})}, said).encode(),
            b"oauth-client-attestation-pop": pop_by.sign({"typ": pop_typ}, shown).encode(),
        }

    async def push(self, headers: Mapping[bytes, bytes], **form: str) -> str:
        whole = {"response_type": "code", "redirect_uri": BACK, "scope": "credential:residence", "client_id": "attested",
                 "code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256"} | form  # fmt: skip
        answer = await self.house.server.push(Incoming("/oauth/par", whole, headers))
        return str(answer.body["request_uri"])


@pytest.fixture
def attested(house: House, clock: HandClock) -> Attested:
    store = house.desk.store
    provider = WalletProvider("某厂商", frozenset({"attested"}), read_jwks({"keys": [PROVIDER_KEY.public_jwk()]}))
    attestations = WalletAttestations([provider], store.counter, BASE, clock)
    assertions = ClientAssertions(store.counter, store.replays, BASE, clock, None, attestations)
    house.server.kit = replace(house.server.kit, assertions=assertions)
    return Attested(house)


async def test_a_provider_vouches_for_its_wallet(attested: Attested) -> None:
    assert (await attested.push(attested.headers())).startswith(REQUEST_URI)


HOSTILE: list[dict[str, Any]] = [
    {"by": OTHER_KEY},
    {"pop_by": OTHER_KEY},
    {"typ": "JWT"},
    {"pop_typ": "JWT"},
    {"exp": 1},
    {"exp": None},
    {"sub": "wallet"},
    {"sub": "nobody"},
    {"cnf": {}},
    {"cnf": {"jwk": INSTANCE_KEY.private_jwk()}},
    {"pop": {"aud": "https://other.example"}},
    {"pop": {"iat": 1}},
    {"pop": {"jti": ""}},
    {"pop": {"iss": "wallet"}},
    {"iat": 99_999_999_999},
]


@pytest.mark.parametrize("spoilt", HOSTILE)
async def test_forged_expired_and_others_attestations_are_one_refusal(
    attested: Attested, spoilt: dict[str, Any]
) -> None:
    assert await refused(attested.push(attested.headers(**spoilt))) == "invalid_client"


async def test_an_attestation_is_no_use_twice_with_one_proof_nor_beside_an_assertion(attested: Attested) -> None:
    headers = attested.headers()
    await attested.push(headers)
    assert await refused(attested.push(headers)) == "invalid_client"
    assert await refused(attested.push(attested.headers(), client_assertion="x")) == "invalid_request"
    assert await refused(attested.push(attested.headers(), client_id="wallet")) == "invalid_client"
    half = {b"oauth-client-attestation": attested.headers()[b"oauth-client-attestation"]}
    assert await refused(attested.push(half)) == "invalid_client"


async def test_a_provider_may_be_known_by_certificates(house: House, attested: Attested, clock: HandClock) -> None:
    life = {"begins": clock.now() - timedelta(days=1), "ends": clock.now() + timedelta(days=100)}
    root, other = authority("provider", **life).under(), authority("other", **life).under()
    leaf, strange = Recipe(**life).under(root), Recipe(**life).under(other)
    store = house.desk.store
    provider = WalletProvider("某厂商", frozenset({"attested"}), KeySet(()), (root.der,))
    attestations = WalletAttestations([provider], store.counter, BASE, clock, _leaf)
    assertions = ClientAssertions(store.counter, store.replays, BASE, clock, None, attestations)
    house.server.kit = replace(house.server.kit, assertions=assertions)

    def headers(by: Made) -> dict[bytes, bytes]:
        key = PrivateKey(JWK.from_pyca(by.key).export(as_dict=True))
        return attested.headers(by=key, header={"x5c": [by.entry]})

    assert (await attested.push(headers(leaf))).startswith(REQUEST_URI)
    assert await refused(attested.push(headers(strange))) == "invalid_client"
    assert await refused(attested.push(attested.headers())) == "invalid_client", "it has no keys beside"
    assert await refused(attested.push(attested.headers(header={"x5c": "no list"}))) == "invalid_client"


def test_the_file_of_providers_says_every_fault(tmp_path: Any) -> None:
    file = tmp_path / "providers.json"
    file.write_text(
        json.dumps(
            {"providers": [{"name": "x", "clients": ["attested"], "jwks": {"keys": [PROVIDER_KEY.public_jwk()]}}]}
        )
    )
    assert [one.clients for one in read_providers(file)] == [frozenset({"attested"})]
    assert read_providers(None) == ()
    file.write_text(json.dumps({"providers": [{"name": "x", "clients": []}, {"clients": ["a"]}, 7]}))
    with pytest.raises(SettingsInvalid) as caught:
        read_providers(file)
    assert len(caught.value.faults) == 3
    file.write_text("[]")
    with pytest.raises(SettingsInvalid):
        read_providers(file)
