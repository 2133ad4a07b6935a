"""Client assertions: replayed, forged, for others, for another time, by another key, oddly written."""

from __future__ import annotations

import json
import secrets
from typing import Any

from gateway.oauth.client_assertion import ASSERTION_TYPE
from gateway.oauth.jose import PrivateKey
from tests.hostile.attacker import Attacker
from tests.hostile.hostile import Hostile
from tests.hostile.odd_jws import compact, der, es256, hs256, nothing, pem, respelt, rs256, rsa_key, zeros
from tests.hostile.wire import Request

STRANGER = PrivateKey.generate("stranger")


async def replayed(a: Attacker) -> Request:
    assertion = a.assertion()
    await a.good(a.token(assertion=assertion))
    return a.token(assertion=assertion)


async def replayed_elsewhere(a: Attacker) -> Request:
    assertion = a.assertion("desk")
    await a.good(a.par(assertion=assertion), 201)
    return a.introspect("x", "desk", assertion=assertion)


async def same_jti(a: Attacker) -> Request:
    jti = secrets.token_hex(8)
    await a.good(a.token(assertion=a.assertion(jti=jti)))
    return a.token(assertion=a.assertion(jti=jti, exp=a.now + 90))


def made(a: Attacker, header: Any = None, payload: Any = None, sign: Any = None) -> Request:
    """Header and claims are honest where they are not given."""
    head = {"alg": "ES256", "kid": a.keys["system"].kid} if header is None else header
    return a.token(assertion=compact(head, payload or a.assertion_claims(), sign or es256(a.keys["system"])))


def kid(a: Attacker, value: Any, key: PrivateKey | None = None) -> Request:
    return a.token(assertion=a.assertion(key=key, header={"kid": value}))


def text(change: Any) -> Any:
    """The assertion's text, changed after it was signed."""
    return lambda a: a.token(assertion=change(a.assertion()))


def confused(a: Attacker, secret: bytes) -> Request:
    """The public key, which everybody has, taken for a shared secret."""
    return made(a, {"alg": "HS256", "kid": a.keys["system"].kid}, sign=hs256(secret))


def tampered(a: Attacker) -> Request:
    head, _, signature = a.assertion().split(".")
    return a.token(assertion=".".join([head, a.assertion().split(".")[1], signature]))


def claim(**claims: Any) -> Any:
    return lambda a: a.token(assertion=a.assertion(**claims))


def late(**seconds: float) -> Any:
    return lambda a: a.token(assertion=a.assertion(**{name: a.now + by for name, by in seconds.items()}))


def raw_claims(a: Attacker, old: str, new: str) -> Request:
    payload = json.dumps(a.assertion_claims()).replace(old, new, 1).encode()
    return made(a, payload=payload)


def as_assertion(a: Attacker, token: str) -> Request:
    return a.token(assertion=token)


async def access_token_as_assertion(a: Attacker) -> Request:
    return as_assertion(a, (await a.system()).access)


NO = (401, "invalid_client")

