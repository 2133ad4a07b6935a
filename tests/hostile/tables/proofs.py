"""DPoP proofs, at the token endpoint: replayed, for other requests, of another time, by odd keys."""

from __future__ import annotations

import json
import secrets
from typing import Any

from gateway.oauth.jose import PrivateKey
from gateway.oauth.nonce import PERIOD_S
from tests.hostile.attacker import Attacker
from tests.hostile.hostile import Hostile
from tests.hostile.odd_jws import compact, es256, hs256, nothing, pem, ps256, respelt, rs256, rsa_jwk, rsa_key, zeros
from tests.hostile.wire import Request

BAD = (400, "invalid_dpop_proof")
NONCE = (400, "use_dpop_nonce")
OTHER = PrivateKey.generate("other")
TOKEN = "/oauth/token"


def claim(**claims: Any) -> Any:
    return lambda a: a.token(proof=a.proof(TOKEN, **claims))


def iat(by: float) -> Any:
    return lambda a: a.token(proof=a.proof(TOKEN, iat=a.now + by))


def head(**header: Any) -> Any:
    """With the header changed, and signed by the real key."""
    return lambda a: a.token(proof=a.proof(TOKEN, header=header))


def htu(change: Any) -> Any:
    return lambda a: a.token(proof=a.proof(TOKEN, htu=change(a.url)))


def made(a: Attacker, header: Any, sign: Any, payload: Any = None) -> Request:
    return a.token(proof=compact(header, payload or a.proof_claims(TOKEN), sign))


def text(change: Any) -> Any:
    return lambda a: a.token(proof=change(a.proof(TOKEN)))


async def replayed(a: Attacker) -> Request:
    proof = a.proof(TOKEN)
    await a.good(a.token(proof=proof))
    return a.token(proof=proof)


async def jti_again(a: Attacker) -> Request:
    jti = secrets.token_hex(8)
    await a.good(a.token(proof=a.proof(TOKEN, jti=jti)))
    return a.token(proof=a.proof(TOKEN, jti=jti, iat=a.now - 1))


async def replayed_at_another(a: Attacker) -> Request:
    """A proof that PAR has seen, at the token endpoint."""
    proof = a.proof("/oauth/par")
    await a.good(a.par(proof=proof), 201)
    return a.token(proof=proof)


def old_nonce(a: Attacker) -> Request:
    with a.later(-2 * PERIOD_S - 1):
        nonce = a.server_nonce
    return a.token(proof=a.proof(TOKEN, nonce=nonce))


def next_nonce(a: Attacker) -> Request:
    with a.later(2 * PERIOD_S):
        nonce = a.server_nonce
    return a.token(proof=a.proof(TOKEN, nonce=nonce))


