"""A SOAP service that serves whatever a test tells it to, and a source that asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters.egress import Rule
from adapters.egress_http import HttpEgress
from adapters.errors import SourceUnavailable
from adapters.soap import SoapKind, SoapSource
from adapters.source import Answer, Failed, Lookup
from demo.serving import serving_app
from tests.contract.department_soap import REQUEST
from tests.contract.departments import manifest_for, opening_for
from tests.fakes.wsdl import simple_wsdl

KEY = ("440606199003070017", "张三")


@dataclass
class Lab:
    """What the service says: `documents` by path with query, `reply` to a call; what it heard."""

    url: str = ""
    documents: dict[str, bytes] = field(default_factory=dict)
    reply: Response = field(default_factory=lambda: PlainTextResponse("", 500))
    got: list[str] = field(default_factory=list)
    posted: list[bytes] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    source: SoapSource | None = None

    async def ask(self, *keys: tuple[str, str], timeout_s: float = 5.0) -> list[Answer]:
        assert self.source is not None
        lookup = Lookup("residence", ("idNo", "name"), keys or (KEY,), frozenset({"djbh", "jzdz"}))
        try:
            return list(await self.source.fetch(lookup, timeout_s=timeout_s))
        except SourceUnavailable as error:
            return [Failed(error.reason, error.retry_at, error.detail)] * len(lookup.keys)

    def wsdl(self, **parts: Any) -> None:
        """Serve the ordinary WSDL with the given parts in place of its own."""
        self.documents["/s?wsdl"] = simple_wsdl(parts.pop("address", self.url + "/s"), **parts).encode()


@asynccontextmanager
async def soap_lab(
    tmp_path: Path, *, options: Mapping[str, Any] | None = None, request: Mapping[str, Any] | None = None
) -> AsyncIterator[Lab]:
    lab, egress = Lab(), HttpEgress()

    async def get(asked: Request) -> Response:
        path = asked.url.path + (f"?{asked.url.query}" if asked.url.query else "")
        lab.got.append(path)
        found = lab.documents.get(path)
        return PlainTextResponse("no", 404) if found is None else Response(found, media_type="text/xml")

    async def post(asked: Request) -> Response:
        lab.posted.append(await asked.body())
        lab.headers.append(dict(asked.headers))
        return lab.reply

    routes = [Route("/{path:path}", get, methods=["GET"]), Route("/{path:path}", post, methods=["POST"])]
    async with serving_app(Starlette(routes=routes)) as url:
        lab.url = url
        host = frozenset({urlsplit(url).netloc})
        channel = egress.open(Rule("LAB", host, allow_plain_http=True, max_response_bytes=4 * 1024 * 1024))
        manifest = manifest_for(
            "soap",
            endpoint=url,
            request={**REQUEST, **(request or {})},
            options={"wsdl": "/s?wsdl", "wsdl_pause_s": 0.05, **(options or {})},
        )
        assert SoapKind().check(manifest) == []
        lab.source = SoapKind().open(opening_for(manifest, base_dir=tmp_path, channel=channel))
        lab.wsdl()
        yield lab
        await lab.source.close()
        await egress.close()
