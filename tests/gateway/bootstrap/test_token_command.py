"""`yimen token` against a real authorization server on loopback."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import stat
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from joserfc.jwk import ECKey
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.oauth_jose import SigningKey
from demo.serving import bind, serving_app
from gateway.bootstrap.token_command import TokenWish, print_token
from gateway.cli import main
from gateway.errors import RequestRefused
from tests.adapters.oauth_lab import CLIENT, Server, new_key

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def room(tmp_path: Path, **switches: Any) -> AsyncIterator[tuple[Server, TokenWish]]:
    jwk, public = new_key()
    key = tmp_path / "client.jwk"
    key.write_text(json.dumps(jwk))
    server = Server(public, **switches)
    app = server.app()

    async def par(request: Request) -> Response:
        server.forms.append(dict(parse_qsl((await request.body()).decode())))
        return JSONResponse({"request_uri": "urn:ietf:params:oauth:request_uri:x", "expires_in": 60}, 201)

    app.router.routes.append(Route("/par", par, methods=["POST"]))
    async with serving_app(app) as url:
        server.url = url
        server.metadata = {
            "pushed_authorization_request_endpoint": f"{url}/par",
            "authorization_endpoint": f"{url}/authorize",
        }
        yield server, TokenWish(url, CLIENT, key)
        assert server.faults == []


def _with(wish: TokenWish, **changes: Any) -> TokenWish:
    from dataclasses import replace

    return replace(wish, **changes)


async def test_a_client_gets_a_token_for_its_purpose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with room(tmp_path, as_nonce="n") as (server, wish):
        asked = _with(wish, purpose="CREDIT_CHECK", consent_id="c-1", fields=("b.c", "a.b"), case_no="loan-7")
        assert await print_token(asked) == 0
        shown = json.loads(capsys.readouterr().out)
        assert (shown["token_type"], shown["expires_in"], set(shown)) == (
            "DPoP",
            300,
            {"access_token", "token_type", "expires_in"},
        )
        assert json.loads(server.forms[-1]["authorization_details"]) == [
            {
                "type": "urn:yimen:data-sharing:v1",
                "actions": ["read"],
                "locations": [f"{server.url}/graphql"],
                "datatypes": ["a.b", "b.c"],
                "purpose": {"code": "CREDIT_CHECK", "reference": "loan-7"},
                "subjects": {"consent_id": "c-1"},
            }
        ]


async def test_the_header_lines_open_the_door_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with room(tmp_path, rs_nonce="rs-1") as (server, wish):
        url = f"{server.url}/q"
        await print_token(_with(wish, headers=("post", url)))
        headers = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
        assert set(headers) == {"Authorization", "DPoP"}
        request = urllib.request.Request(url, b"{}", headers, method="POST")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        reply = await asyncio.to_thread(opener.open, request, timeout=10)
        assert reply.status == 200
        reply.close()


async def test_an_officer_logs_in_at_a_browser(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with room(tmp_path) as (server, wish):
        with bind() as free:
            port = free.getsockname()[1]
        callback = f"http://127.0.0.1:{port}/callback"
        running = asyncio.create_task(print_token(_with(wish, officer="officer-lin", redirect_uri=callback)))
        while not server.forms and not running.done():
            await asyncio.sleep(0.02)
        pushed = server.forms[0]
        assert (pushed["login_hint"], pushed["redirect_uri"], pushed["response_type"]) == (
            "officer-lin",
            callback,
            "code",
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        back = f"{callback}?code=c0de&state={pushed['state']}&iss={server.url}"
        for _ in range(100):
            try:
                (await asyncio.to_thread(opener.open, back, timeout=10)).close()
                break
            except OSError:
                await asyncio.sleep(0.02)
        assert await asyncio.wait_for(running, 10) == 0
        out = capsys.readouterr()
        assert f"{server.url}/authorize?client_id={CLIENT}&request_uri=urn" in out.err
        exchanged = server.forms[-1]
        assert (exchanged["grant_type"], exchanged["code"]) == ("authorization_code", "c0de")
        digest = hashlib.sha256(exchanged["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == pushed["code_challenge"]
        assert pushed["code_challenge_method"] == "S256"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": "other"}, "state"),
        ({"iss": "https://evil"}, "issuer"),
        ({"code": "", "error": "access_denied"}, "access_denied"),
    ],
)
async def test_an_answer_that_is_not_ours_is_not_used(change: dict[str, str], said: str) -> None:
    from adapters.clock import utc_now
    from adapters.oauth_client import OAuthClient, Registration
    from gateway.services.token_client import CodeRequest, redeem

    client = OAuthClient(Registration("https://as", "c", SigningKey.new()), None, utc_now, name="t")  # type: ignore[arg-type]
    request = CodeRequest("https://as/authorize", "http://127.0.0.1:1/cb", "s", "v")
    with pytest.raises(RequestRefused, match=said):
        await redeem(client, request, {"state": "s", "iss": "https://as", "code": "c", **change})


async def test_a_refusal_is_said_in_words_and_without_secrets(tmp_path: Path) -> None:
    async with room(tmp_path, token_error=(401, "invalid_client")) as (_, wish):
        with pytest.raises(RequestRefused, match="invalid_client") as refused:
            await print_token(wish)
        assert "SECRET" not in str(refused.value)


async def test_plain_http_stays_on_this_machine(tmp_path: Path) -> None:
    key = tmp_path / "k"
    key.write_text(json.dumps(SigningKey.new().jwk()))
    with pytest.raises(RequestRefused, match="plain http"):
        await print_token(TokenWish("http://192.0.2.1", "c", key))


def test_a_new_key_is_private_and_never_replaces_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "k.jwk"
    assert main(["token", "--new-key", str(path)]) == 0
    (public,) = json.loads(capsys.readouterr().out)["keys"]
    assert "d" not in public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ECKey.import_key(public).thumbprint() == SigningKey.read(path.read_text()).thumbprint == public["kid"]
    assert main(["token", "--new-key", str(path)]) == 1


@pytest.mark.parametrize(
    "line",
    [
        ["token"],
        ["token", "--issuer", "https://x", "--client", "c"],
        ["token", "--issuer", "https://x", "--client", "c", "--key", "k", "--case", "1"],
        ["token", "--issuer", "https://x", "--client", "c", "--key", "k", "--purpose", "P", "--details", "f"],
    ],
)
def test_a_line_that_cannot_be_meant_is_refused(line: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line)
    assert ended.value.code == 2


def test_a_key_file_that_is_none_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "k"
    path.write_text("SECRET")
    for file in (path, tmp_path / "missing"):
        assert main(["token", "--issuer", "https://x", "--client", "c", "--key", str(file)]) == 1
        said = capsys.readouterr().err
        assert str(file) in said
        assert "SECRET" not in said
