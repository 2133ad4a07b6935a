"""Every place a value can stand in, with every odd value: never a fault of ours, and never anything but JSON or a page.

The tables say what each hostile request must be told; here nobody says anything but that it must not hurt.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest

from gateway.oauth.jose import PrivateKey
from tests.hostile.attacker import REDIRECT, Attacker, Token
from tests.hostile.hostile import QUICK_S
from tests.hostile.odd_jws import claims_of, compact, es256
from tests.hostile.tables.beyond import CASE_1
from tests.hostile.wire import Answer, Request

pytestmark = pytest.mark.anyio
TEXTS = (
    " ", "\0", "\r\nset-cookie: a=b", '"\\', "一" * 50, "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    "%00%ff", "' OR '1'='1", "../../etc/passwd", "{{7*7}}", "<script>alert(1)</script>", "-1", "1e999", "[]", "null",
    "x" * 5_000, "http://[::1", "https://desk.example:99999/callback", "\u202e\u200b",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, -1e308, 2**63, 2**64 - 1, "", "\0", "一", [], [[]], {}, {"a": None}, [None], "x" * 3_000,
)  # fmt: skip


def harmless(where: str, answer: Answer) -> None:
    assert answer.status < 500, (where, answer.body)
    assert answer.seconds < QUICK_S, where
    assert "set-cookie" not in answer.headers, where
    assert b"alert(1)" not in answer.body, where


def each_field(request: Request) -> Iterator[tuple[str, Request]]:
    for name, _ in parse_qsl(request.body.decode()):
        if name != "client_assertion":
            for text in TEXTS:
                yield f"{name}={text[:20]!r}", request.fields(**{name: text})


@pytest.mark.parametrize("what", ["token", "bank", "par", "code", "refresh", "introspect", "revoke"])
async def test_in_any_parameter(attacker: Attacker, what: str) -> None:
    a = attacker
    made: Callable[[], Request] = {
        "token": lambda: a.token(scope="graphql", resource=f"{a.url}/graphql", client_id="system"),
        "bank": lambda: a.bank_token(),
        "par": lambda: a.par(
            client_id="desk", nonce="n", acr_values="2", max_age="60", prompt="login", response_mode="query",
            dpop_jkt="A" * 43, resource=f"{a.url}/graphql", authorization_details=CASE_1,
        ),
        "code": lambda: a.redeem("c" * 43, resource=f"{a.url}/graphql"),
        "refresh": lambda: a.renew("r" * 43, scope="graphql", resource=f"{a.url}/graphql"),
        "introspect": lambda: a.introspect("t", token_type_hint="access_token"),
        "revoke": lambda: a.revoke("t", token_type_hint="refresh_token"),
    }[what]  # fmt: skip
    for where, request in each_field(made()):
        fresh = dict(parse_qsl(made().body.decode()))["client_assertion"]
        shown = a.proof(request.target) if any(name == "dpop" for name, _ in request.headers) else None
        harmless(where, await a.send(request.fields(client_assertion=fresh).header("dpop", shown)))


@pytest.mark.parametrize("what", ["assertion", "proof", "proof at the resource", "access token"])
async def test_in_any_claim_and_any_header_of_a_signed_thing(attacker: Attacker, what: str) -> None:
    """Signed well, so that the signature is no excuse."""
    a = attacker
    token = await a.system()
    key = await a.house.gateway.oauth.signing_keys.current()

    def parts() -> tuple[tuple[dict[str, Any], dict[str, Any]], PrivateKey]:
        proof = {"typ": "dpop+jwt", "alg": "ES256", "jwk": a.public()}
        if what == "assertion":
            client = {"alg": "ES256", "kid": a.keys["system"].kid}
            return (client, a.assertion_claims(nbf=a.now)), a.keys["system"]
        if what == "proof":
            return (proof, a.proof_claims("/oauth/token")), a.dpop
        if what == "access token":
            return ({"typ": "at+jwt", "alg": "ES256", "kid": key.kid}, claims_of(token.access)), key
        return (proof, a.proof_claims("/graphql", token=token.access)), a.dpop

    def request(text: str) -> Request:
        if what == "assertion":
            return a.token(assertion=text)
        if what == "proof":
            return a.token(proof=text)
        if what == "access token":
            return a.ask(Token(text, token.key), "{ __typename }")
        return a.ask(token, "{ __typename }", proof=text)

    places = [(place, name) for place, part in enumerate(parts()[0]) for name in part if name != "alg"]
    for place, name in places:
        for value in VALUES:
            spoiled, signer = parts()
            spoiled[place][name] = value
            answer = await a.send(request(compact(*spoiled, es256(signer))))
            harmless(f"{what}: {name} = {value!r:.30}", answer)


async def test_in_any_member_of_a_registration(attacker: Attacker) -> None:
    members = [
        "client_name", "jwks", "scope", "purposes", "grant_types", "redirect_uris", "response_types", "roles", "kind",
        "token_endpoint_auth_method", "token_endpoint_auth_signing_alg", "refresh_rotation", "tls_client_auth_subject_dn",
        "tls_client_certificate_bound_access_tokens", "client_id", "org_id", "is_resource_server", "jurisdiction",
    ]  # fmt: skip
    initial = await attacker.invited(uses=1_000)
    for member in members:
        for value in VALUES:
            body = json.dumps({**attacker.proposed(), member: value}).encode()
            harmless(f"{member} = {value!r:.30}", await attacker.send(attacker.register(initial, body)))


async def test_in_any_member_of_a_key(attacker: Attacker) -> None:
    initial = await attacker.invited(uses=1_000)
    good = attacker.proposed()["jwks"]["keys"][0]
    for member in (*good, "d", "use", "alg", "key_ops", "x5c", "n", "e"):
        for value in VALUES:
            proposed = attacker.proposed(jwks={"keys": [{**good, member: value}]})
            harmless(f"{member} = {value!r:.30}", await attacker.send(attacker.register(initial, proposed)))


async def test_in_any_member_of_a_detail(attacker: Attacker) -> None:
    for member in ("type", "actions", "locations", "datatypes", "purpose", "subjects", "validity", "access"):
        for value in (
            *VALUES,
            {"code": [], "reference": {}},
            {"until": 5},
            {"mode": [], "max_per_day": "x"},
            {"consent_id": 1},
        ):
            detail = {**attacker.detail(), member: value}
            harmless(f"{member} = {value!r:.30}", await attacker.send(attacker.bank_token(detail)))


async def test_in_the_address_of_the_page_and_of_a_registration(attacker: Attacker) -> None:
    for text in TEXTS:
        for request in (
            attacker.authorize(text, "desk"),
            attacker.authorize("urn:ietf:params:oauth:request_uri:" + text, text),
            Request("GET", f"/oauth/register/{quote(text)}"),
            Request("GET", f"/.well-known/oauth-authorization-server/{quote(text)}"),
        ):
            harmless(request.target[:60], await attacker.send(request))


async def test_any_state_comes_back_as_it_was_sent(attacker: Attacker) -> None:
    for text in TEXTS:
        if len(text) > 4_000:
            continue
        back = await attacker.decided(await attacker.pushed(state=text))
        assert back.startswith(f"{REDIRECT}?code=")
        assert back.isascii()
        assert dict(parse_qsl(back.partition("?")[2]))["state"] == text
