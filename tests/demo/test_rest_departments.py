"""LGB, SB, GS and FY as real servers, asked through their own manifests as the gateway asks them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from adapters.clock import utc_now
from adapters.egress_http import HttpEgress
from adapters.errors import Reason, SourceUnavailable
from adapters.registry import OpenSource, open_source
from adapters.signing import Outgoing, Tif
from adapters.source import Absent, Answer, Failed, Found, Key, Lookup, Match, Quality
from demo.department import SHANGHAI, Department, Faults, Options
from demo.people import everyone
from demo.pki import Pki, make_pki
from demo.serving import serving
from tests.demo.opened import opened

pytestmark = pytest.mark.anyio

ZHANG = ("440606199003070017", "张三")
OTHER_ZHANG = ("440606199003070033", "张三")
LI_MEI = ("44060419910518002X", "李梅")
CHEN = ("430121198502200015", "陈明")
LI_YAN = ("440605198808150048", "李䶮")
ALI = ("653121199206010012", "买买提·艾力")
WU = ("440604198409090010", "吴大勇")
UNKNOWN = ("110101199003070011", "查无此人")
BY = ("idNo", "name")
CODES = ("LGB", "SB", "GS", "FY")
NOUNS = {"LGB": "residence", "SB": "insurance", "GS": "business", "FY": "legalDocument"}
FIELDS = {
    "LGB": frozenset({"regNo", "admin", "address", "residenceType", "startOn", "leftOn", "landlordMasked", "status"}),
    "SB": frozenset({"unitUscc", "unitName", "kind", "status", "firstPaidOn", "lastPaidMonth", "monthsPaid24"}),
    "GS": frozenset({"uscc", "name", "role", "status", "estOn", "shareRatio", "abnormal"}),
    "FY": frozenset({"docNo", "docType", "title", "issuedOn", "effectiveOn", "caseNo", "supersedes", "sha256"}),
}
OPERATIONS = {
    "LGB": "residence/query",
    "SB": "insured/query",
    "GS": "enterprise/by-person",
    "FY": "case/by-person",
}


@dataclass
class Room:
    """One department and the source that asks it."""

    code: str
    url: str
    department: Department
    source: OpenSource

    async def ask(self, *keys: Key, noun: str = "", by: tuple[str, ...] = BY) -> Sequence[Answer]:
        lookup = Lookup(noun or NOUNS[self.code], by, keys, FIELDS[self.code])
        try:
            return await self.source.source.fetch(lookup, timeout_s=5)
        except SourceUnavailable as error:
            return [Failed(error.reason, error.retry_at, error.detail)] * len(keys)

    async def one(self, key: Key = ZHANG) -> Answer:
        (answer,) = await self.ask(key)
        return answer

    def fault(self, **faults: object) -> None:
        self.department.set_faults(Faults().changed({name.replace("too_many", "429"): v for name, v in faults.items()}))


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("rest-pki"))


@asynccontextmanager
async def room_of(code: str, pki: Pki, tmp_path: Path, *, secret: str = "", **options: object) -> AsyncIterator[Room]:
    secrets = tmp_path / "secrets"
    secrets.mkdir(exist_ok=True)
    for name in ("lgb_token", "sb_secret", "gs_token", "fy_token"):
        (secrets / name).write_text(secret or f"demo-{name}")
    set_up = Options(latency=0, count=50, pki=pki.directory, **options)  # type: ignore[arg-type]
    async with serving(code, set_up) as running:
        values = {f"{code}_URL": running.url, "PKI": str(pki.directory), "SECRETS": str(secrets)}
        async with opened(code.lower(), values, tmp_path) as source:
            yield Room(code, running.url, running.department, source)


@pytest.fixture(params=CODES)
async def room(request: pytest.FixtureRequest, pki: Pki, tmp_path: Path) -> AsyncIterator[Room]:
    async with room_of(request.param, pki, tmp_path, limits=False) as opened_room:
        yield opened_room


def rows(answer: Answer) -> list[dict[str, object]]:
    assert isinstance(answer, Found), answer
    return [dict(row.values) for row in answer.rows]


async def test_lgb_in_canonical_words(pki: Pki, tmp_path: Path) -> None:
    async with room_of("LGB", pki, tmp_path) as room:
        assert rows(await room.one()) == [
            {
                "regNo": "LG440604202610280017",
                "admin": "440604",
                "address": "广东省佛山市禅城区祖庙街道福宁路36号之一502房",
                "residenceType": "WORK",
                "startOn": date(2026, 10, 28),
                "leftOn": None,
                "landlordMasked": "黄**",
                "status": "CURRENT",
            }
        ]


async def test_lgb_a_permit_not_endorsed_in_time_has_lapsed_and_who_left_has_left(pki: Pki, tmp_path: Path) -> None:
    """The department's clock is set, so it is asked directly, signed with its own time."""
    path, day = "/api/residence/query", datetime(2026, 9, 1, tzinfo=SHANGHAI)
    for now, state in ((day, "1"), (day + timedelta(days=60), "3")):
        async with room_of("LGB", pki, tmp_path, now=now) as room, aiohttp.ClientSession() as session:
            for who, expected in ((CHEN, state), (LI_YAN, "2")):
                headers = Tif("yimen", "demo-lgb_token").headers(Outgoing("GET", path, (), b""), now)
                async with session.get(room.url + path, params={"sfzh": who[0]}, headers=headers) as reply:
                    assert [row["zt"] for row in (await reply.json())["data"]["list"]] == [expected]


