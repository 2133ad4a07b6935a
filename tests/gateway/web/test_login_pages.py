"""The login pages over real HTTP: both steps, what strangers learn (nothing), who waits and who does not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa
from yarl import URL

from gateway.services.identity_rows import from_files
from gateway.store.tables import alert, change_event
from gateway.store.tables.identities import officer
from gateway.store.tables.login import login_session
from tests.fakes.login_house import LOGIN, PASSWORD, TOTP, House, browser, hidden, house, log_in, see, send
from tests.gateway.services.identity_examples import OFFICERS, district

pytestmark = pytest.mark.anyio


class HandClock:
    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def now(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def code(self) -> str:
        return pyotp.TOTP(TOTP).at(self.at)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def here(tmp_path: Path, clock: HandClock) -> AsyncIterator[House]:
    async with house(tmp_path, clock=clock) as opened:
        await opened.enrol()
        yield opened


async def first_step(here: House, client: Any, login: str, password: str, **headers: str) -> Any:
    shown = await see(client, f"{here.base_url}/login?continue=/graphql")
    fields = hidden(shown.text, "/login") | {"login": login, "password": password}
    return await send(client, f"{here.base_url}/login", fields, **headers)


async def test_password_and_code_open_a_session_that_logout_ends(here: House, clock: HandClock) -> None:
    async with browser() as client:
        answer = await log_in(here, client, clock.code())
        assert (answer.status, answer.location) == (303, "/graphql")
        cookies = [text.split("=")[0] for text in answer.response.headers.getall("set-cookie")]
        assert cookies == ["yimen", "yimen-step", "yimen-device"]
        assert all("HttpOnly; SameSite=Lax" in text for text in answer.response.headers.getall("set-cookie"))
        shown = await see(client, f"{here.base_url}/login")
        assert "周凯" in shown.text
        assert "认证级别 2" in shown.text
        assert (await see(client, f"{here.base_url}/logout")).status == 303  # by GET nobody is logged out
        assert "周凯" in (await see(client, f"{here.base_url}/login")).text
        assert (await send(client, f"{here.base_url}/logout", hidden(shown.text, "/logout"))).location == "/login"
        assert "周凯" not in (await see(client, f"{here.base_url}/login")).text
    async with here.store.database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(login_session)) == 0


async def test_nothing_tells_an_unknown_login_from_a_wrong_password(here: House) -> None:
    answers = []
    for login, password in ((LOGIN, "wrong password"), ("nobody", "wrong password"), ("cc0002", PASSWORD)):
        async with browser() as client:
            answer = await first_step(here, client, login, password)
            text = re.sub(r'name="csrf" value="[^"]+"', "", answer.text)
            names = sorted(answer.response.headers)
            answers.append((answer.status, text, names))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 403
    assert "登录名或密码不正确" in answers[0][1]


async def test_an_unknown_login_costs_the_same_work(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = here.parts.log_in._passwords
    worked: list[str] = []
    real = passwords._verify
    monkeypatch.setattr(passwords, "_verify", lambda password, phc: worked.append(phc[:30]) or real(password, phc))
    async with browser() as client:
        await first_step(here, client, LOGIN, "wrong password")
        await first_step(here, client, "nobody", "wrong password")
    assert len(worked) == 2
    assert worked[0] == worked[1] == "$argon2id$v=19$m=19456,t=2,p=1"


async def test_a_code_works_once_also_side_by_side(here: House, clock: HandClock) -> None:
    code = clock.code()
    async with browser() as first, browser() as second:
        for client in (first, second):
            assert (await first_step(here, client, LOGIN, PASSWORD)).location == "/login/factor"
        pages = [await see(client, f"{here.base_url}/login/factor") for client in (first, second)]
        both = await asyncio.gather(
            *(
                send(client, f"{here.base_url}/login/factor", hidden(shown.text, "/login/factor") | {"code": code})
                for client, shown in zip((first, second), pages, strict=True)
            )
        )
        assert sorted(one.status for one in both) == [303, 403]


async def test_the_second_step_without_the_first_leads_back(here: House, clock: HandClock) -> None:
    async with browser() as client:
        assert (await see(client, f"{here.base_url}/login/factor")).location == "/login"
        shown = await see(client, f"{here.base_url}/login")
        fields = {"csrf": hidden(shown.text, "/login")["csrf"], "code": clock.code()}
        assert (await send(client, f"{here.base_url}/login/factor", fields)).location == "/login"
        assert "周凯" not in (await see(client, f"{here.base_url}/login")).text


async def test_a_wrong_code_may_be_tried_again_and_the_first_step_dies_of_age(here: House, clock: HandClock) -> None:
    async with browser() as client:
        answer = await log_in(here, client, "000000")
        assert answer.status == 403
        assert "每个验证码只能使用一次" in answer.text
        fields = hidden(answer.text, "/login/factor") | {"code": clock.code()}
        clock.forward(301)
        assert (await send(client, f"{here.base_url}/login/factor", fields)).location == "/login"


@pytest.mark.parametrize(
    ("asked", "led_to"),
    [
        ("/graphql", "/graphql"),
        ("/oauth/authorize?client_id=a&request_uri=urn%3Ab", "/oauth/authorize?client_id=a&request_uri=urn%3Ab"),
        ("https://evil.example/", "/login"),
        ("//evil.example/", "/login"),
        ("/\\evil.example", "/login"),
        ("/graphql/../../x", "/login"),
        ("/graphql?x=1", "/login"),
        ("/oauth/authorize?client_id=a&redirect_uri=https://evil.example", "/login"),
        ("/oauth/authorize?client_id=a&client_id=b", "/login"),
        ("/graphql\r\nset-cookie: a=b", "/login"),
        ("/logout", "/login"),
        ("/login/../graphql", "/login"),
    ],
)
async def test_a_login_leads_on_to_pages_of_ours_only(here: House, clock: HandClock, asked: str, led_to: str) -> None:
    async with browser() as client:
        assert (await log_in(here, client, clock.code(), go_on=asked)).location == led_to


async def test_a_session_put_into_a_browser_beforehand_is_worth_nothing(here: House, clock: HandClock) -> None:
    async with browser() as client:
        client.cookie_jar.update_cookies({"yimen": "A" * 43, "yimen-step": "B" * 43}, URL(here.base_url))
        answer = await log_in(here, client, clock.code())
        issued = answer.response.cookies["yimen"].value
        assert issued != "A" * 43
        again = await log_in(here, client, None)
        assert again.location == "/login/factor"
        clock.forward(30)
        renewed = await log_in(here, client, clock.code())
        assert renewed.response.cookies["yimen"].value != issued
    async with browser() as thief:
        shown = await see(thief, f"{here.base_url}/login", cookie=f"yimen={issued}")
        assert "周凯" not in shown.text  # the older session ended with the newer


async def test_forms_of_strangers_do_nothing(here: House, clock: HandClock) -> None:
    async with browser() as client:
        await log_in(here, client, clock.code())
        shown = await see(client, f"{here.base_url}/login")
        good = hidden(shown.text, "/logout")
        for fields, headers in (
            ({}, {}),
            ({"csrf": "x" * 43}, {}),
            (good, {"sec-fetch-site": "cross-site"}),
            (good, {"origin": "https://evil.example"}),
        ):
            assert (await send(client, f"{here.base_url}/logout", fields, **headers)).status == 403
        twice = await client.post(f"{here.base_url}/logout", data=f"csrf={good['csrf']}&csrf={good['csrf']}",
                                  headers={"content-type": "application/x-www-form-urlencoded"}, allow_redirects=False)  # fmt: skip
        assert twice.status == 400
        assert "周凯" in (await see(client, f"{here.base_url}/login")).text


async def test_too_many_tries_make_wait_and_never_the_officers_own_browser(here: House, clock: HandClock) -> None:
    async with browser() as own, browser() as attacker:
        await log_in(here, own, clock.code())  # a device cookie is there from now on
        statuses = [(await first_step(here, attacker, LOGIN, f"guess number {n}")).status for n in range(9)]
        assert statuses[:6] == [403] * 6
        assert set(statuses[6:]) == {429}
        waiting = await first_step(here, attacker, LOGIN, PASSWORD)  # right, and not looked at
        assert waiting.status == 429
        assert int(waiting.response.headers["retry-after"]) >= 1
        assert (await first_step(here, own, LOGIN, PASSWORD)).location == "/login/factor"
        assert (await first_step(here, own, "cc0002", PASSWORD)).status == 403  # for another login it is a stranger's
        clock.forward(300)
        assert (await first_step(here, attacker, LOGIN, PASSWORD)).location == "/login/factor"


async def test_what_another_network_does_keeps_nobody_waiting(tmp_path: Path, clock: HandClock) -> None:
    async with house(tmp_path, clock=clock, trusted_proxies="127.0.0.1") as here:
        await here.enrol()
        async with browser() as client:
            for number in range(8):
                answer = await first_step(here, client, LOGIN, f"guess {number}", **{"x-forwarded-for": "198.51.100.7"})
            assert answer.status == 429
            near = await first_step(here, client, LOGIN, PASSWORD, **{"x-forwarded-for": "198.51.100.99"})
            assert near.status == 429
            # What stands left of the proxy's own entry was written by the visitor.
            forged = await first_step(here, client, LOGIN, PASSWORD, **{"x-forwarded-for": "203.0.113.1, 198.51.100.7"})
            assert forged.status == 429
            far = await first_step(here, client, LOGIN, PASSWORD, **{"x-forwarded-for": "198.51.100.7, 203.0.113.1"})
            assert far.location == "/login/factor"


async def test_guessing_is_on_record_and_somebody_is_told(here: House, clock: HandClock) -> None:
    async with browser() as client:
        for number in range(10):
            await first_step(here, client, LOGIN, f"guess {number}")
            clock.forward(300)
    user_id = await here.user_id()
    async with here.store.database.read() as connection:
        rows = (await connection.execute(sa.select(change_event).where(change_event.c.kind == "LOGIN_FAILED"))).all()
        alerts = (await connection.execute(sa.select(alert))).all()
    assert [row.detail for row in rows] == [
        f'{{"failures":{count},"stage":"PASSWORD"}}' for count in (1, 5, 10)
    ]  # fmt: skip
    assert {row.object_id for row in rows} == {user_id}
    assert [(one.type, one.about, one.about_id, one.org_id) for one in alerts] == [
        ("A14_KEY_EVENT", "OFFICER", user_id, "CC-JUSTICE")
    ]
    assert "guess" not in "".join(row.detail for row in rows)


async def test_a_changed_officers_session_ends(here: House, clock: HandClock) -> None:
    async with browser() as client:
        await log_in(here, client, clock.code())
        off = OFFICERS.replace("idp|1,\n", "idp|1,否\n")
        assert off != OFFICERS
        plan = await here.importing(from_files(district(officers=off)), actor_org="OPERATOR", actor_user="operator")
        assert plan.faults == ()
        assert "周凯" not in (await see(client, f"{here.base_url}/login")).text
        assert (await first_step(here, client, LOGIN, PASSWORD)).status == 403


async def test_an_officer_switched_off_in_the_store_is_out_even_with_a_session_left(
    here: House, clock: HandClock
) -> None:
    async with browser() as client:
        await log_in(here, client, clock.code())
        async with here.store.database.write() as connection:
            await connection.execute(sa.update(officer).values(active=False))
        assert "周凯" not in (await see(client, f"{here.base_url}/login")).text


async def test_sessions_end_by_idleness_and_by_age(tmp_path: Path, clock: HandClock) -> None:
    async with house(tmp_path, clock=clock, session_idle_s=600, session_s=1500) as here, browser() as client:
        await here.enrol()
        await log_in(here, client, clock.code())
        for seconds, there in ((590, True), (590, True), (330, False)):
            clock.forward(seconds)
            assert ("周凯" in (await see(client, f"{here.base_url}/login")).text) is there
        await log_in(here, client, clock.code())
        clock.forward(601)
        assert "周凯" not in (await see(client, f"{here.base_url}/login")).text


async def test_demo_accounts_open_nothing_outside_the_demo(tmp_path: Path, clock: HandClock) -> None:
    async with house(tmp_path, clock=clock, demo=True) as here, browser() as client:
        await here.enrol(demo=True)
        assert (await log_in(here, client, clock.code())).location == "/graphql"
        cookie = client.cookie_jar.filter_cookies(URL(here.base_url))["yimen"].value
    async with house(tmp_path, clock=clock) as here, browser() as client:
        assert "周凯" not in (await see(client, f"{here.base_url}/login", cookie=f"yimen={cookie}")).text
        clock.forward(60)
        assert (await first_step(here, client, LOGIN, PASSWORD)).status == 403


async def test_pages_are_not_framed_not_kept_and_run_no_script_of_others(here: House) -> None:
    async with browser() as client:
        shown = await see(client, f"{here.base_url}/login")
        headers = shown.response.headers
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'none'" in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert "<script" not in shown.text
        assert shown.text.index("登录") < shown.text.index("Log in")


async def test_nothing_typed_shows_up_in_logs_or_pages(here: House, logs: Any, clock: HandClock) -> None:
    async with browser() as client:
        answer = await first_step(here, client, "<script>alert(1)</script>", "se cret-pass word")
        assert "alert(1)" not in answer.text
        await log_in(here, client, clock.code())
        text = logs.getvalue()
        for secret in ("alert(1)", "se cret-pass word", PASSWORD, LOGIN, "周凯", TOTP, clock.code()):
            assert secret not in text


async def test_methods_that_do_not_belong_are_refused(here: House) -> None:
    async with browser() as client:
        for path in ("/login", "/login/factor", "/logout", "/login/invitation"):
            assert (await client.put(here.base_url + path)).status == 405
        assert (await client.get(f"{here.base_url}/login/passkey")).status == 405
        assert (await client.get(f"{here.base_url}/login/oidc/x")).status == 405
