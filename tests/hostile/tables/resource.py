"""/graphql: tokens that are stolen, forged, of another kind or another audience, ended, or asked for more than they say."""

from __future__ import annotations

import json
from typing import Any

from gateway.oauth.jose import PrivateKey, base64url
from gateway.oauth.nonce import PERIOD_S
from tests.hostile.attacker import Attacker, Token, loan, question
from tests.hostile.hostile import Hostile
from tests.hostile.odd_jws import claims_of, compact, es256, header_of, hs256, nothing, respelt
from tests.hostile.wire import Request

TOKEN = (401, "invalid_token")
PROOF = (401, "invalid_dpop_proof")
NONCE = (401, "use_dpop_nonce")
LOGIN = (401, "UNAUTHENTICATED")
SYSTEM = question("CC_TRANSFER")


def asking(change: Any) -> Any:
    """An honest question of the system's, as `change(attacker, token, request)` spoils it."""

    async def build(a: Attacker) -> Request:
        token = await a.system()
        return change(a, token, a.ask(token, SYSTEM))  # type: ignore[no-any-return]

    return build


def proof(key: PrivateKey | None = None, header: Any = None, **claims: Any) -> Any:
    def change(a: Attacker, token: Token, request: Request) -> Request:
        more = {"method": "POST", "token": token.access} | claims
        return request.header("dpop", a.proof("/graphql", key or token.key, header, **more))

    return asking(change)


def forged(change: Any) -> Any:
    """With another text in the token's place; the proof is made for that text."""

    async def build(a: Attacker) -> Request:
        token = await a.system()
        return a.ask(Token(change(a, token.access), token.key), SYSTEM)

    return build


def resigned(a: Attacker, token: str, **claims: Any) -> str:
    """Other claims under the old signature."""
    head, _, signature = token.split(".")
    return f"{head}.{base64url(json.dumps(claims_of(token) | claims).encode())}.{signature}"


def by_ourselves(a: Attacker, token: str) -> str:
    return compact(header_of(token), claims_of(token) | {"org_kind": "PROCURATORATE"}, es256(a.dpop))


def hs(a: Attacker, token: str) -> str:
    jwk = a.house.gateway.oauth.signing_keys._published[header_of(token)["kid"]].key.public_jwk()
    return compact(header_of(token) | {"alg": "HS256"}, claims_of(token), hs256(json.dumps(jwk).encode()))


def unsigned(a: Attacker, token: str) -> str:
    return compact({"alg": "none", "typ": "at+jwt"}, claims_of(token), nothing)


def jwk_within(a: Attacker, token: str) -> str:
    return compact({"alg": "ES256", "typ": "at+jwt", "jwk": a.public()}, claims_of(token), es256(a.dpop))


async def of_our_own_key(a: Attacker, header: dict[str, Any], **claims: Any) -> Token:
    """What our own signing key may well have signed, for something else than this resource."""
    token = await a.system()
    key = await a.house.gateway.oauth.signing_keys.current()
    told = {name: value for name, value in (claims_of(token.access) | claims).items() if value is not None}
    return Token(key.sign({"kid": key.kid, **header}, told), token.key)


def own(header: dict[str, Any], **claims: Any) -> Any:
    async def build(a: Attacker) -> Request:
        return a.ask(await of_our_own_key(a, header, **claims), SYSTEM)

    return build


AT = {"typ": "at+jwt"}


async def stolen(a: Attacker) -> Request:
    """Token and all, by who holds another key."""
    token = await a.system()
    return a.ask(Token(token.access, PrivateKey.generate()), SYSTEM)


async def expired(a: Attacker) -> Request:
    """Of a client of its own: were it let in, that client's budget would be of a time that has not come."""
    token = Token((await a.good(a.token("neighbour")))["access_token"], a.dpop)
    with a.later(601):
        return a.ask(token, SYSTEM)


async def replayed(a: Attacker) -> Request:
    made = a.ask(await a.system(), SYSTEM)
    await a.good(made)
    return made


async def revoked(a: Attacker) -> Request:
    token = await a.system()
    await a.good(a.revoke(token.access, "system"))
    return a.ask(token, SYSTEM)


async def grant_revoked(a: Attacker) -> Request:
    token = await a.officer()
    await a.good(a.revoke(token.refresh))
    return a.ask(token)


