"""The ledger's endpoints on a real port, over a ledger in memory: who asks is said by the token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from yarl import URL

from gateway.caller import Caller, CallerKind, Change, Presented
from gateway.errors import Unauthenticated
from gateway.policy.purposes import PurposeRegister
from gateway.services.identities import Organisation
from gateway.services.ledger.bundles import Bundles, Reach, Role
from gateway.services.ledger.receipts import Receipts
from gateway.services.ledger.walk import Walk
from gateway.services.words import Words
from gateway.web.ledger_routes import LedgerParts, ledger_routes
from gateway.web.me_visit import Desk
from gateway.web.session import FormGuard
from gateway.web.token_door import token_door
from schema.build import build_schema
from tests.fakes.ledger import WITNESSING, MemoryLedger, MemoryOpenings
from tests.fakes.person_house import RECEPTION
from tests.fakes.settled import Settled
from tests.gateway.web.conftest import Running, running

PERSON, OTHER = "a" * 32, "b" * 32
RULES = {
    "a.cedar": '@id("identity-case-organs") @title_zh("接收") @title_en("Reception") @basis_zh("社区矫正法第五条") '
    '@basis_en("CC Law Art. 5") permit(principal, action, resource);'
}
OFFICER = Caller(
    "lin", "office", "JUSTICE_OFFICE", frozenset({"JUSTICE_OFFICER"}), "t", datetime.now(UTC) + timedelta(days=9),
    jurisdiction="440604", level=2, client_id="desk",
)  # fmt: skip
BOSS = replace(OFFICER, user_id="boss", roles=frozenset({"SUPERVISOR"}))
PROSECUTOR = replace(
    OFFICER, user_id="p", org_id="jcy", org_kind="PROCURATORATE", roles=frozenset({"PROSECUTOR"}), jurisdiction="4406"
)
CALLERS: Mapping[str, Caller] = {
    "asker": OFFICER,
    "supervisor": BOSS,
    "discipline": replace(BOSS, user_id="d", roles=frozenset({"DISCIPLINE"})),
    "prosecutor": PROSECUTOR,
    "colleague": replace(OFFICER, user_id="zhou"),
    "same-name-elsewhere": replace(OFFICER, org_id="court", org_kind="COURT"),
    "supervisor-elsewhere": replace(BOSS, org_id="court", org_kind="COURT"),
    "supervisor-of-a-bank": replace(BOSS, org_kind="BANK"),
    "supervisor-one-factor": replace(BOSS, level=1),
    "supervising-system": replace(BOSS, kind=CallerKind.SYSTEM),
    "prosecutor-elsewhere": replace(PROSECUTOR, jurisdiction="4407"),
    "prosecutor-of-nowhere": replace(PROSECUTOR, jurisdiction=""),
    "dpo": replace(BOSS, user_id="dpo", roles=frozenset({"DPO"})),
    "partner": replace(OFFICER, user_id="bank-1", org_id="bank", org_kind="BANK", kind=CallerKind.PARTNER),
}


@dataclass
class FakeDoor:
    """Who may, as `store.bundle_door` tells it; `about`: entry -> persons who see it."""

    about: dict[str, set[str]] = field(default_factory=dict)
    readings: list[Change] = field(default_factory=list)
    asked: int = 0

    async def officer(self, entry_id: str, reach: Reach) -> Role | None:
        self.asked += 1
        if entry_id not in self.about:
            return None
        if (reach.user_id, reach.org_id) == ("lin", "office"):
            return Role.ASKER
        watches = reach.watches_org == "office" or "440604".startswith(reach.watches_jurisdiction or "-")
        return Role.WATCHER if watches else None

    async def person(self, entry_id: str, subject_id: str) -> bool:
        self.asked += 1
        return subject_id in self.about.get(entry_id, ())

    async def of_consent(self, consent_id: str, subject_id: str, kind: str) -> str | None:
        return None

    async def was_read(self, reading: Change) -> None:
        self.readings.append(reading)


class _Tokens(Settled):
    async def __call__(self, presented: Presented) -> Caller:
        found = CALLERS.get((presented.authorization or "").removeprefix("Bearer "))
        if found is None:
            raise Unauthenticated("no token")
        return found

    async def still(self, caller: Caller) -> bool:
        return True


class _Subjects:
    def pid(self, subject_id: str, org_id: str) -> str:
        return f"{subject_id[:4]}-{org_id}"


class _Organisations:
    async def organisation(self, org_id: str) -> Organisation | None:
        names = {"office": ("祖庙司法所", "Zumiao Justice Office"), "bank": ("禅城示范银行", "Chancheng Example Bank")}
        zh, en = names.get(org_id, ("", ""))
        return Organisation(org_id, zh, "JUSTICE_OFFICE", en) if zh else None


class _Rules:
    async def texts(self, version: str) -> Mapping[str, str] | None:
        return RULES if version == "v1" else None


@dataclass
class LedgerHouse:
    web: Running
    ledger: MemoryLedger
    openings: MemoryOpenings
    door: FakeDoor
    walk: Walk
    person: list[str]  # who is in on the person's pages; empty = nobody

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.web.port}{path}"

    async def get(self, path: str, *, method: str = "GET", **headers: str) -> Any:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        url = URL(self.url(path), encoded=True)
        reply = await self.web.client.request(method, url, headers=given, allow_redirects=False)
        await reply.read()
        return reply

    async def evidence(self, entry_id: str, who: str, query: str = "") -> Any:
        return await self.get(f"/ledger/receipts/{entry_id}/evidence{query}", authorization=f"Bearer {who}")

    def access(self, *persons: str, sign: bool = True, **changes: Any) -> str:
        """An access on record, in the log, and sealed."""
        entry_id, pids = str(uuid4()), [_Subjects().pid(one, "office") for one in persons]
        self.ledger.put(self.openings.record(entry_id, pids, **changes), entry_id)
        self.door.about[entry_id] = set(persons)
        if sign:
            self.ledger.sign("GA", "JCY", "FY", "SFJ")
        return entry_id


@asynccontextmanager
async def ledger_house(*, wait_s: float = 0.3) -> AsyncIterator[LedgerHouse]:
    ledger, openings, door, person = MemoryLedger(), MemoryOpenings(), FakeDoor(), list[str]()
    walk = Walk(ledger, witnessing=WITNESSING, base_url="https://yimen.example")
    receipts = Receipts(ledger, wait_s=wait_s)
    bundles = Bundles(door, openings, receipts, walk, _Subjects(), _Rules())  # type: ignore[arg-type]
    schema, register = build_schema(), PurposeRegister({RECEPTION.code: RECEPTION}, "v1")
    words = Words(_Organisations(), lambda: schema.nouns, lambda: register)  # type: ignore[arg-type]

    async def who(_: str | None) -> Any:
        return SimpleNamespace(subject_id=person[0]) if person else None

    desk = Desk(SimpleNamespace(person=who), FormGuard(b"k" * 32, "http://127.0.0.1"), device_days=1)  # type: ignore[arg-type]
    admit = token_door(_Tokens(), "http://127.0.0.1")
    parts = LedgerParts(ledger, receipts, bundles, walk, words, admit, desk, "https://yimen.example")
    async with running(pages=ledger_routes(parts), authenticate=_Tokens()) as web:
        yield LedgerHouse(web, ledger, openings, door, walk, person)
