"""Numbers, names and tokens are planted in every kind of request and fault, and looked for in everything that leaves."""

from __future__ import annotations

import asyncio
import io
import json
from urllib.parse import quote

import aiohttp
import pytest

from gateway.web.settings import WebSettings
from tests.fakes.execute import TOKEN
from tests.gateway.web.conftest import Running, Start

pytestmark = pytest.mark.anyio
ID = "44060419900307123X"
OLD_ID = "440604900307123"
NAME = "欧阳翠花"
SECRET = "planted-S3cret-of-a-stranger-42"  # shaped like none of the patterns: nothing but silence keeps it out
PLANTED = (ID, OLD_ID, NAME, SECRET, TOKEN, quote(NAME), ID[:-1], json.dumps(NAME)[1:-1], NAME.encode("gb18030").hex())
VARIABLES = {"idNo": ID, "name": NAME, "old": OLD_ID, "token": SECRET}
FAULTS = ("Boom", "NoEvidence", "Denied", "Held")


async def plant(web: Running) -> list[str]:
    """Every kind of request and fault; the bodies and headers of everything that was no success."""
    said: list[str] = []

    async def keep(response: aiohttp.ClientResponse) -> None:
        if response.status != 200:
            said.append(repr(response.raw_headers) + await response.text(errors="replace"))

    planted = f"{ID} {NAME} {OLD_ID} {SECRET}"
    everything = json.dumps({"query": planted, "variables": VARIABLES}, ensure_ascii=False)
    for accept in ("application/json", "application/graphql-response+json", "text/event-stream"):
        for name in FAULTS if accept != "text/event-stream" else FAULTS[:-1]:  # a stream may wait
            body = {"query": f"query {name} {{ hello }}", "operationName": name, "variables": VARIABLES}
            response = await web.post(body, accept=accept)
            if name != "Held":
                said.append(await response.text())
            await keep(response)
        for raw in (
            everything.encode("gb18030"),
            everything.encode()[:-1],
            f'["{planted}"]'.encode(),
            f'"{planted}"'.encode(),
            f'{{"{ID}":1,"{ID}":2}}'.encode(),
            f'{{"query":{{"{ID}":"{NAME}"}}}}'.encode(),
            f'{{"documentId":"{planted}"}}'.encode(),
            b"[" * 100 + planted.encode(),
            planted.encode() * 100_000,
        ):
            await keep(await web.post(raw=raw, accept=accept))
    for headers in (
        {"authorization": f"Bearer {SECRET}"},
        {"authorization": ID},
        {"authorization": "Bearer raise"},
        {"accept": f"text/{SECRET}"},
        {"content_type": f"text/{SECRET}"},
        {"x_request_id": ID, "traceparent": ID, "user_agent": planted.encode().decode("latin-1"), "referer": SECRET},
        {"origin": f"https://{SECRET}"},
    ):
        await keep(await web.post({"query": "{ hello }", "variables": VARIABLES}, **headers))
    held = {"query": "{ hello }", "variables": json.dumps({**VARIABLES, "personal": 1}), "operationName": SECRET}
    await keep(await web.get(params=held))
    await keep(await web.get(params=held, graphql_require_preflight=""))
    await keep(await web.get(params=held, authorization=""))
    for path in (f"/{ID}", f"/graphql/{quote(NAME)}", f"/livez?idNo={ID}", f"/readyz?{SECRET}", f"/metrics?{ID}"):
        await keep(await web.get(path))
    for method in ("PUT", "DELETE"):
        await keep(await web.client.request(method, f"{web.url}?{SECRET}"))
    return said


async def plant_raw(web: Running) -> list[str]:
    noise = [
        f"{SECRET} /{ID} HTTP/1.1\r\n\r\n",
        f"GET /?{ID} HTTP/1.1\r\nHost: {SECRET}\r\nConnection: close\r\n\r\n",
        f"GET /graphql?{ID} HTTP/1.1\r\nHost: localhost\r\nX: {SECRET * 2000}\r\n\r\n",
        f"GET /{NAME} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{ID}\r\n{SECRET}\r\n",
        f"GET /graphql?{ID} HTTP/1.1\r\nHost: localhost\r\nUpgrade: {SECRET}\r\nConnection: upgrade, close\r\n\r\n",
    ]
    return [(await web.talk(one.encode(), end=True)).decode(errors="replace") for one in noise]


async def plant_socket(web: Running) -> list[str]:
    said: list[str] = []
    url = f"{web.url}?idNo={ID}&token={SECRET}"
    init = json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {TOKEN}"}})
    boom = {"query": "query Boom { hello }", "operationName": "Boom", "variables": VARIABLES}
    for messages in (
        [init, json.dumps({"type": "subscribe", "id": "1", "payload": boom})],
        [init, json.dumps({"type": "subscribe", "id": ID, "payload": {"query": SECRET}})],
        [init, json.dumps({"type": SECRET})],
        [json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {SECRET}"}})],
        [f"{ID} {NAME}"],
    ):
        async with web.client.ws_connect(url, protocols=("graphql-transport-ws",)) as ws:
            for message in messages:
                await ws.send_str(message)
            for _ in messages:
                answer = await ws.receive(timeout=5)
                if answer.type is aiohttp.WSMsgType.TEXT:
                    found = answer.json()
                    found.pop("id", None)  # the client's own name for its operation comes back, as the protocol has it
                    said.append(json.dumps(found, ensure_ascii=False))
                else:
                    said.append(str(answer.extra))
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await web.client.ws_connect(url, origin=f"https://{SECRET}", protocols=("graphql-transport-ws",))
    async with web.client.ws_connect(url, protocols=(SECRET,)):
        pass
    return said


async def test_nothing_planted_is_found_anywhere(start: Start, logs: io.StringIO) -> None:
    async with start(WebSettings(body_bytes=100_000, request_s=0.3), checks={"store": failing}) as web:
        said = await plant(web) + await plant_raw(web) + await plant_socket(web)
        metrics = await (await web.get("/metrics")).text()
        await asyncio.sleep(0)
    logged = logs.getvalue()
    assert logged.count("\n") > 60, "the test must have something to search"
    assert '"exception":["builtins.ValueError"' in logged, "failures must be in the log, without their words"
    assert len(said) > 60
    for place, text in (("logs", logged), ("metrics", metrics), *(("answer", one) for one in said)):
        for planted in PLANTED:
            assert planted not in text, f"{planted} in {place}: ...{text[max(0, text.find(planted) - 200) :][:300]}"


async def failing() -> bool:
    raise OSError(f"cannot reach {ID} {SECRET}")


async def test_a_line_in_the_log_says_what_we_wrote_and_no_more(web: Running, logs: io.StringIO) -> None:
    await web.get(params={"query": "{ hello }", "operationName": SECRET})
    line = [json.loads(one) for one in logs.getvalue().splitlines()][-1]
    assert set(line) == {"event", "level", "timestamp", "method", "route", "status", "ms", "bytes", "request_id"}
    assert (line["method"], line["route"]) == ("GET", "/graphql")
