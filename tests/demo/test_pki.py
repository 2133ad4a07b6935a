"""The demo authority: strict verifiers accept it, strangers are kept out, nobody else reads the keys."""

from __future__ import annotations

import ssl
from pathlib import Path

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from demo.pki import Pki, make_pki
from demo.serving import serving_app


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


def _client(pki: Pki, name: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(pki.ca))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if name:
        context.load_cert_chain(pki.cert(name), pki.key(name))
    return context


async def _ask(url: str, context: ssl.SSLContext) -> str:
    async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as answer:
        return await answer.text()


def test_every_file_is_for_its_owner_alone(pki: Pki) -> None:
    assert {file.stat().st_mode & 0o777 for file in pki.directory.iterdir()} == {0o600}
    assert pki.directory.stat().st_mode & 0o777 == 0o700


def test_the_authoritys_key_is_not_kept(pki: Pki) -> None:
    keys = {file.name for file in pki.directory.iterdir() if b"PRIVATE KEY" in file.read_bytes()}
    assert keys == {"server-key.pem", "yimen-key.pem", "stranger-key.pem"}


def test_a_second_demo_replaces_the_first(tmp_path: Path) -> None:
    first = make_pki(tmp_path).ca.read_bytes()
    assert make_pki(tmp_path).ca.read_bytes() != first


@pytest.mark.anyio
async def test_mutual_tls_takes_our_certificate_and_no_other(pki: Pki) -> None:
    app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("in"))])
    async with serving_app(app, tls="mutual", pki=pki.directory) as url:
        assert await _ask(url, _client(pki, "yimen")) == "in"
        for refused in ("stranger", None):
            with pytest.raises((aiohttp.ClientError, ConnectionError)):
                await _ask(url, _client(pki, refused))


@pytest.mark.anyio
async def test_an_unknown_authority_does_not_vouch_for_the_server(pki: Pki) -> None:
    app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("in"))])
    async with serving_app(app, tls="server", pki=pki.directory) as url:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await _ask(url, ssl.create_default_context())
