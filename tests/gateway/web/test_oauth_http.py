"""The authorization server's endpoints over real HTTP: methods, media types, sizes, doubled parameters, headers, texts."""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.bootstrap.authorization import partner_policy
from gateway.clock import SystemClock
from gateway.oauth.client_assertion import ASSERTION_TYPE
from gateway.oauth.errors import OAuthError
from gateway.settings import Settings
from gateway.store import open_store
from gateway.store.errors import StoreUnavailable
from gateway.web.app import build_app
from gateway.web.oauth_problems import problem_of
from gateway.web.problems import catalogue
from gateway.web.serve import bind, server_for
from tests.fakes.authorization import BANK_KEY, DPOP_KEY, SYSTEM, Desk
from tests.fakes.execute import FakeAuthenticator, FakeExecute

pytestmark = pytest.mark.anyio
FORM = "application/x-www-form-urlencoded"
PATHS = ("/oauth/token", "/oauth/par", "/oauth/introspect", "/oauth/revoke")


class Served:
    """The server on a port, and what it stands on."""

    def __init__(self, desk: Desk, url: str, session: aiohttp.ClientSession) -> None:
        self.desk, self.url, self.session = desk, url, session

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any, Any]:
        """Status, headers, and the JSON."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(
            method, self.url + path, data=body, headers=named, skip_auto_headers=["content-type"], allow_redirects=False
        ) as answer:
            raw = await answer.read()
            return answer.status, answer.headers, json.loads(raw) if raw else None

    async def form(self, path: str, client_id: str, form: dict[str, Any], **headers: str) -> tuple[int, Any, Any]:
        whole = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self.desk.assertion(client_id), **form}
        return await self.ask("POST", path, urlencode(whole).encode(), **({"content_type": FORM} | headers))

    async def json(self, method: str, path: str, value: Any, token: str, kind: str = "application/json") -> Any:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return await self.ask(method, path, body, content_type=kind, authorization=f"Bearer {token}")


@asynccontextmanager
async def serving(folder: Path, *, nonces: bool = False, path: str = "") -> AsyncIterator[Served]:
    listener = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = Settings(database_url=f"sqlite:///{folder}/y.db", master_key=bytes(range(32)), demo=True)
    store = await open_store(settings, SystemClock())
    desk = Desk(store, SystemClock(), nonces=nonces, base=url + path)
    await desk.register_all()
    app = build_app(execute=FakeExecute(), authenticate=FakeAuthenticator(), pages=desk.built.routes)
    server = server_for(app)
    task = asyncio.create_task(server._serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        async with aiohttp.ClientSession() as session:
            yield Served(desk, url, session)
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 10)
        await store.close()
        listener.close()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as found:
        yield found


async def test_the_metadata_say_what_fapi_wants_said(here: Served) -> None:
    status, headers, said = await here.ask("GET", "/.well-known/oauth-authorization-server")
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert headers["access-control-allow-origin"] == "*"
    assert said["issuer"] == here.url
    assert said["require_pushed_authorization_requests"] is True
    assert said["authorization_response_iss_parameter_supported"] is True
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert said["response_types_supported"] == ["code"]
    assert said["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert "none" not in said["token_endpoint_auth_signing_alg_values_supported"]
    assert not any(alg.startswith(("HS", "RS")) for alg in said["dpop_signing_alg_values_supported"])
    ends = [value for name, value in said.items() if name.endswith(("_endpoint", "jwks_uri"))]
    assert all(value.startswith(here.url + "/oauth/") for value in ends)
    assert len(ends) == 7
    status, _, _ = await here.ask("GET", "/.well-known/oauth-authorization-server/elsewhere")
    assert status == 404


async def test_every_endpoint_that_is_named_is_there(here: Served) -> None:
    _, _, said = await here.ask("GET", "/.well-known/oauth-authorization-server")
    named = {url.removeprefix(here.url) for name, url in said.items() if name.endswith(("_endpoint", "jwks_uri"))}
    for path in named - {"/oauth/authorize"}:  # that is a page, see test_authorize_pages
        async with here.session.post(here.url + path) as reply:
            assert reply.status == (405 if path == "/oauth/jwks" else 415), path


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "EdDSA", "Ed25519"])
async def test_every_algorithm_that_is_named_works_for_assertions_and_for_proofs(here: Served, algorithm: str) -> None:
    _, _, said = await here.ask("GET", "/.well-known/oauth-authorization-server")
    for name in ("dpop_signing_alg_values_supported", "token_endpoint_auth_signing_alg_values_supported"):
        assert set(said[name]) == {"ES256", "PS256", "EdDSA", "Ed25519"}
    key: Any = {"ES": ECKey, "PS": RSAKey, "Ed": OKPKey}[algorithm[:2]].generate_key(
        {"ES": "P-256", "PS": 2048, "Ed": "Ed25519"}[algorithm[:2]]  # type: ignore[arg-type]
    )
    jwk = key.as_dict(private=False)
    changes = {"token_endpoint_auth_signing_alg": algorithm, "jwks": {"keys": [{**jwk, "kid": "1"}]}}
    await here.desk.register_all(replace(SYSTEM, **changes))

    def signed(header: dict[str, Any], claims: dict[str, Any]) -> str:
        return jws.serialize_compact({**header, "alg": algorithm}, json.dumps(claims), key, algorithms=[algorithm])

    now = here.desk.now()
    claims = {"iss": "shunde", "sub": "shunde", "aud": here.url, "exp": now + 60, "jti": "a"}
    proof = {"htm": "POST", "htu": f"{here.url}/oauth/token", "iat": now, "jti": "p"}
    form = {"grant_type": "client_credentials", "client_assertion": signed({"kid": "1"}, claims)}
    dpop = signed({"typ": "dpop+jwt", "jwk": jwk}, proof)
    status, _, answer = await here.form("/oauth/token", "shunde", form, dpop=dpop)
    assert (status, answer.get("token_type")) == (200, "DPoP"), answer


async def test_an_issuer_with_a_path_is_found_by_the_inserted_form(tmp_path: Path) -> None:
    async with serving(tmp_path, path="/yimen") as here:
        status, _, said = await here.ask("GET", "/.well-known/oauth-authorization-server/yimen")
        assert (status, said["issuer"]) == (200, here.url + "/yimen")


async def test_the_jwks_shows_public_members_only(here: Served) -> None:
    status, headers, said = await here.ask("GET", "/oauth/jwks")
    assert status == 200
    assert headers["cache-control"] == "public, max-age=600"
    assert len({key["kid"] for key in said["keys"]}) == len(said["keys"]) >= 2
    assert all(set(key) <= {"kty", "crv", "x", "y", "kid", "alg", "use"} for key in said["keys"])


async def test_a_token_over_http_is_not_to_be_cached(here: Served) -> None:
    form = {"grant_type": "client_credentials"}
    proof = here.desk.proof("/oauth/token")
    status, headers, said = await here.form("/oauth/token", "shunde", form, dpop=proof)
    assert status == 200
    assert headers["cache-control"] == "no-store"
    assert headers["content-type"] == "application/json"
    assert (await here.desk.claims(said["access_token"]))["cnf"] == {"jkt": DPOP_KEY.public.thumbprint}
    status, headers, said = await here.form("/oauth/introspect", "rs", {"token": said["access_token"]})
    assert (status, headers["cache-control"], said["active"]) == (200, "no-store", True)


async def test_a_nonce_is_handed_out_and_then_wanted(tmp_path: Path) -> None:
    async with serving(tmp_path, nonces=True) as here:
        form = {"grant_type": "client_credentials"}
        status, headers, said = await here.form("/oauth/token", "shunde", form, dpop=here.desk.proof("/oauth/token"))
        assert (status, said["error"]) == (400, "use_dpop_nonce")
        proof = here.desk.proof("/oauth/token", nonce=headers["dpop-nonce"])
        status, _, said = await here.form("/oauth/token", "shunde", form, dpop=proof)
        assert (status, said["token_type"]) == (200, "DPoP")


@pytest.mark.parametrize("path", PATHS)
async def test_other_methods_types_and_sizes_are_refused_in_oauth_s_json(here: Served, path: str) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        status, headers, said = await here.ask(method, path)
        assert (status, headers["allow"], said["error"]) == (405, "POST", "invalid_request")
    for kind in ("application/json", "multipart/form-data", "text/plain", f"{FORM}; charset=gbk", ""):
        status, _, said = await here.ask("POST", path, b"{}", content_type=kind)
        assert (status, said["error"]) == (415, "invalid_request")
    status, _, said = await here.ask("POST", path, b"a=" + b"x" * 70_000, content_type=FORM)
    assert (status, said["error"]) == (413, "invalid_request")
    for body in (b"a=1&a=2", b"a=%ff", b"\xff=1", b"&".join(b"p%d=1" % n for n in range(70))):
        status, headers, said = await here.ask("POST", path, body, content_type=FORM)
        assert (status, said["error"]) == (400, "invalid_request")
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", PATHS)
async def test_who_does_not_prove_who_they_are_gets_401_and_one_text(here: Served, path: str) -> None:
    grant = {"grant_type": "client_credentials"}
    texts = set()
    for spoiled in (
        {"client_assertion": here.desk.assertion("shunde", BANK_KEY)},
        {"client_assertion": here.desk.assertion("nobody", BANK_KEY)},
        {"client_assertion": here.desk.assertion("shunde", aud=here.url + path)},
        {"client_assertion": here.desk.assertion("shunde", aud=[here.url])},
        {"client_assertion": "ey.ey.ey"},
    ):
        status, _, said = await here.form(path, "shunde", grant | {"token": "t"} | spoiled)
        assert (status, said["error"]) == (401, "invalid_client")
        texts.add(json.dumps(said))
    assert len(texts) == 1
    for more, headers in (({"client_secret": "s"}, {}), ({}, {"authorization": "Basic eDp5"})):
        status, _, said = await here.form(path, "shunde", grant | {"token": "t"} | more, **headers)
        assert (status, said["error"]) == (400, "invalid_request")


async def test_an_assertion_is_good_once_whichever_endpoint_it_was_shown_to(here: Served) -> None:
    one = {"client_assertion": here.desk.assertion("rs"), "token": "x"}
    assert (await here.form("/oauth/introspect", "rs", one))[0] == 200
    for path in PATHS:
        proof = here.desk.proof(path)
        status, _, said = await here.form(path, "rs", one | {"grant_type": "client_credentials"}, dpop=proof)
        assert (status, said["error"]) == (401, "invalid_client")


async def test_a_proof_is_good_once(here: Served) -> None:
    proof = here.desk.proof("/oauth/token")
    answers = [
        await here.form("/oauth/token", "shunde", {"grant_type": "client_credentials"}, dpop=proof) for _ in "ab"
    ]
    assert [(status, said.get("error")) for status, _, said in answers] == [(200, None), (400, "invalid_dpop_proof")]


async def test_two_proofs_are_none(here: Served) -> None:
    body = urlencode({"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE,
                      "client_assertion": here.desk.assertion("shunde")})  # fmt: skip
    headers = [
        ("content-type", FORM),
        ("dpop", here.desk.proof("/oauth/token")),
        ("dpop", here.desk.proof("/oauth/token")),
    ]
    async with here.session.post(here.url + "/oauth/token", data=body, headers=headers) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "invalid_dpop_proof")


async def test_a_host_header_changes_nothing_in_the_metadata(here: Served) -> None:
    _, _, said = await here.ask("GET", "/.well-known/oauth-authorization-server", host="localhost:1")
    assert said["issuer"] == here.url
    status, _, _ = await here.ask("GET", "/.well-known/oauth-authorization-server", host="evil.example")
    assert status == 421


async def test_a_partner_registers_itself_reads_changes_and_ends_its_registration(here: Served) -> None:
    policy = partner_policy("bank-9", "BANK", "", frozenset({"LOAN_SERVICE"}))
    desk = here.desk
    own = desk.built.register
    initial = await own.invite(policy, uses=1, lasts=timedelta(days=1), actor=("o", "u"))
    proposed = {
        "client_name": "九号银行", "jwks": {"keys": [BANK_KEY.public_jwk()]}, "scope": "graphql admin everything",
        "kind": "OFFICER", "org_id": "agency-1", "org_kind": "COURT", "roles": ["SUPERVISOR"], "is_resource_server": True,
        "grant_types": ["client_credentials", "authorization_code"], "purposes": ["LOAN_SERVICE", "CC_RECEPTION"],
        "software_id": "x",
    }  # fmt: skip
    assert (await here.json("POST", "/oauth/register", proposed, "not-the-initial-token"))[0] == 401
    status, _, said = await here.json("POST", "/oauth/register", proposed | {"jwks": {"keys": []}}, initial)
    assert (status, said["error"]) == (400, "invalid_client_metadata")
    status, headers, made = await here.json("POST", "/oauth/register", proposed, initial)
    assert status == 201
    assert headers["cache-control"] == "no-store"
    assert (made["kind"], made["org_id"], made["org_kind"], made["roles"]) == ("PARTNER", "bank-9", "BANK", [])
    assert (made["scope"], made["grant_types"], made["purposes"]) == (
        "graphql",
        ["client_credentials"],
        ["LOAN_SERVICE"],
    )
    assert made["is_resource_server"] is False
    assert (await here.json("POST", "/oauth/register", proposed, initial))[0] == 401  # spent
    token, path = made["registration_access_token"], f"/oauth/register/{made['client_id']}"
    assert made["registration_client_uri"] == here.url + path
    assert (await here.json("GET", path, b"", token))[2]["client_name"] == "九号银行"
    status, headers, said = await here.json("GET", "/oauth/register/desk", b"", token)
    assert (status, said["error"]) == (401, "invalid_token")
    assert headers["www-authenticate"].startswith("Bearer ")
    wider = proposed | {
        "client_id": made["client_id"],
        "client_name": "改名",
        "purposes": ["CC_RECEPTION", "LOAN_SERVICE"],
    }
    status, _, changed = await here.json("PUT", path, wider, token)
    assert (status, changed["client_name"], changed["purposes"]) == (200, "改名", ["LOAN_SERVICE"])
    status, _, said = await here.json("PUT", path, wider | {"client_id": "desk"}, token)
    assert (status, said["error"]) == (400, "invalid_client_metadata")
    assert (await here.json("PATCH", path, {}, token))[0] == 405
    assert (await here.json("DELETE", path, b"", token))[0] == 204
    assert (await here.json("DELETE", path, b"", token))[0] == 401
    assert await desk.store.clients.find(made["client_id"]) is None


@pytest.mark.parametrize(
    ("body", "kind", "status", "error"),
    [
        (b"[]", "application/json", 400, "invalid_client_metadata"),
        (b"{", "application/json", 400, "invalid_client_metadata"),
        (b'{"a":1,"a":2}', "application/json", 400, "invalid_client_metadata"),
        (b"\xff", "application/json", 400, "invalid_client_metadata"),
        (b"[" * 100, "application/json", 400, "invalid_client_metadata"),
        (b"{}", "text/plain", 415, "invalid_request"),
        (b"x" * 70_000, "application/json", 413, "invalid_request"),
        (b'{"software_statement":"ey"}', "application/json", 400, "unapproved_software_statement"),
        (b'{"jwks_uri":"http://169.254.169.254/"}', "application/json", 400, "invalid_client_metadata"),
        (b'{"redirect_uris":["javascript:alert(1)"]}', "application/json", 400, "invalid_redirect_uri"),
    ],
)
async def test_bad_registrations_are_refused_and_spend_nothing(
    here: Served, body: bytes, kind: str, status: int, error: str
) -> None:
    policy = partner_policy("bank-9", "BANK", "", frozenset({"LOAN_SERVICE"}))
    lasts = timedelta(days=1)
    initial = await here.desk.built.register.invite(policy, uses=1, lasts=lasts, actor=("o", "u"))
    answer = await here.json("POST", "/oauth/register", body, initial, kind)
    assert (answer[0], answer[2]["error"]) == (status, error)
    good = {"client_name": "九号银行", "jwks": {"keys": [BANK_KEY.public_jwk()]}}
    assert (await here.json("POST", "/oauth/register", good, initial))[0] == 201


def test_every_reason_has_a_text_and_every_text_is_fit_for_an_error_description() -> None:
    root = Path(__file__).parents[3] / "gateway"
    reasons = set()
    for path in [*(root / "oauth").glob("*.py"), *(root / "services").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            call = getattr(node, "func", None)
            if getattr(call, "id", "") == "OAuthError" and len(node.args) > 1:
                reasons.add(getattr(node.args[1], "value", None))
            if getattr(call, "id", "") == "_invalid" and path.name == "rar.py" and node.args:
                reasons.add(f"rar_{getattr(node.args[0], 'value', None)}")
    missing = {one for one in reasons if isinstance(one, str) and one not in catalogue()}
    assert missing <= {"rar_None"}
    for code, entry in catalogue().items():
        assert not set(entry["en"]) & set('"\\'), code


def test_a_store_that_is_down_is_said_as_temporary_and_anything_else_says_nothing() -> None:
    down = problem_of(StoreUnavailable("secret detail"))
    assert down.status == 503
    assert b"temporarily_unavailable" in down.body
    assert b"secret" not in down.body
    assert (b"retry-after", b"2") in down.headers
    assert problem_of(OAuthError("invalid_grant", "made up")).status == 400
