"""Introspection and revocation by strangers, and registration by who may not, or of what may not be."""

from __future__ import annotations

from typing import Any

from gateway.oauth.jose import PrivateKey
from tests.hostile.attacker import Attacker
from tests.hostile.hostile import Hostile
from tests.hostile.odd_jws import rsa_jwk
from tests.hostile.wire import Request

NOTHING = (200, "inactive")
TOKEN = (401, "invalid_token")
META = (400, "invalid_client_metadata")
URI = (400, "invalid_redirect_uri")
NO = (400, "invalid_request")


def introspecting(client: str, of: str = "access") -> Any:
    async def build(a: Attacker) -> Request:
        token = await a.officer()
        return a.introspect(token.access if of == "access" else token.refresh, client)

    return build


async def introspecting_forged(a: Attacker) -> Request:
    token = await a.system()
    return a.introspect(token.access[:-4] + "AAAA")


async def introspecting_revoked(a: Attacker) -> Request:
    token = await a.system()
    await a.good(a.revoke(token.access, "system"))
    return a.introspect(token.access)


def revoking(client: str, of: str) -> Any:
    """Somebody else's token; `alive` looks afterwards."""

    async def build(a: Attacker) -> Request:
        token = await a.officer()
        shown = token.access if of == "access" else token.refresh
        a.watched = token.access
        return a.revoke(shown, client)

    return build


async def alive(a: Attacker, _: Request) -> bool:
    """The token whose end was asked for is as good as before."""
    said = await a.good(a.introspect(a.watched))
    return said["active"] is True


def registering(*, initial: str = "good", raw: bytes | None = None, **changes: Any) -> Any:
    """`initial`: good, spent, old, none, or a text."""

    async def build(a: Attacker) -> Request:
        proposed: Any = a.proposed(**changes) if raw is None else raw
        if initial == "none":
            return a.register(None, proposed)
        if initial == "good":
            return a.register(await a.invited(), proposed)
        if initial == "spent":
            token = await a.invited()
            await a.good(a.register(token, a.proposed()), 201)
            return a.register(token, proposed)
        if initial == "old":
            with a.later(-90_000):
                return a.register(await a.invited(), proposed)
        return a.register(initial, proposed)

    return build


def keys(*jwks: Any) -> Any:
    return registering(jwks={"keys": list(jwks)})


def jwk(**changes: Any) -> dict[str, Any]:
    return PrivateKey.generate().public_jwk() | changes


def uri(id: str, says: str, value: Any) -> Hostile:
    """Of a desk's registration, for only a desk may have a redirect_uri at all."""

    async def build(a: Attacker) -> Request:
        return a.register(await a.invited(desk=True), a.proposed(redirect_uris=[value]))

    return Hostile(f"register-uri-{id}", says, build, *URI)


async def registered(a: Attacker) -> tuple[str, str]:
    """A registration's path and its token."""
    made = await a.good(a.register(await a.invited(), a.proposed()), 201)
    return f"/oauth/register/{made['client_id']}", made["registration_access_token"]


def managing(method: str, *, token: str | None = "", path: str = "", **changes: Any) -> Any:
    """RFC 7592 on a fresh registration; `token` "" is its own, `path` "" as well."""

    async def build(a: Attacker) -> Request:
        mine, own = await registered(a)
        proposed = b"" if method in ("GET", "DELETE") else a.proposed(client_id=mine.rpartition("/")[2], **changes)
        return a.register(own if token == "" else token, proposed, method, path or mine)

    return build


async def managing_by_initial(a: Attacker) -> Request:
    """The initial token opens the counter once, and no registration."""
    initial = await a.invited(uses=2)
    made = await a.good(a.register(initial, a.proposed()), 201)
    return a.register(initial, b"", "GET", f"/oauth/register/{made['client_id']}")


async def managing_after_end(a: Attacker) -> Request:
    path, own = await registered(a)
    assert (await a.send(a.register(own, b"", "DELETE", path))).status == 204
    return a.register(own, b"", "GET", path)


