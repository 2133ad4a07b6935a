"""ID numbers, names, tokens and keys go in by every door and every fault, and come out in the `data` of an answer only.

Searched: the log at its most talkative, stderr, /metrics, traces, every refusal, everything beside `data` in an answer, and
every byte the gateway wrote to its disk: database, file index, quarantine.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import logging
import secrets
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import structlog

from gateway.web.logs import configure_logging
from tests.flows.hostile_town import (
    ADDRESS,
    CASE,
    GRAPHQL_FAULTS,
    IDS,
    NAMES,
    PERSON,
    PHONE,
    REST_FAULTS,
    SECRETS,
    SOAP_FAULTS,
    HostileTown,
    hostile_town,
)
from tests.flows.house import House, house
from tests.gateway.bootstrap.spans import Spans

pytestmark = pytest.mark.anyio
PURPOSE = f'@purpose(code: "CC_RECEPTION", caseNo: "{CASE}")'
PARTS = """identity { state reason quality { field flag } review { source nameMasked } best { name phone } }
  residence { state reason quality { field flag } conflicts { field } review { source nameMasked } records { regNo address residenceType residenceTypeRaw startOn } }
  insurance { state reason records { unitName } } business { state reason records { name } }
  cases { state reason records { caseNo } } monitoringOrders { state reason records { orderNo } } aftercare { state reason records { remark } }"""
WHOLE = f"query($idNo: String!, $name: String!) {PURPOSE} {{ person(idNo: $idNo, name: $name) {{ pid {PARTS} }} }}"
STRANGER = "a-token-nobody-gave-out-0123456789abcdefghijklmn"
PLANTED = " ".join((*IDS, *NAMES, PHONE, ADDRESS, STRANGER))


class Ears:
    """Whatever the gateway says to anybody, `data` of an answer left out."""

    def __init__(self, running: House) -> None:
        self.running, self.heard, self.data = running, list[str](), list[str]()

    async def send(self, method: str = "POST", path: str = "/graphql", **given: Any) -> None:
        headers = self.running.headers(method) | given.pop("headers", {})
        try:
            async with self.running.session.request(method, self.running.url + path, headers=headers, **given) as reply:
                self.heard.append(repr(reply.raw_headers))
                self._hear(await reply.text(errors="replace"))
        except aiohttp.ClientError as error:  # cut in the middle of sending: that is an answer, too
            self.heard.append(type(error).__name__)

    async def ask(self, query: str, variables: Mapping[str, Any] | None = None, **more: Any) -> None:
        await self.send(json={"query": query, "variables": variables or {}} | more.pop("body", {}), **more)

    def _hear(self, text: str) -> None:
        if text.startswith("event: "):
            for line in text.splitlines():
                self._hear(line.removeprefix("data: ").removeprefix("event: "))
            return
        try:
            answer = json.loads(text)
        except ValueError:
            self.heard.append(text)
            return
        if isinstance(answer, dict):
            self.data.append(json.dumps(answer.pop("data", None), ensure_ascii=False))
        self.heard.append(json.dumps(answer, ensure_ascii=False))

    async def socket(self, *messages: Mapping[str, Any] | str, headers: Mapping[str, str] | None = None) -> None:
        url = f"{self.running.url}/graphql?idNo={IDS[0]}&token={STRANGER}"
        async with self.running.session.ws_connect(url, protocols=("graphql-transport-ws",), headers=headers) as ws:
            for message in messages:
                await ws.send_str(message if isinstance(message, str) else json.dumps(message))
                answer = await ws.receive(timeout=5)
                if answer.type is not aiohttp.WSMsgType.TEXT:
                    self.heard.append(str(answer.extra))
                    return
                found = answer.json()
                found.pop("id", None)  # the client's own word for its operation
                payload = found.get("payload")
                if isinstance(payload, dict):
                    self.data.append(json.dumps(payload.pop("data", None), ensure_ascii=False))
                self.heard.append(json.dumps(found, ensure_ascii=False))


async def every_fault(ears: Ears, town: HostileTown) -> None:
    """Each department repeats what it was asked in every way there is; persons who exist, and who do not."""
    people = [PERSON, (IDS[1], NAMES[1]), (IDS[2], NAMES[2]), (IDS[3], NAMES[0])]
    for mode in ("good", *REST_FAULTS, *SOAP_FAULTS, *GRAPHQL_FAULTS):
        town.mode = mode
        await asyncio.gather(*(ears.ask(WHOLE, {"idNo": id_no, "name": name}) for id_no, name in people))
    town.mode = "good"


async def every_request(ears: Ears, town: HostileTown) -> None:
    id_no, name = PERSON
    good = {"idNo": id_no, "name": name}
    inline = f'{{ person(idNo: "{id_no}", name: "{name}") {{ pid {PARTS} }} }}'
    await ears.ask(f"query Q_{id_no} {PURPOSE} {inline}", body={"operationName": f"Q_{id_no}"})
    await ears.ask(
        f'query {PURPOSE} {{ p{IDS[1]}: person(idNo: "{id_no}", name: "{name}") {{ identity {{ state }} }} }}'
    )
    await ears.ask(
        f"query($of: [PersonKey!]!) {PURPOSE} {{ people(of: $of) {{ identity {{ state }} }} }}", {"of": [good] * 101}
    )
    for query in (
        inline,  # no purpose
        f'query @purpose(code: "{id_no}", caseNo: "{CASE}", reference: "x") {inline}',
        f'query @purpose(code: "CC_TRANSFER", caseNo: "{id_no}") {inline}',
        f'query @purpose(code: "CC_RECEPTION", caseNo: "{CASE}", reference: "{IDS[2]}") {inline}',
        f'query @purpose(code: "CC_RECEPTION", caseNo: "关于{IDS[1]}的") {inline}',
        f'query @purpose(code: {{ a: "{id_no}" }}) {inline}',
        f'query {PURPOSE} {{ person(idNo: {id_no[:17]}, name: "{name}") {{ pid }} }}',
        f'query {PURPOSE} {{ person(idNo: "{name}", name: "{id_no}") {{ pid }} }}',
        f'query {PURPOSE} {{ person(idNo: "{id_no[:-1]}0", name: "") {{ pid }} }}',
        f'query {PURPOSE} {{ person(idNo: "{id_no}", name: "{name * 200}") {{ pid }} }}',
        f'query {PURPOSE} {{ nobody_{id_no}(x: "{name}") person(idNo: "{id_no}") {{ x_{IDS[1]} }} }}',
        f'query {PURPOSE} {{ case(caseNo: "{id_no}") {{ state }} cases(executionAdmin: "{id_no}", after: "{IDS[1]}") {{ edges {{ cursor }} }} }}',
        f'{{ catalogue @include(if: "{name}") {{ code }} }}',
        f'{{ "{name}',
        PLANTED,
    ):  # fmt: skip
        await ears.ask(query, good)
        await ears.ask(query, {"idNo": [id_no], "name": {name: id_no}, id_no: name})
    for variables in (
        {"idNo": int(id_no), "name": name},
        {"idNo": [id_no], "name": [name]},
        {"idNo": name},
        {"name": id_no},
    ):
        await ears.ask(WHOLE, variables)
    for raw in (
        PLANTED.encode(),
        PLANTED.encode("gb18030"),
        json.dumps({"query": WHOLE, "variables": good}, ensure_ascii=False).encode()[:-1],
        json.dumps([{"query": WHOLE, "variables": good}]).encode(),
        f'{{"{id_no}": 1, "{id_no}": 2}}'.encode(),
        f'{{"query": {{"{name}": {id_no}}}}}'.encode(),
        b"[" * 200 + PLANTED.encode(),
        PLANTED.encode() * 20_000,
    ):
        await ears.send(data=raw, headers={"content-type": "application/json"})
    await ears.send(data=PLANTED.encode(), headers={"content-type": f"text/{id_no}"})
    for headers in (
        {"authorization": f"Bearer {STRANGER}"},
        {"authorization": f"Basic {id_no}"},
        {"accept": f"text/{STRANGER}"},
        {
            "traceparent": f"00-{id_no}00000000000000-00f067aa0ba902b7-01",
            "tracestate": f"x={id_no}",
            "x-request-id": id_no,
        },
        {"user-agent": PLANTED.encode().decode("latin-1"), "referer": f"https://x/{id_no}", "cookie": f"id={id_no}"},
        {"host": id_no},
        {"origin": f"https://{STRANGER}", "x": "y" * 40_000 + id_no},
    ):
        await ears.ask(WHOLE, good, headers=headers)
    for headers in ({}, {"graphql-require-preflight": "1"}, {"authorization": ""}):
        await ears.send("GET", params={"query": WHOLE, "variables": json.dumps(good)}, headers=headers)
        await ears.send("GET", params={"query": f"query {PURPOSE} {inline}"}, headers=headers)
        await ears.send(
            "GET", params={"query": "{ purposes { code } }", "x": id_no, "operationName": name}, headers=headers
        )
    for path in (
        f"/{id_no}",
        f"/graphql/{quote(name)}?{id_no}",
        f"/livez?{id_no}",
        f"/readyz?{STRANGER}",
        f"/metrics?{id_no}",
    ):
        await ears.send("GET", path)
        await ears.send("DELETE", path)


async def every_document(ears: Ears) -> None:
    """Trusted documents: by the right id, a wrong one, and one that is no id."""
    good = {"idNo": IDS[0], "name": NAMES[0]}
    for document_id in (
        "sha256:" + hashlib.sha256(WHOLE.encode()).hexdigest(),
        "sha256:" + "0" * 64,
        IDS[0],
        f"sha256:{PLANTED}",
    ):
        await ears.send(json={"documentId": document_id, "variables": good})
        await ears.send(json={"documentId": document_id, "query": PLANTED, "variables": {"idNo": NAMES[0], IDS[0]: 1}})


async def every_stream(ears: Ears) -> None:
    def init() -> dict[str, Any]:
        first = ears.running.asker.init(f"{ears.running.url}/graphql")
        return {**first, "payload": {**first["payload"], "note": PLANTED}}

    ask = {"query": WHOLE, "variables": {"idNo": IDS[0], "name": NAMES[0]}}
    await ears.socket(init(), {"type": "subscribe", "id": IDS[0], "payload": ask}, headers={"traceparent": IDS[0]})
    await ears.socket(init(), {"type": "subscribe", "id": "1", "payload": {"query": PLANTED}})
    await ears.socket(
        init(), {"type": "subscribe", "id": "1", "payload": {"query": "subscription { sourceHealth { source } }"}}
    )
    await ears.socket(
        init(), {"type": "subscribe", "id": NAMES[0], "payload": {"query": WHOLE, "variables": {"idNo": [IDS[0]]}}}
    )
    await ears.socket(init(), {"type": PLANTED})
    await ears.socket({"type": "connection_init", "payload": {"Authorization": f"Bearer {STRANGER}"}})
    await ears.socket({"type": "connection_init", "payload": {"Authorization": [IDS[0]], "authorization": NAMES[0]}})
    await ears.socket(PLANTED)
    for query, id_no in ((WHOLE, IDS[0]), (WHOLE, NAMES[0]), (PLANTED, IDS[1])):
        await ears.ask(query, {"idNo": id_no, "name": NAMES[0]}, headers={"accept": "text/event-stream"})


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that logs, at its most talkative, libraries included."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure_logging(level="DEBUG", stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def forms(secret: str) -> Iterator[bytes]:
    """What `secret` looks like on its way out: as text in several encodings, escaped and quoted."""
    yield secret.encode()
    for encoding in ("gb18030", "utf-16-le"):
        yield secret.encode(encoding)
    yield quote(secret).encode()
    yield secret.encode("unicode_escape")
    yield secret.encode().hex().encode()
    yield repr(secret.encode())[2:-1].encode()
    yield base64.b64encode(secret.encode()).rstrip(b"=")[:-1]


def leaks(places: Mapping[str, bytes], planted: Mapping[str, str]) -> list[str]:
    found = []
    for place, content in places.items():
        for what, secret in planted.items():
            for form in set(forms(secret)):
                at = content.find(form)
                if at >= 0:
                    found.append(f"{what} in {place}: ...{content[max(0, at - 150) : at + 80]!r}")
    return found


async def test_nothing_leaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "whole.graphql").write_text(WHOLE, encoding="utf-8")
    master = base64.b64encode(secrets.token_bytes(32)).decode()
    spans = Spans()
    async with hostile_town(tmp_path) as town:
        async with house(
            town.manifests, tmp_path, tracing=spans.tracing, master_key=master, trusted_documents_dir=documents
        ) as running:
            ears = Ears(running)
            await ready(running)
            await every_fault(ears, town)
            await every_request(ears, town)
            await every_document(ears)
            await every_stream(ears)
            (town.manifests / "bad.toml").write_text(f"[source]\ncode = '{PLANTED}'\n", encoding="utf-8")
            await running.gateway.snapshots.reload()
            await break_the_store(ears, tmp_path)
            async with running.session.get(f"{running.url}/metrics") as reply:
                metrics = await reply.read()
            token = running.asker.token
            asked = set(town.asked)
        print("the end", file=sys.stderr)
    planted = {
        **{f"ID {one}": one for one in IDS},
        **{f"part of ID {one}": one[:14] for one in IDS[:2]},
        **{f"name {one}": one for one in NAMES},
        "phone": PHONE,
        "address": "祖庙路",
        "officer's token": token,
        "stranger's token": STRANGER,
        "master key": master,
        **SECRETS,
    }
    state = [path for path in tmp_path.glob("state-*/**/*") if path.is_file()]
    captured = capfd.readouterr()
    places = {
        "log": log.getvalue().encode(),
        "stderr": captured.err.encode(),
        "stdout": captured.out.encode(),
        "metrics": metrics,
        "traces": spans.text().encode(),
        "answers beside data": "\n".join(ears.heard).encode(),
        **{str(path.relative_to(tmp_path)): path.read_bytes() for path in state},
    }
    there_was_something_to_search(places, ears, spans, asked)
    found = leaks(places, planted)
    raw_key = base64.b64decode(master)
    found += [f"master key's bytes in {place}" for place, content in places.items() if raw_key in content]
    assert not found, "\n".join(found)


async def ready(running: House) -> None:
    """Until the dropped files are read: their bad lines are part of what is searched."""
    async with asyncio.timeout(10):
        while True:
            answer = await running.ask(WHOLE, {"idNo": PERSON[0], "name": PERSON[1]})
            if answer["data"]["person"]["aftercare"]["records"]:
                return
            await asyncio.sleep(0.05)


async def break_the_store(ears: Ears, tmp_path: Path) -> None:
    """The database refuses the record of an answer, with the parameters at hand."""
    [path] = tmp_path.glob("state-*/yimen.db")
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE access_event_pending RENAME TO gone")
    connection.close()
    await ears.ask(WHOLE, {"idNo": IDS[0], "name": NAMES[0]})
    assert "EVIDENCE_UNAVAILABLE" in ears.heard[-1]
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE subject RENAME TO gone_too")
    connection.close()
    await ears.ask(WHOLE, {"idNo": IDS[1], "name": NAMES[1]})


def there_was_something_to_search(places: Mapping[str, bytes], ears: Ears, spans: Spans, asked: set[str]) -> None:
    assert asked == {"rest", "soap", "graphql"}
    assert len(ears.heard) > 300
    told = "\n".join(ears.data)
    for known in (*PERSON, PHONE, ADDRESS):
        assert known in told or known == PERSON[0] or known == PHONE, f"{known} must have been somebody's answer"
    for event in ("request", "socket", "reload_refused"):
        assert f'"event":"{event}"'.encode() in places["log"]
    assert b"the end" in places["stderr"]
    assert b"yimen_upstream_calls_total" in places["metrics"]
    assert len(spans.named("operation")) > 100
    assert len(spans.named("lookup")) > 300
    assert sum(place.endswith("quarantine.jsonl") and len(content) > 100 for place, content in places.items()) == 1
    [database] = [content for place, content in places.items() if place.endswith("yimen.db")]
    assert b"CC_RECEPTION" in database


@pytest.mark.parametrize("form", list(forms(NAMES[2])), ids=repr)
def test_the_search_finds_what_is_there(form: bytes) -> None:
    assert leaks({"x": b"..." + form + b"..."}, {"name": NAMES[2]})