@asynccontextmanager
async def in_pages_of(size: int, room: Room, tmp_path: Path) -> AsyncIterator[Room]:
    """The same department through the same manifest, but for the size of a page."""
    answer = room.source.manifest.answers[0]
    request = {**answer.request, "page": {**answer.request["page"], "rows": size}}
    manifest = replace(room.source.manifest, answers=(replace(answer, request=request),))
    egress, base_dir = HttpEgress(), tmp_path / "manifests"
    source = open_source(
        manifest, egress=egress, environ={}, base_dir=base_dir, state_dir=tmp_path / "state", now=utc_now
    )
    try:
        yield replace(room, source=source)
    finally:
        await source.close()
        await egress.close()


async def test_sb_walks_its_pages_and_shows_a_transferred_unit_twice(pki: Pki, tmp_path: Path) -> None:
    async with room_of("SB", pki, tmp_path) as whole, in_pages_of(3, whole, tmp_path) as room:
        found = rows(await room.one())
        assert len(found) == 4
        pensions = [row for row in found if row["kind"] == "PENSION"]
        assert {row["status"] for row in pensions} == {"ACTIVE", "ENDED"}
        assert {row["unitUscc"] for row in pensions} == {"91440604MA5TEXT12M", "91440606MA4W8F6D1M"}
        assert pensions[0]["lastPaidMonth"] == "2026-10"
        assert pensions[0]["firstPaidOn"] == date(2024, 12, 1)
        assert pensions[0]["monthsPaid24"] == 22
        assert room.department.counters.calls() == {"insured/query": 2}


async def test_sb_cannot_write_a_rare_character_so_a_human_decides(pki: Pki, tmp_path: Path) -> None:
    async with room_of("SB", pki, tmp_path) as room:
        answer = await room.one(LI_YAN)
        assert isinstance(answer, Found)
        assert {row.match for row in answer.rows} == {Match.REVIEW}
        assert all(not row.values for row in answer.rows)


async def test_sb_closed_for_the_night_says_until_when(pki: Pki, tmp_path: Path) -> None:
    async with room_of("SB", pki, tmp_path) as room:
        room.fault(closed=True)
        answer = await room.one()
        assert isinstance(answer, Failed)
        assert answer.reason is Reason.CLOSED
        assert answer.retry_at is not None
        assert answer.retry_at.astimezone(SHANGHAI).hour == 5
        assert datetime.now(UTC) < answer.retry_at <= datetime.now(UTC) + timedelta(days=1)


async def test_gs_asks_for_everybody_at_once_and_leaves_homonyms_to_a_human(pki: Pki, tmp_path: Path) -> None:
    async with room_of("GS", pki, tmp_path) as room:
        zhang, other, mei = await room.ask(ZHANG, OTHER_ZHANG, LI_MEI)
        assert room.department.counters.calls() == {"enterprise/by-person": 1}
        assert isinstance(zhang, Found)
        sure = [dict(row.values) for row in zhang.rows if row.match is Match.AUTO]
        assert sure == [
            {
                "uscc": "92440604MA4UTEXT17",
                "name": "佛山市禅城区三记五金店",
                "role": "OPERATOR",
                "status": "OPERATING",
                "estOn": date(2022, 5, 18),
                "shareRatio": 100.0,
                "abnormal": False,
            }
        ]
        review = [row for row in zhang.rows if row.match is Match.REVIEW]
        assert len(review) == 1, "a shop registered to some 张三 without an ID"
        assert review[0].values == {}
        assert isinstance(other, Found)
        assert [row.values["name"] for row in other.rows if row.match is Match.AUTO] == ["佛山市顺德区顺达物流有限公司"]
        assert isinstance(mei, Absent)


async def test_fy_gives_each_document_once_and_no_co_defendant(pki: Pki, tmp_path: Path) -> None:
    async with room_of("FY", pki, tmp_path) as room:
        zhang, wu = await room.ask(ZHANG, WU)
        documents = rows(zhang)
        by_kind = {str(row["docType"]): row for row in documents}
        assert len(documents) == 3
        assert set(by_kind) == {"JUDGMENT", "EXEC_NOTICE", "CORRECTION"}
        judgment, correction = by_kind["JUDGMENT"], by_kind["CORRECTION"]
        assert judgment["issuedOn"] == date(2026, 9, 27)
        assert judgment["effectiveOn"] == date(2026, 10, 8)
        assert correction["supersedes"] == judgment["docNo"]
        assert [row["docNo"] for row in rows(wu)] == [judgment["docNo"]]
        for answer, stranger in ((zhang, WU), (wu, ZHANG)):
            assert not any(part in repr(answer) for part in stranger)


