"""A consent given by showing: by the person who was asked and by nobody else, in the words they were shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from credentials.jose import json_object, unbase64url
from gateway.consent.consent import Consent, ConsentState, Terms
from gateway.consent.ports import Asked
from gateway.store.tables.credentials import credential
from tests.fakes.holder import Holder, Request
from tests.fakes.person_house import ID_NO, NAME
from tests.fakes.show_house import ShowHouse, show_house

pytestmark = pytest.mark.anyio
OTHER_ID = "440606198807213328"


@pytest.fixture
async def house() -> AsyncIterator[ShowHouse]:
    async with show_house() as opened:
        yield opened


async def person(house: ShowHouse, id_no: str = ID_NO) -> tuple[str, Holder]:
    """Somebody with both credentials, remembered as theirs."""
    (subject,) = await house.store.subjects.intern([id_no])
    holder = Holder()
    for id, type_id, claims in (
        ("residence", "residence", {"districtName": "广东省佛山市禅城区", "livesInDistrict": "440604", "name": "张*"}),
        ("income", "stable-income", {"stableIncome": True, "name": "张*"}),
    ):
        holder.credentials[id], _ = await house.issue(holder, type_id, claims, id_no=id_no)
    return subject, holder


async def consent_asked(house: Any, subject: str | None, client: str = "bank-client") -> tuple[str, str]:
    """The request's id and the consent's, looked at already: it is this person's."""
    now = house.clock.now()
    terms = Terms(
        client, "bank", "LOAN_SERVICE", ("insurance.status",), now, now + timedelta(days=30), "one_time", 1, "loan-1"
    )  # fmt: skip
    request_id, consent_id = await house.store.consents.ask(terms, Asked(ID_NO, NAME), now + timedelta(days=7))
    await house.store.consents.settle(consent_id, subject)
    return request_id, consent_id


async def shown(house: ShowHouse, holder: Holder, request_id: str, **changes: Any) -> tuple[dict[str, Any], Request]:
    bank = await house.bank()
    status, made = await house.create(bank, consent_request=request_id)
    assert status == 201, made
    request = await holder.fetch(house.client, made["links"]["openid4vp"])
    assert await holder.send(house.client, request, holder.answer(request, **changes)) == (200, {})
    return (await house.result(bank, made["id"]))[1], request


async def state(house: ShowHouse, request_id: str) -> Consent:
    found = await house.store.consents.request("bank-client", request_id)
    assert found is not None
    return found


async def test_the_key_bound_answer_gives_it_and_the_record_says_how(house: ShowHouse) -> None:
    subject, holder = await person(house)
    request_id, consent_id = await consent_asked(house, subject)
    said, request = await shown(house, holder, request_id)
    assert (said["state"], said["consent_id"]) == ("ANSWERED", consent_id), said
    (signed,) = request.claims["transaction_data"]
    data = json_object(unbase64url(signed))
    assert set(data["credential_ids"]) == {"residence", "income"}
    assert "禅城示范银行" in str(data["notice"]["organisation"])
    given = (await state(house, request_id)).given
    assert given is not None
    assert (given.method, given.notice_sha256) == ("presentation", data["notice_sha256"])
    assert await house.store.consents.receipt(subject, consent_id) is not None
    assert (await state(house, request_id)).state is ConsentState.GIVEN


async def test_shown_by_somebody_else_it_is_no_consent_and_nothing_is_told(house: ShowHouse) -> None:
    subject, _ = await person(house)
    _, stranger = await person(house, OTHER_ID)
    request_id, _ = await consent_asked(house, subject)
    said, _ = await shown(house, stranger, request_id)
    assert (said["state"], said["reason"]) == ("FAILED", "consent")
    assert "credentials" not in said
    assert (await state(house, request_id)).state is ConsentState.REQUESTED


async def test_credentials_of_two_persons_or_of_nobody_we_know_give_none(house: ShowHouse) -> None:
    subject, holder = await person(house)
    request_id, _ = await consent_asked(house, subject)
    claims = {"stableIncome": True, "name": "张*"}
    for id_no, reason in ((None, "status_unknown"), (OTHER_ID, "holders")):
        holder.credentials["income"], _ = await house.issue(holder, "stable-income", claims, id_no=id_no)
        said, _ = await shown(house, holder, request_id)
        assert (said["state"], said["reason"]) == ("FAILED", reason)
    assert (await state(house, request_id)).state is ConsentState.REQUESTED


async def test_before_anybody_looked_who_it_is_nobody_gives_it(house: ShowHouse) -> None:
    _, holder = await person(house)
    request_id, _ = await consent_asked(house, None)
    said, _ = await shown(house, holder, request_id)
    assert (said["state"], said["reason"]) == ("FAILED", "consent")


async def test_an_answer_that_signed_no_terms_or_other_ones_gives_none(house: ShowHouse) -> None:
    subject, holder = await person(house)
    request_id, _ = await consent_asked(house, subject)
    for changes in (
        {"transaction_data_hashes": None},
        {"transaction_data_hashes": ["x" * 43]},
        {"transaction_data_hashes": []},
        {"transaction_data_hashes_alg": "sha-512"},
    ):
        said, _ = await shown(house, holder, request_id, **changes)
        assert (said["state"], said["reason"]) == ("FAILED", "transaction_data")
    assert (await state(house, request_id)).state is ConsentState.REQUESTED


async def test_one_that_is_suspended_here_gives_none_though_no_list_says_so_yet(house: ShowHouse) -> None:
    subject, holder = await person(house)
    request_id, _ = await consent_asked(house, subject)
    async with house.store.database.write() as connection:
        await connection.execute(sa.update(credential).values(state="SUSPENDED"))
    said, _ = await shown(house, holder, request_id)
    assert (said["state"], said["reason"]) == ("FAILED", "suspended")
    assert (await state(house, request_id)).state is ConsentState.REQUESTED


async def test_only_ones_own_open_request_can_be_asked_for(house: ShowHouse) -> None:
    subject, _ = await person(house)
    theirs, _ = await consent_asked(house, subject, "other-client")
    bank = await house.bank()
    assert (await house.create(bank, consent_request=theirs))[0] == 404
    mine, consent_id = await consent_asked(house, subject)
    _, holder = await person(house)
    assert (await shown(house, holder, mine))[0]["state"] == "ANSWERED"
    assert (await house.create(bank, consent_request=mine))[0] == 409
    assert await house.store.consents.withdraw(subject, consent_id, "device") is not None


async def test_how_old_the_facts_are_and_the_papers_saved(house: ShowHouse) -> None:
    _, holder = await person(house)
    bank = await house.bank()
    _, made = await house.create(bank)
    request = await holder.fetch(house.client, made["links"]["openid4vp"])
    await holder.send(house.client, request, holder.answer(request))
    _, said = await house.result(bank, made["id"])
    as_of = next(one for one in said["credentials"] if one["id"] == "residence")["facts_as_of"]
    assert as_of.startswith((house.clock.now() - timedelta(days=3)).strftime("%Y-%m-%dT"))
    assert "LGB" not in str(said)  # by which department would say more than the claim
    assert await house.errands.totals() == {("residence", "bank"): 1, ("stable-income", "bank"): 1}
