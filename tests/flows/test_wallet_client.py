"""A person's wallet as a client of ours, made of npm packages: an officer offers, the person says yes on their own pages with
the code that goes to their phone, and the wallet gets its token and the credential. All over HTTP, on real departments.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import aiohttp
import pytest

from gateway.oauth.client import WALLET, Client
from gateway.oauth.client_assertion import ASSERTION_TYPE
from gateway.oauth.jose import PrivateKey
from gateway.oauth.pkce import challenge_of
from gateway.supervision.case_facts import CaseEntry, Part, PartyEntry
from tests.fakes.person_house import ID_NO, NAME, PHONE, hidden, put_organisations
from tests.fakes.tokens import officer
from tests.flows.house import CASE, House
from tests.flows.node_modules_of import installed
from tests.flows.node_script import run_script
from tests.flows.test_openid_client import PACKAGES
from tests.flows.town import Town, gateway_of, unhurried

SCRIPT = Path(__file__).parent / "node" / "wallet_client.mjs"
REDIRECT = "http://127.0.0.1:9/callback"
OFFER = f"""mutation($idNo: String!, $name: String!, $flow: CredentialOfferFlow!)
  @purpose(code: "CREDENTIAL_OFFER", caseNo: "{CASE}") {{
  offerCredential(idNo: $idNo, name: $name, credential: ["residence"], flow: $flow, txCode: false) {{
    link otherLink qrText txCode offer {{ id state timeline {{ step }} }} }} }}"""
LOOK = f"""query($id: ID!) @purpose(code: "CREDENTIAL_OFFER", caseNo: "{CASE}") {{
  credentialOffer(id: $id) {{ state redeemedAt timeline {{ step }} }} }}"""

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def packages() -> Path:
    return installed("openid-client", *PACKAGES)


@pytest.fixture
async def house(wide_town: Town, tmp_path: Path) -> AsyncIterator[House]:
    await wide_town.heal()
    async with gateway_of(wide_town, tmp_path, unhurried) as opened:
        store, now = opened.gateway.store, opened.gateway.clock.now()
        await put_organisations(store)
        (subject,) = await store.subjects.intern([ID_NO])
        await store.subjects.remember(subject, ID_NO, NAME)
        await store.phones.enrol(subject, PHONE, by="lin", org="office", at=now)
        since = now - timedelta(days=1)
        await store.cases.declare([CaseEntry(CASE, subject), PartyEntry(CASE, "office", Part.SUPERVISING, since)])
        yield opened


async def ask(house: House, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    asker = await officer(house.gateway, org_id="office", purposes=("CREDENTIAL_OFFER",))
    url = f"{house.url}/graphql"
    body = {"query": query, "variables": dict(variables)}
    async with house.session.post(url, json=body, headers=asker.headers("POST", url)) as reply:
        answer: dict[str, Any] = await reply.json(content_type=None)
        assert "errors" not in answer, answer
        return dict(answer["data"])


def offer_uri(link: str) -> str:
    return parse_qs(urlsplit(link).query)["credential_offer_uri"][0]


class Browser:
    """张三's, with his phone beside it."""

    def __init__(self, house: House, session: aiohttp.ClientSession) -> None:
        self.house, self.session = house, session

    async def see(self, path: str) -> tuple[str, str]:
        """The page in the end, and where it is."""
        async with self.session.get(path if path.startswith("http") else self.house.url + path) as reply:
            assert reply.status == 200, await reply.text()
            return await reply.text(), reply.url.path

    async def send(self, path: str, page: str, **form: str) -> tuple[int, str, str]:
        data = {"csrf": hidden(page, "csrf"), **form}
        async with self.session.post(self.house.url + path, data=data, allow_redirects=False) as reply:
            return reply.status, reply.headers.get("location", ""), await reply.text()

    async def message(self, kind: str) -> str:
        sent = await self.house.gateway.store.inbox.latest()
        return next(one.zh for one in sent if one.kind == kind)

    async def come_in(self, path: str, page: str) -> tuple[str, str]:
        """With the code that goes to the phone."""
        status, where, _ = await self.send(f"{path}/code", page)
        assert status == 303, where
        code = re.search(r"[0-9]{6}", await self.message("ONE_TIME_CODE"))
        assert code is not None
        status, where, _ = await self.send(f"{path}/open", page, code=code[0])
        assert (status, where) == (303, "/me")
        return await self.see(where)


@pytest.fixture
async def browser(house: House) -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), trust_env=False) as session:
        yield Browser(house, session)


async def registered(house: House) -> PrivateKey:
    key = PrivateKey.generate()
    client = Client(
        "some-wallet", "某钱包", WALLET, "vendor", "WALLET_PROVIDER", "", {"keys": [key.public_jwk()]},
        grant_types=frozenset({"authorization_code"}), redirect_uris=(REDIRECT,),
    )  # fmt: skip
    await house.gateway.store.clients.put([client], actor_org="operator", actor_user="operator")
    return key


