"""A real HTTP server on loopback whose answers a test writes, and a REST or GraphQL source that asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from adapters.egress import Rule
from adapters.egress_http import HttpEgress
from adapters.kind import Kind, Opening
from adapters.manifest import AnswerSpec, CatalogueEntry, Hours, ShareClass, SourceManifest, Text
from adapters.rest import RestKind
from adapters.source import Answer, Key, Lookup, Source
from demo.serving import serving_app

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)  # 12:00 in Foshan
ZHANG = ("440606199003070017", "张三")
LI_MEI = ("44060419910518002X", "李梅")
FIELDS = frozenset({"djbh", "sfzh"})
REQUEST: Mapping[str, Any] = {"path": "/q", "query": {"sfzh": "{idNo}"}, "rows": "list"}


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str  # raw, still escaped
    query: str
    headers: Mapping[str, str]
    body: bytes


Answering = Callable[[Request, bytes], Response | Awaitable[Response]]


def listing(*numbers: str, **more: Any) -> Response:
    return JSONResponse({"list": [{"djbh": number, "sfzh": ZHANG[0], "dh": "SECRET"} for number in numbers], **more})


def manifest_of(
    request: Mapping[str, Any], *, kind: str = "rest", auth: Mapping[str, Any] | None = None, by: tuple[str, ...] = ()
) -> SourceManifest:
    text = Text("实验", "lab")
    answer = AnswerSpec(noun="residence", by=by or ("idNo", "name"), request=request, fields=())
    return SourceManifest(
        code="LAB",
        title=text,
        kind=kind,
        endpoint="",
        catalogue=CatalogueEntry(text, text, "DAILY", ShareClass.U),
        answers=(answer,),
        auth=auth or {},
        hours=Hours(),
    )


@dataclass
class Lab:
    """What was sent, and the source that sends it."""

    source: Source
    url: str
    seen: list[Seen] = field(default_factory=list)

    async def ask(self, *keys: Key, fields: frozenset[str] = FIELDS, timeout_s: float = 5.0) -> list[Answer]:
        by = ("idNo", "name")
        return list(await self.source.fetch(Lookup("residence", by, keys, fields), timeout_s=timeout_s))

    async def ask_one(self, key: Key = ZHANG, **options: Any) -> Answer:
        (answer,) = await self.ask(key, **options)
        return answer


@asynccontextmanager
async def lab(
    answer: Answering,
    request: Mapping[str, Any] = REQUEST,
    *,
    kind: Kind | None = None,
    auth: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    base: str = "",
    max_response_bytes: int = 1 << 20,
    now: Callable[[], datetime] = lambda: NOW,
) -> AsyncIterator[Lab]:
    kind = kind or RestKind()
    seen: list[Seen] = []

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        path = request.scope["raw_path"].decode("ascii")
        query = request.scope["query_string"].decode("ascii")
        seen.append(Seen(request.method, path, query, dict(request.headers), body))
        answered = answer(request, body)
        response = await answered if isinstance(answered, Awaitable) else answered
        await response(scope, receive, send)

    app = Starlette()
    app.router.default = serve  # no route: a path with a line break in it would match none
    egress = HttpEgress()
    manifest = manifest_of(request, kind=kind.name, auth=auth)
    assert kind.check(manifest) == []
    async with serving_app(app) as url:
        rule = Rule(
            "LAB", frozenset({urlsplit(url).netloc}), allow_plain_http=True, max_response_bytes=max_response_bytes
        )
        held = dict(secrets or {})
        opening = Opening(manifest, egress.open(rule), url + base, held.__getitem__, now, Path(), Path())
        try:
            yield Lab(kind.open(opening), url, seen)
        finally:
            await egress.close()
