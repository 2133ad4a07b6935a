"""What the query page gets: a token for a session, a form token and a key; and nothing for two of the three."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyotp
import pytest

from gateway.oauth.jose import PrivateKey, access_token_hash
from tests.fakes.login_house import TOTP, House, browser, hidden, house, log_in, see, send

pytestmark = pytest.mark.anyio
KEY = PrivateKey.generate()


@dataclass
class Page:
    here: House
    client: Any
    csrf: str
    nonces: dict[str, str]

    def proof(self, path: str, token: str | None = None, key: PrivateKey = KEY, **claims: Any) -> str:
        told = {"htm": "POST", "htu": self.here.base_url + path, "iat": int(time.time()), "jti": secrets.token_hex(8)}
        if path in self.nonces:
            told["nonce"] = self.nonces[path]
        if token is not None:
            told["ath"] = access_token_hash(token)
        public = {name: key.public_jwk()[name] for name in ("kty", "crv", "x", "y")}
        return key.sign({"typ": "dpop+jwt", "jwk": public}, told | claims)

    async def post(self, path: str, headers: dict[str, str], json: Any = None) -> tuple[int, Any]:
        async with self.client.post(self.here.base_url + path, headers=headers, json=json) as response:
            if "dpop-nonce" in response.headers:
                self.nonces[path] = response.headers["dpop-nonce"]
            return response.status, await response.json()

    async def token(self) -> str:
        path = "/graphiql/token"
        await self.post(path, {"x-csrf-token": self.csrf, "dpop": self.proof(path)})
        status, body = await self.post(path, {"x-csrf-token": self.csrf, "dpop": self.proof(path)})
        assert (status, body["token_type"], body["expires_in"]) == (200, "DPoP", 300)
        return str(body["access_token"])

    async def ask(self, token: str, key: PrivateKey = KEY) -> int:
        for _ in range(2):
            headers = {"authorization": f"DPoP {token}", "dpop": self.proof("/graphql", token, key)}
            status, _ = await self.post("/graphql", headers, {"query": "{ __typename }"})
        return status


@pytest.fixture
async def shown(tmp_path: Path) -> AsyncIterator[Page]:
    async with house(tmp_path) as here, browser() as client:
        await here.enrol()
        await log_in(here, client, pyotp.TOTP(TOTP).now())
        async with client.get(f"{here.base_url}/graphiql/session") as response:
            said = await response.json()
        assert (said["loggedIn"], said["name"], said["level"], said["origin"]) == (True, "周凯", 2, here.base_url)
        yield Page(here, client, said["csrf"], {})


async def test_a_token_of_the_officer_bound_to_the_pages_key(shown: Page) -> None:
    token = await shown.token()
    assert await shown.ask(token) == 200
    (request,) = shown.here.execute.requests
    assert request.query == "{ __typename }"
    assert await shown.ask(token, PrivateKey.generate()) == 401
    status, _ = await shown.post("/graphql", {"authorization": f"Bearer {token}"}, {"query": "{ __typename }"})
    assert status == 401


async def test_the_first_proof_learns_its_nonce(shown: Page) -> None:
    status, body = await shown.post(
        "/graphiql/token", {"x-csrf-token": shown.csrf, "dpop": shown.proof("/graphiql/token")}
    )
    assert (status, body["error"]) == (400, "use_dpop_nonce")
    assert "/graphiql/token" in shown.nonces


async def test_nothing_for_less(shown: Page) -> None:
    path = "/graphiql/token"
    await shown.token()
    good = shown.proof(path)
    assert (await shown.post(path, {"dpop": good}))[0] == 403
    assert (await shown.post(path, {"dpop": good, "x-csrf-token": "x"}))[0] == 403
    assert (await shown.post(path, {"dpop": good, "x-csrf-token": shown.csrf, "sec-fetch-site": "cross-site"}))[
        0
    ] == 403
    assert (await shown.post(path, {"x-csrf-token": shown.csrf}))[0] == 400
    for wrong in ({"htm": "GET"}, {"htu": shown.here.base_url + "/graphql"}, {"iat": 1}, {"jti": ""}):
        assert (await shown.post(path, {"dpop": shown.proof(path, **wrong), "x-csrf-token": shown.csrf}))[0] == 400
    assert (await shown.post(path, {"dpop": good, "x-csrf-token": shown.csrf}))[0] == 200
    assert (await shown.post(path, {"dpop": good, "x-csrf-token": shown.csrf}))[0] == 400  # each proof once
    async with browser() as stranger:
        page = Page(shown.here, stranger, shown.csrf, shown.nonces)
        assert (await page.post(path, {"dpop": page.proof(path), "x-csrf-token": shown.csrf}))[0] == 401
        async with stranger.get(f"{shown.here.base_url}/graphiql/session") as response:
            assert await response.json() == {"loggedIn": False}


async def test_another_sites_page_reads_nothing_of_the_session(shown: Page) -> None:
    url = f"{shown.here.base_url}/graphiql/session"
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        async with shown.client.get(url, headers=headers) as response:
            assert response.status == 403
            assert "周凯" not in await response.text()


async def test_logging_out_ends_the_pages_tokens_at_once(shown: Page) -> None:
    token = await shown.token()
    assert await shown.ask(token) == 200
    page = await see(shown.client, f"{shown.here.base_url}/login")
    await send(shown.client, f"{shown.here.base_url}/logout", hidden(page.text, "/logout"))
    assert await shown.ask(token) == 401


async def test_new_factors_end_sessions_and_tokens_of_the_old_ones(shown: Page) -> None:
    token = await shown.token()
    link = await shown.here.parts.set_up.invite("cc0001")
    async with browser() as other:
        page = await see(other, link)
        fields = hidden(page.text, "/login/invitation") | {
            "password": "a new 长 password",
            "again": "a new 长 password",
        }
        assert (await send(other, f"{shown.here.base_url}/login/invitation", fields)).location == "/login/enrol"
        page = await see(other, f"{shown.here.base_url}/login/enrol")
        secret = page.text.split("<code>")[1].split("</code>")[0].replace(" ", "")
        wrong = hidden(page.text, "/login/enrol") | {"code": "000000"}
        assert (await send(other, f"{shown.here.base_url}/login/enrol", wrong)).status == 403
        assert await shown.ask(token) == 200  # nothing has changed before all is there
        right = wrong | {"code": pyotp.TOTP(secret).now()}
        assert (await send(other, f"{shown.here.base_url}/login/enrol", right)).location == "/login"
        assert (await see(other, link)).status == 404
    assert await shown.ask(token) == 401
    assert "周凯" not in (await see(shown.client, f"{shown.here.base_url}/login")).text