REQUESTS = [
    Hostile("assertion-replayed", "An assertion that was good is sent once more.", replayed, *NO),
    Hostile("assertion-replayed-elsewhere", "An assertion shown at PAR is shown again at introspection.", replayed_elsewhere, *NO),
    Hostile("assertion-jti-again", "A new assertion carries the jti of an older one.", same_jti, *NO),
    Hostile("assertion-wrong-key", "Signed by a key nobody registered.", lambda a: a.token(assertion=a.assertion(key=STRANGER)), *NO),
    Hostile("assertion-wrong-key-right-kid", "Signed by a stranger under the kid of the real key.",
            lambda a: kid(a, a.keys["system"].kid, STRANGER), *NO),
    Hostile("assertion-neighbour-key", "Signed by another client's registered key, in this client's name.",
            lambda a: a.token(assertion=a.assertion(key=a.keys["neighbour"])), *NO),
    Hostile("assertion-neighbour-kid", "Signed by the real key, naming another client's kid.",
            lambda a: kid(a, a.keys["neighbour"].kid), *NO),
    Hostile("assertion-aud-array", "The audience is an array with the issuer in it.", lambda a: claim(aud=[a.url])(a), *NO),
    Hostile("assertion-aud-array-two", "The audience is an array of two issuers.",
            lambda a: claim(aud=[a.url, "https://as.example"])(a), *NO),
    Hostile("assertion-aud-token-endpoint", "The audience is the token endpoint's URL.",
            lambda a: claim(aud=f"{a.url}/oauth/token")(a), *NO),
    Hostile("assertion-aud-slash", "The audience is the issuer with a slash behind it.", lambda a: claim(aud=f"{a.url}/")(a), *NO),
    Hostile("assertion-aud-case", "The audience is the issuer with HTTP in capitals.",
            lambda a: claim(aud=a.url.replace("http", "HTTP"))(a), *NO),
    Hostile("assertion-aud-other", "The assertion was made for another server.", claim(aud="https://as.example"), *NO),
    Hostile("assertion-aud-missing", "The assertion names no audience.", claim(aud=None), *NO),
    Hostile("assertion-aud-object", "The audience is an object.", lambda a: claim(aud={"url": a.url})(a), *NO),
    Hostile("assertion-exp-far", "The assertion is to be good for an hour.", late(exp=3600), *NO),
    Hostile("assertion-exp-years", "The assertion is to be good for ten years.", late(exp=315_360_000), *NO),
    Hostile("assertion-exp-past", "The assertion ended a minute ago.", late(exp=-60), *NO),
    Hostile("assertion-exp-missing", "The assertion never ends.", claim(exp=None), *NO),
    Hostile("assertion-exp-text", "The end is a text.", lambda a: claim(exp=str(a.now + 60))(a), *NO),
    Hostile("assertion-exp-true", "The end is `true`.", claim(exp=True), *NO),
    Hostile("assertion-exp-absurd", "The end is 1e308.", claim(exp=1e308), *NO),
    Hostile("assertion-exp-huge-integer", "The end is a number of 400 digits.",
            lambda a: raw_claims(a, f'"exp": {a.now + 60}', '"exp": ' + "9" * 400), *NO),
    Hostile("assertion-exp-infinity", "The end is Infinity, which JSON does not know.",
            lambda a: raw_claims(a, f'"exp": {a.now + 60}', '"exp": Infinity'), *NO),
    Hostile("assertion-nbf-future", "The assertion is not to be good before a minute from now.", late(nbf=60), *NO),
    Hostile("assertion-nbf-text", "`nbf` is a text.", claim(nbf="0"), *NO),
    Hostile("assertion-iat-future", "The assertion was made a minute from now.", late(iat=60), *NO),
    Hostile("assertion-iat-true", "`iat` is `true`, which some languages take for one.", claim(iat=True), *NO),
    Hostile("assertion-iat-object", "`iat` is an object.", claim(iat={}), *NO),
    Hostile("assertion-iss-other", "Issuer and subject are two clients.", claim(iss="neighbour"), *NO),
    Hostile("assertion-iss-missing", "There is no issuer.", claim(iss=None), *NO),
    Hostile("assertion-sub-missing", "There is no subject.", claim(sub=None), *NO),
    Hostile("assertion-sub-array", "The subject is an array.", claim(sub=["system"], iss=["system"]), *NO),
    Hostile("assertion-sub-empty", "The subject is empty.", claim(sub="", iss=""), *NO),
    Hostile("assertion-sub-sql", "The subject is a piece of SQL.", claim(sub="system' OR '1'='1", iss="system' OR '1'='1"), *NO),
    Hostile("assertion-sub-nul", "The subject has a NUL behind it.", claim(sub="system\0", iss="system\0"), *NO),
    Hostile("assertion-sub-long", "The subject is a thousand characters long.", claim(sub="s" * 1000, iss="s" * 1000), *NO),
    Hostile("assertion-client-id-other", "The form names another client than the assertion.",
            lambda a: a.token(client_id="neighbour"), *NO),
    Hostile("assertion-unknown-client", "A client nobody registered.",
            lambda a: a.token(assertion=a.assertion("nobody", STRANGER)), *NO),
    Hostile("assertion-disabled-client", "A client that was disabled, by its own good key.", lambda a: a.token("gone"), *NO),
    Hostile("assertion-alg-none", "Not signed at all.", lambda a: made(a, {"alg": "none"}, sign=nothing), *NO),
    Hostile("assertion-alg-none-case", "Not signed at all, and `None` written so that a filter may miss it.",
            lambda a: made(a, {"alg": "NoNe"}, sign=nothing), *NO),
    Hostile("assertion-alg-none-signed", "`none`, with a signature that would be good for ES256.",
            lambda a: made(a, {"alg": "none", "kid": a.keys["system"].kid}), *NO),
    Hostile("assertion-no-signature", "ES256 is said and the signature left empty.", lambda a: made(a, sign=nothing), *NO),
    Hostile("assertion-zero-signature", "The signature is r = s = 0.", lambda a: made(a, sign=zeros), *NO),
    Hostile("assertion-der-signature", "A good signature in X.509's spelling.", lambda a: made(a, sign=der(a.keys["system"])), *NO),
    Hostile("assertion-hs256-pem", "HS256 with the public key's PEM as the secret.",
            lambda a: confused(a, pem(a.keys["system"])), *NO),
    Hostile("assertion-hs256-jwk", "HS256 with the public JWK's text as the secret.",
            lambda a: confused(a, json.dumps(a.keys["system"].public_jwk()).encode()), *NO),
    Hostile("assertion-hs256-empty", "HS256 with an empty secret.", lambda a: confused(a, b""), *NO),
    Hostile("assertion-rs256", "RS256 by a key of its own.", lambda a: made(a, {"alg": "RS256"}, sign=rs256(rsa_key())), *NO),
    Hostile("assertion-alg-not-registered", "EdDSA is said where ES256 is registered.",
            lambda a: made(a, {"alg": "EdDSA", "kid": a.keys["system"].kid}), *NO),
    Hostile("assertion-alg-es384", "An algorithm of the same family that is not ours.",
            lambda a: made(a, {"alg": "ES384", "kid": a.keys["system"].kid}), *NO),
    Hostile("assertion-alg-missing", "No algorithm is said.", lambda a: made(a, {"kid": a.keys["system"].kid}), *NO),
    Hostile("assertion-alg-array", "The algorithm is an array.",
            lambda a: made(a, {"alg": ["ES256"], "kid": a.keys["system"].kid}), *NO),
    Hostile("assertion-crit", "A critical extension we do not know is asked for.",
            lambda a: a.token(assertion=a.assertion(header={"kid": a.keys["system"].kid, "crit": ["exp"]})), *NO),
    Hostile("assertion-b64-false", "The payload is said not to be base64 (RFC 7797).",
            lambda a: a.token(assertion=a.assertion(header={"kid": a.keys["system"].kid, "b64": False})), *NO),
    Hostile("assertion-jku", "The header says where to fetch the attacker's keys.",
            lambda a: a.token(assertion=a.assertion(key=STRANGER, header={"kid": "stranger", "jku": "https://evil.example/jwks"})), *NO),
    Hostile("assertion-jwk", "The header brings the attacker's key along.",
            lambda a: a.token(assertion=a.assertion(key=STRANGER, header={"jwk": STRANGER.public_jwk()})), *NO),
    Hostile("assertion-x5u", "The header says where to fetch the attacker's certificate.",
            lambda a: a.token(assertion=a.assertion(key=STRANGER, header={"x5u": "https://evil.example/c.pem"})), *NO),
    Hostile("assertion-x5c", "The header brings a certificate chain along.",
            lambda a: a.token(assertion=a.assertion(key=STRANGER, header={"x5c": ["MIIB"], "kid": a.keys["system"].kid})), *NO),
    Hostile("assertion-kid-path", "The kid is a path to a file of known content.",
            lambda a: kid(a, "../../../../../../dev/null", STRANGER), *NO),
    Hostile("assertion-kid-sql", "The kid is a piece of SQL.", lambda a: kid(a, "x' UNION SELECT 'key' --", STRANGER), *NO),
    Hostile("assertion-kid-url", "The kid is a URL.", lambda a: kid(a, "https://evil.example/key", STRANGER), *NO),
    Hostile("assertion-kid-number", "The kid is a number, the key the real one.", lambda a: kid(a, 0), *NO),
    Hostile("assertion-kid-object", "The kid is an object.", lambda a: kid(a, {"$ne": None}), *NO),
    Hostile("assertion-kid-long", "The kid is two thousand characters long.", lambda a: kid(a, "k" * 2000), *NO),
    Hostile("assertion-doubled-header", "The header says its algorithm twice.",
            lambda a: made(a, b'{"alg":"ES256","kid":"system-key","alg":"ES256"}'), *NO),
    Hostile("assertion-doubled-claim", "Two subjects: the first one honest, the second one somebody else.",
            lambda a: raw_claims(a, '"sub": "system"', '"sub": "neighbour", "sub": "system"'), *NO),
    Hostile("assertion-respelt", "The same signature with the unused bits of its last character set.", text(respelt), *NO),
    Hostile("assertion-padded", "base64 with padding.", text(lambda one: one + "=="), *NO),
    Hostile("assertion-newline", "A line break within the signature.", text(lambda one: one[:-10] + "\n" + one[-10:]), *NO),
    Hostile("assertion-space", "A blank before it.", text(lambda one: " " + one), *NO),
    Hostile("assertion-cut", "The signature is cut short.", text(lambda one: one[:-8]), *NO),
    Hostile("assertion-tampered", "The payload is another than the one that was signed.",
            tampered, *NO),
    Hostile("assertion-two-parts", "Only two parts.", text(lambda one: one.rpartition(".")[0]), *NO),
    Hostile("assertion-five-parts", "Five parts, as if it were encrypted.", text(lambda one: one + ".AAAA.AAAA"), *NO),
    Hostile("assertion-dots", "Nothing but dots.", text(lambda _: ".."), *NO),
    Hostile("assertion-huge", "Nine thousand characters, signed well.", claim(more="x" * 9_000), *NO),
    Hostile("assertion-very-huge", "Fifty thousand dots.", text(lambda _: "." * 50_000), *NO),
    Hostile("assertion-json-form", "JSON serialisation in the place of the compact one.",
            text(lambda one: json.dumps(dict(zip(("protected", "payload", "signature"), one.split("."), strict=True)))), *NO),
    Hostile("assertion-not-ascii", "Chinese text in the place of an assertion.", text(lambda _: "断言。断言。断言"), *NO),
    Hostile("assertion-payload-array", "The payload is an array.", lambda a: made(a, payload=b'[{"sub":"system"}]'), *NO),
    Hostile("assertion-payload-not-json", "The payload is no JSON.", lambda a: made(a, payload=b"sub=system"), *NO),
    Hostile("assertion-payload-utf16", "The payload is JSON in UTF-16.",
            lambda a: made(a, payload=json.dumps(a.assertion_claims()).encode("utf-16")), *NO),
    Hostile("assertion-payload-deep", "The payload is nested nine hundred deep.",
            lambda a: made(a, payload=b'{"a":' * 900 + b"1" + b"}" * 900), *NO),
    Hostile("assertion-payload-surrogate", "Half a character stands in the payload.",
            lambda a: raw_claims(a, '"sub": "system"', '"sub": "system\\ud800"'), *NO),
    Hostile("assertion-jti-missing", "There is no jti.", claim(jti=None), *NO),
    Hostile("assertion-jti-empty", "The jti is empty.", claim(jti=""), *NO),
    Hostile("assertion-jti-number", "The jti is a number.", claim(jti=7), *NO),
    Hostile("assertion-jti-long", "The jti is a thousand characters long.", claim(jti="j" * 1000), *NO),
    Hostile("assertion-is-access-token", "An access token of ours is shown as an assertion.", access_token_as_assertion, *NO),
    Hostile("assertion-is-proof", "A DPoP proof is shown as an assertion.",
            lambda a: as_assertion(a, a.proof("/oauth/token", a.keys["system"])), *NO),
    Hostile("assertion-missing", "The type of an assertion and no assertion.", lambda a: a.token().fields(client_assertion=None), *NO),
    Hostile("assertion-type-missing", "An assertion and not its type.",
            lambda a: a.token(client_assertion_type=None), 400, "invalid_request"),
    Hostile("assertion-type-saml", "The type of a SAML assertion.",
            lambda a: a.token(client_assertion_type=ASSERTION_TYPE.replace("jwt-bearer", "saml2-bearer")), 400, "invalid_request"),
]  # fmt: skip
