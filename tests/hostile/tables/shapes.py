"""Requests of a shape no endpoint takes: doubled, oversized, of another type, in another place, by another method."""

from __future__ import annotations

import gzip
import json
from typing import Any

from gateway.oauth.terms import RAR_TYPE
from tests.hostile.attacker import Attacker
from tests.hostile.hostile import Hostile
from tests.hostile.wire import Request

NO = (400, "invalid_request")
TYPE = (415, "invalid_request")
SIZE = (413, "invalid_request")
METHOD = (405, "invalid_request")
RAR = (400, "invalid_authorization_details")


def rar(**changes: Any) -> Any:
    """The bank's token request with one member of its detail changed; None takes a member away."""
    return lambda a: a.bank_token(a.detail(**changes))


def rar_text(change: Any) -> Any:
    """With the JSON's text as `change` makes it of the honest one."""
    return lambda a: a.token("bank", authorization_details=change(json.dumps([a.detail()])))


def body(raw: bytes | Any) -> Any:
    return lambda a: a.token().with_(body=raw(a.token().body) if callable(raw) else raw)


def typed(kind: str | None) -> Any:
    return lambda a: a.token().header("content-type", kind)


def as_json(a: Attacker) -> Request:
    said = {"grant_type": "client_credentials", "client_assertion": a.assertion()}
    return a.token().with_(body=json.dumps(said).encode())


def multipart(a: Attacker) -> Request:
    part = b'--b\r\ncontent-disposition: form-data; name="grant_type"\r\n\r\nclient_credentials\r\n--b--\r\n'
    return a.token().header("content-type", "multipart/form-data; boundary=b").with_(body=part)


def in_url(a: Attacker) -> Request:
    """Everything that is secret in the place that is logged."""
    made = a.token()
    return made.with_(target=f"/oauth/token?{made.body.decode()}", body=b"")


def chunked(a: Attacker) -> Request:
    piece = b"1000\r\n" + b"a" * 4096 + b"\r\n"
    return a.token().header("transfer-encoding", "chunked").with_(body=piece * 20 + b"0\r\n\r\n")


def granting(said: str) -> Any:
    return lambda a: a.token(grant_type=said)


def spoiled(make: Any, change: Any) -> Any:
    return lambda a: change(a, make(a))


def method(name: str, path: str) -> Hostile:
    return Hostile(f"shape-{name.lower()}{path.replace('/', '-')}", f"{name} at {path}.",
                   lambda a: Request(name, path), 405, "" if name == "HEAD" else "invalid_request")  # fmt: skip


def everywhere(id: str, says: str, change: Any, status: int, error: str) -> list[Hostile]:
    """The same at each of the four endpoints that take a form."""
    honest: dict[str, Any] = {
        "token": lambda a: a.token(), "par": lambda a: a.par(), "introspect": lambda a: a.introspect("t"),
        "revoke": lambda a: a.revoke("t"),
    }  # fmt: skip
    return [
        Hostile(f"shape-{id}-{name}", f"{says[:-1]}, at {name}.", spoiled(make, change), status, error)
        for name, make in honest.items()
    ]


