"""Authorization requests: what is pushed, and what a browser brings to /oauth/authorize."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from gateway.oauth.pkce import challenge_of
from tests.hostile.attacker import OTHER_REDIRECT, REDIRECT, VERIFIER, Attacker
from tests.hostile.hostile import Hostile
from tests.hostile.odd_jws import compact, nothing
from tests.hostile.wire import Request

NO = (400, "invalid_request")
PAGE = (400, "invalid_request_uri")
GOOD = challenge_of(VERIFIER)


def par(**more: Any) -> Any:
    return lambda a: a.par(**more)


def redirect(id: str, says: str, uri: str) -> Hostile:
    return Hostile(f"redirect-{id}", says, par(redirect_uri=uri), *NO)


async def of_another(a: Attacker) -> Request:
    return a.authorize(await a.pushed("other-desk"), "desk")


async def used(a: Attacker) -> Request:
    request_uri = await a.pushed()
    await a.decided(request_uri)
    return a.authorize(request_uri)


async def refused_before(a: Attacker) -> Request:
    request_uri = await a.pushed()
    await a.decided(request_uri, decision="deny")
    return a.authorize(request_uri)


async def fresh(a: Attacker) -> Request:
    return a.authorize(await a.pushed())


async def cut(a: Attacker) -> Request:
    return a.authorize((await a.pushed())[:-1])


async def nobody_s(a: Attacker) -> Request:
    return a.authorize(await a.pushed(), "nobody")


async def no_client(a: Attacker) -> Request:
    return a.authorize(await a.pushed(), None)


async def twice(a: Attacker) -> Request:
    made = await fresh(a)
    return made.with_(target=f"{made.target}&client_id=other-desk")


async def uri_twice(a: Attacker) -> Request:
    made = await fresh(a)
    return made.with_(target=f"{made.target}&request_uri={quote(await a.pushed())}")


async def not_ours_form(a: Attacker) -> Request:
    """A page elsewhere posts the officer's yes; the browser sends no session along, and the form is not of our page."""
    asked = await fresh(a)
    body = asked.target.partition("?")[2].encode() + b"&decision=approve"
    return Request("POST", "/oauth/authorize", (("content-type", "application/x-www-form-urlencoded"),), body)


def unsigned(a: Attacker) -> str:
    return compact({"alg": "none"}, {"iss": "desk", "aud": a.url, "redirect_uri": "https://evil.example/"}, nothing)