async def of_replayed_code(a: Attacker) -> Request:
    code = await a.code()
    said = await a.good(a.redeem(code))
    await a.send(a.redeem(code))
    return a.ask(Token(said["access_token"], a.dpop))


async def of_reused_refresh(a: Attacker) -> Request:
    token = await a.officer("other-desk")
    await a.good(a.renew(token.refresh, "other-desk"))
    await a.send(a.renew(token.refresh, "other-desk"))
    return a.ask(token)


async def of_disabled(a: Attacker) -> Request:
    said = await a.good(a.token("doomed"))
    await a.store.revocations.revoke_client("doomed")
    return a.ask(Token(said["access_token"], a.dpop), SYSTEM)


async def refresh_token(a: Attacker) -> Request:
    token = await a.officer()
    return a.ask(Token(token.refresh, token.key))


async def proof_of_server(a: Attacker) -> Request:
    token = await a.system()
    return a.ask(token, SYSTEM, proof=a.proof("/oauth/token"))


def old_nonce(a: Attacker) -> str:
    with a.later(-2 * PERIOD_S - 1):
        return a.resource_nonce


def old(a: Attacker, token: Token, request: Request) -> Request:
    return request.header("dpop", a.proof("/graphql", token.key, token=token.access, nonce=old_nonce(a)))


def in_url(a: Attacker, token: Token, request: Request) -> Request:
    return request.header("authorization", None).with_(target=f"/graphql?access_token={token.access}")


def in_body(a: Attacker, token: Token, request: Request) -> Request:
    body = json.dumps(json.loads(request.body) | {"access_token": token.access}).encode()
    return request.header("authorization", None).with_(body=body)


def in_form(a: Attacker, token: Token, request: Request) -> Request:
    made = request.header("authorization", None).header("content-type", "application/x-www-form-urlencoded")
    return made.with_(body=f"access_token={token.access}".encode())


def in_cookie(a: Attacker, token: Token, request: Request) -> Request:
    return request.header("authorization", None).header("cookie", f"access_token={token.access}")


