"""Witnesses that lie, hang, forget, answer garbage: the gateway goes on and says who; it stops where one has proof, only then."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ledger.checkpoint import Checkpoint
from ledger.note import ED25519, Signer, sign_note
from tests.fakes import witnesses as fake
from tests.fakes.witnesses import Behaviour
from tests.flows.faults_ledger.scene import ASKED, WHOM, alarms, answers_nothing, covered, refuses, until
from tests.flows.house import House
from tests.flows.sealed_house import NAMES, Five, five

pytestmark = pytest.mark.anyio
SHOWN = "UNREACHABLE", "FAILING"  # may pass by itself: an alarm only after a minute
FAULTS: dict[str, tuple[Behaviour, str]] = {
    "cosigns another root": (fake.signs_another_root, "GARBAGE"),
    "signs with another key": (fake.wrong_key, "GARBAGE"),
    "forges": (fake.forged, "GARBAGE"),
    "answers garbage": (fake.garbage, "GARBAGE"),
    "answers nothing": (fake.empty, "GARBAGE"),
    "never stops sending": (fake.huge_body, "GARBAGE"),
    "claims to be ahead": (fake.claims_ahead(1000), "CLAIMS_AHEAD"),
    "hangs": (fake.hanging, "UNREACHABLE"),
    "trickles": (fake.trickling, "UNREACHABLE"),
    "hangs up": (fake.hanging_up, "UNREACHABLE"),
    "redirects": (fake.redirecting, "FAILING"),
    "fails": (fake.status(500), "FAILING"),
    "does not know us": (fake.status(404), "UNKNOWN_ORIGIN"),
    "trusts no key of ours": (fake.status(403), "NOT_TRUSTED"),
    "refuses": (fake.status(422), "REFUSED"),
    "names odd sizes": (fake.odd_conflict, "CONFLICT"),
    "names no sizes": (fake.sizes_of_nonsense, "CONFLICT"),
    "conflicts without end": (fake.conflict_without_end, "CONFLICT"),
}
ROUNDS = [list(FAULTS)[at : at + 5] for at in range(0, len(FAULTS), 5)]


@pytest.fixture
async def witnesses(tmp_path: Path) -> AsyncIterator[Five]:
    async with five(tmp_path) as found:
        yield found


async def text_of(house: House, path: str) -> str:
    async with house.session.get(house.url + path) as reply:
        assert reply.status == 200
        return await reply.text()


async def level(house: House, receipt: str) -> str:
    async with house.session.get(f"{house.url}/ledger/receipts/{receipt}") as reply:
        return str((await reply.json())["level"])


async def asked(house: House) -> str:
    answer = await house.ask(ASKED, WHOM)
    assert answer["data"] is not None
    return str(answer["extensions"]["receipt"]["id"])


async def test_whatever_all_five_do_without_proof_the_gateway_goes_on_and_says_who(witnesses: Five) -> None:
    async with witnesses.house() as house:
        await asked(house)
        await covered(house.gateway.store)
        for names in ROUNDS:
            doing = dict(zip(NAMES, names, strict=False))
            for agency, what in doing.items():
                witnesses.witnesses[agency].behave = FAULTS[what][0]
            receipt = await asked(house)

            async def named(doing: dict[str, str] = doing) -> bool:
                faults = house.gateway.ledger.status.faults
                return all(faults[agency] == FAULTS[what][1] for agency, what in doing.items())

            await until(named, 30)
            page, metrics = await text_of(house, "/ledger/witnesses"), await text_of(house, "/metrics")
            exhibits = {(one.about, one.kind) for _, _, one in await house.gateway.store.ledger.exhibits(100)}
            for agency, what in doing.items():
                fault = FAULTS[what][1]
                section = re.search(rf"<h2>{agency}</h2>(.*?)</section>", page, re.DOTALL)
                assert section is not None
                assert f"<code>{fault}</code>" in section[1], (what, section[1])
                assert f'yimen_ledger_witness_up{{fault="{fault}",witness="{agency}"}} 0.0' in metrics, what
                assert ((agency, f"WITNESS_{fault}") in exhibits) == (fault not in SHOWN), what
                assert "/elsewhere" not in witnesses.witnesses[agency].paths
            assert await level(house, receipt) in ("INCLUDED", "SEALED")
            assert house.gateway.ledger.status.halted is None
            await asked(house)
            witnesses.revive()
            await covered(house.gateway.store)
            assert await level(house, receipt) == "SEALED"
        for alerts in (await alarms(house)).values():
            assert {one["aboutId"].split()[1] for one in alerts} <= set(NAMES)
            assert {one["detail"]["kind"] for one in alerts} >= {"WITNESS_GARBAGE", "WITNESS_CLAIMS_AHEAD"}
        for _, _, one in await house.gateway.store.ledger.exhibits(100):
            assert {"sent", "received"} <= one.documents.keys()
            assert one.documents["sent"].startswith("old ")


async def test_one_that_forgot_is_brought_up_again_and_named(witnesses: Five) -> None:
    async with witnesses.house() as house:
        await asked(house)
        await covered(house.gateway.store)
        witnesses.witnesses["GA"].forget()
        receipt = await asked(house)
        await covered(house.gateway.store)

        async def exhibited() -> Any:
            return [one for _, _, one in await house.gateway.store.ledger.exhibits(10)]

        (exhibit,) = await until(exhibited)
        assert (exhibit.about, exhibit.kind) == ("GA", "WITNESS_FORGOT")
        assert exhibit.documents["received"].startswith("409 text/x.tlog.size")
        assert await level(house, receipt) == "SEALED"
        assert house.gateway.ledger.status.halted is None
        assert witnesses.witnesses["GA"].sizes == witnesses.witnesses["FY"].sizes


async def _shown(house: House, signers: Any) -> bytes:
    tree = await house.gateway.store.log.tree()
    return bytes(sign_note(Checkpoint(tree.origin, tree.size + 10, os.urandom(32)).text, signers))


async def test_one_that_shows_what_our_key_signed_stops_everything_at_once(witnesses: Five) -> None:
    async with witnesses.house() as house:
        await asked(house)
        await covered(house.gateway.store)
        stranger = Signer((await house.gateway.store.log.tree()).origin, ED25519, os.urandom(32))
        witnesses.witnesses["GA"].behave = fake.ahead_with_proof(await _shown(house, [stranger]))
        await asked(house)

        async def claimed() -> bool:
            return house.gateway.ledger.status.faults["GA"] == "CLAIMS_AHEAD"

        await until(claimed)
        assert house.gateway.ledger.status.halted is None  # our key did not sign that: it proves nothing

        shown = await _shown(house, await house.gateway.store.log.signers())
        witnesses.witnesses["GA"].behave = fake.ahead_with_proof(shown)
        await asked(house)

        async def halted() -> Any:
            return house.gateway.ledger.status.halted

        assert await until(halted) == "WITNESS_AHEAD"
        await until(lambda: refuses(house))
        await answers_nothing(house)
        exhibits = [one for _, _, one in await house.gateway.store.ledger.exhibits(10) if one.kind == "WITNESS_AHEAD"]
        assert [one.about for one in exhibits] == ["GA"]
        assert exhibits[0].documents["shown"] == shown.decode()
        for alerts in (await alarms(house)).values():
            assert {"WITNESS_CLAIMS_AHEAD GA", "WITNESS_AHEAD GA"} == {one["aboutId"] for one in alerts}
        assert "<code>WITNESS_AHEAD</code>" in await text_of(house, "/ledger/witnesses")
