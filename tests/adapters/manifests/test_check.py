"""`yimen sources check` and the registry, against a real department on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from adapters.check import Report, _told, check_sources
from adapters.clock import utc_now
from adapters.egress_http import HttpEgress
from adapters.errors import AdapterError, Reason
from adapters.manifest import AnswerSpec
from adapters.manifest_reader import read_manifests
from adapters.onward import UpstreamReceipt
from adapters.registry import KINDS, host_of, open_source, rule_of
from adapters.secrets import Secrets
from adapters.source import Failed, Found, Lookup
from tests.adapters.manifests.conftest import KNOWN, SOUND, line_of

pytestmark = pytest.mark.anyio

ZHANG = ("440606199003070017", "张三")
RECORD = {"djbh": "R1", "sfzh": ZHANG[0], "xm": ZHANG[1], "jzdz": "禅城区1号", "jzsy": "77", "djrq": "", "ajbh": "C1"}
FORM = (
    SOUND.replace("stale_after_s", "# stale_after_s")
    .replace('path = "/api"', 'path = "/api"\nquery = { sfzh = "{idNo}" }\nrows = "list"')
    .replace('open = [["05:00", "23:00"]]', "")
)


@asynccontextmanager
async def department(answer: Any = None, status: int = 200) -> AsyncIterator[int]:
    """A REST department on a free port, which says the same to all."""

    async def api(request: web.Request) -> web.Response:
        return web.json_response({"list": [RECORD]} if answer is None else answer, status=status)

    application = web.Application()
    application.router.add_get("/api", api)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def form(port: int, text: str = FORM) -> str:
    return text.replace("https://127.0.0.1:9101", f"http://127.0.0.1:{port}").replace(
        "[source.auth]", "allow_plain_http = true\n[source.auth]"
    )


async def checked(
    tmp_path: Path,
    text: str,
    *,
    probe: bool = True,
    environ: Mapping[str, str] = {"LGB_TOKEN": "t0ken"},
    now: Any = utc_now,
) -> Report:
    directory = tmp_path / "manifests"
    directory.mkdir(exist_ok=True)
    (directory / "lgb.toml").write_text(text, encoding="utf-8")
    egress = HttpEgress()
    try:
        return await check_sources(
            directory, KNOWN, egress=egress, environ=environ, probe=probe, state_dir=tmp_path / "state", now=now
        )
    finally:
        await egress.close()


async def test_a_sound_source_is_probed(tmp_path: Path) -> None:
    async with department() as port:
        report = await checked(tmp_path, form(port))
    assert report.faults == ()
    (source,) = report.sources
    (probe,) = source.probes
    assert (source.code, source.kind, probe.state, probe.rows) == ("LGB", "rest", "FOUND", 1)
    assert (probe.unmapped, probe.empty) == (("residenceType",), ("startOn",))
    assert probe.took_ms > 0
    assert ZHANG[0] not in repr(report)
    assert "禅城区" not in repr(report)


async def test_a_record_id_that_no_row_has_is_pointed_out(tmp_path: Path) -> None:
    async with department() as port:
        report = await checked(tmp_path, form(port).replace('record_id = "djbh"', 'record_id = "id"'))
    assert report.faults == ()
    assert report.sources[0].probes[0].empty == ("record_id", "startOn")


async def test_without_a_probe_nothing_is_sent(tmp_path: Path) -> None:
    report = await checked(tmp_path, form(9), probe=False)
    assert report.ok
    assert report.sources == ()
    assert len(report.version) == 64


async def test_a_broken_form_is_reported_whole_and_not_probed(tmp_path: Path) -> None:
    report = await checked(tmp_path, form(9).replace('"rest"', '"fax"').replace("rank = 20", "rank = -1"))
    assert len(report.faults) == 2
    assert report.sources == ()


async def test_the_kinds_own_part_is_checked_with_its_line(tmp_path: Path) -> None:
    text = form(9).replace('mode = "key"', 'mode = "keys"')
    report = await checked(tmp_path, text)
    (fault,) = report.faults
    assert fault.line == line_of(text, 'mode = "keys"')
    assert fault.message == 'mode = "keys" is none of its values; did you mean "key"?'


async def test_a_reference_that_leads_nowhere(tmp_path: Path) -> None:
    text = form(9).replace("[source.limits]", '[source.tls]\nca = "file:no/ca.pem"\n\n[source.limits]')
    report = await checked(tmp_path, text, environ={})
    assert [(fault.line, fault.message) for fault in report.faults] == [
        (line_of(text, "token ="), "env:LGB_TOKEN: is not set"),
        (line_of(text, "ca ="), "file:no/ca.pem: no such file"),
    ]


async def test_an_unreachable_host_is_a_fault_of_the_endpoint(tmp_path: Path) -> None:
    async with department() as port:
        pass
    text = form(port)
    report = await checked(tmp_path, text)
    (fault,) = report.faults
    assert fault.line == line_of(text, "endpoint =")
    assert f"127.0.0.1:{port} cannot be reached" in fault.message


@pytest.mark.parametrize(
    ("answer", "status", "state"),
    [({"list": []}, 200, "ABSENT"), ({}, 500, "DOWN"), ({"list": [5]}, 200, "GARBAGE"), ({"list": [{"a": 1}]}, 200, "GARBAGE"),
     ({"list": [RECORD | {"xm": "李四"}]}, 200, "REVIEW")],
)  # fmt: skip
async def test_what_a_probe_may_find(tmp_path: Path, answer: Any, status: int, state: str) -> None:
    async with department(answer, status) as port:
        text = form(port)
        report = await checked(tmp_path, text)
    assert [probe.state for probe in report.sources[0].probes] == [state]
    trouble = state in ("DOWN", "GARBAGE")
    assert [fault.line for fault in report.faults] == ([line_of(text, "probe =")] if trouble else [])


async def test_being_closed_is_no_fault(tmp_path: Path) -> None:
    text = form(0).replace("[source.hours]", '[source.hours]\nopen = [["05:00", "23:00"]]')
    async with department() as port:
        report = await checked(
            tmp_path, text.replace(':0"', f':{port}"'), now=lambda: datetime(2026, 1, 1, 16, tzinfo=UTC)
        )
    assert report.ok
    assert report.sources[0].probes[0].state == Reason.CLOSED


async def test_the_registry_opens_what_the_manifest_says(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken\n")
    async with department() as port:
        text = form(port).replace("env:LGB_TOKEN", "file:token")
        (tmp_path / "lgb.toml").write_text(text, encoding="utf-8")
        (manifest,) = read_manifests(tmp_path, KNOWN, KINDS).sources
        egress = HttpEgress()
        opened = open_source(
            manifest, egress=egress, environ={}, base_dir=tmp_path, state_dir=tmp_path / "state", now=utc_now
        )
        lookup = Lookup("residence", ("idNo", "name"), (ZHANG,), frozenset({"regNo"}))
        (answer,) = await opened.source.fetch(lookup, timeout_s=5)
        assert isinstance(answer, Found)
        assert answer.rows[0].values == {"regNo": "R1"}
        assert opened.health().state == "UP"
        assert (tmp_path / "state" / "lgb").stat().st_mode & 0o777 == 0o700
        await opened.close()
        (after,) = await opened.source.fetch(lookup, timeout_s=5)
        assert isinstance(after, Failed)
        await egress.close()


def test_a_channel_reaches_its_host_and_the_listed_ones_only(tmp_path: Path) -> None:
    text = FORM.replace("[source.auth]", 'allow_hosts = ["127.0.0.2:80"]\n[source.auth]')
    (tmp_path / "lgb.toml").write_text(text, encoding="utf-8")
    (manifest,) = read_manifests(tmp_path, KNOWN).sources
    secrets = Secrets({}, tmp_path)
    rule = rule_of(manifest, "https://LGB.example/api", secrets)
    assert rule.hosts == {"lgb.example:443", "127.0.0.2:80"}
    assert not rule.allow_plain_http
    assert rule.plain_http_hosts == frozenset()
    assert host_of(manifest, "https://[::1]/x") == "[::1]:443"
    for endpoint in ("http://lgb.example", "ftp://lgb.example", "nonsense", "https://a:99999", "https://"):
        with pytest.raises(AdapterError) as caught:
            rule_of(manifest, endpoint, secrets)
        assert endpoint not in str(caught.value)


def test_every_kind_of_the_guide_is_registered() -> None:
    assert sorted(KINDS) == ["file_drop", "graphql", "rest", "soap", "sql"]
    for name, kind in KINDS.items():
        assert kind.name == name
    assert KINDS["rest"] is KINDS["rest"]


@pytest.mark.parametrize(
    ("receipt", "state"),
    [
        (UpstreamReceipt("SD", "0001", "2026-11-26T00:00:00+00:00", "x" * 44, "DURABLE", "http://sd/ledger/receipts/0001"), "WITHHELD"),
        (UpstreamReceipt("SD", note="MALFORMED"), "REFUSED"),
        (None, "REFUSED"),
    ],
)  # fmt: skip
async def test_another_gateway_that_recorded_its_no_is_in_order(receipt: UpstreamReceipt | None, state: str) -> None:
    """A probe is asked in no case, so a neighbour whose rules ask for one says no; its receipt shows that it knows us."""
    answer = AnswerSpec("correctionCase", ("idNo", "name"), request={}, fields=())
    probe = _told(answer, Failed(Reason.REFUSED, detail="HTTP 403", receipt=receipt), 1.0)
    assert probe.state == state
