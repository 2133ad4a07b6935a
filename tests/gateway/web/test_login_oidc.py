"""Logging in at a real OIDC provider over real HTTP, and every way its answer may be a lie."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from demo.oidc_provider import OidcClientEntry, OidcProvider, OidcUser
from demo.serving import serving_app
from tests.fakes.login_house import LOGIN, Answer, House, browser, hidden, house, see, send

pytestmark = pytest.mark.anyio
SECRET = "a client's secret / of 40 characters & more"
Change = Callable[[dict[str, Any], dict[str, Any]], None]


@dataclass
class Scene:
    here: House
    provider: OidcProvider
    other: OidcProvider

    async def depart(self, client: Any, name: str = "gov", go_on: str = "/graphql") -> str:
        """Where the browser is sent."""
        shown = await see(client, f"{self.here.base_url}/login?{urlencode({'continue': go_on})}")
        answer = await send(
            client, f"{self.here.base_url}/login/oidc/{name}", hidden(shown.text, f"/login/oidc/{name}")
        )
        assert answer.status == 303
        return answer.location

    async def at_provider(self, client: Any, url: str, login: str = LOGIN) -> str:
        """Logs in over there; the way back."""
        form = await see(client, url)
        ticket = re.search(r'name="ticket" value="([^"]+)"', form.text)
        assert ticket is not None, form.text
        fields = {"ticket": unescape(ticket[1]), "login": login, "password": "pw"}
        return (await send(client, f"{url.split('/authorize')[0]}/authorize", fields)).location

    async def whole_way(self, client: Any, login: str = LOGIN, name: str = "gov") -> Answer:
        return await see(client, await self.at_provider(client, await self.depart(client, name), login))


@asynccontextmanager
async def provider_of(name: str, users: dict[str, OidcUser], **client: Any) -> AsyncIterator[tuple[OidcProvider, str]]:
    made = OidcProvider("", {}, users)
    async with serving_app(made.app()) as url:
        made.issuer = made.answer_iss = url
        yield made, url


@asynccontextmanager
async def scene(
    folder: Path, settings: str = "", clients: Callable[[str], OidcClientEntry] | None = None
) -> AsyncIterator[Scene]:
    users = {login: OidcUser(login, f"sub-{login}", login, "pw", "2") for login in (LOGIN, "cc0002", "stranger")}
    (folder / "secret").write_text(SECRET)
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    async with provider_of("gov", users) as (gov, gov_url), provider_of("two", users) as (two, two_url):
        file = folder / "providers.toml"
        file.write_text(
            f'[[providers]]\nname = "gov"\nissuer = "{gov_url}"\nclient_id = "yimen"\nsecret_file = "secret"\n'
            f'title_zh = "政务统一认证"\nacr_levels = {{ "2" = 2 }}\n{settings}\n'
            f'[[providers]]\nname = "two"\nissuer = "{two_url}"\nclient_id = "yimen-2"\nkey_file = "key.pem"\n'
        )
        async with house(folder, oidc_providers_file=file) as here:
            gov.clients = {"yimen": OidcClientEntry("yimen", (f"{here.base_url}/login/oidc/gov/callback",), SECRET)}
            callback = f"{here.base_url}/login/oidc/two/callback"
            two.clients = {"yimen-2": OidcClientEntry("yimen-2", (callback,), public_key=public)}
            for url in (gov_url, two_url):
                await here.store.login.accounts.link_external(
                    await here.user_id(), "CC-JUSTICE", url, f"sub-{LOGIN}", "operator"
                )
            yield Scene(here, gov, two)


@pytest.fixture
async def played(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as opened:
        yield opened


def refused(answer: Answer) -> bool:
    return answer.status == 403 and "未能通过该身份平台登录" in answer.text


async def test_an_officer_known_by_issuer_and_subject_is_logged_in(played: Scene) -> None:
    async with browser() as client:
        url = await played.depart(client)
        asked = dict(parse_qsl(urlsplit(url).query))
        assert asked["code_challenge_method"] == "S256"
        assert {len(asked[name]) for name in ("state", "nonce", "code_challenge")} == {43}
        answer = await see(client, await played.at_provider(client, url))
        assert (answer.status, answer.location) == (303, "/graphql")
        shown = await see(client, f"{played.here.base_url}/login")
        assert "周凯" in shown.text
        assert "认证级别 2" in shown.text  # by the provider's acr


async def test_a_client_key_does_for_a_secret(played: Scene) -> None:
    async with browser() as client:
        assert (await played.whole_way(client, name="two")).location == "/graphql"
        assert "认证级别 1" in (await see(client, f"{played.here.base_url}/login")).text


async def test_nobody_is_made_up_on_arrival(played: Scene) -> None:
    async with browser() as client:
        assert refused(await played.whole_way(client, login="stranger"))
        assert await played.here.store.identities.officer_by_login("stranger") is None


def claim(name: str, value: Any) -> Change:
    def change(header: dict[str, Any], claims: dict[str, Any]) -> None:
        if value is None:
            claims.pop(name, None)
        else:
            claims[name] = value

    return change


def both(*changes: Change) -> Change:
    def change(header: dict[str, Any], claims: dict[str, Any]) -> None:
        for one in changes:
            one(header, claims)

    return change


NOW = int(time.time())


@pytest.mark.parametrize(
    "change",
    [
        claim("nonce", "another nonce"),
        claim("nonce", None),
        claim("iss", "https://evil.example"),
        claim("iss", None),
        claim("aud", "another-client"),
        claim("aud", ["yimen", "another-client"]),
        claim("aud", None),
        claim("azp", "another-client"),
        both(claim("aud", "another-client"), claim("azp", "yimen")),  # what authlib lets pass
        both(claim("aud", ["yimen", "another-client"]), claim("azp", "yimen")),
        claim("exp", NOW - 3600),
        claim("exp", None),
        claim("exp", "soon"),
        claim("iat", None),
        claim("iat", NOW + 86_400),
        claim("nbf", NOW + 86_400),
        claim("sub", None),
        claim("sub", ""),
        claim("sub", 7),
        claim("auth_time", NOW - 86_400),
        claim("auth_time", None),
        claim("auth_time", "now"),
        claim("auth_time", True),
        claim("auth_time", NOW + 86_400),
        claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
    ],
)
async def test_an_id_token_that_is_not_for_this_login_is_refused(played: Scene, change: Change) -> None:
    played.provider.twist = change
    async with browser() as client:
        assert refused(await played.whole_way(client))
        assert "周凯" not in (await see(client, f"{played.here.base_url}/login")).text
        played.provider.twist = lambda header, claims: None
        assert (await played.whole_way(client)).location == "/graphql"  # and nothing else was wrong


def b64(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


async def test_a_signature_that_is_not_the_providers_is_refused(played: Scene) -> None:
    gov = played.provider
    stranger = ECKey.generate_key("P-256", {"kid": gov.key.kid})
    public_pem = gov.key.as_pem(private=False)
    rsa = RSAKey.generate_key(2048)

    def cut(header: dict[str, Any], claims: dict[str, Any]) -> str:
        return jwt.encode(header, claims, gov.key).rsplit(".", 1)[0] + "."

    def changed(header: dict[str, Any], claims: dict[str, Any]) -> str:
        head, _, signature = jwt.encode(header, claims, gov.key).split(".")
        return f"{head}.{b64(claims | {'sub': 'sub-cc0002'})}.{signature}"

    forgeries: dict[str, Callable[[dict[str, Any], dict[str, Any]], str]] = {
        "another key of the same kid": lambda header, claims: jwt.encode(header, claims, stranger),
        "alg none": lambda header, claims: f"{b64({**header, 'alg': 'none'})}.{b64(claims)}.",
        "the public key as an HMAC secret": lambda header, claims: jwt.encode(
            {**header, "alg": "HS256"}, claims, OctKey.import_key(public_pem), algorithms=["HS256"]
        ),
        "an algorithm of another key type": lambda header, claims: jwt.encode(
            {**header, "alg": "RS256"}, claims, rsa, algorithms=["RS256"]
        ),
        "a key of its own in the header": lambda header, claims: jwt.encode(
            {"alg": "ES256", "jwk": stranger.as_dict(private=False)}, claims, stranger
        ),
        "a kid nobody has": lambda header, claims: jwt.encode({**header, "kid": "other"}, claims, gov.key),
        "no signature": cut,
        "claims changed after signing": changed,
        "no JWT": lambda header, claims: "not a jwt",
    }
    for name, forge in forgeries.items():
        gov.sign = forge
        async with browser() as client:
            assert refused(await played.whole_way(client)), name
    gov.sign = gov._signed
    async with browser() as client:
        assert (await played.whole_way(client)).location == "/graphql"


async def test_another_providers_answer_is_not_taken_for_this_ones(played: Scene) -> None:
    async with browser() as client:
        back = await played.at_provider(client, await played.depart(client, "gov"))
        assert refused(await see(client, back.replace("/oidc/gov/", "/oidc/two/")))
        assert refused(await see(client, back))  # not even afterwards: what went wrong begins anew
    for said in (played.other.issuer, "", "https://evil.example"):
        played.provider.answer_iss = said
        async with browser() as client:
            assert refused(await played.whole_way(client)), said
    played.provider.answer_iss = played.provider.issuer
    async with browser() as client:  # promised in the metadata, so it must be there
        back = await played.at_provider(client, await played.depart(client))
        query = dict(parse_qsl(urlsplit(back).query))
        del query["iss"]
        assert refused(await see(client, f"{back.split('?')[0]}?{urlencode(query)}"))


async def test_state_belongs_to_one_browser_and_is_spent_at_once(played: Scene) -> None:
    async with browser() as victim, browser() as attacker:
        back = await played.at_provider(attacker, await played.depart(attacker))
        assert refused(await see(victim, back))  # a login that somebody else began
        await played.depart(victim)
        assert refused(await see(victim, back))
        assert (await see(attacker, back)).location == "/graphql"
        assert refused(await see(attacker, back))  # replayed


async def test_odd_answers_are_one_page_and_no_fault(played: Scene) -> None:
    base = f"{played.here.base_url}/login/oidc/gov/callback"
    for query in ("", "error=access_denied", "code=x", "state=%00&code=%ff", "code=" + "a" * 5000):
        async with browser() as client:
            url = await played.depart(client)
            state = dict(parse_qsl(urlsplit(url).query))["state"]
            answer = await see(client, f"{base}?{query}")
            assert answer.status in (400, 403), query
            answer = await see(client, f"{base}?state={state}&{query}" if "state" not in query else base)
            assert answer.status in (400, 403), query
    async with browser() as client:
        await played.depart(client)
        assert (await see(client, f"{base}?state=a&state=b")).status == 400
        assert (await see(client, f"{played.here.base_url}/login/oidc/nobody/callback?state=a")).status == 403


async def test_nobody_elses_form_sends_a_browser_there(played: Scene) -> None:
    async with browser() as client:
        answer = await send(client, f"{played.here.base_url}/login/oidc/gov", {"continue": "/graphql"})
        assert answer.status == 403
        shown = await see(client, f"{played.here.base_url}/login")
        fields = hidden(shown.text, "/login/oidc/gov")
        assert (await send(client, f"{played.here.base_url}/login/oidc/none", fields)).status == 404


async def test_a_provider_whose_papers_are_wrong_is_not_spoken_to(played: Scene) -> None:
    async with browser() as client:
        honest = played.provider.issuer
        for issuer in ("https://evil.example", honest + "/", "http://127.0.0.1:9"):
            played.provider.issuer = issuer
            shown = await see(client, f"{played.here.base_url}/login")
            answer = await send(client, f"{played.here.base_url}/login/oidc/gov", hidden(shown.text, "/login/oidc/gov"))
            assert answer.status == 503, issuer
        played.provider.issuer = honest
        assert (await played.whole_way(client)).location == "/graphql"


async def test_a_provider_may_be_asked_for_more(tmp_path: Path) -> None:
    async with scene(tmp_path, 'acr_values = "2"') as played:
        async with browser() as client:
            assert (await played.whole_way(client)).location == "/graphql"
        played.provider.twist = claim("acr", "1")
        async with browser() as client:
            assert refused(await played.whole_way(client))


async def test_subjects_may_be_the_officers_external_ids(tmp_path: Path) -> None:
    async with scene(tmp_path, 'users = "external_id"') as played:
        async with browser() as client:
            assert refused(await played.whole_way(client))
        played.provider.twist = claim("sub", "idp|1")
        async with browser() as client:
            assert (await played.whole_way(client)).location == "/graphql"


async def test_a_key_that_was_rotated_over_there_is_fetched(played: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.services.oidc_client._AGAIN_S", 0.0)
    async with browser() as client:
        assert (await played.whole_way(client)).location == "/graphql"
    played.provider.key = ECKey.generate_key("P-256", {"kid": "next", "use": "sig", "alg": "ES256"})
    async with browser() as client:
        assert (await played.whole_way(client)).location == "/graphql"