async def says_yes(browser: Browser, url: str) -> str:
    """Sees who wants what, and agrees; where the browser is sent then."""
    page, path = await browser.see(url)
    if path.startswith("/me/l/"):
        page, path = await browser.come_in(path, page)
    assert path == "/me/wallet", path
    assert "某钱包" in page
    assert "居住证明" in page
    assert "祖庙司法所" in page
    status, where, text = await browser.send("/me/wallet", page, decision="approve")
    assert status == 303, text
    return where


@pytest.mark.parametrize("by", ["scope", "details"])
async def test_from_the_officers_offer_to_the_credential(
    house: House, packages: Path, browser: Browser, by: str
) -> None:
    key = await registered(house)
    variables = {"idNo": ID_NO, "name": NAME, "flow": "AUTHORIZATION_CODE"}
    made = (await ask(house, OFFER, variables))["offerCredential"]
    assert made["txCode"] is None
    assert unquote(made["link"]).startswith(f"{house.url}/wallet?credential_offer_uri={house.url}/openid4vci/offers/")
    detail = {"type": "openid_credential", "credential_configuration_id": "residence"}
    asked = {"scope": "credential:residence"} if by == "scope" else {"authorization_details": json.dumps([detail])}
    steps = await run_script(
        SCRIPT, packages,
        {
            "issuer": house.url, "offer_uri": offer_uri(made["link"]), "client_id": "some-wallet",
            "jwk": key.private_jwk(), "redirect_uri": REDIRECT, "asked": asked,
        },
        lambda url: says_yes(browser, url),
    )  # fmt: skip
    assert steps["token"]["token_type"].lower() == "dpop"
    if by == "scope":
        assert (steps["token"]["scope"], steps["token"]["details"]) == ("credential:residence", None)
    else:
        assert steps["token"]["details"][0]["credential_configuration_id"] == "residence"
    assert steps["credential"]["status"] == 200, steps["credential"]
    (credential,) = steps["credential"]["answer"]["credentials"]
    assert credential["credential"].endswith("~")
    seen = (await ask(house, LOOK, {"id": made["offer"]["id"]}))["credentialOffer"]
    assert seen["state"] == "REDEEMED"
    assert [one["step"] for one in seen["timeline"]][:3] == ["CREATED", "OPENED", "REDEEMED"]
    assert "ISSUED" in [one["step"] for one in seen["timeline"]]


async def pushed(house: House, key: PrivateKey, **form: str) -> tuple[int, dict[str, Any]]:
    now = int(house.gateway.clock.now().timestamp())
    claims = {
        "iss": "some-wallet",
        "sub": "some-wallet",
        "aud": house.url,
        "iat": now,
        "exp": now + 60,
        "jti": token_hex(),
    }
    whole = {
        "client_assertion_type": ASSERTION_TYPE, "client_assertion": key.sign({}, claims), "response_type": "code",
        "redirect_uri": REDIRECT, "scope": "credential:residence", "code_challenge": challenge_of("v" * 43),
        "code_challenge_method": "S256", **form,
    }  # fmt: skip
    async with house.session.post(f"{house.url}/oauth/par", data=whole) as reply:
        return reply.status, await reply.json()


def address(house: House, request_uri: str) -> str:
    return f"{house.url}/oauth/authorize?" + urlencode({"client_id": "some-wallet", "request_uri": request_uri})


@pytest.mark.parametrize("says", ["yes", "no"])
async def test_without_an_offer_the_person_says_who_they_are_and_the_body_is_the_one_that_supervises_them(
    house: House, browser: Browser, says: str
) -> None:
    key = await registered(house)
    status, said = await pushed(house, key)
    assert status == 201
    page, path = await browser.see(address(house, said["request_uri"]))
    assert path == "/me"
    status, where, _ = await browser.send("/me/link", page, id_no=ID_NO, phone=PHONE)
    assert where == "/me/sent"
    await house.gateway.persons.door.settled()
    link = re.search(r"/me/l/[A-Za-z0-9_-]+", (await house.gateway.store.inbox.latest())[0].link)
    assert link is not None
    page, path = await browser.see(link[0])
    page, path = await browser.come_in(path, page)
    assert path == "/me/wallet"
    assert "祖庙司法所" in page
    if says == "yes":
        _, where, text = await browser.send("/me/wallet", page, decision="approve")
        assert "code" in parse_qs(urlsplit(where).query), text
        return
    status, where, _ = await browser.send("/me/wallet", page, decision="deny")
    assert status == 303
    assert parse_qs(urlsplit(where).query)["error"] == ["access_denied"]
    assert parse_qs(urlsplit(where).query)["iss"] == [house.url]
    page, path = await browser.see("/me")  # nothing waits any more
    assert path == "/me"
    async with browser.session.get(address(house, said["request_uri"])) as reply:
        assert reply.status == 400
        assert "无法授权" in await reply.text()


