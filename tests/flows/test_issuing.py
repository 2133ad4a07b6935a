"""From an offer to a credential in a wallet: real departments, the rules in force, the log and its witnesses, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from credentials import sd_jwt
from credentials.jose import read_key
from demo.people import register
from gateway.services.credentials.offer_credential import Offered
from gateway.services.credentials.ports import Acting, OfferOrigin
from gateway.store.tables import access_event, change_event
from tests.fakes.issuing import Wallet, credentials_in
from tests.flows.house import House
from tests.flows.register import OURS, StoreFacts, seed_register
from tests.flows.sealed_house import five
from tests.flows.town import COUNT, SEED, Town, gateway_of, unhurried, until

pytestmark = pytest.mark.anyio
ZHANG = "zhang-san-017"
CASE = "(2026)粤0604刑初123号"
ACTING = Acting(OURS, "JUSTICE_OFFICE", "440604", CASE)


@dataclass
class Issuer:
    house: House
    town: Town
    subject_id: str

    async def offer(self, *types: str, **given: Any) -> Offered:
        return await self.house.gateway.credentials.offers.offer(
            acting=ACTING,
            actor_user="officer-lin",
            origin=OfferOrigin.OFFICER,
            subject_id=self.subject_id,
            configuration_ids=types or ("residence",),
            **given,
        )

    def wallet(self) -> Wallet:
        return Wallet(self.house.url, self.house.session, self.house.gateway.clock)

    async def ready(self, *types: str) -> Wallet:
        wallet = self.wallet()
        heard = await wallet.redeem(await wallet.open((await self.offer(*types)).link))
        assert heard.status == 200, heard
        return wallet


@asynccontextmanager
async def opened(town: Town, home: Path, **given: Any) -> AsyncIterator[Issuer]:
    await town.heal()
    facts = StoreFacts()
    async with gateway_of(town, home, unhurried, facts=facts, reload_poll_s=0, **given) as house:
        facts.open(house.gateway)
        await seed_register(house.gateway)
        store, zhang = house.gateway.store, register(SEED, COUNT).by_key(ZHANG)
        (subject_id,) = await store.subjects.intern([zhang.id_no])
        await store.subjects.remember(subject_id, zhang.id_no, zhang.name)
        yield Issuer(house, town, subject_id)


@pytest.fixture(scope="module")
async def open_issuer(wide_town: Town, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Issuer]:
    async with opened(wide_town, tmp_path_factory.mktemp("issuing")) as issuer:
        yield issuer


@pytest.fixture
async def issuer(open_issuer: Issuer, town: Town) -> Issuer:
    return open_issuer


async def test_the_departments_facts_are_in_the_wallet_and_on_record(issuer: Issuer) -> None:
    wallet = await issuer.ready("residence")
    heard = await wallet.credential("residence", number=3)
    assert heard.status == 200, heard
    assert (await wallet.notify(heard.body["notification_id"])).status == 204
    store = issuer.house.gateway.store
    async with issuer.house.session.get(f"{issuer.house.url}/.well-known/jwt-vc-issuer") as response:
        keys = {one["kid"]: one for one in (await response.json())["jwks"]["keys"]}
    indices = set()
    for text in credentials_in(heard):
        read = sd_jwt.read(text)
        jwk = {name: value for name, value in keys[read.jwt.header["kid"]].items() if name in ("kty", "crv", "x", "y")}
        told = sd_jwt.check(read, read_key(jwk)).claims
        assert (told["livesInDistrict"], told["name"]) == ("440604", "张三")
        assert {"livesInDistrict", "districtName"} <= read.jwt.claims.keys(), "the code and its name, always both"
        assert "name" not in read.jwt.claims, "the holder chooses"
        indices.add(told["status"]["status_list"]["idx"])
    assert len(indices) == 3
    issued = await issuer.house.gateway.credentials.offers.issued.of_person(issuer.subject_id)
    batch = [one for one in issued if one.place.index in indices]
    assert len({one.batch_id for one in batch}) == 1
    async with store.database.read() as connection:
        asked = sa.select(access_event).where(access_event.c.id == batch[0].receipt_id)
        event = (await connection.execute(asked)).one()
        made = sa.select(change_event).where(change_event.c.object_id == batch[0].batch_id)
        change = (await connection.execute(made)).one()
    assert (event.purpose, event.actor_user, event.decision) == ("CREDENTIAL_ISSUE", "credential-issuer", "ALLOW")
    assert (change.kind, change.actor_org, change.subject_id) == ("CREDENTIAL_ISSUED", OURS, issuer.subject_id)


async def test_a_department_that_is_away_defers_and_is_asked_again_by_itself(issuer: Issuer) -> None:
    for code in ("LGB", "GA_POP"):
        await issuer.town.fault(code, down=True)
    wallet = await issuer.ready("residence")
    heard = await wallet.credential("residence")
    assert heard.status == 202, heard
    assert heard.body["interval"] > 0
    early = await wallet.deferred(heard.body["transaction_id"])
    assert early.status == 202


async def test_what_the_facts_do_not_carry_is_denied_without_a_reason(issuer: Issuer) -> None:
    wallet = await issuer.ready("discharge")
    heard = await wallet.credential("discharge")
    assert (heard.status, heard.body["error"]) == (400, "credential_request_denied")
    assert set(heard.body) == {"error", "error_description", "error_description#zh"}


async def test_of_wallets_at_once_one_is_given_the_persons_credential(issuer: Issuer) -> None:
    offer = await issuer.wallet().open((await issuer.offer()).link)
    wallets = [issuer.wallet() for _ in range(6)]
    heard = await asyncio.gather(*(one.redeem(offer) for one in wallets))
    assert sorted(one.status for one in heard) == [200, 400, 400, 400, 400, 400]
    said = await asyncio.gather(*(one.credential() for one in wallets))
    assert sorted(one.status for one in said) == [200, 401, 401, 401, 401, 401]


async def test_a_credential_waits_until_witnesses_stand_behind_it(wide_town: Town, tmp_path: Path) -> None:
    async with five(tmp_path) as agencies:
        given = agencies.settings(ledger_quorum_window_s=3600)
        async with opened(wide_town, tmp_path, clock=agencies.clock, **given) as issuer:
            wallet = await issuer.ready("stable-income")
            heard = await wallet.credential("stable-income")
            assert heard.status in (200, 202), heard
            agencies.kill("GA", "JCY")
            wallet = await issuer.ready("stable-income")
            heard = await wallet.credential("stable-income")
            assert heard.status == 202, "two of five stand behind nothing"
            transaction_id = heard.body["transaction_id"]
            assert (await wallet.deferred(transaction_id)).status == 202
            agencies.revive()

            async def ask() -> Any:
                return await wallet.deferred(transaction_id)

            done = await until(ask, lambda one: one.status == 200, within_s=20)
            assert len(credentials_in(done)) == 1
            assert (await wallet.deferred(transaction_id)).body["error"] == "invalid_transaction_id"