REQUESTS = [
    Hostile("shape-grant-type-twice", "grant_type stands there twice, both times the same.",
            lambda a: a.token().plus("grant_type=client_credentials"), *NO),
    Hostile("shape-grant-type-twice-differs", "grant_type stands there twice, and differs.",
            lambda a: a.token().plus("grant_type=authorization_code"), *NO),
    Hostile("shape-twice-by-escape", "A parameter twice, the second time with its name escaped.",
            lambda a: a.token().plus("grant%5Ftype=refresh_token"), *NO),
    Hostile("shape-assertion-twice", "Two assertions, of two clients.",
            lambda a: a.token().plus(f"client_assertion={a.assertion('neighbour')}"), *NO),
    Hostile("shape-unknown-twice", "A parameter nobody knows, twice.", lambda a: a.token().plus("zzz=1&zzz=2"), *NO),
    Hostile("shape-twice-empty", "A parameter twice, once empty.", lambda a: a.token().plus("scope=&scope=graphql"), *NO),
    *everywhere("doubled", "One parameter of the form is there twice.", lambda a, r: r.plus("client_id=system&client_id=system"), *NO),
    *everywhere("two-ways", "A Basic header beside the assertion.", lambda a, r: r.header("authorization", "Basic c3lzdGVtOng="), *NO),
    *everywhere("secret-too", "A client_secret beside the assertion.", lambda a, r: r.plus("client_secret=hunter2-hunter2"), *NO),
    *everywhere("nobody", "No way of saying who one is.",
                lambda a, r: r.fields(client_assertion=None, client_assertion_type=None), 401, "invalid_client"),
    Hostile("shape-only-id", "A client_id alone, as public clients do.",
            lambda a: a.token().fields(client_assertion=None, client_assertion_type=None, client_id="system"), 401, "invalid_client"),
    Hostile("shape-only-secret", "client_id and client_secret alone.",
            lambda a: a.token().fields(client_assertion=None, client_assertion_type=None, client_id="system", client_secret="s"), *NO),
    Hostile("shape-bearer", "A Bearer header at the token endpoint.",
            lambda a: a.token().header("authorization", "Bearer abc"), *NO),
    Hostile("shape-certificate-header", "A certificate in headers that proxies use, where mTLS is off.",
            lambda a: a.token().fields(client_assertion=None, client_assertion_type=None, client_id="system")
            .header("client-cert", ":TUlJQg==:").header("x-ssl-cert", "MIIB"), 401, "invalid_client"),
    *everywhere("large", "A body of seventy thousand bytes.", lambda a, r: r.plus(b"more=" + b"x" * 70_000), *SIZE),
    Hostile("shape-length-absurd", "A body of a terabyte is announced.", lambda a: a.token().header("content-length", "1099511627776"), *SIZE),
    Hostile("shape-length-digits", "A content-length of thirty digits.", lambda a: a.token().header("content-length", "9" * 30), 400, "BAD_HTTP"),
    Hostile("shape-length-negative", "A negative content-length.", lambda a: a.token().header("content-length", "-1"), 400, "BAD_HTTP"),
    Hostile("shape-lengths-two", "Two lengths that differ.",
            lambda a: a.token().header("content-length", "5").also("content-length", "500"), 400, "BAD_HTTP"),
    Hostile("shape-length-and-chunked", "Content-Length and chunks at once: two proxies would read two requests.",
            lambda a: a.token().header("content-length", "4").also("transfer-encoding", "chunked").with_(body=b"0\r\n\r\nGET /x"), 400, "BAD_HTTP"),
    Hostile("shape-chunks-large", "Eighty thousand bytes in chunks, their length not announced.", chunked, *SIZE),
    Hostile("shape-many-parameters", "Seventy parameters.",
            lambda a: a.token().plus("&".join(f"p{n}=1" for n in range(70))), *NO),
    Hostile("shape-head-large", "A header of forty thousand characters.", lambda a: a.token().header("x-more", "h" * 40_000), 431, "HEADERS_TOO_LARGE"),
    Hostile("shape-url-large", "A URL of forty thousand characters.",
            lambda a: a.token().with_(target="/oauth/token?" + "u" * 40_000), 431, "HEADERS_TOO_LARGE"),
    *everywhere("json-type", "A form that says it is JSON.", lambda a, r: r.header("content-type", "application/json"), *TYPE),
    *everywhere("no-type", "A form that does not say what it is.", lambda a, r: r.header("content-type", None), *TYPE),
    Hostile("shape-json-body", "JSON that says it is a form.", as_json, *NO),
    Hostile("shape-multipart", "multipart/form-data.", multipart, *TYPE),
    Hostile("shape-text-plain", "text/plain, which a page of another site may send.", typed("text/plain"), *TYPE),
    Hostile("shape-charset-gbk", "A form in GBK.", typed("application/x-www-form-urlencoded; charset=gbk"), *TYPE),
    Hostile("shape-charset-utf7", "A form in UTF-7.", typed("application/x-www-form-urlencoded; charset=utf-7"), *TYPE),
    Hostile("shape-types-two", "Two content types.", lambda a: a.token().also("content-type", "text/plain"), *TYPE),
    Hostile("shape-gzip", "A compressed form.",
            lambda a: a.token().header("content-encoding", "gzip").with_(body=gzip.compress(a.token().body)), *NO),
    Hostile("shape-nul-raw", "NUL bytes between the parameters.", body(lambda b: b.replace(b"&", b"\0&", 1)), *NO),
    Hostile("shape-nul-name", "A NUL in a parameter's name.", lambda a: a.token().fields(grant_type=None).plus("grant_type%00=client_credentials"), *NO),
    Hostile("shape-nul-client", "A NUL behind the client_id.", lambda a: a.token().plus("client_id=system%00"), 401, "invalid_client"),
    Hostile("shape-nul-scope", "A NUL in the scope.", lambda a: a.token(scope="graphql\0admin"), 400, "invalid_scope"),
    Hostile("shape-utf8-invalid", "A byte that is no UTF-8, escaped.", lambda a: a.token().plus("more=%ff"), *NO),
    Hostile("shape-utf8-overlong", "A slash spelt in two bytes.", lambda a: a.token().plus("more=%c0%af"), *NO),
    Hostile("shape-utf8-raw", "Bytes beyond ASCII, not escaped.", lambda a: a.token().plus("more=更多".encode()), *NO),
    Hostile("shape-utf16", "The whole form in UTF-16.", body(lambda b: b.decode().encode("utf-16")), *NO),
    Hostile("shape-in-url", "Everything in the URL, nothing in the body.", in_url, *NO),
    Hostile("shape-grant-in-url", "grant_type in the URL, the rest in the body.",
            lambda a: a.token().fields(grant_type=None).with_(target="/oauth/token?grant_type=client_credentials"), *NO),
    Hostile("shape-assertion-in-url", "The assertion in the URL, the rest in the body.",
            lambda a: a.token().fields(client_assertion=None, client_assertion_type=None).with_(target=f"/oauth/token?client_assertion={a.assertion()}"), 401, "invalid_client"),
    Hostile("shape-empty", "An empty form.", body(b""), *NO),
    Hostile("shape-semicolons", "Parameters parted by semicolons.", body(lambda b: b.replace(b"&", b";")), *NO),
    *[method(name, path) for path in ("/oauth/token", "/oauth/par", "/oauth/introspect", "/oauth/revoke", "/oauth/register")
      for name in ("GET", "PUT", "HEAD")],
    method("DELETE", "/oauth/token"),
    method("OPTIONS", "/oauth/token"),
    method("TRACE", "/oauth/token"),
    Hostile("shape-method-override", "A GET that asks to be taken for a POST.",
            lambda a: Request("GET", "/oauth/token?grant_type=client_credentials", (("x-http-method-override", "POST"),)), *METHOD),
    Hostile("shape-host-foreign", "A host name that is not ours.", lambda a: a.token().header("host", "evil.example"), 421, "HOST_NOT_ALLOWED"),
    Hostile("shape-host-two", "Two Host headers.",
            lambda a: a.token().header("host", f"127.0.0.1:{a.port}").also("host", "evil.example"), 421, "HOST_NOT_ALLOWED"),
    Hostile("shape-host-in-url", "Another server's name in the request line.",
            lambda a: a.token().with_(target="http://evil.example/oauth/token").header("host", "evil.example"), 421, "HOST_NOT_ALLOWED"),
    # What a client may ask of the token endpoint at all.
    Hostile("grant-missing", "No grant type.", lambda a: a.token(grant_type=None), *NO),
    *[Hostile(f"grant-{name}", f"The grant type {name}.", granting(said), 400, "unsupported_grant_type")
      for name, said in {
          "password": "password", "implicit": "implicit", "unknown": "no-such-grant",
          "device": "urn:ietf:params:oauth:grant-type:device_code",
          "jwt-bearer": "urn:ietf:params:oauth:grant-type:jwt-bearer",
          "exchange": "urn:ietf:params:oauth:grant-type:token-exchange"}.items()],
    Hostile("grant-pre-authorized", "A registered client that is no wallet redeems an offer.",
            granting("urn:ietf:params:oauth:grant-type:pre-authorized_code"), 400, "unauthorized_client"),
    Hostile("grant-odd", "A grant type with quotes and line breaks in it.", lambda a: a.token(grant_type='x"\r\n\\ 一 y'), 400, "unsupported_grant_type"),
    Hostile("grant-case", "The grant type in capitals.", lambda a: a.token(grant_type="CLIENT_CREDENTIALS"), 400, "unsupported_grant_type"),
    Hostile("grant-two-in-one", "Two grant types in one parameter.",
            lambda a: a.token(grant_type="client_credentials authorization_code"), 400, "unsupported_grant_type"),
    Hostile("grant-not-registered", "A desk for officers asks for a token of its own.", lambda a: a.token("desk"), 400, "unauthorized_client"),
    Hostile("grant-resource-server", "A resource server asks for a token.", lambda a: a.token("rs"), 400, "unauthorized_client"),
    Hostile("grant-code-of-system", "A system that has no officers sends a code.",
            lambda a: a.redeem("c" * 43, "system", redirect_uri="https://desk.example/callback"), 400, "unauthorized_client"),
    Hostile("scope-unknown", "A scope nobody has.", lambda a: a.token(scope="graphql admin"), 400, "invalid_scope"),
    Hostile("scope-twice", "A scope twice.", lambda a: a.token(scope="graphql graphql"), 400, "invalid_scope"),
    Hostile("scope-tab", "Scopes parted by a tab.", lambda a: a.token(scope="graphql\tadmin"), 400, "invalid_scope"),
    Hostile("scope-consent", "The scope for asking consents, by who is no partner.", lambda a: a.token(scope="consent:request"), 400, "invalid_scope"),
    Hostile("scope-long", "A scope of fifty thousand characters.", lambda a: a.token(scope="s" * 50_000), 400, "invalid_scope"),
    Hostile("target-other", "A token for another resource.", lambda a: a.token(resource="https://other.example/graphql"), 400, "invalid_target"),
    Hostile("target-slash", "Our resource with a slash behind it.", lambda a: a.token(resource=f"{a.url}/graphql/"), 400, "invalid_target"),
    Hostile("target-fragment", "Our resource with a fragment.", lambda a: a.token(resource=f"{a.url}/graphql#x"), 400, "invalid_target"),
    Hostile("target-issuer", "The authorization server itself as the resource.", lambda a: a.token(resource=a.url), 400, "invalid_target"),
    # Rich authorization requests.
    Hostile("rar-none", "A partner asks for everything by naming nothing.", lambda a: a.token("bank"), *RAR),
    Hostile("rar-deep", "JSON nested ten thousand deep.", rar_text(lambda _: "[" * 10_000), *RAR),
    Hostile("rar-deep-closed", "JSON nested ten thousand deep, and closed again.", rar_text(lambda _: "[" * 10_000 + "]" * 10_000), *RAR),
    Hostile("rar-large", "Forty thousand characters of JSON.", rar_text(lambda text: text[:-1] + " " * 40_000 + "]"), *RAR),
    Hostile("rar-no-json", "No JSON.", rar_text(lambda _: "purpose=LOAN_SERVICE"), *RAR),
    Hostile("rar-object", "An object in the place of an array.", rar_text(lambda text: text[1:-1]), *RAR),
    Hostile("rar-empty", "An empty array.", rar_text(lambda _: "[]"), *RAR),
    Hostile("rar-nan", "NaN as a number.", rar(access={"mode": "recurring", "max_per_day": float("nan")}), *RAR),
    Hostile("rar-number-5000-digits", "A number of five thousand digits.",
            rar_text(lambda text: text.replace('"loan-1"}', '"loan-1"}, "access": {"max_per_day": ' + "9" * 5_000 + "}")), *RAR),
    Hostile("rar-number-float", "1e999 a day.",
            rar_text(lambda text: text.replace('"loan-1"}', '"loan-1"}, "access": {"max_per_day": 1e999}')), *RAR),
    Hostile("rar-per-day-zero", "Not one use a day.", rar(access={"max_per_day": 0}), *RAR),
    Hostile("rar-per-day-negative", "Minus one use a day.", rar(access={"max_per_day": -1}), *RAR),
    Hostile("rar-per-day-true", "`true` uses a day.", rar(access={"max_per_day": True}), *RAR),
    Hostile("rar-doubled-member", "A member twice in one object.",
            rar_text(lambda text: text.replace('{"type"', '{"datatypes": ["conductStatement.trainingDone"], "type"')), *RAR),
    Hostile("rar-doubled-detail", "The same purpose, reference and consent in two objects.",
            lambda a: a.bank_token(a.detail(), a.detail(datatypes=["conductStatement.trainingDone"])), *RAR),
    Hostile("rar-many", "Two hundred objects.", lambda a: a.bank_token(*[a.detail(subjects={"consent_id": f"c{n}"}) for n in range(200)]), *RAR),
    Hostile("rar-type-unknown", "A type that is not ours.", rar(type="payment_initiation"), *RAR),
    Hostile("rar-type-missing", "No type.", rar(type=None), *RAR),
    Hostile("rar-type-number", "A number as the type.", rar(type=1), *RAR),
    Hostile("rar-member-unknown", "A member we do not know.", rar(privileges=["admin"]), *RAR),
    Hostile("rar-action-write", "To write.", rar(actions=["read", "write"]), *RAR),
    Hostile("rar-location-other", "At another server.", rar(locations=["https://evil.example/graphql"]), *RAR),
    Hostile("rar-wildcard", "Every field there is.", rar(datatypes=["*"]), *RAR),
    Hostile("rar-wildcard-noun", "Every field of a noun.", rar(datatypes=["conductStatement.*"]), *RAR),
    Hostile("rar-whole-noun", "A noun without a field.", rar(datatypes=["conductStatement"]), *RAR),
    Hostile("rar-no-datatypes", "A partner that names no field.", rar(datatypes=None), *RAR),
    Hostile("rar-datatypes-empty", "An empty list of fields.", rar(datatypes=[]), *RAR),
    Hostile("rar-datatypes-many", "A thousand fields.", rar(datatypes=[f"noun.field{n}" for n in range(1000)]), *RAR),
    Hostile("rar-not-consented", "A field more than the person agreed to.",
            rar(datatypes=["conductStatement.reportedOnTime", "conductStatement.trainingDone"]), *RAR),
    Hostile("rar-no-consent", "A partner without a consent.", rar(subjects=None), *RAR),
    Hostile("rar-consent-made-up", "A consent that does not exist.", rar(subjects={"consent_id": "0" * 32}), *RAR),
    Hostile("rar-consent-sql", "A consent id that is a piece of SQL.", rar(subjects={"consent_id": "x' OR '1'='1"}), *RAR),
    Hostile("rar-consent-array", "An array as the consent id.", lambda a: a.bank_token(a.detail(subjects={"consent_id": [a.consent_id]})), *RAR),
    Hostile("rar-subject-person", "A person in the place of a consent.", rar(subjects={"id_no": "440606199003070017"}), *RAR),
    Hostile("rar-purpose-other", "A purpose the client is not registered for.", rar(purpose={"code": "CC_RECEPTION"}), *RAR),
    Hostile("rar-purpose-unknown", "A purpose in no register.", rar(purpose={"code": "ANYTHING"}), *RAR),
    Hostile("rar-purpose-missing", "No purpose.", rar(purpose=None), *RAR),
    Hostile("rar-reference-id-number", "An ID number as the reference, to lie in the records for good.",
            rar(purpose={"code": "LOAN_SERVICE", "reference": "440606199003070017"}), *RAR),
    Hostile("rar-reference-surrogate", "Half a character in the reference.",
            rar_text(lambda text: text.replace("loan-1", "loan-\\ud800")), *RAR),
    Hostile("rar-reference-nul", "A NUL in the reference.", rar(purpose={"code": "LOAN_SERVICE", "reference": "a\0b"}), *RAR),
    Hostile("rar-until-past", "Until yesterday.", rar(validity={"until": "2020-01-01T00:00:00Z"}), *RAR),
    Hostile("rar-until-beyond", "Longer than the consent lasts.", rar(validity={"until": "2030-01-01T00:00:00Z"}), *RAR),
    Hostile("rar-until-year", "Until the year 9999.", rar(validity={"until": "9999-12-31T23:59:59-14:00"}), *RAR),
    Hostile("rar-until-no-zone", "An end without a time zone.", rar(validity={"until": "2026-12-31T00:00:00"}), *RAR),
    Hostile("rar-until-text", "An end that is no time.", rar(validity={"until": "forever"}), *RAR),
    Hostile("rar-mode-unknown", "A way of access that is not known.", rar(access={"mode": "unlimited"}), *RAR),
    Hostile("rar-system-consent", "A system that is no partner names a consent.",
            lambda a: a.token(authorization_details=json.dumps([
                {"type": RAR_TYPE, "purpose": {"code": "CC_TRANSFER"}, "subjects": {"consent_id": a.consent_id}}])), *RAR),
]  # fmt: skip
