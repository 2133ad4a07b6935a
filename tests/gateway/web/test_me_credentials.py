"""A person's page of documents over real HTTP, on the real store of offers and credentials: seen, got again, ended."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.services.credentials.facts_digest import facts_text
from gateway.services.credentials.get_again import MOST_A_DAY
from gateway.services.credentials.ports import CredentialState, FactSource, Issued, OfferOrigin, OfferState
from tests.fakes.person_house import ID_NO, PHONE, PersonHouse, hidden, person_house
from tests.gateway.store.credentials.issuing import a_batch

pytestmark = pytest.mark.anyio
OTHER = "440606198807213328"
CLAIMS = {
    "districtName": "广东省佛山市禅城区",
    "livesInDistrict": "440604",
    "name": "张三",
    "address": "祖庙街道<某>路 1 号",
}


@dataclass
class Holder:
    house: PersonHouse
    subject: str

    async def issue(self, subject: str | None = None, **changes: Any) -> Issued:
        """A batch of two, as the issuer leaves it: one of its rows."""
        now = self.house.clock.now()
        facts = facts_text(CLAIMS, [FactSource("residence", "LGB", now - timedelta(days=1))])
        batch = await a_batch(self.house.store, subject or self.subject, now, **{"facts": facts, **changes})
        await self.house.offers.issued.add(batch, notification_id="n" * 24, next_check_at=now + timedelta(days=1))
        return batch[0]

    async def state(self, one: Issued) -> set[tuple[CredentialState, str | None]]:
        return {(each.state, each.reason) for each in await self.house.offers.issued.batch(one.batch_id)}

    async def press(self, one: Issued, what: str, page: str) -> tuple[int, str]:
        """A button of the page; where it leads."""
        url = f"{self.house.url}/me/credentials/{one.batch_id}/{what}"
        form = {"csrf": hidden(page, "csrf")}
        async with self.house.client.post(url, data=form, allow_redirects=False) as reply:
            return reply.status, reply.headers.get("location", "")


@pytest.fixture
async def holder() -> AsyncIterator[Holder]:
    async with person_house() as opened, opened.working():
        subject = await opened.enrol()
        _, page = await opened.get("/me")
        await opened.post("/me/link", page, id_no=ID_NO, phone=PHONE)
        await opened.persons.door.settled()
        await opened.come_in(opened.phone.last("PAGES_LINK")["link"])
        yield Holder(opened, subject)


async def test_who_has_none_is_told_where_they_come_from(holder: Holder) -> None:
    status, page = await holder.house.get("/me/credentials")
    assert status == 200
    assert "还没有领取过" in page


async def test_a_document_is_shown_with_each_claim_who_says_so_and_as_of_when(holder: Holder) -> None:
    await holder.issue()
    _, page = await holder.house.get("/me/credentials")
    for words in (
        "居住证明",
        "有效",
        "现居住地",
        "广东省佛山市禅城区",
        "祖庙街道&lt;某&gt;路 1 号",
        "禅城区流管办",
        "数据时点",
        "到期",
    ):
        assert words in page, words
    assert page.count('<section class="card">') == 1  # two copies, one document
    address = re.search(r"<li>居住地址.*?</li>", page, re.DOTALL)
    district = re.search(r"<li>现居住地 .*?</li>", page, re.DOTALL)
    assert address is not None
    assert district is not None
    assert "出示时由您勾选" in address[0]
    assert "出示时由您勾选" not in district[0]


async def test_getting_it_again_is_one_tap_to_the_wallet_with_a_fresh_offer_for_this_person(holder: Holder) -> None:
    one = await holder.issue()
    _, page = await holder.house.get("/me/credentials")
    status, where = await holder.press(one, "again", page)
    assert status == 303
    assert where.startswith(f"{holder.house.url}/wallet?credential_offer_uri=")
    reference = parse_qs(urlsplit(where).query)["credential_offer_uri"][0].rpartition("/")[2]
    offer = await holder.house.offers.offers.by_reference(reference)
    assert offer is not None
    assert (offer.subject_id, offer.configuration_ids, offer.origin) == (
        holder.subject,
        ("residence",),
        OfferOrigin.PERSON,
    )
    assert offer.acting == one.acting
    assert await holder.state(one) == {(CredentialState.VALID, None)}  # until the new one is here


async def test_the_link_from_before_is_dead_once_there_is_another_and_an_officers_stands(holder: Holder) -> None:
    """A link that lies about is somebody's chance to take the person's place."""
    one = await holder.issue()
    officers = await holder.house.offers.offer(
        acting=one.acting, actor_user="lin", origin=OfferOrigin.OFFICER, subject_id=holder.subject,
        configuration_ids=("residence",),
    )  # fmt: skip
    _, page = await holder.house.get("/me/credentials")
    for _ in range(3):
        assert (await holder.press(one, "again", page))[0] == 303
    found = await holder.house.offers.offers.of_person(holder.subject)
    own = sorted((each for each in found if each.origin is OfferOrigin.PERSON), key=lambda each: each.state.value)
    assert [each.state for each in own] == [OfferState.CANCELLED, OfferState.CANCELLED, OfferState.OPEN]
    kept = await holder.house.offers.offers.find(officers.offer.offer_id)
    assert kept is not None
    assert kept.state is OfferState.OPEN


async def test_getting_it_again_has_an_end_for_the_day(holder: Holder) -> None:
    one = await holder.issue()
    _, page = await holder.house.get("/me/credentials")
    statuses = [(await holder.press(one, "again", page))[0] for _ in range(MOST_A_DAY + 1)]
    assert statuses == [303] * MOST_A_DAY + [429]


@pytest.mark.parametrize("reason", ["FACT_CHANGED", "BY_PERSON"])
async def test_what_was_revoked_can_be_asked_for_again_and_not_ended_twice(holder: Holder, reason: str) -> None:
    one = await holder.issue()
    await holder.house.offers.issued.set_state(one.batch_id, CredentialState.REVOKED, reason)
    _, page = await holder.house.get("/me/credentials")
    assert "已失效" in page
    assert f"/me/credentials/{one.batch_id}/end" not in page
    assert "重新申领" in page
    status, where = await holder.press(one, "again", page)
    assert (status, "/wallet?" in where) == (303, True)
    await holder.press(one, "end", page)
    assert await holder.state(one) == {(CredentialState.REVOKED, reason)}


async def test_a_lost_phones_documents_are_ended_by_the_person(holder: Holder) -> None:
    one = await holder.issue()
    _, page = await holder.house.get("/me/credentials")
    assert await holder.press(one, "end", page) == (303, "/me/credentials")
    assert await holder.state(one) == {(CredentialState.REVOKED, "BY_PERSON")}
    assert "已失效" in (await holder.house.get("/me/credentials"))[1]


@pytest.mark.parametrize(
    ("state", "words"), [(CredentialState.SUSPENDED, "暂停使用，正在核查"), (CredentialState.VALID, "有效")]
)
async def test_the_state_is_said_as_it_is_now(holder: Holder, state: CredentialState, words: str) -> None:
    one = await holder.issue()
    if state is not CredentialState.VALID:
        await holder.house.offers.issued.set_state(one.batch_id, state, "DISPUTED")
    assert words in (await holder.house.get("/me/credentials"))[1]


async def test_what_has_expired_says_so_and_can_be_had_again(holder: Holder) -> None:
    one = await holder.issue(valid_until=holder.house.clock.now() - timedelta(seconds=1))
    _, page = await holder.house.get("/me/credentials")
    assert "已过期" in page
    assert f"/me/credentials/{one.batch_id}/end" not in page
    assert f"/me/credentials/{one.batch_id}/again" in page


async def test_of_one_kind_the_ended_are_left_out_where_one_stands(holder: Holder) -> None:
    old = await holder.issue()
    await holder.house.offers.issued.set_state(old.batch_id, CredentialState.REVOKED, "FACT_CHANGED")
    new = await holder.issue()
    _, page = await holder.house.get("/me/credentials")
    assert new.batch_id in page
    assert old.batch_id not in page


async def test_a_type_whose_file_is_gone_is_still_theirs_to_end(holder: Holder) -> None:
    one = await holder.issue(type_id="of-old", configuration_id="of-old")
    _, page = await holder.house.get("/me/credentials")
    assert "of-old" in page
    assert f"/me/credentials/{one.batch_id}/again" not in page
    await holder.press(one, "end", page)
    assert await holder.state(one) == {(CredentialState.REVOKED, "BY_PERSON")}


async def test_another_persons_document_is_not_there(holder: Holder) -> None:
    mine = await holder.issue()
    (other,) = await holder.house.store.subjects.intern([OTHER])
    theirs = await holder.issue(other)
    _, page = await holder.house.get("/me/credentials")
    assert mine.batch_id in page
    assert theirs.batch_id not in page
    for batch in (theirs.batch_id, "0" * 32, "..", "%00"):
        for what in ("end", "again"):
            status, said = await holder.house.post(f"/me/credentials/{batch}/{what}", page)
            assert status == 404, (batch, said)
    assert await holder.state(theirs) == {(CredentialState.VALID, None)}


async def test_nothing_happens_without_the_pages_own_form_or_when_nobody_is_in(holder: Holder) -> None:
    one = await holder.issue()
    _, page = await holder.house.get("/me/credentials")
    for form in ({}, {"csrf": "x" * 43}):
        url = f"{holder.house.url}/me/credentials/{one.batch_id}/end"
        async with holder.house.client.post(url, data=form, allow_redirects=False) as reply:
            assert reply.status == 403
    holder.house.client.cookie_jar.clear()
    assert "祖庙街道" not in (await holder.house.get("/me/credentials"))[1]
    await holder.press(one, "end", page)
    await holder.press(one, "again", page)
    assert await holder.state(one) == {(CredentialState.VALID, None)}
