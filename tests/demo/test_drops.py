"""The departments that are files, read by the real kind through their real manifests; each fault within two seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from adapters.errors import Reason, SourceUnavailable
from adapters.file_drop import FileDropKind
from adapters.kind import Opening
from adapters.manifest import SourceManifest
from adapters.manifest_reader import read_manifests
from adapters.mapping import Mapped
from adapters.secrets import Secrets
from adapters.source import Absent, Answer, Failed, Found, Lookup, Match
from demo.department import Options
from demo.people import Person, register
from demo.places import TEMPLATES
from demo.render import render_manifests
from demo.serving import serving
from schema.types.aftercare import AftercareRecord
from schema.types.correction_case import CorrectionCase

pytestmark = pytest.mark.anyio

SEEN_WITHIN_S = 2.0
CASE = frozenset({"caseNo", "type", "decidingOrgan", "effectiveOn", "startOn", "endOn", "crimeCategory", "chargeText"})
CARE = frozenset({"startOn", "untilOn", "helpItems", "employmentState", "remark"})


def _known(record: type) -> dict[str, frozenset[str] | None]:
    """A noun's fields by their GraphQL names; which are enums is checked by the manifests' own tests."""
    fields = record.__strawberry_definition__.fields  # type: ignore[attr-defined]
    return {_camel(field.python_name): None for field in fields}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


KNOWN_NOUNS = {"correctionCase": _known(CorrectionCase), "aftercare": _known(AftercareRecord)}


class Reader:
    """One drop source of the demo, mapped as the gateway has it."""

    def __init__(self, manifest: SourceManifest, home: Path) -> None:
        state = home / f"state-{manifest.code}"
        state.mkdir()
        self.manifest = manifest
        secrets = Secrets({}, home)
        self.raw = FileDropKind().open(Opening(manifest, None, manifest.endpoint, secrets, _now, state, home))
        self.source = Mapped(manifest, self.raw, now=_now)

    async def ask(self, person: Person, name: str | None = None) -> Answer:
        noun = self.manifest.answers[0].noun
        lookup = Lookup(
            noun, ("idNo", "name"), ((person.id_no, name or person.name),), CASE if noun == "correctionCase" else CARE
        )
        try:
            return (await self.source.fetch(lookup, timeout_s=5))[0]
        except SourceUnavailable as error:
            return Failed(error.reason, error.retry_at, error.detail)


def _now() -> datetime:
    return datetime.now(UTC)


class Play:
    """A department process's stand-in, its switches, and the readers of its drops."""

    def __init__(self, url: str, readers: dict[str, Reader]) -> None:
        self._url, self.readers = url, readers

    async def fault(self, **faults: object) -> float:
        """Set these faults and no others; the moment it happened."""
        async with aiohttp.ClientSession() as session:
            async with session.delete(f"{self._url}/_fault") as reply:
                assert reply.status == 200
            if faults:
                async with session.put(f"{self._url}/_fault", json=faults) as reply:
                    assert reply.status == 200
        return time.monotonic()

    async def shows(self, code: str, person: Person, met: Callable[[Answer], bool], since: float) -> Answer:
        """The first answer that is as expected; fails when it is not there within two seconds of `since`."""
        while True:
            answer = await self.readers[code].ask(person)
            if met(answer):
                return answer
            assert time.monotonic() - since < SEEN_WITHIN_S, answer
            await asyncio.sleep(0.02)


@asynccontextmanager
async def playing(code: str, tmp_path: Path) -> AsyncIterator[Play]:
    options = Options(latency=0, directory=tmp_path / "drops")
    async with serving(code, options) as running:
        made = tmp_path / "manifests"
        made.mkdir()
        render_manifests(TEMPLATES, made, {f"{code}_DIR": str(options.directory)})
        manifests = read_manifests(made, KNOWN_NOUNS, {"file_drop": FileDropKind()}).sources
        readers = {manifest.code: Reader(manifest, tmp_path) for manifest in manifests}
        yield Play(running.url, readers)
        for reader in readers.values():
            await reader.source.close()


@pytest.fixture
async def jy(tmp_path: Path) -> AsyncIterator[Play]:
    async with playing("JY", tmp_path) as play:
        yield play


@pytest.fixture
async def azbj(tmp_path: Path) -> AsyncIterator[Play]:
    async with playing("AZBJ", tmp_path) as play:
        yield play


ZHAO, LIU = register().by_key("zhao-qiang"), register().by_key("liu-fang")
YAN, ZHANG = register().by_key("li-yan"), register().by_key("zhang-san-017")


