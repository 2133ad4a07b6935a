"""What the credential endpoint refuses, each with the standard's own code (OpenID4VCI 1.0, 8.3.1), and what it costs: nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from credentials.jose import LocalSigner, base64url, dumps, sign
from gateway.oauth.jose import PrivateKey
from tests.fakes.issuing import Heard, IssuerHouse, Wallet, unsigned
from tests.gateway.store.conftest import HandClock

pytestmark = pytest.mark.anyio
KEY = LocalSigner.generate()


async def ready(house: IssuerHouse, *types: str, **given: Any) -> Wallet:
    wallet = house.wallet()
    offer = await wallet.open((await house.offer(*types)).link)
    heard = await wallet.redeem(offer, **given)
    assert heard.status == 200, heard
    return wallet


async def with_proof(wallet: Wallet, make: Callable[[str], str]) -> Heard:
    return await wallet.credential(proofs={"jwt": [make(await wallet.nonce())]})


def hmac_proof(wallet: Wallet, nonce: str) -> str:
    """Signed with the public key as if it were a shared secret."""
    import hmac

    head = base64url(dumps({"typ": "openid4vci-proof+jwt", "alg": "HS256", "jwk": dict(KEY.public.jwk)}))
    body = base64url(dumps({"aud": wallet.url, "iat": int(wallet.clock.now().timestamp()), "nonce": nonce}))
    secret = dumps(dict(KEY.public.jwk))
    return f"{head}.{body}.{base64url(hmac.digest(secret, f'{head}.{body}'.encode(), 'sha256'))}"


def other_signature(wallet: Wallet, nonce: str) -> str:
    """The header names one key, another one signed."""
    return wallet.proof(nonce, LocalSigner.generate(), header={"jwk": dict(KEY.public.jwk)})


def cut(wallet: Wallet, nonce: str) -> str:
    return wallet.proof(nonce, KEY)[:-4]


def other_body(wallet: Wallet, nonce: str) -> str:
    head, _, signature = wallet.proof(nonce, KEY).split(".")
    return f"{head}.{wallet.proof(nonce, KEY, iat=1).split('.')[1]}.{signature}"


def none(wallet: Wallet, nonce: str) -> str:
    now = int(wallet.clock.now().timestamp())
    head = {"typ": "openid4vci-proof+jwt", "alg": "none", "jwk": dict(KEY.public.jwk)}
    return unsigned(head, {"aud": wallet.url, "iat": now, "nonce": nonce})


JWK = dict(KEY.public.jwk)
DID = "did:jwk:" + base64url(dumps(JWK))
PROOFS: dict[str, tuple[Callable[[Wallet, str], str], str]] = {
    "forged": (other_signature, "invalid_proof"),
    "cut": (cut, "invalid_proof"),
    "other body": (other_body, "invalid_proof"),
    "alg none": (none, "invalid_proof"),
    "alg HS256 with the public key": (hmac_proof, "invalid_proof"),
    "no JWT": (lambda w, n: "nonsense", "invalid_proof"),
    "old": (lambda w, n: w.proof(n, KEY, iat=int(w.clock.now().timestamp()) - 301), "invalid_proof"),
    "ahead of time": (lambda w, n: w.proof(n, KEY, iat=int(w.clock.now().timestamp()) + 61), "invalid_proof"),
    "no iat": (lambda w, n: w.proof(n, KEY, iat=None), "invalid_proof"),
    "iat a text": (lambda w, n: w.proof(n, KEY, iat="now"), "invalid_proof"),
    "iat true": (lambda w, n: w.proof(n, KEY, iat=True), "invalid_proof"),
    "past its exp": (lambda w, n: w.proof(n, KEY, exp=1), "invalid_proof"),
    "aud of another": (lambda w, n: w.proof(n, KEY, aud="https://other.example"), "invalid_proof"),
    "aud with a slash": (lambda w, n: w.proof(n, KEY, aud=w.url + "/"), "invalid_proof"),
    "aud a list": (lambda w, n: w.proof(n, KEY, aud=[w.url]), "invalid_proof"),
    "no aud": (lambda w, n: w.proof(n, KEY, aud=None), "invalid_proof"),
    "iss of an anonymous wallet": (lambda w, n: w.proof(n, KEY, iss="wallet"), "invalid_proof"),
    "typ JWT": (lambda w, n: w.proof(n, KEY, header={"typ": "JWT"}), "invalid_proof"),
    "no typ": (lambda w, n: w.proof(n, KEY, header={"typ": None}), "invalid_proof"),
    "crit": (lambda w, n: w.proof(n, KEY, header={"crit": ["exp"]}), "invalid_proof"),
    "no key": (lambda w, n: w.proof(n, KEY, header={"jwk": None}), "invalid_proof"),
    "two keys": (lambda w, n: w.proof(n, KEY, header={"kid": DID + "#0"}), "invalid_proof"),
    "private jwk": (lambda w, n: w.proof(n, KEY, header={"jwk": KEY.private_jwk()}), "invalid_proof"),
    "kid of no DID": (lambda w, n: w.proof(n, KEY, header={"jwk": None, "kid": "key-1"}), "invalid_proof"),
    "kid without a fragment": (lambda w, n: w.proof(n, KEY, header={"jwk": None, "kid": DID}), "invalid_proof"),
    "did of the web": (
        lambda w, n: w.proof(n, KEY, header={"jwk": None, "kid": "did:web:127.0.0.1#0"}), "invalid_proof",
    ),
    "x5c no certificate": (lambda w, n: w.proof(n, KEY, header={"jwk": None, "x5c": ["AAAA"]}), "invalid_proof"),
    "without a nonce": (lambda w, n: w.proof(None, KEY), "invalid_proof"),
    "another's nonce": (lambda w, n: w.proof("A" * 44, KEY), "invalid_nonce"),
    "a nonce cut short": (lambda w, n: w.proof(n[:-4], KEY), "invalid_nonce"),
    "an empty nonce": (lambda w, n: w.proof("", KEY), "invalid_nonce"),
    "a nonce that is no text": (lambda w, n: w.proof(7, KEY), "invalid_nonce"),
    "key attestation no JWT": (lambda w, n: w.proof(n, KEY, header={"key_attestation": "x"}), "invalid_proof"),
}  # fmt: skip


@pytest.mark.parametrize("name", PROOFS)
async def test_a_bad_proof_is_refused_and_nothing_is_asked(house: IssuerHouse, name: str) -> None:
    make, code = PROOFS[name]
    wallet = await ready(house)
    heard = await with_proof(wallet, lambda nonce: make(wallet, nonce))
    assert (heard.status, heard.body["error"]) == (400, code), heard
    assert heard.headers["Cache-Control"] == "no-store"
    described = heard.body["error_description"]
    assert described.isascii()
    assert '"' not in described
    assert "\\" not in described
    assert house.facts.asked == []
    assert not await house.offers.issued.of_person(await house.person())
    assert (await wallet.credential()).status == 200, "the token is good still"


async def test_a_nonce_is_good_for_one_request(house: IssuerHouse) -> None:
    wallet = await ready(house)
    nonce = await wallet.nonce()
    first = await wallet.credential(proofs={"jwt": [wallet.proof(nonce)]})
    assert first.status == 200
    again = await wallet.credential(proofs={"jwt": [wallet.proof(nonce)]})
    assert (again.status, again.body["error"]) == (400, "invalid_nonce")


async def test_the_very_same_proof_again_is_refused(house: IssuerHouse) -> None:
    wallet = await ready(house)
    proofs = await wallet.proofs()
    assert (await wallet.credential(proofs=proofs)).status == 200
    assert (await wallet.credential(proofs=proofs)).body["error"] == "invalid_nonce"


async def test_a_nonce_has_its_time(house: IssuerHouse, clock: HandClock) -> None:
    wallet = await ready(house)
    nonce = await wallet.nonce()
    clock.forward(301)
    heard = await wallet.credential(proofs={"jwt": [wallet.proof(nonce)]})
    assert heard.body["error"] == "invalid_nonce"


async def test_a_bad_proof_among_good_ones_spends_no_nonce(house: IssuerHouse) -> None:
    wallet = await ready(house)
    nonce = await wallet.nonce()
    heard = await wallet.credential(proofs={"jwt": [wallet.proof(nonce), cut(wallet, nonce)]})
    assert heard.body["error"] == "invalid_proof"
    assert (await wallet.credential(proofs={"jwt": [wallet.proof(nonce)]})).status == 200


FORMS: dict[str, tuple[dict[str, Any], str]] = {
    "no proofs": ({"proofs": None, "proof": None}, "invalid_proof"),
    "proofs empty": ({"proofs": {}}, "invalid_proof"),
    "proofs of nothing": ({"proofs": {"jwt": []}}, "invalid_proof"),
    "proofs a list": ({"proofs": []}, "invalid_proof"),
    "two types of proof": ({"proofs": {"jwt": ["a"], "di_vp": ["b"]}}, "invalid_proof"),
    "a type we do not read": ({"proofs": {"di_vp": [{}]}}, "invalid_proof"),
    "a proof that is no text": ({"proofs": {"jwt": [7]}}, "invalid_proof"),
    "attestation by nobody we trust": ({"proofs": {"attestation": ["a.b.c"]}}, "invalid_proof"),
    "proof and proofs": ({"proof": {"proof_type": "jwt", "jwt": "a"}, "proofs": {"jwt": ["a"]}}, "invalid_proof"),
    "a proof of an older draft's other type": ({"proof": {"proof_type": "cwt"}}, "invalid_proof"),
    "neither identifier nor configuration": ({"credential_configuration_id": None}, "invalid_credential_request"),
    "both": ({"credential_identifier": "x"}, "invalid_credential_request"),
    "configuration no text": ({"credential_configuration_id": 7}, "invalid_credential_request"),
    "configuration endless": ({"credential_configuration_id": "x" * 257}, "invalid_credential_request"),
    "configuration unknown": ({"credential_configuration_id": "passport"}, "unknown_credential_configuration"),
    "identifier unknown": (
        {"credential_configuration_id": None, "credential_identifier": "x"}, "unknown_credential_identifier",
    ),
    "encryption in an open request": (
        {"credential_response_encryption": {"jwk": JWK | {"alg": "ECDH-ES"}, "enc": "A256GCM"}},
        "invalid_encryption_parameters",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
async def test_a_request_of_another_form_is_refused(house: IssuerHouse, name: str) -> None:
    members, code = FORMS[name]
    wallet = await ready(house)
    heard = await wallet.credential(**members)
    assert (heard.status, heard.body["error"]) == (400, code), heard
    assert house.facts.asked == []


async def test_members_nobody_knows_are_ignored(house: IssuerHouse) -> None:
    wallet = await ready(house)
    assert (await wallet.credential(format="dc+sd-jwt", hello={"there": [1]})).status == 200


async def test_a_batch_has_its_size_and_every_key_is_another(house: IssuerHouse) -> None:
    wallet = await ready(house)
    heard = await wallet.credential(number=11)
    assert (heard.status, heard.body["error"]) == (400, "invalid_credential_request")
    nonce = await wallet.nonce()
    heard = await wallet.credential(proofs={"jwt": [wallet.proof(nonce, KEY), wallet.proof(nonce, KEY)]})
    assert (heard.status, heard.body["error"]) == (400, "invalid_proof")


async def test_a_token_opens_what_it_is_for(house: IssuerHouse) -> None:
    wallet = await ready(house, "residence")
    heard = await wallet.credential("stable-income")
    assert (heard.status, heard.body["error"]) == (403, "insufficient_scope")
    assert 'error="insufficient_scope"' in heard.headers["WWW-Authenticate"]


@pytest.mark.parametrize("authorization", ["", "Bearer nonsense", "Basic eDp5", "Bearer", "Bearer a b"])
async def test_nobody_comes_in_without_a_token(house: IssuerHouse, authorization: str) -> None:
    wallet = await ready(house)
    for path in ("credential", "deferred", "notification"):
        heard = await wallet.post(f"/openid4vci/{path}", {}, headers={"Authorization": authorization})
        assert (heard.status, heard.body["error"]) == (401, "invalid_token")
        challenge = heard.headers["WWW-Authenticate"]
        assert "DPoP realm" in challenge
        assert "Bearer realm" in challenge
        assert ('error="invalid_token"' in challenge) is bool(authorization)


async def test_a_token_has_its_time_and_ends_with_its_grant(house: IssuerHouse, clock: HandClock) -> None:
    wallet, other = await ready(house), await ready(house)
    grant = await house.room.grants.find(other.token)
    assert grant is not None
    await house.room.grants.revoke(grant.grant_id)
    assert (await other.credential()).status == 401
    clock.forward(899)
    assert (await wallet.credential()).status == 200
    clock.forward(2)
    assert (await wallet.credential()).status == 401


async def test_a_bound_token_is_good_with_its_key_alone(house: IssuerHouse) -> None:
    wallet = house.wallet(dpop=PrivateKey.generate())
    heard = await wallet.redeem(await wallet.open((await house.offer()).link))
    assert heard.body["token_type"] == "DPoP"
    thief = house.wallet(dpop=PrivateKey.generate(), token=wallet.token, token_type="DPoP")
    assert (await thief.credential()).status == 401
    bearer = house.wallet(token=wallet.token)
    assert (await bearer.credential()).status == 401
    proof = wallet.proof_of_key("POST", "/openid4vci/credential")
    heard = await wallet.post("/openid4vci/credential", {}, headers={"DPoP": proof})
    assert (heard.status, heard.body["error"]) == (401, "invalid_dpop_proof"), "the proof names no token"
    assert (await wallet.credential()).status == 200


async def test_a_bound_tokens_proof_is_good_once(house: IssuerHouse) -> None:
    from gateway.oauth.jose import access_token_hash

    wallet = house.wallet(dpop=PrivateKey.generate())
    await wallet.redeem(await wallet.open((await house.offer()).link))
    proof = wallet.proof_of_key("POST", "/openid4vci/notification", ath=access_token_hash(wallet.token))
    told = {"notification_id": "x", "event": "credential_accepted"}
    first = await wallet.post("/openid4vci/notification", told, headers={"DPoP": proof})
    assert first.body["error"] == "invalid_notification_id"
    again = await wallet.post("/openid4vci/notification", told, headers={"DPoP": proof})
    assert (again.status, again.body["error"]) == (401, "invalid_dpop_proof")


async def test_a_mere_bearers_token_is_no_dpop_token(house: IssuerHouse) -> None:
    wallet = await ready(house)
    wallet.dpop, wallet.token_type = PrivateKey.generate(), "DPoP"
    assert (await wallet.credential()).status == 401


BODIES: dict[str, tuple[bytes, str, int]] = {
    "no JSON": (b"{", "application/json", 400),
    "a list": (b"[]", "application/json", 400),
    "a text": (b'"x"', "application/json", 400),
    "a member twice": (
        b'{"credential_configuration_id":"a","credential_configuration_id":"b"}',
        "application/json",
        400,
    ),
    "no UTF-8": (b'{"a":"\xff"}', "application/json", 400),
    "too deep": (b'{"a":' * 40 + b"1" + b"}" * 40, "application/json", 400),
    "NaN": (b'{"a":NaN}', "application/json", 400),
    "huge": (b'{"a":"' + b"x" * 70_000 + b'"}', "application/json", 413),
    "a form": (b"a=b", "application/x-www-form-urlencoded", 415),
    "nothing": (b"", "application/json", 400),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_is_one_JSON_object_of_bounded_size(house: IssuerHouse, name: str) -> None:
    body, kind, status = BODIES[name]
    wallet = await ready(house)
    for path, code in (
        ("credential", "invalid_credential_request"),
        ("deferred", "invalid_transaction_id"),
        ("notification", "invalid_notification_request"),
    ):
        heard = await wallet.post(f"/openid4vci/{path}", data=body, headers={"Content-Type": kind})
        assert (heard.status, heard.body["error"]) == (status, code), (path, heard)


async def test_a_jwe_that_does_not_open_is_refused(house: IssuerHouse) -> None:
    wallet = await ready(house)
    for body in (b"a.b.c.d.e", b"nonsense", b"x" * 60_000, sign(KEY, {"typ": "JWT"}, b"{}").encode()):
        heard = await wallet.post("/openid4vci/credential", data=body, headers={"Content-Type": "application/jwt"})
        assert (heard.status, heard.body["error"]) == (400, "invalid_encryption_parameters")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_other_methods_are_told_so(house: IssuerHouse, method: str) -> None:
    for path in ("nonce", "credential", "deferred", "notification"):
        async with house.session.request(method, f"{house.url}/openid4vci/{path}") as response:
            assert response.status == 405
            assert "POST" in response.headers["Allow"]
