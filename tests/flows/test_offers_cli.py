"""`yimen offers` and `yimen credentials` as an operator runs them: processes of their own beside a running gateway, and one
of them killed in the middle of its work."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.policy.facts import Seal
from gateway.store import Store
from gateway.store.credentials.errands import StoredErrands
from gateway.store.tables.credentials import credential_bulk_item, credential_offer
from gateway.supervision.case_facts import CaseEntry, Part, PartyEntry, SealEntry
from tests.fakes.issuing import Wallet
from tests.fakes.person_house import ID_NO, NAME, PHONE, put_organisations
from tests.fakes.postgres import new_database
from tests.flows.house import CASE, House
from tests.flows.register import StoreFacts
from tests.flows.town import Town, gateway_of, unhurried

pytestmark = pytest.mark.anyio
UNKNOWN, SEALED = "440604199003070014", "440606198807213322"


@dataclass
class Said:
    code: int
    out: str
    err: str


@dataclass
class Console:
    house: House
    environ: dict[str, str]

    @property
    def store(self) -> Store:
        return self.house.gateway.store

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway.cli", *words, env=self.environ, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def __call__(self, *words: str, given: str = "") -> Said:
        process = await self.start(*words)
        out, err = await process.communicate(given.encode())
        return Said(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def opened(
    wide_town: Town, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Console]:
    await wide_town.heal()
    facts, given = StoreFacts(), {"reload_poll_s": 0}
    if request.param == "postgresql":
        given["database_url"] = new_database("console").render_as_string(hide_password=False)  # type: ignore[assignment]
    async with gateway_of(wide_town, tmp_path_factory.mktemp("console"), unhurried, facts=facts, **given) as house:
        facts.open(house.gateway)
        store, settings = house.gateway.store, house.gateway.settings
        await put_organisations(store)
        now = house.gateway.clock.now()
        zhang, sealed = await store.subjects.intern([ID_NO, SEALED])
        await store.subjects.remember(zhang, ID_NO, NAME)
        await store.phones.enrol(zhang, PHONE, by="lin", org="office", at=now)
        since = now - timedelta(days=1)
        await store.cases.declare([
            CaseEntry(CASE, zhang), PartyEntry(CASE, "office", Part.SUPERVISING, since), CaseEntry(CASE, sealed),
            SealEntry(sealed, Seal.SEALED_PUBLIC_ORDER),
        ])  # fmt: skip
        environ = {name: value for name, value in os.environ.items() if not name.startswith("YIMEN_")} | {
            "YIMEN_DEMO": "true", "YIMEN_MANIFESTS_DIR": str(settings.manifests_dir),
            "YIMEN_STATE_DIR": str(settings.state_dir), "YIMEN_DATABASE_URL": settings.database_url,
            "YIMEN_PUBLIC_URL": house.url,
        }  # fmt: skip
        yield Console(house, environ)


@pytest.fixture
async def console(opened: Console, town: Town) -> Console:
    return opened


async def test_an_offer_from_the_counter_to_the_card_and_its_end(console: Console, tmp_path: Path) -> None:
    qr = tmp_path / "offer.svg"
    said = await console(
        "offers", "create", "--person", "-", "--credential", "residence", "--name", NAME, "--tx-code", "--qr", str(qr),
        given=ID_NO + "\n",
    )  # fmt: skip
    assert said.code == 0, said
    offer_id, link = re.search(r"offer: (\w+)", said.out), re.search(r"link: (\S+)", said.out)
    code = re.search(r"code: (\d{6})", said.out)
    assert offer_id is not None
    assert link is not None
    assert code is not None
    assert "openid-credential-offer://" in said.out
    assert qr.read_text().startswith("<?xml")
    assert ID_NO not in said.out + said.err
    wallet = Wallet(console.house.url, console.house.session, console.house.gateway.clock)
    assert (await wallet.redeem(await wallet.open(link[1]), tx_code=code[1])).status == 200
    heard = await wallet.credential("residence", 2)
    assert heard.status == 200, heard.body
    assert (await wallet.notify(heard.body["notification_id"])).status == 204
    shown = await console("offers", "show", offer_id[1])
    steps = [line.split()[-1] for line in shown.out.splitlines()[2:]]
    assert steps == ["made", "opened", "redeemed", "issued", "stored"]
    listed = await console("offers", "list", "--org", "office")
    assert (offer_id[1] in listed.out, "REDEEMED" in listed.out) == (True, True)
    assert (await console("offers", "cancel", offer_id[1])).code == 1
    held = await console("credentials", "list", "--person", ID_NO)
    assert "2 份 copies" in held.out
    assert "有效 valid" in held.out
    batch = held.out.split()[0]
    assert (await console("credentials", "recheck", "--person", ID_NO)).out.startswith("1 ")
    assert (await console("credentials", "recheck", "--person", ID_NO, "--all")).code == 1
    refused = await console("credentials", "revoke", batch, "--reason", f"because of {ID_NO}")
    assert refused.code == 1
    assert (await console("credentials", "revoke", batch, "--reason", "FILE-2026/7")).code == 0
    assert (await console("credentials", "revoke", batch, "--reason", "FILE-2026/7")).code == 1
    assert "已撤销 revoked (FILE-2026/7)" in (await console("credentials", "list", "--person", ID_NO)).out


async def test_the_link_is_sent_and_ended(console: Console) -> None:
    said = await console("offers", "create", "--person", ID_NO, "--credential", "residence", "--send")
    assert said.code == 0, said
    (message, *_) = await console.store.inbox.latest(phone=PHONE)
    link = re.search(r"link: (\S+)", said.out)
    assert link is not None
    assert link[1] in message.zh
    offer_id = said.out.splitlines()[0].split()[-1]
    assert (await console("offers", "cancel", offer_id)).code == 0
    uri = link[1].partition("credential_offer_uri=")[2]
    assert uri
    shown = (await console("offers", "show", offer_id)).out
    assert [line.split()[-1] for line in shown.splitlines()[2:]] == ["made", "sent", "cancelled"]


@pytest.mark.parametrize("org", [[], ["--org", "office"]])
async def test_unknown_sealed_and_misnamed_are_one_refusal(console: Console, org: list[str]) -> None:
    async with console.store.database.read() as connection:
        before = await connection.scalar(sa.select(sa.func.count()).select_from(credential_offer))
    told = {
        (said.code, said.out, said.err)
        for who, name in ((UNKNOWN, []), (SEALED, []), (ID_NO, ["--name", "李四"]))
        for said in [await console("offers", "create", "--person", who, "--credential", "residence", *name, *org)]
    }
    assert told == {(1, "", "NO_GROUND: 没有依据办理此人的事项。 There is no ground to act on this person.\n")}
    async with console.store.database.read() as connection:
        assert await connection.scalar(sa.select(sa.func.count()).select_from(credential_offer)) == before


async def test_what_cannot_be_is_said_plainly(console: Console) -> None:
    for words, code in (
        (["--person", ID_NO, "--credential", "discharge"], "CREDENTIAL_NOT_OFFERED"),
        (["--person", "12345", "--credential", "residence"], "ID_NO_INVALID"),
        (["--person", ID_NO, "--credential", "residence", "--org", "nowhere"], "ORG_UNKNOWN"),
        (["--person", ID_NO, "--credential", "residence", "--send-code"], "CODE_NOT_SENT"),
    ):
        said = await console("offers", "create", *words)
        assert (said.code, said.err.partition(":")[0]) == (1, code), said
        assert ID_NO not in said.err


async def test_errands_are_shown(console: Console) -> None:
    errands = StoredErrands(console.store.database, console.house.gateway.clock, frozenset({"residence"}))
    await errands.count("p-1", ["residence", "conduct-plan"], "office")
    said = await console("credentials", "errands")
    assert "1  residence: 纸质居住证明" in said.out
    assert "errands avoided" in said.out


async def test_a_bulk_that_is_killed_goes_on_and_everybody_has_one_offer(console: Console, tmp_path: Path) -> None:
    store, now, number = console.store, console.house.gateway.clock.now(), 120
    numbers = [with_check(f"440604{1970 + n // 28:04}01{n % 28 + 1:02}001") for n in range(number)]
    people = await store.subjects.intern(numbers)
    entries = [CaseEntry(CASE, who) for who in people]
    await store.cases.declare(entries)
    for n, who in enumerate(people):
        await store.phones.enrol(who, f"139{n:08}", by="lin", org="office", at=now)
    file = tmp_path / "people.csv"
    file.write_text("id_no\n" + "\n".join([*numbers, UNKNOWN]) + "\n")
    process = await console.start("offers", "bulk", str(file), "--credential", "residence", "--org", "office", "--send")
    assert process.stdout is not None
    bulk_id = re.search(r"bulk: (\w+)", (await process.stdout.readline()).decode())
    assert bulk_id is not None

    async def done() -> int:
        made = sa.select(sa.func.count()).where(
            credential_bulk_item.c.bulk_id == bulk_id[1], credential_bulk_item.c.outcome.is_not(None)
        )
        async with store.database.read() as connection:
            return int(await connection.scalar(made) or 0)

    while not await done() > 0:
        await asyncio.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    killed_at = await done()
    assert 0 < killed_at < number, "killed in the middle"
    out = tmp_path / "outcomes.csv"
    said = await console("offers", "bulk", "--resume", bulk_id[1], "--out", str(out))
    assert said.code == 1, "one of them is nobody we know"
    assert f"OFFERED: {number}" in said.out
    assert "NO_GROUND: 1" in said.out
    assert len(out.read_text().splitlines()) == number + 2
    assert not any(one in out.read_text() + said.out + said.err for one in numbers)
    async with store.database.read() as connection:
        offers = sa.select(credential_offer.c.subject_id).where(credential_offer.c.bulk_id == bulk_id[1])
        assert sorted(await connection.scalars(offers)) == sorted(people)
    again = await console("offers", "bulk", "--resume", bulk_id[1])
    assert f"OFFERED: {number}" in again.out


def with_check(first: str) -> str:
    """The 18th character (GB 11643)."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return first + "10X98765432"[sum(int(one) * weight for one, weight in zip(first, weights, strict=True)) % 11]