async def test_the_prison_hands_over_under_a_15_digit_number(jy: Play) -> None:
    answer = await jy.readers["JY"].ask(ZHAO)
    assert isinstance(answer, Found)
    (row,) = answer.rows
    assert row.match is Match.AUTO
    assert row.values["type"] == "PAROLE"
    assert row.values["effectiveOn"] == date(2026, 3, 7)
    assert row.values["endOn"] == date(2027, 5, 31)
    assert row.links["caseNo"] == "(2026)粤06刑更301号"
    assert "ID_15" in {str(flag) for _, flag in row.quality}


async def test_a_date_of_zeros_is_no_date(jy: Play) -> None:
    answer = await jy.readers["JY"].ask(LIU)
    assert isinstance(answer, Found)
    assert answer.rows[0].values["effectiveOn"] is None
    assert answer.rows[0].values["startOn"] == date(2026, 9, 3)
    assert answer.rows[0].values["decidingOrgan"] == "PRISON_ADMINISTRATION"


async def test_every_handover_arrives_and_nobody_else(jy: Play) -> None:
    people = register().people
    reader = jy.readers["JY"]
    keys = tuple((person.id_no, person.name_at("JY")) for person in people)
    answers = await reader.source.fetch(
        Lookup("correctionCase", ("idNo", "name"), keys, frozenset({"caseNo"})), timeout_s=20
    )
    for person, answer in zip(people, answers, strict=True):
        assert isinstance(answer, Found if person.handover else Absent), person.key
    assert reader.raw.quarantine() == ()


async def test_the_second_delivery_changes_nothing(jy: Play, tmp_path: Path) -> None:
    await jy.readers["JY"].ask(ZHAO)
    files = sorted((tmp_path / "drops" / "out").iterdir())
    assert len(files) == 2
    assert files[0].read_bytes() == files[1].read_bytes()
    health = jy.readers["JY"].raw.health()
    assert health.not_taken == ()
    assert health.records == sum(person.handover is not None for person in register().people)


async def test_the_registers_disagree_on_the_end(azbj: Play) -> None:
    foshan = await azbj.readers["AZBJ_FS"].ask(YAN)
    nation = await azbj.readers["AZBJ_N"].ask(YAN)
    assert isinstance(foshan, Found)
    assert isinstance(nation, Found)
    assert foshan.rows[0].values["untilOn"] == date(2026, 11, 20)
    assert nation.rows[0].values["untilOn"] == date(2024, 11, 20)
    assert foshan.rows[0].values["helpItems"] == ("就业指导", "技能培训, 家政")
    assert nation.rows[0].values["employmentState"] == "UNEMPLOYED"
    assert nation.rows[0].match is Match.AUTO, "䶮 came through GB18030"
    assert isinstance(await azbj.readers["AZBJ_FS"].ask(ZHANG), Absent)


@pytest.mark.parametrize("code", ["JY", "AZBJ_FS", "AZBJ_N"])
async def test_each_fault_shows_within_two_seconds(code: str, tmp_path: Path) -> None:
    person = ZHAO if code == "JY" else YAN
    async with playing(code.partition("_")[0], tmp_path) as play:
        whole = await play.readers[code].ask(person)
        assert _is_whole(whole)
        assert isinstance(await play.readers[code].ask(ZHANG), Absent)

        since = await play.fault(down=True)
        await play.shows(code, person, lambda a: isinstance(a, Failed) and a.reason is Reason.DOWN, since)
        await play.shows(code, person, _is_whole, await play.fault())

        since = await play.fault(half_page=True)
        await play.shows(code, person, lambda a: isinstance(a, Found) and a.incomplete is Reason.INCOMPLETE, since)
        absent = await play.readers[code].ask(ZHANG)
        assert isinstance(absent, Failed)
        assert absent.reason is Reason.INCOMPLETE
        await play.shows(code, person, _is_whole, await play.fault())

        since = await play.fault(garbage=True)
        await play.shows(code, person, lambda a: isinstance(a, Found) and a.incomplete is Reason.GARBAGE, since)
        await play.shows(code, person, _is_whole, await play.fault())

        for _ in range(2):
            since = await play.fault(stale=10)
            await play.shows(code, person, lambda a: _is_whole(a) and _age(a) > timedelta(days=10), since)
            await play.shows(code, person, lambda a: _is_whole(a) and _age(a) < timedelta(days=2), await play.fault())

        since = await play.fault(clock_skew=7 * 86400)
        await play.shows(code, person, lambda a: _is_whole(a) and _age(a) < timedelta(minutes=1), since)


def _is_whole(answer: Answer) -> bool:
    return isinstance(answer, Found) and answer.incomplete is None


def _age(answer: Answer) -> timedelta:
    assert isinstance(answer, Found)
    assert answer.as_of is not None
    return datetime.now(UTC) - answer.as_of
