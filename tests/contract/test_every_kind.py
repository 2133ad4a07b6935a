"""The promises of `Source`, told once and kept by every kind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import date
from pathlib import Path

import pytest

from adapters.errors import Reason, SourceUnavailable
from adapters.source import Absent, Answer, Failed, Found, Key, Lookup, Match, Source
from tests.contract.departments import (
    ALI,
    CHEN,
    CONTRACT_KINDS,
    FIELDS,
    GENERATED,
    LI_MEI,
    LI_YAN,
    OTHER_ZHANG,
    ZHANG,
    ZHAO,
    Department,
    start,
)

pytestmark = pytest.mark.anyio

HOSTILE = [
    "' OR '1'='1",
    'x" } ) { __typename } #',
    "{idNo}{name}{fields}{{",
    "line\r\nX-Injected: 1\r\n\r\n",
    "a\x00b",
    "]]><!ENTITY x SYSTEM 'file:///etc/passwd'>&x;",
    "../../../etc/passwd?a=b&c=d#e",
    "%00%0d%0a; DROP TABLE v_jzry; --",
    "\ud800",
    "字" * 10_000,
]


@pytest.fixture(params=[place for _, place in CONTRACT_KINDS], ids=[name for name, _ in CONTRACT_KINDS])
async def department(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Department]:
    async for running in start(request.param, tmp_path):
        yield running


def asked(*keys: Key, fields: frozenset[str] = FIELDS) -> Lookup:
    return Lookup("residence", ("idNo", "name"), keys, fields)


async def answers_or_failure(source: Source, lookup: Lookup, timeout_s: float = 5.0) -> Sequence[Answer]:
    """As a caller sees it: a call that raised is Failed for every key."""
    try:
        return await source.fetch(lookup, timeout_s=timeout_s)
    except SourceUnavailable as error:
        return [Failed(error.reason, error.retry_at, error.detail)] * len(lookup.keys)


async def test_a_record_comes_in_canonical_words(department: Department) -> None:
    (answer,) = await department.source.fetch(asked(LI_MEI), timeout_s=5)
    assert isinstance(answer, Found)
    (row,) = answer.rows
    assert row.values == {
        "regNo": "R3",
        "address": "佛山市南海区桂城街道3号",
        "residenceType": "BUSINESS",
        "startOn": date(2024, 6, 30),
    }
    assert row.record_id == "R3"
    assert row.match is Match.AUTO
    assert row.quality == ()
    assert answer.fetched_at is not None


async def test_answers_stand_in_the_order_of_the_keys(department: Department) -> None:
    answers = await department.source.fetch(asked(ALI, CHEN, ZHANG, OTHER_ZHANG, LI_YAN), timeout_s=5)
    assert [_record_ids(answer) for answer in answers] == [["R6"], [], ["R1", "R2"], [], ["R5"]]


async def test_no_record_is_absence(department: Department) -> None:
    (answer,) = await department.source.fetch(asked(CHEN), timeout_s=5)
    assert isinstance(answer, Absent)


async def test_an_old_id_is_found_by_its_new_form(department: Department) -> None:
    (answer,) = await department.source.fetch(asked(ZHAO), timeout_s=5)
    assert _record_ids(answer) == ["R4"]


async def test_an_outage_is_never_absence(department: Department) -> None:
    async with department.outage():
        answers = await answers_or_failure(department.source, asked(ZHANG, CHEN))
        assert [type(answer) for answer in answers] == [Failed, Failed]
        for answer in answers:
            _nothing_personal(answer)
    (answer,) = await department.source.fetch(asked(ZHANG), timeout_s=5)
    assert isinstance(answer, Found), "the department is back and so is its answer"


async def test_only_the_fields_asked_for_leave(department: Department) -> None:
    for fields in (frozenset({"regNo"}), frozenset({"startOn", "address"}), frozenset[str](), frozenset({"no-such"})):
        (answer,) = await department.source.fetch(asked(LI_MEI, fields=fields), timeout_s=5)
        assert isinstance(answer, Found)
        assert [set(row.values) for row in answer.rows] == [fields & FIELDS]
    (answer,) = await department.source.fetch(asked(LI_MEI), timeout_s=5)
    assert "SECRET" not in repr(answer)


async def test_the_same_key_twice_is_the_same_answer_twice(department: Department) -> None:
    for source, fields in ((department.source, FIELDS), (department.raw, _raw_fields(department))):
        answers = await source.fetch(asked(ZHANG, CHEN, ZHANG, fields=fields), timeout_s=5)
        first, absent, second = answers
        assert isinstance(first, Found)
        assert isinstance(second, Found)
        assert [row.values for row in first.rows] == [row.values for row in second.rows]
        assert len(first.rows) == 2
        assert isinstance(absent, Absent)


async def test_no_keys_no_answers(department: Department) -> None:
    assert list(await department.source.fetch(asked(), timeout_s=5)) == []
    assert list(await department.raw.fetch(asked(fields=_raw_fields(department)), timeout_s=5)) == []


async def test_a_hundred_keys(department: Department) -> None:
    answers = await department.source.fetch(asked(*GENERATED), timeout_s=30)
    assert [_record_ids(answer) for answer in answers] == [[] if n % 2 else [f"G{n:03d}"] for n in range(100)]
    assert not any(isinstance(answer, Failed) for answer in answers)


@pytest.mark.parametrize("text", HOSTILE, ids=[repr(text[:12]) for text in HOSTILE])
async def test_a_hostile_key_finds_nothing_and_breaks_nothing(department: Department, text: str) -> None:
    for source, fields in ((department.source, FIELDS), (department.raw, _raw_fields(department))):
        for key in ((text, "张三"), (ZHANG[0], text), (text, text), (text, None)):
            lookup = Lookup("residence", ("idNo", "name"), (key, LI_MEI), fields)
            hostile, honest = await answers_or_failure(source, lookup)
            if source is department.source and isinstance(hostile, Found):
                # The ID was right and the name was not: a person decides, and no value left.
                assert key[0] == ZHANG[0]
                assert all(row.match is Match.REVIEW and not row.values for row in hostile.rows)
            _nothing_personal(hostile)
            if isinstance(honest, Failed):  # a batch may be refused whole, but never answered wrongly
                _nothing_personal(honest)
            else:
                assert isinstance(honest, Found)
    (answer,) = await department.source.fetch(asked(LI_MEI), timeout_s=5)
    assert _record_ids(answer) == ["R3"]


async def test_a_missing_key_part_is_no_absence(department: Department) -> None:
    """Without an ID the source says KEY_MISSING, or looks by name and leaves it to a human; never "no record"."""
    (nobody,) = await answers_or_failure(department.source, asked((None, None)))
    assert isinstance(nobody, Failed)
    assert nobody.reason is Reason.KEY_MISSING
    for source, fields in ((department.source, FIELDS), (department.raw, _raw_fields(department))):
        (by_name,) = await answers_or_failure(source, asked((None, LI_MEI[1]), fields=fields))
        assert not isinstance(by_name, Absent)
        if isinstance(by_name, Failed):
            assert by_name.reason is Reason.KEY_MISSING
        elif source is department.source:
            assert all(row.match is Match.REVIEW and not row.values for row in by_name.rows)
    (nameless,) = await answers_or_failure(department.source, asked((LI_MEI[0], None)))
    assert (isinstance(nameless, Failed) and nameless.reason is Reason.KEY_MISSING) or _record_ids(nameless) == ["R3"]


async def test_a_cancelled_call_leaves_the_source_usable(department: Department) -> None:
    if department.silence is None:
        pytest.skip("this kind cannot be silent")
    async with department.silence():
        call = asyncio.ensure_future(department.source.fetch(asked(ZHANG), timeout_s=30))
        await asyncio.sleep(0.05)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    (answer,) = await department.source.fetch(asked(LI_MEI), timeout_s=5)
    assert _record_ids(answer) == ["R3"]


async def test_silence_ends_at_the_timeout(department: Department) -> None:
    if department.silence is None:
        pytest.skip("this kind cannot be silent")
    async with department.silence():
        began = time.monotonic()
        answers = await answers_or_failure(department.source, asked(ZHANG, LI_MEI), timeout_s=0.3)
        assert time.monotonic() - began < 2
        assert [answer.reason for answer in answers if isinstance(answer, Failed)] == [Reason.TIMEOUT] * 2


async def test_questions_at_the_same_time_do_not_mix(department: Department) -> None:
    people = [ZHANG, LI_MEI, ZHAO, LI_YAN, ALI, CHEN] * 3
    answers = await asyncio.gather(*(department.source.fetch(asked(who), timeout_s=10) for who in people))
    expected = [["R1", "R2"], ["R3"], ["R4"], ["R5"], ["R6"], []] * 3
    assert [_record_ids(answer) for (answer,) in answers] == expected


async def test_a_noun_it_does_not_answer_is_a_mistake_said_aloud(department: Department) -> None:
    with pytest.raises(ValueError, match="does not answer"):
        await department.source.fetch(Lookup("moonbase", ("idNo",), (("1",),), FIELDS), timeout_s=5)


def _record_ids(answer: Answer) -> list[str]:
    assert not isinstance(answer, Failed), answer
    return [row.record_id for row in answer.rows] if isinstance(answer, Found) else []


def _raw_fields(department: Department) -> frozenset[str]:
    """What the mapper would ask the kind for."""
    spec = department.manifest.answers[0]
    assert spec.subject is not None
    named = {mapping.raw for mapping in spec.fields if mapping.name in FIELDS}
    return frozenset({*named, spec.record_id, spec.subject.id_no, spec.subject.name})


def _nothing_personal(answer: Answer) -> None:
    text = repr(answer)
    if isinstance(answer, Failed):
        assert not any(part and part in text for who in (ZHANG, LI_MEI, CHEN) for part in who)
        assert len(text) < 1000
        assert "DROP TABLE" not in text
        assert "字字" not in text