async def test_fy_by_case_number_names_nobody(pki: Pki, tmp_path: Path) -> None:
    async with room_of("FY", pki, tmp_path) as room:
        known, unknown = await room.ask(("(2026)粤0604刑初123号",), ("(2026)粤0604刑初9999999号",), by=("caseNo",))
        assert len(rows(known)) == 3
        assert "张三" not in repr(known)
        assert "吴大勇" not in repr(known)
        assert isinstance(unknown, Absent)


async def test_a_name_with_another_dot_is_the_same_person(pki: Pki, tmp_path: Path) -> None:
    for code in ("LGB", "SB", "GS"):
        async with room_of(code, pki, tmp_path) as room:
            answer = await room.one(ALI)
            assert isinstance(answer, Found)
            assert {row.match for row in answer.rows} == {Match.AUTO}


async def test_nobody_is_nobody(room: Room) -> None:
    assert isinstance(await room.one(UNKNOWN), Absent)


async def test_every_code_of_every_person_is_mapped(room: Room) -> None:
    people = everyone(1, 50)[:30]
    answers = await room.ask(*((person.id_no, person.name) for person in people))
    found = 0
    for answer in answers:
        assert not isinstance(answer, Failed), answer
        for row in answer.rows if isinstance(answer, Found) else ():
            found += 1
            assert "UNMAPPED" not in row.values.values()
            doubts = {flag for field, flag in row.quality if field}  # the others are about the person's ID
            assert not doubts & {Quality.CODE_UNMAPPED, Quality.DATE_BAD}
    assert found > 5
    most = room.department.counters.most_asked()
    assert set(most.values()) == {1}, "no key was asked twice"


async def test_a_wrong_credential_is_a_refusal_and_never_an_absence(pki: Pki, tmp_path: Path) -> None:
    for code in CODES:
        async with room_of(code, pki, tmp_path, secret="another") as room:
            answer = await room.one()
            assert isinstance(answer, Failed)
            assert answer.reason is Reason.REFUSED
            assert room.department.counters.calls() == {}


async def test_a_clock_apart_is_said_as_such_by_those_who_check_it(room: Room) -> None:
    room.fault(clock_skew=True)
    answer = await room.one()
    if room.code in ("LGB", "SB"):
        assert isinstance(answer, Failed)
        assert answer.reason is Reason.CLOCK_SKEW
    else:
        assert isinstance(answer, Found)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("down", Reason.DOWN), ("closed", Reason.CLOSED), ("too_many", Reason.RATE_LIMITED), ("garbage", Reason.GARBAGE)],
)
async def test_a_fault_is_what_it_is_for_known_and_unknown_alike(room: Room, fault: str, reason: Reason) -> None:
    room.fault(**{fault: True})
    for answer in await room.ask(ZHANG, UNKNOWN):
        assert isinstance(answer, Failed)
        assert answer.reason is reason
        assert (answer.retry_at is not None) == (fault in ("closed", "too_many"))


async def test_half_a_page_is_never_the_whole_truth(room: Room) -> None:
    room.fault(half_page=True)
    answer = await room.one()
    incomplete = answer.incomplete if isinstance(answer, Found) else None
    reason = answer.reason if isinstance(answer, Failed) else None
    assert Reason.INCOMPLETE in (incomplete, reason)


async def test_old_data_shows_its_age(room: Room) -> None:
    answer = await room.one()
    assert isinstance(answer, Found)
    assert all(Quality.STALE not in {flag for _, flag in row.quality} for row in answer.rows)
    fresh = [row.as_of for row in answer.rows if row.match is Match.AUTO]
    room.fault(stale=True)
    answer = await room.one()
    assert isinstance(answer, Found)
    for before, row in zip(fresh, (r for r in answer.rows if r.match is Match.AUTO), strict=True):
        assert before is not None
        assert row.as_of is not None
        assert timedelta(days=9) < before - row.as_of < timedelta(days=11)


async def test_a_recorded_request_opens_nothing_twice(pki: Pki, tmp_path: Path) -> None:
    """Replayed by a bare client: same headers, same query."""
    async with room_of("LGB", pki, tmp_path) as room:
        path = "/api/residence/query"
        headers = Tif("yimen", "demo-lgb_token").headers(Outgoing("GET", path, (), b""), datetime.now(UTC))
        codes = []
        async with aiohttp.ClientSession() as session:
            for _ in range(2):
                async with session.get(room.url + path, params={"sfzh": ZHANG[0]}, headers=headers) as reply:
                    codes.append((await reply.json())["code"])
        assert codes == ["0", "E4010"]


async def test_too_fast_is_told_with_a_time_to_come_back(pki: Pki, tmp_path: Path) -> None:
    async with room_of("FY", pki, tmp_path) as room:
        headers = {"authorization": "Bearer demo-fy_token"}
        async with aiohttp.ClientSession() as session:
            statuses = []
            for _ in range(30):
                async with session.get(f"{room.url}/sfgk/api/dsr", params={"sfzh": "1"}, headers=headers) as reply:
                    statuses.append((reply.status, reply.headers.get("retry-after")))
        assert (429, "1") in statuses
        assert statuses.count((200, None)) >= 20
