"""Stock strawberry as its documentation has it: ASGI under uvicorn, aiohttp, DataLoader, parser and validation caches."""

# No `from __future__ import annotations`: strawberry reads the annotations.
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any

import aiohttp
import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.extensions import ParserCache, ValidationCache


@strawberry.enum
class InsuranceKind(Enum):
    PENSION = "PENSION"
    UNEMPLOYMENT = "UNEMPLOYMENT"
    MEDICAL = "MEDICAL"
    WORK_INJURY = "WORK_INJURY"
    MATERNITY = "MATERNITY"


@strawberry.enum
class BusinessRole(Enum):
    LEGAL_REPRESENTATIVE = "LEGAL_REPRESENTATIVE"
    SHAREHOLDER = "SHAREHOLDER"
    EXECUTIVE = "EXECUTIVE"
    OPERATOR = "OPERATOR"


@strawberry.enum
class BusinessStatus(Enum):
    OPERATING = "OPERATING"
    REVOKED = "REVOKED"
    DEREGISTERED = "DEREGISTERED"


@strawberry.type
class ResidenceRecord:
    regNo: str | None
    address: str | None
    admin: str | None
    permitNo: str | None


@strawberry.type
class InsuranceRecord:
    unitName: str | None
    unitUscc: str | None
    lastPaidMonth: str | None
    kind: InsuranceKind | None


@strawberry.type
class BusinessRecord:
    name: str | None
    uscc: str | None
    role: BusinessRole | None
    status: BusinessStatus | None


@strawberry.type
class Residence:
    records: list[ResidenceRecord]


@strawberry.type
class Insurance:
    records: list[InsuranceRecord]


@strawberry.type
class Business:
    records: list[BusinessRecord]


@strawberry.input
class PersonKey:
    idNo: str
    name: str


@strawberry.type
class Person:
    key: strawberry.Private[tuple[str, str]]

    @strawberry.field
    async def residence(self, info: strawberry.Info) -> Residence:
        rows = await info.context["residence"].load(self.key)
        return Residence(
            records=[
                ResidenceRecord(regNo=r["regNo"], address=r["address"], admin=r["admin"], permitNo=r["permitNo"])
                for r in rows
            ]
        )

    @strawberry.field
    async def insurance(self, info: strawberry.Info) -> Insurance:
        rows = await info.context["insurance"].load(self.key)
        return Insurance(
            records=[
                InsuranceRecord(
                    unitName=r["unitName"],
                    unitUscc=r["unitUscc"],
                    lastPaidMonth=r["lastPaidMonth"],
                    kind=InsuranceKind(r["kind"]),
                )
                for r in rows
            ]
        )

    @strawberry.field
    async def business(self, info: strawberry.Info) -> Business:
        rows = await info.context["business"].load(self.key)
        return Business(
            records=[
                BusinessRecord(
                    name=r["name"], uscc=r["uscc"], role=BusinessRole(r["role"]), status=BusinessStatus(r["status"])
                )
                for r in rows
            ]
        )


@strawberry.type
class Query:
    @strawberry.field
    def people(self, of: list[PersonKey]) -> list[Person]:
        return [Person(key=(key.idNo, key.name)) for key in of]

    @strawberry.field
    def person(self, idNo: str, name: str) -> Person | None:
        return Person(key=(idNo, name))


class Departments:
    """One HTTP client for the process, one DataLoader per department for each request."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self.session: aiohttp.ClientSession | None = None

    def loaders(self) -> dict[str, Any]:
        return {name: DataLoader(load_fn=self._load(name)) for name in ("residence", "insurance", "business")}

    def _load(self, department: str) -> Any:
        async def load(keys: list[tuple[str, str]]) -> list[list[dict[str, Any]]]:
            assert self.session is not None
            body = {"keys": [{"idNo": id_no, "name": name} for id_no, name in keys]}
            async with self.session.post(f"{self._upstream}/{department}/batch", json=body) as response:
                response.raise_for_status()
                found: dict[str, list[dict[str, Any]]] = {id_no: [] for id_no, _ in keys}
                for record in (await response.json())["list"]:
                    found[record["idNo"]].append(record)
            return [found[id_no] for id_no, _ in keys]

        return load


class View(GraphQL[Any, Any]):
    def __init__(self, departments: Departments) -> None:
        schema = strawberry.Schema(
            Query,
            extensions=[lambda: ParserCache(), lambda: ValidationCache()],
            config=strawberry.schema.config.StrawberryConfig(auto_camel_case=False),
        )
        super().__init__(schema, graphql_ide=None)
        self._departments = departments

    async def get_context(self, request: Any, response: Any = None) -> Any:
        return self._departments.loaders()


def main() -> None:
    departments = Departments(os.environ["UPSTREAM"])

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as departments.session:
            yield

    app = Starlette(routes=[Route("/graphql", View(departments), methods=["POST"])], lifespan=lifespan)
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=False, log_level="warning")


if __name__ == "__main__":
    from demo.processes import die_with_parent

    die_with_parent()
    main()
