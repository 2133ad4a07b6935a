"""The clerk's pages: who is logged in chooses, shows a code, and reads what was shown once. No script anywhere."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from gateway.services.credentials.ports import CredentialState
from gateway.store.tables.credentials import presentation
from tests.fakes.holder import Holder
from tests.fakes.login_house import hidden
from tests.fakes.person_house import ID_NO
from tests.fakes.show_house import ShowHouse, show_house

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house() -> AsyncIterator[ShowHouse]:
    async with show_house() as opened:
        yield opened


async def get(house: ShowHouse, path: str, headers: dict[str, str]) -> tuple[int, str]:
    async with house.client.get(house.url + path, headers=headers, allow_redirects=False) as reply:
        return reply.status, await reply.text() or reply.headers.get("location", "")


async def post(house: ShowHouse, path: str, form: dict[str, str], headers: dict[str, str]) -> tuple[int, str]:
    async with house.client.post(house.url + path, data=form, headers=headers, allow_redirects=False) as reply:
        return reply.status, await reply.text() or reply.headers.get("location", "")


async def asked(house: ShowHouse, clerk: dict[str, str]) -> tuple[str, str]:
    """The waiting page's path, and its text."""
    _, page = await get(house, "/counter", clerk)
    form = hidden(page, "/counter/requests") | {"template": "counter-residence", "reference": ""}
    status, place = await post(house, "/counter/requests", form, clerk)
    assert status == 303, place
    return place, (await get(house, place, clerk))[1]


async def holder_of(house: ShowHouse) -> Holder:
    holder = Holder()
    claims = {"districtName": "广东省佛山市禅城区", "livesInDistrict": "440604", "address": "同济路5号", "name": "张*"}
    holder.credentials["residence"], _ = await house.issue(holder, "residence", claims)
    return holder


async def link_of(house: ShowHouse, place: str) -> str:
    """What the code on the page says; read from the store, for a test has no camera."""
    async with house.store.database.read() as connection:
        row = (await connection.execute(presentation.select())).one()
    assert place.endswith(row.presentation_id)
    return f"openid4vp://?request_uri={house.url}/openid4vp/requests/{row.request_ref}"


async def test_from_choosing_to_reading_once(house: ShowHouse) -> None:
    clerk, holder = await house.clerk(), await holder_of(house)
    place, page = await asked(house, clerk)
    assert "<svg" in page
    assert 'http-equiv="refresh"' in page
    assert "<script" not in page
    request = await holder.fetch(house.client, await link_of(house, place))
    assert request.claims["client_metadata"]["client_name"] == "石湾司法所"
    assert "已打开请求" in (await get(house, place, clerk))[1]
    assert await holder.send(house.client, request, holder.answer(request)) == (200, {})
    _, page = await get(house, place, clerk)
    assert "答复已到" in page
    assert "同济路5号" not in page
    form = hidden(page, f"{place}/result")
    status, page = await post(house, f"{place}/result", form, clerk)
    assert status == 200
    for words in (
        "同济路5号",
        "440604",
        "广东省佛山市禅城区",
        "现居住地",
        "签发者",
        "状态有效",
        "现居住区划",
        "居住地址",
    ):
        assert words in page
    assert "已经看过" in (await get(house, place, clerk))[1]
    assert (await post(house, f"{place}/result", form, clerk))[0] == 404


async def test_a_no_is_said_without_any_reproach(house: ShowHouse) -> None:
    clerk, holder = await house.clerk(), await holder_of(house)
    place, _ = await asked(house, clerk)
    request = await holder.fetch(house.client, await link_of(house, place))
    await holder.send(house.client, request, None, error="access_denied")
    _, page = await get(house, place, clerk)
    _, page = await post(house, f"{place}/result", hidden(page, f"{place}/result"), clerk)
    assert "没有不利后果" in page


@pytest.mark.parametrize(
    ("state", "words"), [(CredentialState.REVOKED, "已经失效"), (CredentialState.SUSPENDED, "正在核查，暂时不能使用")]
)
async def test_what_does_not_hold_is_said_in_words_with_what_to_do(
    house: ShowHouse, state: CredentialState, words: str
) -> None:
    clerk, holder = await house.clerk(), await holder_of(house)
    place, _ = await asked(house, clerk)
    request = await holder.fetch(house.client, await link_of(house, place))
    (subject,) = await house.store.subjects.intern([ID_NO])
    for one in await house.issued.of_person(subject):
        await house.issued.set_state(one.batch_id, state, "FACT_CHANGED")
    await holder.send(house.client, request, holder.answer(request))
    _, page = await get(house, place, clerk)
    _, page = await post(house, f"{place}/result", hidden(page, f"{place}/result"), clerk)
    assert words in page
    assert "也可以按原办法办理" in page
    assert "同济路5号" not in page
    assert "核验通过" not in page


async def test_who_is_not_logged_in_goes_there_first_and_comes_back(house: ShowHouse) -> None:
    assert await get(house, "/counter", {}) == (303, "/login?continue=%2Fcounter")
    assert (await post(house, "/counter/requests", {"template": "counter-residence"}, {}))[0] == 303


async def test_a_form_that_is_not_ours_asks_nothing(house: ShowHouse) -> None:
    clerk = await house.clerk()
    for form in ({"template": "counter-residence"}, {"template": "counter-residence", "csrf": "x" * 43}):
        assert (await post(house, "/counter/requests", form, clerk))[0] == 403
    _, page = await get(house, "/counter", clerk)
    form = hidden(page, "/counter/requests")
    assert (await post(house, "/counter/requests", form, clerk | {"sec-fetch-site": "cross-site"}))[0] == 403


async def test_a_clerk_asks_by_their_posts_only_and_sees_their_own(house: ShowHouse) -> None:
    clerk, other = await house.clerk(), await house.clerk("CC0001")
    place, _page = await asked(house, clerk)
    _, choice = await get(house, "/counter", clerk)
    offered = set(re.findall(r'name="template" value="([^"]+)"', choice))
    assert offered == {"counter-residence"}  # the post's one purpose is reception
    form = hidden(choice, "/counter/requests") | {"template": "bank-account-opening"}
    assert (await post(house, "/counter/requests", form, clerk))[0] == 403
    form |= {"template": "counter-residence", "reference": "440604199001011234"}
    assert (await post(house, "/counter/requests", form, clerk))[0] == 400
    assert (await get(house, place, other))[0] == 404
    assert (await get(house, place + "x", clerk))[0] == 404
