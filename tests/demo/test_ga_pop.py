"""The police population service: real SOAP over mutual TLS, asked through its own manifest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date
from pathlib import Path

import pytest

from adapters.errors import Reason, SourceUnavailable
from adapters.registry import OpenSource
from adapters.source import Absent, Answer, Failed, Found, Key, Lookup, Quality
from demo.department import Faults, Options
from demo.pki import Pki, make_pki
from demo.serving import Running, serving
from tests.demo.opened import opened

pytestmark = pytest.mark.anyio

ZHANG = ("440606199003070017", "张三")
BY = ("idNo", "name")
IDENTITY = frozenset({"name", "idNo", "sex", "birthDate", "hukouAddress", "lifeStatus", "ethnicity", "usedNames"})


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("ga-pki"))


@pytest.fixture
async def department(pki: Pki) -> AsyncIterator[Running]:
    async with serving("GA_POP", Options(latency=0, limits=False, count=20, pki=pki.directory)) as running:
        yield running


@pytest.fixture
async def police(department: Running, pki: Pki, tmp_path: Path) -> AsyncIterator[OpenSource]:
    async with opened("ga_pop", {"GA_POP_URL": department.url, "PKI": str(pki.directory)}, tmp_path) as source:
        yield source


async def ask(
    source: OpenSource, *keys: Key, noun: str = "identity", fields: frozenset[str] = IDENTITY
) -> Sequence[Answer]:
    try:
        return await source.source.fetch(Lookup(noun, BY, keys, fields), timeout_s=5)
    except SourceUnavailable as error:
        return [Failed(error.reason, error.retry_at, error.detail)] * len(keys)


async def test_a_person_comes_in_canonical_words(police: OpenSource) -> None:
    (answer,) = await ask(police, ZHANG)
    assert isinstance(answer, Found)
    assert answer.rows[0].values == {
        "name": "张三",
        "idNo": ZHANG[0],
        "sex": "MALE",
        "birthDate": date(1990, 3, 7),
        "hukouAddress": "广东省佛山市顺德区大良街道云路社区环市北路18号",
        "lifeStatus": "LIVING",
        "ethnicity": "01",
        "usedNames": None,
    }
    assert ZHANG[0] not in answer.rows[0].record_id


async def test_the_address_is_another_operation_of_the_same_service(police: OpenSource, department: Running) -> None:
    (answer,) = await ask(police, ZHANG, noun="residence", fields=frozenset({"address", "admin", "startOn"}))
    assert isinstance(answer, Found)
    assert answer.rows[0].values == {
        "address": "广东省佛山市禅城区祖庙街道福宁路36号之一502房",
        "admin": "440604",
        "startOn": date(2026, 10, 28),
    }
    assert department.department.counters.calls() == {"QueryAddress": 1}


async def test_a_character_outside_gbk_goes_there_and_back(police: OpenSource) -> None:
    (answer,) = await ask(police, ("440605198808150048", "李䶮"))
    assert isinstance(answer, Found)
    assert answer.rows[0].values["name"] == "李䶮"
    assert not [flag for _, flag in answer.rows[0].quality if flag is Quality.ENCODING_REPAIRED]


async def test_the_name_must_match_to_the_letter_so_it_is_asked_in_the_registers_spelling(police: OpenSource) -> None:
    ali = "653121199206010012"
    exact, bullet, other = await ask(police, (ali, "买买提·艾力"), (ali, "买买提•艾力"), (ZHANG[0], "李四"))
    assert isinstance(exact, Found)
    assert isinstance(bullet, Found), "another dot is no other person"
    assert isinstance(other, Absent)


async def test_an_old_id_is_asked_by_its_new_form(police: OpenSource) -> None:
    (answer,) = await ask(police, ("440604650101001", "赵强"))
    assert isinstance(answer, Found)
    assert answer.rows[0].values["idNo"] == "440604196501010010"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Faults(down=True), Reason.DOWN),
        (Faults(closed=True), Reason.CLOSED),
        (Faults(too_many=True), Reason.RATE_LIMITED),
        (Faults(half_page=True), Reason.GARBAGE),
        (Faults(garbage=True), Reason.GARBAGE),
        (Faults(slow=5.0), Reason.TIMEOUT),
    ],
    ids=lambda value: str(value) if isinstance(value, Reason) else value.active()[0],
)
async def test_a_fault_is_named_and_never_an_absence(
    police: OpenSource, department: Running, fault: Faults, reason: Reason
) -> None:
    department.department.set_faults(fault)
    nobody = ("440606199003070033", "李四")
    answers = await ask(police, nobody)
    assert [answer.reason for answer in answers if isinstance(answer, Failed)] == [reason]
    assert "李四" not in repr(answers)


async def test_old_data_say_how_old_they_are(police: OpenSource, department: Running) -> None:
    department.department.set_faults(Faults(stale=10.0))
    (answer,) = await ask(police, ZHANG)
    assert isinstance(answer, Found)
    assert answer.fetched_at is not None
    assert answer.rows[0].as_of is not None
    assert 9.9 < (answer.fetched_at - answer.rows[0].as_of).total_seconds() / 86400 < 10.1


async def test_beyond_its_limit_it_says_busy_and_that_is_no_absence(pki: Pki, tmp_path: Path) -> None:
    async with serving("GA_POP", Options(latency=0, count=20, pki=pki.directory)) as running:
        bucket = running.department._bucket
        assert bucket is not None
        bucket._tokens, bucket._rate = 0.0, 0.001
        async with opened("ga_pop", {"GA_POP_URL": running.url, "PKI": str(pki.directory)}, tmp_path) as source:
            (answer,) = await ask(source, ZHANG)
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.RATE_LIMITED


@pytest.mark.parametrize("certificate", ["stranger", "unheard-of"])
async def test_without_our_certificate_there_is_no_conversation(
    department: Running, pki: Pki, tmp_path: Path, certificate: str
) -> None:
    own = tmp_path / "pki"
    theirs = make_pki(tmp_path / "other").directory if certificate == "unheard-of" else pki.directory
    name = "yimen" if certificate == "unheard-of" else certificate
    own.mkdir()
    (own / "ca.pem").write_bytes(pki.ca.read_bytes())
    for end in (".pem", "-key.pem"):
        (own / f"yimen{end}").write_bytes((theirs / f"{name}{end}").read_bytes())
    values = {"GA_POP_URL": department.url, "PKI": str(own)}
    async with opened("ga_pop", values, tmp_path) as source:
        (answer,) = await ask(source, ZHANG)
    assert isinstance(answer, Failed)
    assert answer.reason in (Reason.DOWN, Reason.REFUSED)
    assert department.department.counters.calls() == {}
