"""/oauth/authorize in front of the real authorization server: what is shown, decided, sent back, and what is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyotp
import pytest

from gateway.bootstrap.authorization import Authorization
from gateway.web.problems import text
from tests.fakes.authorization import OFFICER, Desk, answer_of, officer_detail
from tests.fakes.login_house import TOTP, Answer, House, browser, hidden, house, log_in, see, send

pytestmark = pytest.mark.anyio
CLIENT = replace(OFFICER, org_id="CC-JUSTICE", client_name="社矫工作台 <b>")


@dataclass
class HandClock:
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Scene:
    here: House
    desk: Desk
    clock: HandClock

    def url(self, request_uri: str, **more: str) -> str:
        asked = {"client_id": "desk", "request_uri": request_uri} | more
        return f"{self.here.base_url}/oauth/authorize?{urlencode(asked)}"

    async def logged_in(self, client: Any, go_on: str = "/graphql") -> Answer:
        return await log_in(self.here, client, pyotp.TOTP(TOTP).at(self.clock.at), go_on=go_on)

    async def decide(self, client: Any, shown: Answer, decision: str, **changes: str) -> Answer:
        fields = hidden(shown.text, "/oauth/authorize") | {"decision": decision} | changes
        return await send(client, f"{self.here.base_url}/oauth/authorize", fields)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    clock = HandClock()
    async with house(tmp_path, clock=clock) as here:
        await here.enrol()
        desk = Desk(here.store, clock, base=here.base_url)
        assert isinstance(desk.built, Authorization)
        await desk.register_all(CLIENT)
        yield Scene(here, desk, clock)


async def test_who_is_not_logged_in_logs_in_and_comes_back(scene: Scene) -> None:
    request_uri = await scene.desk.push(authorization_details=[officer_detail()])
    async with browser() as client:
        sent = await see(client, scene.url(request_uri))
        assert sent.status == 303
        assert sent.location.startswith("/login?continue=%2Foauth%2Fauthorize%3F")
        path = scene.url(request_uri).removeprefix(scene.here.base_url)
        back = await scene.logged_in(client, go_on=path)
        assert back.location == path
        shown = await see(client, scene.here.base_url + back.location)
        assert shown.status == 200


async def test_the_page_names_client_body_purpose_case_data_and_end(scene: Scene) -> None:
    until = (scene.clock.at + timedelta(days=3)).strftime("%Y-%m-%dT04:00:00Z")
    detail = officer_detail(datatypes=["residence.address"], validity={"until": until})
    request_uri = await scene.desk.push(authorization_details=[detail])
    async with browser() as client:
        await scene.logged_in(client)
        shown = await see(client, scene.url(request_uri))
        for words in (
            "周凯", "社矫工作台 &lt;b&gt;", "禅城区司法局", "https://desk.example", "社区矫正接收", "Reception",
            "社区矫正法第五条", "(2026)粤0604刑初123号", "residence.address", "12:00", "同意", "拒绝",
        ):  # fmt: skip
            assert words in shown.text, words
        policy = shown.response.headers["content-security-policy"]
        assert "form-action 'self' https://desk.example;" in policy
        assert "frame-ancestors 'none'" in policy
        assert "<script" not in shown.text


async def test_agreed_the_client_gets_a_code_with_iss_and_a_token_of_the_officer(scene: Scene) -> None:
    request_uri = await scene.desk.push(authorization_details=[officer_detail()])
    async with browser() as client:
        await scene.logged_in(client)
        shown = await see(client, scene.url(request_uri))
        answer = await scene.decide(client, shown, "approve")
        assert answer.status == 303
        said = answer_of(answer.location)
        assert (said["iss"], said["state"]) == (scene.here.base_url, "st")
        tokens = await scene.desk.redeem(said["code"])
        claims = await scene.desk.claims(tokens["access_token"])
        assert claims["sub"] == await scene.here.user_id()
        assert (claims["org_id"], claims["level"], claims["amr"]) == ("CC-JUSTICE", 2, ["pwd", "otp"])
        assert claims["posts"] == ["CASE_OFFICER"]
        again = await scene.decide(client, shown, "approve")  # the button pressed twice
        assert again.status == 400
        assert again.location == ""


async def test_refused_the_client_is_told_so_and_the_request_is_spent(scene: Scene) -> None:
    request_uri = await scene.desk.push()
    async with browser() as client:
        await scene.logged_in(client)
        shown = await see(client, scene.url(request_uri))
        answer = await scene.decide(client, shown, "deny")
        said = answer_of(answer.location)
        assert (said["error"], said["state"], said["iss"]) == ("access_denied", "st", scene.here.base_url)
        assert (await see(client, scene.url(request_uri))).status == 400


async def test_looking_spends_nothing_and_everything_else_in_the_url_is_nothing(scene: Scene) -> None:
    request_uri = await scene.desk.push()
    async with browser() as client:
        await scene.logged_in(client)
        plain = await see(client, scene.url(request_uri))
        more = {"redirect_uri": "https://evil.example", "scope": "all", "state": "x", "response_type": "token"}
        shown = await see(client, scene.url(request_uri, **more))
        assert shown.text == plain.text
        assert (await scene.decide(client, shown, "approve")).location.startswith("https://desk.example/cb?")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "client_id=desk",
        "client_id=desk&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Anone",
        "client_id=desk&request_uri=https%3A%2F%2Fevil.example%2Fr.jwt",
        "client_id=nobody&request_uri={uri}",
        "client_id=desk&client_id=desk&request_uri={uri}",
        "client_id=desk&request_uri={uri}&request_uri={uri}",
        "client_id=desk&request_uri={uri}%00",
        "client_id=%ff&request_uri={uri}",
        "client_id=desk%00&request_uri={uri}",
        "client_id=desk&response_type=code&redirect_uri=https%3A%2F%2Fdesk.example%2Fcb",
    ],
)
async def test_what_cannot_be_trusted_is_a_page_and_never_a_redirect(scene: Scene, query: str) -> None:
    request_uri = await scene.desk.push()
    async with browser() as client:
        await scene.logged_in(client)
        asked = query.replace("{uri}", request_uri.replace(":", "%3A"))
        answer = await see(client, f"{scene.here.base_url}/oauth/authorize?{asked}")
        assert answer.status == 400
        assert answer.location == ""
        assert "无法授权" in answer.text
        assert "evil" not in answer.text


async def test_another_sites_form_decides_nothing(scene: Scene) -> None:
    request_uri = await scene.desk.push()
    async with browser() as client:
        await scene.logged_in(client)
        shown = await see(client, scene.url(request_uri))
        fields = hidden(shown.text, "/oauth/authorize") | {"decision": "approve"}
        url = f"{scene.here.base_url}/oauth/authorize"
        assert (await send(client, url, fields, **{"sec-fetch-site": "cross-site"})).status == 403
        assert (await send(client, url, fields | {"csrf": "x"})).status == 403
    async with browser() as other:  # another session's token
        scene.clock.forward(30)
        await scene.logged_in(other)
        assert (await send(other, url, fields)).status == 403


async def test_nothing_but_the_two_words_decides(scene: Scene) -> None:
    request_uri = await scene.desk.push()
    async with browser() as client:
        await scene.logged_in(client)
        shown = await see(client, scene.url(request_uri))
        assert (await scene.decide(client, shown, "maybe")).status == 400
        assert (await scene.decide(client, shown, "approve")).status == 303


@pytest.mark.parametrize("wish", [{"prompt": "login"}, {"max_age": "60"}, {"max_age": "0"}])
async def test_an_old_login_is_made_anew_where_the_client_wants_it(scene: Scene, wish: dict[str, str]) -> None:
    async with browser() as client:
        await scene.logged_in(client)
        scene.clock.forward(90)
        request_uri = await scene.desk.push(**wish)
        assert (await see(client, scene.url(request_uri))).location.startswith("/login?continue=")
        await scene.logged_in(client)
        shown = await see(client, scene.url(request_uri))
        scene.clock.forward(5)  # reading takes time
        assert "code" in answer_of((await scene.decide(client, shown, "approve")).location)


async def test_a_stronger_login_is_asked_for_once_and_then_the_page_says_so(scene: Scene) -> None:
    async with browser() as client:
        await scene.logged_in(client)
        scene.clock.forward(90)
        request_uri = await scene.desk.push(acr_values="3")
        assert (await see(client, scene.url(request_uri))).location.startswith("/login?continue=")
        await scene.logged_in(client)
        shown = await see(client, scene.url(request_uri))
        assert "更强的登录方式" in shown.text
        assert 'value="approve"' not in shown.text
        answer = answer_of((await scene.decide(client, shown, "approve")).location)
        assert answer["error"] == "unmet_authentication_requirements"


async def test_prompt_none_is_answered_without_a_page(scene: Scene) -> None:
    async with browser() as client:
        answer = answer_of((await see(client, scene.url(await scene.desk.push(prompt="none")))).location)
        assert answer["error"] == "login_required"
        await scene.logged_in(client)
        answer = answer_of((await see(client, scene.url(await scene.desk.push(prompt="none")))).location)
        assert answer["error"] == "consent_required"


async def test_a_purpose_that_is_not_the_officers_ends_with_the_client_told(scene: Scene) -> None:
    request_uri = await scene.desk.push(
        authorization_details=[officer_detail(purpose={"code": "CC_TRANSFER", "reference": "x"})]
    )
    async with browser() as client:
        await scene.logged_in(client)
        shown = await see(client, scene.url(request_uri))
        assert answer_of((await scene.decide(client, shown, "approve")).location)["error"] == "access_denied"


async def test_a_request_that_ran_out_is_a_page(scene: Scene) -> None:
    request_uri = await scene.desk.push()
    async with browser() as client:
        await scene.logged_in(client)
        shown = await see(client, scene.url(request_uri))
        scene.clock.forward(301)
        answer = await scene.decide(client, shown, "approve")
        assert (answer.status, answer.location) == (400, "")
        assert text("invalid_request_uri") in answer.text or "无法授权" in answer.text