async def test_an_offer_to_somebody_else_is_a_dead_link(house: House, browser: Browser) -> None:
    """Another person, who is in, follows 张三's wallet request."""
    key, store = await registered(house), house.gateway.store
    made = (await ask(house, OFFER, {"idNo": ID_NO, "name": NAME, "flow": "AUTHORIZATION_CODE"}))["offerCredential"]
    async with house.session.get(offer_uri(made["link"])) as reply:
        state = (await reply.json())["grants"]["authorization_code"]["issuer_state"]
    (other,) = await store.subjects.intern(["440606199003070033"])
    await store.phones.enrol(other, "13800138001", by="lin", org="office", at=house.gateway.clock.now())
    token = await house.gateway.persons.door.way_in(other)
    page, path = await browser.see(f"/me/l/{token}")
    await browser.come_in(path, page)
    _, said = await pushed(house, key, issuer_state=state)
    async with browser.session.get(address(house, said["request_uri"])) as reply:
        assert reply.status == 404
        assert "祖庙司法所" not in await reply.text()
    _, path = await browser.see("/me")
    assert path == "/me", "and their own pages are there as before"
    seen = (await ask(house, LOOK, {"id": made["offer"]["id"]}))["credentialOffer"]
    assert seen["state"] == "OPEN"


@pytest.mark.parametrize("state", ["no-such-offer", "pre-authorized"])
async def test_an_offer_that_is_none_or_of_the_other_flow_is_a_dead_link(
    house: House, browser: Browser, state: str
) -> None:
    key = await registered(house)
    if state == "pre-authorized":
        made = (await ask(house, OFFER, {"idNo": ID_NO, "name": NAME, "flow": "PRE_AUTHORIZED_CODE"}))[
            "offerCredential"
        ]
        state = offer_uri(made["link"]).rpartition("/")[2]
    _, said = await pushed(house, key, issuer_state=state)
    async with browser.session.get(address(house, said["request_uri"])) as reply:
        assert reply.status == 404


async def test_a_form_that_is_not_ours_decides_nothing(house: House, browser: Browser) -> None:
    key = await registered(house)
    made = (await ask(house, OFFER, {"idNo": ID_NO, "name": NAME, "flow": "AUTHORIZATION_CODE"}))["offerCredential"]
    async with house.session.get(offer_uri(made["link"])) as reply:
        state = (await reply.json())["grants"]["authorization_code"]["issuer_state"]
    _, said = await pushed(house, key, issuer_state=state)
    page, path = await browser.see(address(house, said["request_uri"]))
    page, path = await browser.come_in(path, page)
    assert path == "/me/wallet"
    async with browser.session.post(f"{house.url}/me/wallet", data={"decision": "approve"}) as reply:
        assert reply.status == 403
    status, where, _ = await browser.send("/me/wallet", page, decision="approve")
    assert status == 303
    assert "code" in parse_qs(urlsplit(where).query)
    status, where, _ = await browser.send("/me/wallet", page, decision="approve")
    assert status == 400, "decided once"


async def test_the_server_says_what_wallets_may_ask_for(house: House) -> None:
    async with house.session.get(f"{house.url}/.well-known/oauth-authorization-server") as reply:
        said = await reply.json()
    assert "credential:residence" in said["scopes_supported"]
    assert "openid_credential" in said["authorization_details_types_supported"]
    assert "attest_jwt_client_auth" not in said["token_endpoint_auth_methods_supported"]
    status, refused = await pushed(house, await registered(house), scope="graphql")
    assert (status, refused["error"]) == (400, "invalid_scope")


async def test_what_the_body_may_not_offer_is_not_to_be_had_by_asking_for_it(house: House, browser: Browser) -> None:
    """A discharge certificate is for whoever was discharged, offered or not."""
    key = await registered(house)
    (subject,) = await house.gateway.store.subjects.recognise([ID_NO])
    token = await house.gateway.persons.door.way_in(subject)
    page, path = await browser.see(f"/me/l/{token}")
    await browser.come_in(path, page)
    _, said = await pushed(house, key, scope="credential:discharge")
    page, path = await browser.see(address(house, said["request_uri"]))
    assert path == "/me/wallet"
    status, _, text = await browser.send("/me/wallet", page, decision="approve")
    assert status == 403
    assert "不得" in text
    variables = {"idNo": ID_NO, "name": NAME, "flow": "AUTHORIZATION_CODE"}
    with pytest.raises(AssertionError, match="不得向此人"):
        await ask(house, OFFER.replace('"residence"', '"discharge"'), variables)
