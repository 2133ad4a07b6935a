"""A person says on their pages that a fact is wrong, follows it, and takes it back. Over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.services.disputes.my_disputes import MOST_A_DAY
from gateway.services.disputes.ports import DisputeState
from tests.fakes.person_house import ID_NO, PHONE, PersonHouse, person_house

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house() -> AsyncIterator[PersonHouse]:
    async with person_house() as opened, opened.working():
        subject = await opened.enrol()
        assert subject
        _, page = await opened.get("/me")
        await opened.post("/me/link", page, id_no=ID_NO, phone=PHONE)
        await opened.persons.door.settled()
        await opened.come_in(opened.phone.last("PAGES_LINK")["link"])
        yield opened


async def said(house: PersonHouse, fact: str = "insurance.status", statement: str = "我在平台接单") -> tuple[int, str]:
    _, page = await house.get("/me/disputes/new?about=insurance")
    return await house.post("/me/disputes", page, fact=fact, statement=statement)


async def test_a_fact_is_disputed_seen_with_its_clock_and_taken_back(house: PersonHouse) -> None:
    _, start = await house.get("/me/disputes/new")
    assert "居住登记" in start
    assert "/me/disputes/new?about=insurance" in start
    _, form = await house.get("/me/disputes/new?about=insurance")
    assert form.count("参保状态") == 1  # the reading and its source's own word are one fact
    assert 'value="insurance.status"' in form
    status, page = await said(house)
    assert status == 200
    for words in ("参保状态", "我在平台接单", "正在核查", "最迟", "本人有异议"):
        assert words in page
    (one,) = await house.store.disputes.all_open()
    assert (one.noun, one.field, one.source) == ("insurance", "status", "")
    (held,) = await house.store.disputes.of_person(one.subject_id)
    assert (held.due_at - held.opened_at).days == 20
    status, page = await house.post(f"/me/disputes/{held.dispute_id}/withdraw", page)
    assert "您已撤回" in page
    assert await house.store.disputes.all_open() == []


@pytest.mark.parametrize(
    ("fact", "statement", "words"),
    [
        ("insurance.nothing", "x", "选择要提出异议的一项"),
        ("insurance.statusRaw", "x", "选择要提出异议的一项"),  # doubted as `status`, or nobody would see the doubt
        ("catalogueEntry.code", "x", "选择要提出异议的一项"),
        ("insurance.status", "   ", "一千字以内"),
        ("insurance.status", "字" * 1001, "一千字以内"),
        ("insurance.status", "a\x00b", "一千字以内"),
    ],
)
async def test_what_cannot_be_disputed_is_refused_in_words_and_kept_nowhere(
    house: PersonHouse, fact: str, statement: str, words: str
) -> None:
    status, page = await said(house, fact, statement)
    assert status == 400
    assert words in page
    assert await house.store.disputes.all_open() == []


async def test_the_same_fact_twice_and_too_many_are_refused(house: PersonHouse) -> None:
    await said(house)
    status, page = await said(house)
    assert (status, "已提出异议" in page) == (409, True)


async def test_saying_it_and_taking_it_back_again_and_again_has_an_end(house: PersonHouse) -> None:
    """Each has departments asked anew, and stays on record."""
    for number in range(MOST_A_DAY + 1):
        status, page = await said(house)
        if number < MOST_A_DAY:
            assert status == 200
            (one,) = await house.store.disputes.all_open()
            held = (await house.store.disputes.of_person(one.subject_id))[0]
            await house.store.disputes.withdraw(one.subject_id, held.dispute_id)
    assert (status, "请明天再提" in page) == (429, True)
    assert await house.store.disputes.all_open() == []


async def test_an_answer_is_read_with_its_reason_and_the_way_of_appeal(house: PersonHouse) -> None:
    await said(house)
    (one,) = await house.store.disputes.all_open()
    (held,) = await house.store.disputes.of_person(one.subject_id)
    await house.store.disputes.decide(held, DisputeState.REFUSED, "社保局核实:未缴费", org="office", user="lin")
    _, page = await house.get("/me/disputes")
    for words in ("维持原记录", "社保局核实", "祖庙司法所", "申诉", "人民检察院"):
        assert words in page


async def test_nobody_who_is_not_in_sees_or_says_anything(house: PersonHouse) -> None:
    await said(house)
    (one,) = await house.store.disputes.all_open()
    (held,) = await house.store.disputes.of_person(one.subject_id)
    _, page = await house.get("/me/disputes")
    house.client.cookie_jar.clear()
    _, entrance = await house.get("/me/disputes")
    assert "我在平台接单" not in entrance
    status, _ = await house.post(f"/me/disputes/{held.dispute_id}/withdraw", page)
    assert status in (200, 403)  # back to the entrance, or a form that is nobody's
    assert len(await house.store.disputes.all_open()) == 1
