"""The contract rows behind a real HTTP server, one department a mode of the kind "rest"."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.egress import Rule
from adapters.egress_http import HttpEgress
from adapters.rest import RestKind
from demo.serving import serving_app
from tests.adapters.oauth_lab import CLIENT, Server, new_key
from tests.contract.departments import Department, department, manifest_for, opening_for, rows_of

OUTCOME = {"path": "code", "ok": ["0"], "absent": ["1404"], "busy": ["E5000"]}
KEY: dict[str, Any] = {
    "mode": "key",
    "path": "/key/{idNo}",
    "query": {"xm": "{name}"},
    "rows": "data.list",
    "outcome": OUTCOME,
}
BATCH: dict[str, Any] = {
    "mode": "batch",
    "method": "POST",
    "path": "/batch",
    "body": {"cxlb": "{keys}"},
    "each": {"sfzh": "{idNo}"},
    "rows": "data.list",
    "total": "data.total",
    "key_echo": {"idNo": "sfzh"},
    "outcome": OUTCOME,
}
PAGES: dict[str, Any] = {
    "mode": "pages",
    "path": "/pages",
    "query": {"sfzh": "{idNo}"},
    "rows": "data.list",
    "total": "data.total",
    "page": {"number": "pageNo", "size": "pageSize", "rows": 1, "first": 1, "max": 5},
    "outcome": OUTCOME,
}


class Trouble:
    """What is wrong with the server just now."""

    def __init__(self) -> None:
        self.down = False
        self.silent = False

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        self.down = True
        yield
        self.down = False

    @asynccontextmanager
    async def silence(self) -> AsyncIterator[None]:
        self.silent = True
        yield
        self.silent = False

    async def applied(self) -> Response | None:
        if self.silent:
            await asyncio.sleep(3600)
        return JSONResponse({"code": "E5000"}, 503) if self.down else None


def _listed(rows: list[dict[str, str]], total: int) -> Response:
    return JSONResponse({"code": "0", "data": {"total": total, "list": rows}})


def rest_app(trouble: Trouble, server: Server | None = None) -> Starlette:
    async def key(request: Request) -> Response:
        if server is not None and (refused := server.admit(request)):
            return refused
        rows = rows_of(request.path_params["sfzh"])
        return await trouble.applied() or (_listed(rows, len(rows)) if rows else JSONResponse({"code": "1404"}))

    async def batch(request: Request) -> Response:
        asked = json.loads(await request.body())["cxlb"]
        rows = [row for one in asked for row in rows_of(one["sfzh"])]
        return await trouble.applied() or _listed(rows, len(rows))

    async def pages(request: Request) -> Response:
        number, size = int(request.query_params["pageNo"]), int(request.query_params["pageSize"])
        rows = rows_of(request.query_params["sfzh"])
        return await trouble.applied() or _listed(rows[(number - 1) * size : number * size], len(rows))

    return Starlette(
        routes=[
            Route("/key/{sfzh:path}", key),
            Route("/batch", batch, methods=["POST"]),
            Route("/pages", pages),
            *(server.routes() if server is not None else ()),
        ]
    )


@asynccontextmanager
async def _department(tmp_path: Path, request: dict[str, Any]) -> AsyncIterator[Department]:
    trouble, egress = Trouble(), HttpEgress()
    async with serving_app(rest_app(trouble)) as url:
        channel = egress.open(Rule("CONTRACT", frozenset({urlsplit(url).netloc}), allow_plain_http=True))
        manifest = manifest_for("rest", endpoint=url, request=request)
        assert RestKind().check(manifest) == []
        raw = RestKind().open(opening_for(manifest, base_dir=tmp_path, channel=channel))
        yield department(manifest, raw, outage=trouble.outage, silence=trouble.silence)
        await egress.close()


@asynccontextmanager
async def rest_oauth_department(tmp_path: Path) -> AsyncIterator[Department]:
    """Mode key behind an authorization server that wants a nonce at both doors."""
    trouble, egress = Trouble(), HttpEgress()
    jwk, public = new_key()
    server = Server(public, as_nonce="as", rs_nonce="rs")
    (tmp_path / "client.jwk").write_text(json.dumps(jwk))
    async with serving_app(rest_app(trouble, server)) as url:
        server.url = url
        auth = {"style": "oauth", "issuer": url, "client_id": CLIENT, "key": "file:client.jwk"}
        channel = egress.open(Rule("CONTRACT", frozenset({urlsplit(url).netloc}), allow_plain_http=True))
        manifest = manifest_for("rest", endpoint=url, request=KEY, auth=auth)
        assert RestKind().check(manifest) == []
        raw = RestKind().open(opening_for(manifest, base_dir=tmp_path, channel=channel))
        yield department(manifest, raw, outage=trouble.outage, silence=trouble.silence)
        assert server.faults == []
        await egress.close()


def rest_key_department(tmp_path: Path) -> Any:
    return _department(tmp_path, KEY)


def rest_batch_department(tmp_path: Path) -> Any:
    return _department(tmp_path, BATCH)


def rest_pages_department(tmp_path: Path) -> Any:
    return _department(tmp_path, PAGES)