def poisoned(**headers: str) -> Any:
    """A proof for the URL the attacker would like us to believe is ours, and headers that say so."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}

    def change(a: Attacker, token: Token, request: Request) -> Request:
        shown = a.proof("/graphql", token.key, token=token.access, htu="https://evil.example/graphql")
        made = request.header("dpop", shown)
        for name, value in told.items():
            made = made.header(name, value)
        return made

    return asking(change)


async def consent_scope(a: Attacker) -> Request:
    said = await a.good(a.token("bank", scope="consent:request"))
    return a.ask(Token(said["access_token"], a.dpop), loan())


REQUESTS = [
    Hostile("resource-nobody", "No token.", asking(lambda a, t, r: r.header("authorization", None).header("dpop", None)), *LOGIN),
    Hostile("resource-proof-alone", "A proof and no token.", asking(lambda a, t, r: r.header("authorization", None)), *LOGIN),
    Hostile("resource-bearer", "A bound token as Bearer.", asking(lambda a, t, r: r.header("authorization", f"Bearer {t.access}").header("dpop", None)), *TOKEN),
    Hostile("resource-bearer-with-proof", "A bound token as Bearer, its proof beside it.",
            asking(lambda a, t, r: r.header("authorization", f"Bearer {t.access}")), *TOKEN),
    Hostile("resource-bearer-certificate", "A bound token as Bearer, and a certificate somebody made up.",
            asking(lambda a, t, r: r.header("authorization", f"Bearer {t.access}").header("client-cert", ":TUlJQg==:")), *TOKEN),
    Hostile("resource-basic", "Basic.", asking(lambda a, t, r: r.header("authorization", "Basic c3lzdGVtOng=")), *TOKEN),
    Hostile("resource-two-tokens", "Two Authorization headers.", asking(lambda a, t, r: r.also("authorization", f"DPoP {t.access}")), *TOKEN),
    Hostile("resource-two-in-one", "Two tokens in one header.",
            asking(lambda a, t, r: r.header("authorization", f"DPoP {t.access}, DPoP {t.access}")), *TOKEN),
    Hostile("resource-stolen", "A stolen token, with a proof of the thief's key.", stolen, *TOKEN),
    Hostile("resource-expired", "A token after its ten minutes.", expired, *TOKEN, ahead=601),
    Hostile("resource-revoked", "A token its client has revoked.", revoked, *TOKEN),
    Hostile("resource-grant-revoked", "A token of a grant that was revoked.", grant_revoked, *TOKEN),
    Hostile("resource-code-replayed", "A token of a code that was shown twice.", of_replayed_code, *TOKEN),
    Hostile("resource-refresh-reused", "A token of a grant whose old refresh token came back.", of_reused_refresh, *TOKEN),
    Hostile("resource-client-ended", "A token of a client that was ended.", of_disabled, *TOKEN),
    Hostile("resource-refresh-token", "A refresh token as an access token.", refresh_token, *TOKEN),
    Hostile("resource-assertion", "A client assertion as an access token.", forged(lambda a, t: a.assertion()), *TOKEN),
    Hostile("resource-proof-as-token", "A proof as an access token.", forged(lambda a, t: a.proof("/graphql")), *TOKEN),
    Hostile("resource-id-token", "What we signed ourselves, of another type.", own({"typ": "JWT"}), *TOKEN),
    Hostile("resource-no-typ", "What we signed ourselves, of no type.", own({}), *TOKEN),
    Hostile("resource-receipt", "A consent receipt, which our keys sign, as an access token.", own({"typ": "consent-receipt+jwt"}), *TOKEN),
    Hostile("resource-audience-other", "Our token for another resource.", own(AT, aud="https://other.example/graphql"), *TOKEN),
    Hostile("resource-audience-issuer", "Our token for the authorization server.", lambda a: own(AT, aud=a.url)(a), *TOKEN),
    Hostile("resource-audience-missing", "A token for no resource.", own(AT, aud=None), *TOKEN),
    Hostile("resource-issuer-other", "A token of another issuer.", own(AT, iss="https://as.example"), *TOKEN),
    Hostile("resource-not-bound", "A token bound to no key.", own(AT, cnf=None), *TOKEN),
    Hostile("resource-bound-oddly", "A token bound to a number.", own(AT, cnf={"jkt": 5}), *TOKEN),
    Hostile("resource-no-end", "A token that never ends.", own(AT, exp=None), *TOKEN),
    Hostile("resource-iat-future", "A token made in an hour.", lambda a: own(AT, iat=a.now + 3600)(a), *TOKEN),
    Hostile("resource-no-organisation", "A token of nobody's organisation.", own(AT, org_id=None), *TOKEN),
    Hostile("resource-kind-unknown", "A token of a kind of caller that does not exist.", own(AT, kind="ROOT"), *TOKEN),
    Hostile("resource-scope-missing", "A token without the scope for /graphql.", own(AT, scope="consent:request"), 403, "insufficient_scope"),
    Hostile("resource-scope-array", "A token whose scope is an array.", own(AT, scope=["graphql"]), *TOKEN),
    Hostile("resource-scope-consent", "A bank's token for asking consents reads data.", consent_scope, 403, "insufficient_scope"),
    Hostile("resource-tampered", "Other claims under the old signature.", forged(lambda a, t: resigned(a, t, org_kind="PROCURATORATE")), *TOKEN),
    Hostile("resource-tampered-scope", "More scope under the old signature.", forged(lambda a, t: resigned(a, t, scope="graphql admin")), *TOKEN),
    Hostile("resource-tampered-cnf", "The thief's key under the old signature.",
            forged(lambda a, t: resigned(a, t, cnf={"jkt": a.dpop.public.thumbprint, "x": 1})), *TOKEN),
    Hostile("resource-self-signed", "Signed by the client's own key, under our kid.", forged(by_ourselves), *TOKEN),
    Hostile("resource-alg-none", "A token that is not signed.", forged(unsigned), *TOKEN),
    Hostile("resource-hs256", "HS256 with our published key as the secret.", forged(hs), *TOKEN),
    Hostile("resource-jwk", "A token that brings its own key along.", forged(jwk_within), *TOKEN),
    Hostile("resource-kid-unknown", "A token of a key we do not publish.", own({"typ": "at+jwt", "kid": "../../etc/passwd"}), *TOKEN),
    Hostile("resource-respelt", "The token spelt otherwise: another text, the same bytes.", forged(lambda a, t: respelt(t)), *TOKEN),
    Hostile("resource-cut", "A token cut short.", forged(lambda a, t: t[:-4]), *TOKEN),
    Hostile("resource-huge", "A token of twenty thousand characters.", forged(lambda a, t: t + "A" * 19_000), *TOKEN),
    Hostile("resource-garbage", "Letters in the place of a token.", forged(lambda a, t: "abc"), *TOKEN),
    Hostile("resource-bytes", "Bytes that are no ASCII in the place of a token.",
            asking(lambda a, t, r: r.header("authorization", b"DPoP \xff\xfe\x80")), *TOKEN),
    # The proof beside the token.
    Hostile("resource-dpop-missing", "A token and no proof.", asking(lambda a, t, r: r.header("dpop", None)), *PROOF),
    Hostile("resource-dpop-replayed", "The whole request once more.", replayed, *PROOF),
    Hostile("resource-dpop-two", "Two DPoP headers at /graphql.", asking(lambda a, t, r: r.also("dpop", a.proof("/graphql", t.key, token=t.access))), *PROOF),
    Hostile("resource-dpop-of-server", "A proof made for the token endpoint, at /graphql.", proof_of_server, *PROOF),
    Hostile("resource-dpop-htm", "A proof of a GET, at /graphql.", proof(htm="GET"), *PROOF),
    Hostile("resource-dpop-htu", "A proof for another server's /graphql.", proof(htu="https://other.example/graphql"), *PROOF),
    Hostile("resource-dpop-ath-missing", "A proof that names no token.", proof(ath=None), *PROOF),
    Hostile("resource-dpop-ath-other", "A proof that names another token.", proof(ath="A" * 43), *PROOF),
    Hostile("resource-dpop-ath-number", "A number as the token's hash.", proof(ath=1), *PROOF),
    Hostile("resource-dpop-iat-future", "A proof of five minutes from now.", lambda a: proof(iat=a.now + 300)(a), *PROOF),
    Hostile("resource-dpop-iat-old", "A proof of five minutes ago.", lambda a: proof(iat=a.now - 300)(a), *PROOF),
    Hostile("resource-dpop-jti-missing", "A proof without a jti, at /graphql.", proof(jti=None), *PROOF),
    Hostile("resource-dpop-nonce-missing", "A proof without a nonce, at /graphql.", proof(nonce=None), *NONCE),
    Hostile("resource-dpop-nonce-forged", "A made-up nonce at /graphql.", proof(nonce="n" * 32), *NONCE),
    Hostile("resource-dpop-nonce-of-server", "The token endpoint's nonce at /graphql.", lambda a: proof(nonce=a.server_nonce)(a), *NONCE),
    Hostile("resource-dpop-nonce-old", "A nonce of ten minutes ago, at /graphql.", asking(old), *NONCE),
    Hostile("resource-dpop-private", "The private half of the key, in a proof at /graphql.",
            lambda a: proof(header={"jwk": {**a.public(), "d": a.dpop.private_jwk()["d"]}})(a), *PROOF),
    Hostile("resource-dpop-typ", "A proof at /graphql that does not say it is one.", proof(header={"typ": "JWT"}), *PROOF),
    # Where a token has no business to be, and who we are.
    Hostile("resource-token-in-url", "The token in the URL.", asking(in_url), *LOGIN),
    Hostile("resource-token-in-body", "The token in the JSON.", asking(in_body), *LOGIN),
    Hostile("resource-token-in-form", "The token in a form.", asking(in_form), *LOGIN),
    Hostile("resource-token-in-cookie", "The token in a cookie.", asking(in_cookie), *LOGIN),
    Hostile("resource-host-poisoned", "Another Host, and a proof for it.", poisoned(host="evil.example"), 421, "HOST_NOT_ALLOWED"),
    Hostile("resource-forwarded-host", "X-Forwarded-Host, and a proof for it.", poisoned(x_forwarded_host="evil.example", x_forwarded_proto="https"), *PROOF),
    Hostile("resource-forwarded", "Forwarded, and a proof for it.", poisoned(forwarded="host=evil.example;proto=https"), *PROOF),
    Hostile("resource-original-url", "X-Original-URL, and a proof for it.", poisoned(x_original_url="https://evil.example/graphql"), *PROOF),
    Hostile("resource-forwarded-prefix", "X-Forwarded-Prefix, and a proof for it.", poisoned(x_forwarded_prefix="/evil", x_real_ip="127.0.0.1"), *PROOF),
]  # fmt: skip