REQUESTS = [
    Hostile("dpop-missing", "No proof.", lambda a: a.token(proof=None), *BAD),
    Hostile("dpop-replayed", "A proof that was good is sent once more, with a new assertion.", replayed, *BAD),
    Hostile("dpop-jti-again", "A new proof carries the jti of an older one.", jti_again, *BAD),
    Hostile("dpop-of-par", "A proof made for PAR and shown there.", replayed_at_another, *BAD),
    Hostile("dpop-two-headers", "Two DPoP headers.", lambda a: a.token().also("dpop", a.proof(TOKEN)), *BAD),
    Hostile("dpop-two-in-one", "Two proofs in one header.", lambda a: a.token(proof=f"{a.proof(TOKEN)}, {a.proof(TOKEN)}"), *BAD),
    Hostile("dpop-htm-get", "A proof of a GET.", claim(htm="GET"), *BAD),
    Hostile("dpop-htm-case", "The request's method in small letters.", claim(htm="post"), *BAD),
    Hostile("dpop-htm-missing", "A proof of no method.", claim(htm=None), *BAD),
    Hostile("dpop-htm-array", "The method in an array.", claim(htm=["POST"]), *BAD),
    Hostile("dpop-htu-other-path", "A proof for another endpoint.", htu(lambda url: f"{url}/oauth/par"), *BAD),
    Hostile("dpop-htu-resource", "A proof made for /graphql.", htu(lambda url: f"{url}/graphql"), *BAD),
    Hostile("dpop-htu-other-host", "A proof for another server.", htu(lambda _: "https://as.example/oauth/token"), *BAD),
    Hostile("dpop-htu-other-port", "A proof for another port.", htu(lambda _: "http://127.0.0.1:1/oauth/token"), *BAD),
    Hostile("dpop-htu-https", "A proof for another scheme.", htu(lambda url: url.replace("http", "https") + TOKEN), *BAD),
    Hostile("dpop-htu-userinfo", "A URL with a user in it.", htu(lambda url: url.replace("//", "//a@") + TOKEN), *BAD),
    Hostile("dpop-htu-dots", "A URL with a detour.", htu(lambda url: f"{url}/oauth/par/../token"), *BAD),
    Hostile("dpop-htu-slash", "A URL with a slash behind it.", htu(lambda url: f"{url}/oauth/token/"), *BAD),
    Hostile("dpop-htu-path-case", "A path in capitals.", htu(lambda url: f"{url}/oauth/TOKEN"), *BAD),
    Hostile("dpop-htu-relative", "A path alone.", htu(lambda _: TOKEN), *BAD),
    Hostile("dpop-htu-javascript", "A URL of another kind.", htu(lambda _: "javascript:alert(1)"), *BAD),
    Hostile("dpop-htu-bad-port", "A port that is no number.", htu(lambda _: "http://127.0.0.1:port/oauth/token"), *BAD),
    Hostile("dpop-htu-missing", "A proof for no URL.", claim(htu=None), *BAD),
    Hostile("dpop-htu-number", "A number as the URL.", claim(htu=5), *BAD),
    Hostile("dpop-iat-future", "A proof of two minutes from now.", iat(120), *BAD),
    Hostile("dpop-iat-old", "A proof of two minutes ago.", iat(-120), *BAD),
    Hostile("dpop-iat-missing", "A proof of no time.", claim(iat=None), *BAD),
    Hostile("dpop-iat-text", "A text as the time.", lambda a: a.token(proof=a.proof(TOKEN, iat=str(a.now))), *BAD),
    Hostile("dpop-iat-true", "`true` as the time.", claim(iat=True), *BAD),
    Hostile("dpop-iat-absurd", "1e308 as the time.", claim(iat=1e308), *BAD),
    Hostile("dpop-jti-missing", "A proof without a jti.", claim(jti=None), *BAD),
    Hostile("dpop-jti-empty", "A proof with an empty jti.", claim(jti=""), *BAD),
    Hostile("dpop-jti-number", "A number as the proof's jti.", claim(jti=1), *BAD),
    Hostile("dpop-jti-long", "A proof's jti of a thousand characters.", claim(jti="j" * 1000), *BAD),
    Hostile("dpop-nonce-missing", "No nonce.", claim(nonce=None), *NONCE),
    Hostile("dpop-nonce-forged", "A nonce that was made up.", claim(nonce="n" * 32), *NONCE),
    Hostile("dpop-nonce-number", "A number as the nonce.", claim(nonce=3), *NONCE),
    Hostile("dpop-nonce-chinese", "A nonce of Chinese characters.", claim(nonce="随机数"), *NONCE),
    Hostile("dpop-nonce-old", "A nonce of ten minutes ago.", old_nonce, *NONCE),
    Hostile("dpop-nonce-of-tomorrow", "A nonce whose time has not come.", next_nonce, *NONCE),
    Hostile("dpop-nonce-of-resource", "The nonce /graphql gave.", lambda a: claim(nonce=a.resource_nonce)(a), *NONCE),
    Hostile("dpop-typ-jwt", "A proof that says it is a JWT like any other.", head(typ="JWT"), *BAD),
    Hostile("dpop-typ-missing", "A proof that does not say it is one.", head(typ=None), *BAD),
    Hostile("dpop-typ-case", "The type in capitals.", head(typ="DPOP+JWT"), *BAD),
    Hostile("dpop-jwk-missing", "No key.", head(jwk=None), *BAD),
    Hostile("dpop-jwk-private", "The private half of the key.",
            lambda a: a.token(proof=a.proof(TOKEN, header={"jwk": {**a.public(), "d": a.dpop.private_jwk()["d"]}})), *BAD),
    Hostile("dpop-jwk-symmetric", "A shared secret as the key.",
            lambda a: made(a, {"typ": "dpop+jwt", "alg": "HS256", "jwk": {"kty": "oct", "k": "c2VjcmV0"}}, hs256(b"secret")), *BAD),
    Hostile("dpop-jwk-symmetric-es256", "A shared secret as the key, and ES256 said.",
            lambda a: made(a, {"typ": "dpop+jwt", "alg": "ES256", "jwk": {"kty": "oct", "k": "c2VjcmV0"}}, hs256(b"secret")), *BAD),
    Hostile("dpop-alg-none", "A proof that is not signed.",
            lambda a: made(a, {"typ": "dpop+jwt", "alg": "none", "jwk": a.public()}, nothing), *BAD),
    Hostile("dpop-hs256-public", "HS256 with the public key as the secret, in a proof.",
            lambda a: made(a, {"typ": "dpop+jwt", "alg": "HS256", "jwk": a.public()}, hs256(pem(a.dpop))), *BAD),
    Hostile("dpop-rs256", "RS256 in a proof.", lambda a: made(a, {"typ": "dpop+jwt", "alg": "RS256", "jwk": rsa_jwk()}, rs256(rsa_key())), *BAD),
    Hostile("dpop-rsa-weak", "An RSA key of a thousand bits.",
            lambda a: made(a, {"typ": "dpop+jwt", "alg": "PS256", "jwk": rsa_jwk(1024)}, ps256(rsa_key(1024))), *BAD),
    Hostile("dpop-curve-other", "A key on a curve that is not ours.", lambda a: head(jwk=a.public() | {"crv": "secp256k1"})(a), *BAD),
    Hostile("dpop-point-off-curve", "A point that is not on the curve.", lambda a: head(jwk=a.public() | {"y": a.public()["x"]})(a), *BAD),
    Hostile("dpop-coordinate-padded", "A coordinate with a zero before it: another thumbprint of one key.",
            lambda a: head(jwk=a.public() | {"x": "AA" + a.public()["x"]})(a), *BAD),
    Hostile("dpop-jwk-text", "A text as the key.", head(jwk="https://evil.example/key"), *BAD),
    Hostile("dpop-jwk-alg-array", "A key whose algorithm is an array.", lambda a: head(jwk=a.public() | {"alg": []})(a), *BAD),
    Hostile("dpop-jwk-for-encryption", "A key that is for encryption.", lambda a: head(jwk=a.public() | {"use": "enc"})(a), *BAD),
    Hostile("dpop-embedded-other", "Signed by one key, another one embedded.",
            lambda a: a.token(proof=a.proof(TOKEN, header={"jwk": a.public(OTHER)})), *BAD),
    Hostile("dpop-jku-too", "Signed by another key that jku leads to.",
            lambda a: a.token(proof=a.proof(TOKEN, OTHER, {"jwk": a.public(), "jku": "https://evil.example/"})), *BAD),
    Hostile("dpop-crit", "A critical extension, in a proof.", head(crit=["b64"], b64=True), *BAD),
    Hostile("dpop-zero-signature", "A proof signed with zeros.",
            lambda a: made(a, {"typ": "dpop+jwt", "alg": "ES256", "jwk": a.public()}, zeros), *BAD),
    Hostile("dpop-doubled-claim", "A proof with two times in it.",
            lambda a: made(a, {"typ": "dpop+jwt", "alg": "ES256", "jwk": a.public()}, es256(a.dpop),
                           json.dumps(a.proof_claims(TOKEN)).replace("{", '{"iat": 1, ', 1).encode()), *BAD),
    Hostile("dpop-respelt", "A proof spelt otherwise: another text, the same bytes.", text(respelt), *BAD),
    Hostile("dpop-huge", "A proof of five thousand characters.", claim(more="x" * 5_000), *BAD),
    Hostile("dpop-garbage", "Letters in the place of a proof.", lambda a: a.token(proof="x.y.z"), *BAD),
    Hostile("dpop-bytes", "Bytes that are no ASCII in the place of a proof.", lambda a: a.token().header("dpop", b"\xff\xfe.\x80.\x80"), *BAD),
    Hostile("dpop-is-assertion", "The assertion, once more, as the proof.", lambda a: a.token(proof=a.assertion()), *BAD),
    Hostile("dpop-at-par-htu", "At PAR, a proof made for the token endpoint.", lambda a: a.par(proof=a.proof(TOKEN)), *BAD),
    Hostile("dpop-at-par-broken", "At PAR, where none is needed, a broken proof.", lambda a: a.par(proof="x.y.z"), *BAD),
    Hostile("dpop-at-par-nonce", "At PAR, a proof without a nonce.", lambda a: a.par(proof=a.proof("/oauth/par", nonce=None)), *NONCE),
]  # fmt: skip
