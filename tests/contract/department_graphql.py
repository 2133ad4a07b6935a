"""The contract rows behind a real GraphQL server, asked one key a request and many by aliases."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from graphql import build_schema, graphql_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.egress import Rule
from adapters.egress_http import HttpEgress
from adapters.graphql import GraphqlKind
from demo.serving import serving_app
from tests.contract.department_rest import Trouble
from tests.contract.departments import Department, department, manifest_for, opening_for, rows_of

SDL = """
directive @purpose(code: String!) on QUERY
type Query { person(idNo: String!): Person }
type Person { residence: Residence }
type Residence { state: String! records: [Record!]! }
type Record { info: Info! }
type Info { djbh: String! sfzh: String! xm: String! jzdz: String jzsy: String djrq: String dh: String }
"""
QUERY = (
    'query Q($idNo: String!) @purpose(code: "X") { person(idNo: $idNo) { residence { state records { {fields} } } } }'
)
REQUEST: Mapping[str, Any] = {
    "query": QUERY,
    "variables": {"idNo": "{idNo}"},
    "rows": "person.residence.records",
    "state": "person.residence.state",
}


class _Query:
    def person(self, info: object, idNo: str) -> dict[str, Any]:
        rows = [{"info": row} for row in rows_of(idNo)]
        return {"residence": {"state": "FRESH" if rows else "NOT_FOUND", "records": rows}}


def graphql_app(trouble: Trouble) -> Starlette:
    schema = build_schema(SDL)

    async def answer(request: Request) -> Response:
        if troubled := await trouble.applied():
            return troubled
        sent = json.loads(await request.body())
        result = graphql_sync(schema, sent["query"], _Query(), variable_values=sent["variables"])
        return JSONResponse(result.formatted, media_type="application/graphql-response+json")

    return Starlette(routes=[Route("/graphql", answer, methods=["POST"])])


@asynccontextmanager
async def _department(tmp_path: Path, request: Mapping[str, Any]) -> AsyncIterator[Department]:
    trouble, egress = Trouble(), HttpEgress()
    async with serving_app(graphql_app(trouble)) as url:
        channel = egress.open(Rule("CONTRACT", frozenset({urlsplit(url).netloc}), allow_plain_http=True))
        manifest = manifest_for("graphql", endpoint=f"{url}/graphql", request=request, prefix="info.")
        assert GraphqlKind().check(manifest) == []
        raw = GraphqlKind().open(opening_for(manifest, base_dir=tmp_path, channel=channel))
        yield department(manifest, raw, outage=trouble.outage, silence=trouble.silence)
        await egress.close()


def graphql_department(tmp_path: Path) -> Any:
    return _department(tmp_path, REQUEST)


def graphql_batch_department(tmp_path: Path) -> Any:
    return _department(tmp_path, {**REQUEST, "batch": True})
