"""How a person comes in, over real HTTP: nobody is told anything, nothing is spent by looking, a new phone ends the old."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest

from gateway.consent.persons import CODE_TRIES, CODES_PER_SPAN, LINKS_PER_SPAN
from tests.fakes.person_house import ID_NO, PHONE, PersonHouse, hidden, person_house

pytestmark = pytest.mark.anyio
OTHER_ID_NO = "440606199003070033"


@pytest.fixture
async def house() -> AsyncIterator[PersonHouse]:
    async with person_house() as opened, opened.working():
        yield opened


async def ask_for_link(house: PersonHouse, id_no: str = ID_NO, phone: str = PHONE) -> tuple[int, str]:
    _, page = await house.get("/me")
    answer = await house.post("/me/link", page, id_no=id_no, phone=phone)
    await house.settled()
    return answer


async def link_of(house: PersonHouse) -> str:
    await ask_for_link(house)
    return house.phone.last("PAGES_LINK")["link"].removeprefix(house.url)


async def test_a_person_asks_for_a_link_and_comes_in_with_a_code(house: PersonHouse) -> None:
    await house.enrol()
    page = await house.come_in(await link_of(house))
    assert "谁查过我的信息" in page
    code = house.phone.last("ONE_TIME_CODE")["code"]
    assert re.fullmatch(r"[0-9]{6}", code)


@pytest.mark.parametrize(
    ("id_no", "phone"),
    [(ID_NO, PHONE), (ID_NO, "13900000000"), (OTHER_ID_NO, PHONE), ("440606199003070018", PHONE), ("x", "y"), ("", "")],
)
async def test_whoever_asks_for_a_link_gets_the_same_answer(house: PersonHouse, id_no: str, phone: str) -> None:
    await house.enrol()
    status, page = await ask_for_link(house, id_no, phone)
    assert status == 200
    assert "如果号码与登记的一致" in page
    assert page == (await house.get("/me/sent"))[1]
    assert len(house.phone.sent) == ((id_no, phone) == (ID_NO, PHONE))


@pytest.mark.parametrize("written", ["138-0013-8000", "+86 138 0013 8000", "8613800138000"])
async def test_a_phone_may_be_written_as_people_do(house: PersonHouse, written: str) -> None:
    await house.enrol()
    await ask_for_link(house, phone=written)
    assert [one.kind for one in house.phone.sent] == ["PAGES_LINK"]


async def test_so_many_links_an_hour_and_no_more(house: PersonHouse) -> None:
    await house.enrol()
    for _ in range(LINKS_PER_SPAN + 2):
        status, _ = await ask_for_link(house)
        assert status == 200
    assert len(house.phone.sent) == LINKS_PER_SPAN


async def test_one_network_that_floods_the_door_shuts_it_for_nobody_else(house: PersonHouse) -> None:
    await house.enrol()
    door = house.persons.door
    for _ in range(500):
        door.ask_for_link("440606199003070033", PHONE, "203.0.113.0/24")
    door.ask_for_link(ID_NO, PHONE, "198.51.100.0/24")
    await door.settled()
    assert [one.kind for one in house.phone.sent] == ["PAGES_LINK"]
    door.ask_for_link(ID_NO, PHONE, "203.0.113.0/24")
    await door.settled()
    assert len(house.phone.sent) == 2, "and is open to that one again"


async def test_so_many_codes_an_hour_over_all_links(house: PersonHouse) -> None:
    await house.enrol()
    links = [await link_of(house), await link_of(house)]
    pages = []
    for number in range(CODES_PER_SPAN + 1):
        _, page = await house.get(links[number % 2])
        _, page = await house.post(f"{links[number % 2]}/code", page)
        pages.append("验证码发送过多" in page)
    assert pages == [False] * CODES_PER_SPAN + [True]
    assert sum(one.kind == "ONE_TIME_CODE" for one in house.phone.sent) == CODES_PER_SPAN


async def test_wrong_codes_are_told_alike_and_end_the_code(house: PersonHouse) -> None:
    await house.enrol()
    link = await link_of(house)
    _, page = await house.get(link)
    _, page = await house.post(f"{link}/code", page)
    code = house.phone.last("ONE_TIME_CODE")["code"]
    wrong = str((int(code) + 1) % 1_000_000).zfill(6)
    for tried in [wrong] * CODE_TRIES + [code]:
        status, page = await house.post(f"{link}/open", page, code=tried)
        assert status == 200
        assert "验证码不对、已用过或已过期" in page
        assert code not in page
    _, page = await house.get("/me")
    assert "登记的手机号" in page


async def test_a_dead_link_leads_back_to_the_start(house: PersonHouse) -> None:
    _, page = await house.get("/me")
    for path in ("/me/l/" + "x" * 43, "/me/l/%ED%A0%80", "/me/l/a"):
        status, said = await house.get(path)
        assert status == 404
        assert "链接已失效" in said
    for action in ("code", "open"):
        status, _ = await house.post(f"/me/l/{'x' * 43}/{action}", page)
        assert status == 404


async def test_a_remembered_device_needs_no_code_until_the_phone_is_another(house: PersonHouse) -> None:
    await house.enrol()
    await house.come_in(await link_of(house), remember=True)
    house.client.cookie_jar.clear(lambda cookie: cookie.key == "yimen-me")  # the session is over
    link = await link_of(house)
    _, page = await house.get(link)
    assert "这台设备您用过" in page
    codes = sum(one.kind == "ONE_TIME_CODE" for one in house.phone.sent)
    status, page = await house.post(f"{link}/open", page)
    assert status == 200
    assert "谁查过我的信息" in page
    assert sum(one.kind == "ONE_TIME_CODE" for one in house.phone.sent) == codes
    await house.enrol(phone="13900139000")  # at the counter
    status, page = await house.get("/me/consents")
    assert "登记的手机号" in page  # the session of the old phone is over
    status, _ = await house.get(link)
    assert status == 404  # and so is its link
    await ask_for_link(house, phone="13900139000")
    link = house.phone.last("PAGES_LINK")["link"].removeprefix(house.url)
    _, page = await house.get(link)
    assert "这台设备您用过" not in page
    status, page = await house.post(f"{link}/open", page)
    assert "谁查过我的信息" not in page


async def test_a_device_is_no_way_into_another_persons_pages(house: PersonHouse) -> None:
    await house.enrol()
    await house.come_in(await link_of(house), remember=True)
    await house.enrol(OTHER_ID_NO, "张三", "13700137000")
    house.client.cookie_jar.clear(lambda cookie: cookie.key == "yimen-me")
    await ask_for_link(house, OTHER_ID_NO, "13700137000")
    link = house.phone.last("PAGES_LINK")["link"].removeprefix(house.url)
    _, page = await house.get(link)
    assert "这台设备您用过" not in page
    _, page = await house.post(f"{link}/open", page)
    assert "谁查过我的信息" not in page


async def test_leaving_forgets_session_and_device(house: PersonHouse) -> None:
    await house.enrol()
    page = await house.come_in(await link_of(house), remember=True)
    _, page = await house.post("/me/leave", page)
    assert "登记的手机号" in page
    _, page = await house.get(await link_of(house))
    assert "这台设备您用过" not in page


async def test_nobody_is_in_without_a_session(house: PersonHouse) -> None:
    for path in ("/me/consents", "/me/consents/" + "0" * 32, "/me/history", "/me/history.json"):
        async with house.client.get(house.url + path, allow_redirects=False) as reply:
            assert (reply.status, reply.headers["location"]) == (303, "/me")


@dataclass(frozen=True)
class Forged:
    """A form that no page of ours sent."""

    headers: dict[str, str]
    csrf: str | None


async def test_a_form_of_another_site_does_nothing(house: PersonHouse) -> None:
    await house.enrol()
    page = await house.come_in(await link_of(house))
    mine = hidden(page, "csrf")
    for forged in (
        Forged({}, None),
        Forged({}, "x" * 43),
        Forged({"sec-fetch-site": "cross-site"}, mine),
        Forged({"sec-fetch-site": "same-site"}, mine),
        Forged({"origin": "https://evil.example"}, mine),
    ):
        form = {} if forged.csrf is None else {"csrf": forged.csrf}
        async with house.client.post(f"{house.url}/me/leave", data=form, headers=forged.headers) as reply:
            assert reply.status == 403
    status, _ = await house.get("/me/history")
    assert status == 200
    async with (
        aiohttp.ClientSession() as stranger,
        stranger.post(f"{house.url}/me/leave", data={"csrf": mine}) as reply,
    ):
        assert reply.status == 403


async def test_pages_are_not_kept_framed_or_scripted_and_cookies_are_hidden(house: PersonHouse) -> None:
    await house.enrol()
    link = await link_of(house)
    await house.come_in(link)
    for path in ("/me", "/me/consents", "/me/history", "/me/sent"):
        async with house.client.get(house.url + path) as reply:
            page = await reply.text()
            assert reply.headers["cache-control"] == "no-store"
            assert "script-src 'none'" in reply.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
            assert reply.headers["referrer-policy"] == "no-referrer"
            assert "<script" not in page
            assert " style=" not in page
            assert page.index("我的页面" if path == "/me" else "<h1>") > 0
    async with aiohttp.ClientSession() as fresh, fresh.get(f"{house.url}/me") as reply:
        cookie = reply.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie


@pytest.mark.parametrize(
    "raw", [b"csrf=a&csrf=b", b"\xff\xfe", b"a=" + b"x" * 17000, b"&".join(b"f%d=1" % n for n in range(40))]
)
async def test_a_form_nobody_can_read_is_a_page_that_says_so(house: PersonHouse, raw: bytes) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    async with house.client.post(f"{house.url}/me/link", data=raw, headers=headers) as reply:
        assert reply.status in (400, 413)
        assert "text/html" in reply.headers["content-type"]


async def test_a_broken_sender_is_said_kindly(house: PersonHouse) -> None:
    await house.enrol()
    link = await link_of(house)
    _, page = await house.get(link)
    house.phone.broken = True
    status, said = await house.post(f"{link}/code", page)
    assert status == 503
    assert "通知暂时无法送出" in said