async def ended_client(a: Attacker) -> Request:
    """A client that gave up its registration, by its own good key."""
    key = PrivateKey.generate("k")
    made = await a.good(a.register(await a.invited(), a.proposed(jwks={"keys": [key.public_jwk()]})), 201)
    path = f"/oauth/register/{made['client_id']}"
    assert (await a.send(a.register(made["registration_access_token"], b"", "DELETE", path))).status == 204
    return a.token("x", assertion=a.assertion(made["client_id"], key))


async def other_registration(a: Attacker) -> Request:
    path, _ = await registered(a)
    _, own = await registered(a)
    return a.register(own, b"", "GET", path)


async def managing_id(a: Attacker) -> Request:
    path, own = await registered(a)
    return a.register(own, a.proposed(client_id="desk"), "PUT", path)


REQUESTS = [
    Hostile("introspect-stranger", "Another client asks about an access token.", introspecting("system"), *NOTHING),
    Hostile("introspect-other-desk", "Another officers' desk asks about an access token.", introspecting("other-desk"), *NOTHING),
    Hostile("introspect-refresh-stranger", "Another client asks about a refresh token.", introspecting("system", "refresh"), *NOTHING),
    Hostile("introspect-refresh-rs", "A resource server asks about a refresh token, which is none of its business.", introspecting("rs", "refresh"), *NOTHING),
    Hostile("introspect-bank", "A bank asks about an officer's token.", introspecting("bank"), *NOTHING),
    Hostile("introspect-forged", "A token with another signature.", introspecting_forged, *NOTHING),
    Hostile("introspect-revoked", "A token that was revoked, asked about.", introspecting_revoked, *NOTHING),
    Hostile("introspect-garbage", "A made-up token.", lambda a: a.introspect("made-up-token-0123"), *NOTHING),
    Hostile("introspect-nul", "A token with a NUL in it.", lambda a: a.introspect("a\0b"), *NOTHING),
    Hostile("introspect-chinese", "A token of Chinese characters.", lambda a: a.introspect("令牌令牌令牌"), *NOTHING),
    Hostile("introspect-large", "A token of fifty thousand characters.", lambda a: a.introspect("t" * 50_000), *NOTHING),
    Hostile("introspect-assertion", "An assertion, asked about.", lambda a: a.introspect(a.assertion()), *NOTHING),
    Hostile("introspect-hint", "A hint that leads to the wrong place.", lambda a: a.introspect("made-up-token-0123", token_type_hint="' OR 1=1 --"), *NOTHING),
    Hostile("introspect-missing", "No token to be asked about.", lambda a: a.introspect("x").fields(token=None), *NO),
    Hostile("introspect-disabled", "A disabled client asks.", lambda a: a.introspect("x", "gone"), 401, "invalid_client"),
    Hostile("introspect-bearer", "Somebody asks about a token by showing a token.",
            lambda a: a.introspect("x").fields(client_assertion=None, client_assertion_type=None).header("authorization", "Bearer x"), *NO),
    Hostile("revoke-access-foreign", "Another client revokes an access token.", revoking("system", "access"), 200, "", alive),
    Hostile("revoke-refresh-foreign", "Another client revokes a refresh token.", revoking("other-desk", "refresh"), 200, "", alive),
    Hostile("revoke-by-rs", "A resource server revokes what it was shown.", revoking("rs", "access"), 200, "", alive),
    Hostile("revoke-missing", "No token to be revoked.", lambda a: a.revoke("x").fields(token=None), *NO),
    Hostile("revoke-disabled", "A disabled client revokes.", lambda a: a.revoke("x", "gone"), 401, "invalid_client"),
    # Registration.
    Hostile("register-nobody", "Without an initial access token.", registering(initial="none"), *TOKEN),
    Hostile("register-forged", "With an initial access token that was made up.", registering(initial="T" * 43), *TOKEN),
    Hostile("register-short", "With three letters for a token.", registering(initial="abc"), *TOKEN),
    Hostile("register-sql", "With a piece of SQL for a token.", registering(initial="' OR '1'='1' -- xxxxxxxxxxxxx"), *TOKEN),
    Hostile("register-spent", "With an initial access token that was used.", registering(initial="spent"), *TOKEN),
    Hostile("register-old", "With an initial access token whose day is over.", registering(initial="old"), *TOKEN),
    Hostile("register-basic", "With a Basic header.",
            lambda a: a.register(None, a.proposed()).header("authorization", "Basic c3lzdGVtOng="), *TOKEN),
    Hostile("register-two-tokens", "With two Authorization headers.",
            lambda a: a.register("T" * 43, a.proposed()).also("authorization", "Bearer " + "U" * 43), *TOKEN),
    Hostile("register-private", "With a private key in its jwks.",
            lambda a: keys(PrivateKey.generate().private_jwk())(a), *META),
    Hostile("register-symmetric", "With a shared secret in its jwks.", keys({"kty": "oct", "k": "c2VjcmV0", "kid": "s"}), *META),
    Hostile("register-kid-twice", "With two keys of one kid.", lambda a: keys(jwk(kid="one"), jwk(kid="one"))(a), *META),
    Hostile("register-kid-missing", "With two keys and no kid.",
            lambda a: keys({k: v for k, v in jwk().items() if k != "kid"}, jwk(kid="two"))(a), *META),
    Hostile("register-rsa-weak", "With an RSA key of a thousand bits.", lambda a: keys(rsa_jwk(1024, kid="r"))(a), *META),
    Hostile("register-rsa-exponent", "With an RSA key of exponent one.", lambda a: keys(rsa_jwk(2048, kid="r", e="AQ"))(a), *META),
    Hostile("register-curve", "With a key on another curve.", lambda a: keys(jwk(crv="P-521"))(a), *META),
    Hostile("register-encryption-key", "With a key for encryption.", lambda a: keys(jwk(use="enc"))(a), *META),
    Hostile("register-alg-array", "With a key whose algorithm is an array.", lambda a: keys(jwk(alg=[]))(a), *META),
    Hostile("register-no-keys", "With no key.", registering(jwks={"keys": []}), *META),
    Hostile("register-many-keys", "With fifty keys.", lambda a: keys(*[jwk(kid=f"k{n}") for n in range(50)])(a), *META),
    Hostile("register-jwks-missing", "Without jwks.", registering(jwks=None), *META),
    Hostile("register-jwks-text", "With a text for jwks.", registering(jwks="keys"), *META),
    Hostile("register-jwks-uri", "With a jwks_uri into our own network.", registering(jwks_uri="http://169.254.169.254/keys"), *META),
    Hostile("register-statement", "With a software statement nobody vouches for.",
            registering(software_statement="ey.ey.ey"), 400, "unapproved_software_statement"),
    uri("javascript", "With a script for a redirect_uri.", "javascript:alert(1)"),
    uri("http", "With a redirect_uri in the clear.", "http://bank.example/callback"),
    uri("fragment", "With a fragment in a redirect_uri.", "https://bank.example/callback#x"),
    uri("userinfo", "With a user in a redirect_uri.", "https://bank.example@evil.example/"),
    uri("data", "With a data URI for a redirect_uri.", "data:text/html,x"),
    uri("scheme", "With a scheme of its own for a redirect_uri.", "myapp://callback"),
    uri("wildcard-port", "With a port that is a star.", "https://bank.example:*/callback"),
    uri("newline", "With a line break in a redirect_uri.", "https://bank.example/\r\nset-cookie: a"),
    uri("number", "With a number for a redirect_uri.", 5),
    uri("localhost-suffix", "With a host that only begins like this machine's.", "http://localhost.evil.example/"),
    Hostile("register-auth-none", "As a public client.", registering(token_endpoint_auth_method="none"), *META),
    Hostile("register-auth-secret", "With a shared secret as its way in.", registering(token_endpoint_auth_method="client_secret_basic"), *META),
    Hostile("register-alg-none", "With `none` for its algorithm.", registering(token_endpoint_auth_signing_alg="none"), *META),
    Hostile("register-alg-hs256", "With HS256 for its algorithm.", registering(token_endpoint_auth_signing_alg="HS256"), *META),
    Hostile("register-response-type", "For the implicit flow.", registering(response_types=["token"]), *META),
    Hostile("register-name-missing", "Without a name.", registering(client_name=None), *META),
    Hostile("register-name-lines", "With a name of two lines.", registering(client_name="银行\n同意"), *META),
    Hostile("register-name-reversed", "With a name that a screen shows the other way round.", registering(client_name="bank\u202egnp.exe"), *META),
    Hostile("register-name-long", "With a name of ten thousand characters.", registering(client_name="n" * 10_000), *META),
    Hostile("register-kind-array", "With an array for the way tokens are bound.",
            registering(tls_client_certificate_bound_access_tokens=["yes"]), *META),
    Hostile("register-rotation-unknown", "With a rotation that does not exist.", registering(refresh_rotation="sometimes"), *META),
    Hostile("register-purposes-none", "With purposes that are all beyond what it may have.", registering(purposes=["CC_RECEPTION"]), *META),
    Hostile("register-grants-none", "With grant types that are all beyond what it may have.", registering(grant_types=["authorization_code"]), *META),
    Hostile("register-array", "With an array.", registering(raw=b"[]"), *META),
    Hostile("register-broken", "With broken JSON.", registering(raw=b'{"client_name": '), *META),
    Hostile("register-doubled", "With a member twice.", registering(raw=b'{"client_name": "a", "client_name": "b"}'), *META),
    Hostile("register-utf8", "With bytes that are no UTF-8.", registering(raw=b'{"client_name": "\xff"}'), *META),
    Hostile("register-deep", "With JSON nested a thousand deep.", registering(raw=b"[" * 1000 + b"]" * 1000), *META),
    Hostile("register-large", "With seventy thousand bytes.", registering(raw=b'{"a": "' + b"x" * 70_000 + b'"}'), 413, "invalid_request"),
    Hostile("register-form", "With a form.",
            lambda a: a.register("T" * 43, b"client_name=a").header("content-type", "application/x-www-form-urlencoded"), 415, "invalid_request"),
    Hostile("manage-nobody", "A registration, read without a token.", managing("GET", token=None), *TOKEN),
    Hostile("manage-other", "A registration, read with another one's token.", other_registration, *TOKEN),
    Hostile("manage-desk", "The desk's registration, read with a bank's token.", managing("GET", path="/oauth/register/desk"), *TOKEN),
    Hostile("manage-delete-other", "The desk's registration, ended with a bank's token.", managing("DELETE", path="/oauth/register/desk"), *TOKEN),
    Hostile("manage-initial", "A registration, read with the initial token.", managing_by_initial, *TOKEN),
    Hostile("manage-after-end", "A registration that was given up.", managing_after_end, *TOKEN),
    Hostile("manage-id-other", "A change that names another client.",
            managing_id, *META),
    Hostile("manage-private", "A change that brings a private key.",
            lambda a: managing("PUT", jwks={"keys": [PrivateKey.generate().private_jwk()]})(a), *META),
    Hostile("manage-traversal", "A path that climbs out of its own registration.", managing("GET", path="/oauth/register/..%2f..%2fdesk"), 404, "NOT_FOUND"),
    Hostile("manage-patch", "A PATCH.", lambda a: Request("PATCH", "/oauth/register/desk"), 405, "invalid_request"),
    Hostile("manage-ended-client", "A token for a client that gave up its registration.", ended_client, 401, "invalid_client"),
]  # fmt: skip
