"""Bad questions and bad departments: a clear error or a typed absence, in bounded time, and the house stands after it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from demo.department import SHANGHAI
from tests.flows.house import House
from tests.flows.questions import PURPOSE, key_of, people, person, source_of
from tests.flows.spoiled import Spoiled, next_door, spoiled_police, spoiled_rest
from tests.flows.town import Town, gateway_of, unhurried, until

pytestmark = pytest.mark.anyio

ZHANG = key_of("zhang-san-017")
AT_ONCE_S = 2.0  # far below what an explosion would take, far above what a busy machine adds
DEADLINE_S = 1.8 + 0.5  # settings: operation_deadline_s, and this machine


async def lives(gateway: House) -> None:
    """The process is well and still answers."""
    async with gateway.session.get(f"{gateway.url}/livez") as reply:
        assert reply.status == 200
    found = await gateway.data(person("cases { sources { source state } }"), ZHANG)
    assert source_of(found["person"]["cases"], "GDSJ")["state"] == "FRESH"


async def codes(gateway: House, query: str, variables: dict[str, Any] | None = None) -> list[str]:
    """The codes of an answer that came at once and repeats nothing of the question."""
    began = time.monotonic()
    answer = await gateway.ask(query, variables)
    assert time.monotonic() - began < AT_ONCE_S
    return [error["extensions"]["code"] for error in answer["errors"]]


@pytest.mark.parametrize(
    ("id_no", "name", "code"),
    [
        ("440606199003070018", "张三", "BAD_ID"),  # check digit
        ("44060619900307001", "张三", "BAD_ID"),
        ("", "张三", "BAD_ID"),
        ("ABCDEFGHIJKLMNOPQR", "张三", "BAD_ID"),
        ("' OR 1=1 --", "张三", "BAD_ID"),
        ("9" * 10_000, "张三", "BAD_ID"),
        ("440606199003070017\x00", "张三", "BAD_ID"),
        ("440606199003070017", "", "BAD_NAME"),
        ("440606199003070017", "   ", "BAD_NAME"),
        ("440606199003070017", "张" * 101, "BAD_NAME"),
    ],
    ids=lambda value: str(value)[:12],
)
async def test_who_is_no_person_is_refused_without_asking_anyone(
    town: Town, gateway: House, id_no: str, name: str, code: str
) -> None:
    answer = await gateway.ask(person("identity { state }"), {"idNo": id_no, "name": name})
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert answer["data"] == {"person": None}
    if len(id_no) > 8:
        assert id_no not in json.dumps(answer)
    assert await town.calls("GA_POP") == {}


async def test_a_bad_number_in_a_list_spoils_its_own_place_only(town: Town, gateway: House) -> None:
    keys = [ZHANG, {"idNo": "440606199003070018", "name": "张三"}, key_of("chen-ming")]
    answer = await gateway.ask(people("identity { state }"), {"of": keys})
    first, second, third = answer["data"]["people"]
    assert (first, second, third) == ({"identity": {"state": "FRESH"}}, None, {"identity": {"state": "FRESH"}})
    (error,) = answer["errors"]
    assert (error["extensions"]["code"], error["path"]) == ("BAD_ID", ["people", 1])


async def test_a_list_has_a_hundred_persons_at_most(town: Town, gateway: House) -> None:
    ask = people("identity { state }")
    assert set(await codes(gateway, ask, {"of": [ZHANG] * 101})) <= {"BATCH_TOO_LARGE", "LIMIT_COST"}
    assert await town.calls("GA_POP") == {}
    assert len((await gateway.data(ask, {"of": [ZHANG] * 100}))["people"]) == 100
    assert await town.calls("GA_POP") == {"QueryPerson": 1}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("", "PURPOSE_MISSING"),
        ('@purpose(code: "NO_SUCH", caseNo: "x")', "PURPOSE_UNKNOWN"),
        ('@purpose(code: "", caseNo: "x")', "PURPOSE_UNKNOWN"),
        ('@purpose(code: "PROC_SUPERVISION", caseNo: "x")', "PURPOSE_NOT_YOURS"),
        ('@purpose(code: "CC_RECEPTION")', "CASE_REQUIRED"),
        ('@purpose(code: "CC_RECEPTION", caseNo: "  ")', "CASE_REQUIRED"),
    ],
)
async def test_without_a_purpose_of_ones_own_nothing_is_asked(town: Town, gateway: House, said: str, code: str) -> None:
    query = f"query P($idNo: String!, $name: String!) {said} {{ person(idNo: $idNo, name: $name) {{ identity {{ state }} }} }}"
    answer = await gateway.ask(query, ZHANG)
    assert answer["errors"][0]["extensions"]["code"] == code
    assert answer.get("data") is None
    assert await town.calls("GA_POP") == {}


async def test_two_purposes_are_none(town: Town, gateway: House) -> None:
    assert await codes(gateway, f'query {PURPOSE} {PURPOSE} {{ cases(executionAdmin: "440604") {{ state }} }}')


def _fragments(count: int) -> str:
    """Each fragment spreads the next twice: 2^count fields in a few lines."""
    spreads = "".join(
        f"fragment F{n} on Person {{ a{n}: identity {{ state }} ...F{n + 1} ...F{n + 1} }} " for n in range(count)
    )
    one = f'query {PURPOSE} {{ person(idNo: "440606199003070017", name: "张三") {{ ...F0 }} }} '
    return f"{one}{spreads}fragment F{count} on Person {{ pid }}"


BOMBS = {
    "fragments": _fragments(60),
    "cycle": f'query {PURPOSE} {{ person(idNo: "1", name: "x") {{ ...A }} }} fragment A on Person {{ ...B }} '
    "fragment B on Person { ...A }",
    "aliases": f"query {PURPOSE} {{ "
    + " ".join(f'p{n}: person(idNo: "440606199003070017", name: "张三") {{ pid }}' for n in range(5000))
    + " }",
    "same_field": f'query {PURPOSE} {{ person(idNo: "1", name: "x") {{ {"pid " * 20_000} }} }}',
    "depth": "{" + "a{" * 30_000 + "b" + "}" * 30_001,
    "circle": f'query {PURPOSE} {{ case(caseNo: "x") {{ {"records { person { cases { " * 30}state{" } } }" * 30} }} }}',
    "lists": f"query {PURPOSE} {{ people(of: {'[' * 5000}{']' * 5000}) {{ pid }} }}",
    "directives": f'query {PURPOSE} {{ person(idNo: "1", name: "x") {{ pid {"@include(if: true) " * 3000} }} }}',
    "overlaps": f'query {PURPOSE} {{ person(idNo: "1", name: "x") {{ '
    + " ".join("identity { records { name } }" for _ in range(800))
    + " } }",
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_question_made_to_hurt_is_refused_at_once(town: Town, gateway: House, bomb: str) -> None:
    found = await codes(gateway, BOMBS[bomb])
    assert found, bomb
    assert all(code.startswith(("LIMIT_", "FRAGMENT_CYCLE", "GRAPHQL_")) for code in found), found
    assert await town.calls("GA_POP") == {}
    await lives(gateway)


async def test_twenty_of_them_at_once_leave_room_for_an_honest_one(town: Town, gateway: House) -> None:
    floods = [asyncio.create_task(gateway.ask(BOMBS["fragments"])) for _ in range(20)]
    began = time.monotonic()
    await lives(gateway)
    assert time.monotonic() - began < 2 * AT_ONCE_S
    assert all("errors" in answer for answer in await asyncio.gather(*floods))


async def posted(gateway: House, raw: bytes, content_type: str = "application/json") -> tuple[int, str]:
    headers = gateway.headers() | {"content-type": content_type}
    async with gateway.session.post(f"{gateway.url}/graphql", data=raw, headers=headers) as reply:
        answer = await reply.json(content_type=None)
        return reply.status, answer["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b'{"query":' + b"[" * 100_000, 400, "JSON_TOO_DEEP"),
        (b'{"variables":' + b'{"a":' * 500 + b"1" + b"}" * 500 + b',"query":"{ a }"}', 400, "JSON_TOO_DEEP"),
        (b'{"query":"{ \xff\xfe }"}', 400, "INVALID_UTF8"),
        (b'{"query":"\xed\xa0\x80"}', 400, "INVALID_UTF8"),
        (b"", 400, "INVALID_JSON"),
        (b'{"query": NaN}', 400, "INVALID_JSON"),
        (b'[{"query":"{ a }"}]', 400, "BATCH_REFUSED"),
        (b"x" * 2_000_000, 413, "BODY_TOO_LARGE"),
    ],
    ids=["deep-list", "deep-object", "utf8", "surrogate", "empty", "nan", "batch", "large"],
)
async def test_a_body_that_is_none(town: Town, gateway: House, raw: bytes, status: int, code: str) -> None:
    began = time.monotonic()
    assert await posted(gateway, raw) == (status, code)
    assert time.monotonic() - began < AT_ONCE_S
    await lives(gateway)


async def test_64_megabytes_are_not_taken_in(town: Town, gateway: House) -> None:
    """On a bare socket, which may be cut on the way: what matters is that nobody keeps the bytes."""
    host, port = gateway.url.removeprefix("http://").split(":")
    before = psutil.Process().memory_info().rss
    _, writer = await asyncio.open_connection(host, int(port))
    headers = "".join(f"{name}: {value}\r\n" for name, value in gateway.headers().items())
    writer.write(
        f"POST /graphql HTTP/1.1\r\nHost: {host}\r\n{headers}"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    )
    sent = 0
    try:
        async with asyncio.timeout(5):
            for _ in range(1024):
                writer.write(b"10000\r\n" + b" " * 65_536 + b"\r\n")
                await writer.drain()
                sent += 65_536
    except (OSError, TimeoutError):
        pass
    assert sent < 64 * 1024 * 1024
    assert psutil.Process().memory_info().rss - before < 40 * 1024 * 1024
    writer.close()
    await lives(gateway)


@asynccontextmanager
async def gateway_with(town: Town, home: Path, department: Spoiled, code: str) -> AsyncIterator[House]:
    values = town.values | {f"{code}_URL": department.url}
    async with gateway_of(replace(town, values=values), home, unhurried) as gateway:
        yield gateway


ASK = {
    "LGB": (
        "residence",
        person("residence { state sources { source state reason } best { source } } business { state reason }"),
    ),
    "SB": ("insurance", person("insurance { state sources { source state reason } } business { state reason }")),
    "FY": ("documents", person("documents { state sources { source state reason } } business { state reason }")),
    "GA_POP": ("identity", person("identity { state sources { source state reason } } business { state reason }")),
}


async def told(gateway: House, code: str) -> tuple[str, str]:
    """What the spoiled one is said to be, within the deadline, while GS is well; GS may need its first connection."""
    part, query = ASK[code]
    began = time.monotonic()
    found = (await gateway.data(query, ZHANG))["person"]
    assert time.monotonic() - began < DEADLINE_S
    assert found["business"] == {"state": "FRESH", "reason": None}
    assert found[part]["state"] != "NOT_FOUND"
    source = source_of(found[part], code)
    return source["state"], source["reason"]


@pytest.mark.parametrize(
    ("code", "how", "reasons"),
    [
        ("LGB", "flood", {"TOO_LARGE"}),
        ("LGB", "drip", {"TIMEOUT"}),
        ("LGB", "deep", {"GARBAGE"}),
        ("LGB", "nonsense", {"GARBAGE"}),
        ("SB", "flood", {"TOO_LARGE"}),
        ("FY", "bomb", {"GARBAGE"}),
        ("FY", "outside", {"GARBAGE"}),
        ("FY", "flood", {"TOO_LARGE"}),
    ],
)
async def test_a_department_that_went_bad_is_said_to_be_so(
    town: Town, tmp_path: Path, code: str, how: str, reasons: set[str]
) -> None:
    before = psutil.Process().memory_info().rss
    async with spoiled_rest(how) as department, gateway_with(town, tmp_path, department, code) as gateway:
        state, reason = await told(gateway, code)
        assert state == "UNAVAILABLE"
        assert reason in reasons
        await lives(gateway)
        department.how = "nonsense"
    assert psutil.Process().memory_info().rss - before < 80 * 1024 * 1024


async def test_a_redirect_off_the_list_is_not_followed(town: Town, tmp_path: Path) -> None:
    async with (
        next_door() as (elsewhere, reached),
        spoiled_rest("elsewhere") as department,
        gateway_with(town, tmp_path, department, "LGB") as gateway,
    ):
        department.elsewhere = elsewhere
        assert await told(gateway, "LGB") == ("UNAVAILABLE", "BLOCKED")
        assert department.asked == 1
        assert reached == []
        await lives(gateway)


@pytest.mark.parametrize(
    ("how", "reasons"),
    [
        ("bomb", {"GARBAGE"}),
        ("outside", {"GARBAGE"}),
        ("flood", {"TOO_LARGE"}),
        ("wsdl_bomb", {"GARBAGE"}),
        ("wsdl_of_nothing", {"GARBAGE"}),
        ("wsdl_elsewhere", {"BLOCKED", "GARBAGE"}),
        ("wsdl_imports_elsewhere", {"BLOCKED", "GARBAGE"}),
        ("wsdl_imports_itself", {"GARBAGE", "BLOCKED"}),
    ],
)
async def test_a_soap_service_that_lies_fails_by_name(town: Town, tmp_path: Path, how: str, reasons: set[str]) -> None:
    async with (
        next_door() as (elsewhere, reached),
        spoiled_police(how, town.home / "pki") as police,
        gateway_with(town, tmp_path, police, "GA_POP") as gateway,
    ):
        police.elsewhere = elsewhere

        async def ask() -> tuple[str, str]:
            return await told(gateway, "GA_POP")

        # A description takes a moment to be read, in a process of its own; until then it is a TIMEOUT at worst.
        state, _ = await until(ask, lambda seen: seen[1] in reasons, within_s=4)
        assert state == "UNAVAILABLE"
        assert reached == []
        await lives(gateway)


async def test_a_drop_full_of_nuls_is_no_record_and_no_absence(town: Town, tmp_path: Path) -> None:
    """One line can be read, two cannot: the good one is used, and whoever is not in it may be in the others."""
    drops = tmp_path / "drops"
    for folder in ("fs", "n"):
        (drops / folder).mkdir(parents=True)
    head = "bh,xm,sfzh,sfrq,bjqx_q,bjqx_z,bjdw,bfcs,zfrq,jyqk,bz\r\n"
    good = "FS-1,李䶮,440605198808150048,2021-11-20,2021-11-20,2026-11-20,单位,,,1,\r\n"
    nuls = b"FS-2,\x00\x00,44060\x005198808150048\x00,\x00\r\n" + b"\x00" * 200_000 + b"\r\n"
    body = (
        b"\xef\xbb\xbf"
        + head.encode()
        + good.encode()
        + nuls
        + f"#END,3,{datetime.now(SHANGHAI):%Y%m%d}000000,1\r\n".encode()
    )
    (drops / "fs" / "AZBJ_FS_1.csv").write_bytes(body)
    async with gateway_of(replace(town, values=town.values | {"AZBJ_DIR": str(drops)}), tmp_path, unhurried) as gateway:
        ask = person("aftercare { state sources { source state reason } records { source untilOn } }")

        async def asked(handle: str) -> dict[str, Any]:
            return dict((await gateway.data(ask, key_of(handle)))["person"]["aftercare"])

        part = await until(lambda: asked("li-yan"), lambda seen: bool(seen["records"]), within_s=4)
        assert part["records"] == [{"source": "AZBJ_FS", "untilOn": "2026-11-20"}]
        assert source_of(part, "AZBJ_FS")["state"] == "FRESH"
        unknown = source_of(await asked("zhang-san-017"), "AZBJ_FS")
        assert (unknown["state"], unknown["reason"]) == ("UNAVAILABLE", "INCOMPLETE")
        await lives(gateway)