REQUESTS = [
    # What is pushed.
    Hostile("par-request-uri", "A request_uri within a pushed request.", par(request_uri="urn:ietf:params:oauth:request_uri:x"), *NO),
    Hostile("par-request-uri-http", "A request_uri that is to be fetched.", par(request_uri="http://169.254.169.254/latest/meta-data"), *NO),
    Hostile("par-request-object", "An unsigned request object.", lambda a: a.par(request=unsigned(a)), 400, "request_not_supported"),
    Hostile("par-request-object-signed", "A signed request object, where none are taken.",
            lambda a: a.par(request=a.assertion("desk", redirect_uri=REDIRECT)), 400, "request_not_supported"),
    Hostile("par-plain", "PKCE with `plain`.", par(code_challenge=VERIFIER[:43], code_challenge_method="plain"), *NO),
    Hostile("par-method-missing", "A challenge without its method, which means `plain`.", par(code_challenge_method=None), *NO),
    Hostile("par-method-unknown", "A method that does not exist.", par(code_challenge_method="S512"), *NO),
    Hostile("par-method-case", "The method in small letters.", par(code_challenge_method="s256"), *NO),
    Hostile("par-challenge-missing", "No challenge.", par(code_challenge=None), *NO),
    Hostile("par-challenge-short", "A challenge one character short.", par(code_challenge=GOOD[:-1]), *NO),
    Hostile("par-challenge-long", "A challenge one character long.", par(code_challenge=GOOD + "A"), *NO),
    Hostile("par-challenge-very-long", "A challenge of ten thousand characters.", par(code_challenge="A" * 10_000), *NO),
    Hostile("par-challenge-charset", "A challenge with a plus in it.", par(code_challenge=GOOD[:-1] + "+"), *NO),
    Hostile("par-challenge-chinese", "A challenge of Chinese characters.", par(code_challenge="一" * 43), *NO),
    Hostile("par-response-type-token", "The implicit flow.", par(response_type="token"), 400, "unsupported_response_type"),
    Hostile("par-response-type-id-token", "An ID token from the front channel.", par(response_type="id_token"), 400, "unsupported_response_type"),
    Hostile("par-response-type-hybrid", "The hybrid flow.", par(response_type="code id_token token"), 400, "unsupported_response_type"),
    Hostile("par-response-type-missing", "No response_type.", par(response_type=None), *NO),
    Hostile("par-response-type-odd", "A response_type with quotes and line breaks in it.", par(response_type='code"\r\n\\ 一'), 400, "unsupported_response_type"),
    Hostile("par-response-type-none", "The response_type `none`.", par(response_type="none"), 400, "unsupported_response_type"),
    Hostile("par-response-mode", "The code in the fragment.", par(response_mode="fragment"), *NO),
    Hostile("par-response-mode-post", "The code by a form a script sends.", par(response_mode="form_post"), *NO),
    Hostile("par-client-other", "A client_id that is not the assertion's.", par(client_id="other-desk"), 401, "invalid_client"),
    Hostile("par-system", "A client without officers pushes a request.", lambda a: a.par("system", redirect_uri=REDIRECT), *NO),
    Hostile("par-scope-wide", "A scope beyond the registration.", par(scope="graphql admin"), 400, "invalid_scope"),
    Hostile("par-target-other", "A resource we do not issue for.", par(resource="https://other.example/"), 400, "invalid_target"),
    Hostile("par-purpose-other", "A purpose beyond the registration.",
            par(authorization_details='[{"type":"urn:yimen:data-sharing:v1","purpose":{"code":"CC_TRANSFER"}}]'), 400, "invalid_authorization_details"),
    Hostile("par-max-age-absurd", "A max_age of five thousand digits.", par(max_age="9" * 5_000), *NO),
    Hostile("par-max-age-negative", "A negative max_age.", par(max_age="-1"), *NO),
    Hostile("par-max-age-wide-digits", "A max_age in full-width digits.", par(max_age="１２"), *NO),
    Hostile("par-max-age-float", "A max_age of 1e9.", par(max_age="1e9"), *NO),
    Hostile("par-prompt-unknown", "A prompt nobody knows.", par(prompt="transfer_money"), *NO),
    Hostile("par-prompt-none-and-login", "No page and a login at once.", par(prompt="none login"), *NO),
    Hostile("par-state-long", "A state of five thousand characters.", par(state="s" * 5_000), *NO),
    Hostile("par-nonce-long", "An OIDC nonce of a thousand characters.", par(nonce="n" * 1_000), *NO),
    Hostile("par-jkt-malformed", "A dpop_jkt that is no thumbprint.", par(dpop_jkt="../../etc/passwd"), *NO),
    Hostile("par-jkt-other", "A dpop_jkt that is not the proof's key.", par(dpop_jkt="A" * 43, proof=""), 400, "invalid_dpop_proof"),
    # Where the code is to go.
    Hostile("redirect-missing", "No redirect_uri, though only one is registered.", par(redirect_uri=None), *NO),
    redirect("suffix", "A path behind the registered one.", f"{REDIRECT}/../evil"),
    redirect("slash", "A slash behind the registered one.", f"{REDIRECT}/"),
    redirect("query", "A query behind the registered one.", f"{REDIRECT}?next=https://evil.example"),
    redirect("fragment", "A fragment behind the registered one.", f"{REDIRECT}#x"),
    redirect("case-path", "The path in capitals.", REDIRECT.replace("callback", "CALLBACK")),
    redirect("case-host", "The host in capitals.", REDIRECT.replace("desk", "DESK")),
    redirect("port", "The default port said aloud.", REDIRECT.replace("desk.example", "desk.example:443")),
    redirect("http", "http in the place of https.", REDIRECT.replace("https", "http")),
    redirect("userinfo", "The registered host as a user name.", "https://desk.example@evil.example/callback"),
    redirect("subdomain", "The registered host as the beginning of another.", "https://desk.example.evil.example/callback"),
    redirect("prefix", "The registered URI as a prefix.", f"{REDIRECT}.evil.example"),
    redirect("backslash", "A backslash that some browsers take for a slash.", "https://evil.example\\@desk.example/callback"),
    redirect("encoded", "The path's first letter escaped.", REDIRECT.replace("callback", "%63allback")),
    redirect("dots", "A detour by way of another path.", REDIRECT.replace("callback", "x/../callback")),
    redirect("newline", "A line break, to split the answer's headers.", f"{REDIRECT}\r\nset-cookie: a=b"),
    redirect("tab", "A tab within.", REDIRECT.replace("desk", "de\tsk")),
    redirect("blank", "A blank before the URI.", f" {REDIRECT}"),
    redirect("two", "Two URIs in one.", f"{REDIRECT} https://evil.example/"),
    redirect("scheme-relative", "A URI without a scheme.", REDIRECT.removeprefix("https:")),
    redirect("javascript", "A script as the redirect_uri.", "javascript:alert(document.cookie)"),
    redirect("data", "A data URI.", "data:text/html,<script>1</script>"),
    redirect("loopback", "A program on the officer's machine, which is not registered.", "http://127.0.0.1:9999/callback"),
    redirect("other-client", "The redirect_uri of another client.", OTHER_REDIRECT),
    redirect("unicode", "A letter that only looks the same.", REDIRECT.replace("e", "е", 1)),
    # What a browser brings.
    Hostile("authorize-of-another", "The request_uri of another client.", of_another, *PAGE),
    Hostile("authorize-unknown-client", "A request_uri with a client nobody registered.", nobody_s, *PAGE),
    Hostile("authorize-used", "A request_uri the officer has answered.", used, *PAGE),
    Hostile("authorize-denied-before", "A request_uri the officer has said no to.", refused_before, *PAGE),
    Hostile("authorize-expired", "A request_uri after its five minutes.", fresh, *PAGE, ahead=301),
    Hostile("authorize-forged", "A request_uri that was made up.",
            lambda a: a.authorize("urn:ietf:params:oauth:request_uri:" + "A" * 43), *PAGE),
    Hostile("authorize-cut", "A request_uri one character short.", cut, *PAGE),
    Hostile("authorize-http", "A request_uri that is to be fetched by us.", lambda a: a.authorize("http://169.254.169.254/x"), *PAGE),
    Hostile("authorize-sql", "A request_uri that is a piece of SQL.",
            lambda a: a.authorize("urn:ietf:params:oauth:request_uri:' OR 1=1 --"), *PAGE),
    Hostile("authorize-long", "A request_uri of twenty thousand characters.",
            lambda a: a.authorize("urn:ietf:params:oauth:request_uri:" + "A" * 20_000), *PAGE),
    Hostile("authorize-not-pushed", "Parameters in the URL that nobody pushed.",
            lambda a: a.authorize(None, response_type="code", redirect_uri=REDIRECT, code_challenge=GOOD,
                                  code_challenge_method="S256", scope="graphql"), *NO),
    Hostile("authorize-open-redirect", "Nothing but a place to be sent to.",
            lambda a: a.authorize(None, None, redirect_uri="https://evil.example/", error="access_denied"), *NO),
    Hostile("authorize-request-object", "An unsigned request object in the URL.",
            lambda a: a.authorize(None, request=unsigned(a)), *NO),
    Hostile("authorize-no-client", "A request_uri without a client_id.", no_client, *NO),
    Hostile("authorize-client-twice", "Two client_ids.", twice, *NO),
    Hostile("authorize-uri-twice", "Two request_uris.", uri_twice, *NO),
    Hostile("authorize-utf8", "A query that is no UTF-8.", lambda a: Request("GET", "/oauth/authorize?client_id=%ff"), *NO),
    Hostile("authorize-many", "A hundred parameters.",
            lambda a: a.authorize("x", **{f"p{n}": "1" for n in range(100)}), *NO),
    Hostile("authorize-put", "PUT at the page.", lambda a: Request("PUT", "/oauth/authorize"), 405, "METHOD_NOT_ALLOWED"),
    Hostile("authorize-forged-form", "A page of another site sends the officer's yes.", not_ours_form, 403, "FORM_NOT_OURS"),
]  # fmt: skip
