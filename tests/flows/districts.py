"""Three districts, each a real gateway with a register of its own, and clients of one another.

A: the person's old place of execution, and whose officer asks. B: where the person moves to. C: where the person works.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.oauth_jose import SigningKey
from demo.places import write_private
from demo.registrations import client_key
from gateway.oauth.terms import terms_for
from gateway.policy.purposes import read_register
from gateway.services.clients import ManageClients
from gateway.store.tables.identities import organisation
from tests.flows.house import House, house

WHO = {"idNo": "440606199003070017", "name": "张三"}
NOBODY = {"idNo": "440606199003070033", "name": "张三"}
CASE = "(2026)粤0604刑初123号"
JURISDICTIONS = {"A": "440604", "B": "440606", "C": "440605"}
_CASES = "dxbh, xm, sfzhm, ajbh, jzlb, zt, zxd"
_INSURANCE = "dxbh, xm, sfzhm, dwmc, xz, cbzt"
_STATES = '{ SUPERVISED = "SUPERVISED", TRANSFERRING = "TRANSFERRING" }'
CASE_FIELDS = ("caseNo", "type", "state", "executionAdmin")
INSURANCE_FIELDS = ("unitName", "kind", "status")


@dataclass
class Districts:
    """`home` holds, for each, a folder of manifests that its gateway reads anew when they change."""

    home: Path
    houses: Mapping[str, House]
    manage: Mapping[str, ManageClients]

    def __getitem__(self, name: str) -> House:
        return self.houses[name]

    def manifest(self, name: str, file: str, text: str) -> None:
        write_private(self.home / name / "manifests" / f"{file}.toml", text)


@asynccontextmanager
async def three_districts(home: Path) -> AsyncIterator[Districts]:
    """Open, registered with each other, and A asking both others. B asks A in turn: that is where a circle would be."""
    async with AsyncExitStack() as stack:
        houses, manage = {}, {}
        for name in JURISDICTIONS:
            (home / name / "manifests").mkdir(parents=True)
            write_private(home / name / "manifests" / "own.toml", _own(home / name, name))
            houses[name] = await stack.enter_async_context(house(home / name / "manifests", home / name))
            manage[name] = _manage(houses[name])
        found = Districts(home, houses, manage)
        await known_body(houses["A"], "cc-jo-zumiao", "JUSTICE_OFFICE", "440604")
        for asking, asked, noun in (("A", "B", "case"), ("A", "C", "insurance"), ("B", "A", "case")):
            await connect(found, asking, asked, noun)
        yield found


async def connect(districts: Districts, asking: str, asked: str, noun: str, *, hops: int = 0, code: str = "") -> None:
    """`asking` becomes a client of `asked`, and `asked` a source of `asking`."""
    keys = districts.home / asking / "keys"
    keys.mkdir(exist_ok=True)
    key = client_key(keys, f"gateway-{asking.lower()}")
    await districts.manage[asked].import_all([_registration(asking, key)])
    await known_body(districts[asked], f"{asking.lower()}-corrections", "CORRECTION_AGENCY", JURISDICTIONS[asking])
    async with districts[asked].session.get(f"{districts[asked].url}/ledger/policy?format=text") as reply:
        write_private(keys / f"{asked.lower()}.policy", await reply.text())
    path = keys / f"gateway-{asking.lower()}.jwk"
    text = gateway_manifest(asked, districts[asked].url, asking, path, noun, hops=hops, code=code)
    districts.manifest(asking, (code or asked).lower(), text)


def _registration(asking: str, key: SigningKey) -> dict[str, Any]:
    public = {part: value for part, value in key.jwk().items() if part != "d"}
    return {
        "client_id": f"gateway-{asking.lower()}",
        "client_name": f"{asking} 区一门",
        "org_id": f"{asking.lower()}-corrections",
        "org_kind": "CORRECTION_AGENCY",
        "jurisdiction": JURISDICTIONS[asking],
        "purposes": ["CC_RECEPTION", "CC_TRANSFER"],
        "jwks": {"keys": [public]},
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "kind": "SYSTEM",
        "grant_types": ["client_credentials"],
        "roles": ["JUSTICE_OFFICER"],
    }


def _manage(opened: House) -> ManageClients:
    """What `yimen clients import | disable` does."""
    store = opened.gateway.store
    scopes = terms_for(opened.url).scopes
    return ManageClients(
        store.clients, store.revocations, lambda: read_register(()), scopes=scopes, actor=("X", "test")
    )


async def known_body(opened: House, org_id: str, kind: str, jurisdiction: str) -> None:
    """Among the bodies `opened` knows, so that prosecutors find what it did."""
    row = {
        "org_id": org_id, "name_zh": org_id, "name_en": org_id, "kind": kind, "jurisdiction": jurisdiction,
        "agency_keys": "{}", "purposes": "[]", "active": True, "updated_at_us": 0,
    }  # fmt: skip
    async with opened.gateway.store.database.write() as connection:
        await connection.execute(
            opened.gateway.store.database.insert(organisation).values(row).on_conflict_do_nothing()
        )


def gateway_manifest(
    asked: str, url: str, asking: str, key: Path, noun: str, *, hops: int = 0, batch: bool = True, code: str = ""
) -> str:
    """`asked` as a source of `asking`: purpose, case and whose question it is go along."""
    part, fields, codes = {
        "case": ("cases", CASE_FIELDS, {"type": '{ PROBATION = "PROBATION" }', "state": _STATES}),
        "insurance": (
            "insurance",
            INSURANCE_FIELDS,
            {"kind": '{ PENSION = "PENSION" }', "status": '{ ACTIVE = "ACTIVE" }'},
        ),
    }[noun]
    mapped = "\n".join(
        f'{name} = {{ raw = "{name}", type = "code", codes = {codes[name]} }}'
        if name in codes
        else f'{name} = "{name}"'
        for name in fields
    )
    details = "\n".join(
        f"""[[source.auth.authorization_details]]
type = "urn:yimen:data-sharing:v1"
actions = ["read"]
locations = ["{url}/graphql"]
purpose = {{ code = "{code}" }}
"""
        for code in ("CC_RECEPTION", "CC_TRANSFER")
    )
    return f"""
[source]
code = "{code or asked}"
title = {{ zh = "{asked} 区一门", en = "Yimen of district {asked}" }}
kind = "graphql"
endpoint = "{url}/graphql"
allow_plain_http = true
[source.options]
yimen = true
ledger_policy = "file:{key.parent / f"{asked.lower()}.policy"}"
hops = {hops}
[source.auth]
style = "oauth"
issuer = "{url}"
client_id = "gateway-{asking.lower()}"
key = "file:{key}"
scope = "graphql"
{details}
[source.limits]
timeout_s = 8
breaker_open_s = 0.2
{_CATALOGUE}
[[answers]]
noun = "{"correctionCase" if noun == "case" else "insurance"}"
by = ["idNo", "name"]
rank = {60 if code else 50}
record_id = "sourceRecordId"
as_of = "asOf"
[answers.request]
query = '''
query Neighbour($idNo: String!, $name: String!, $purpose: String!, $caseNo: String, $reference: String)
@purpose(code: $purpose, caseNo: $caseNo, reference: $reference) {{
  person(idNo: $idNo, name: $name) {{ {part} {{ state reason retryAt records {{ {{fields}} }} }} }}
}}
'''
variables = {{ idNo = "{{idNo}}", name = "{{name}}" }}
onward = {{ purpose = "purpose", caseNo = "caseNo", reference = "reference" }}
origin = "source"
batch = {str(batch).lower()}
rows = "person.{part}.records"
state = "person.{part}.state"
reason = "person.{part}.reason"
retry_at = "person.{part}.retryAt"
[answers.fields]
{mapped}
"""


_CATALOGUE = """
[catalogue]
provider = { zh = "本区", en = "The district" }
items = { zh = "案件", en = "Cases" }
update_cycle = "REALTIME"
share_class = "C"
condition = { zh = "执行地变更、接收", en = "Transfer, reception" }
sensitivity = "SENSITIVE"
"""


def _own(home: Path, name: str) -> str:
    """A district's own register, and its manifest."""
    is_case = name != "C"
    columns, row = (
        (_CASES, _case_row(name))
        if is_case
        else (_INSURANCE, ("C-1", WHO["name"], WHO["idNo"], "南海五金厂", "110", "1"))
    )
    _write(home / "own.db", columns, [row])
    fields = (
        f"""caseNo = "ajbh"
type = {{ raw = "jzlb", type = "code", codes = {{ PROBATION = "PROBATION" }} }}
state = {{ raw = "zt", type = "code", codes = {_STATES} }}
executionAdmin = "zxd\""""
        if is_case
        else """unitName = "dwmc"
kind = { raw = "xz", type = "code", codes = { "110" = "PENSION" } }
status = { raw = "cbzt", type = "code", codes = { "1" = "ACTIVE" } }"""
    )
    return f"""
[source]
code = "{name}{"JZ" if is_case else "SB"}"
title = {{ zh = "{name} 区台账", en = "Register of district {name}" }}
kind = "sql"
endpoint = "sqlite:///{home / "own.db"}"
{_CATALOGUE}
[[answers]]
noun = "{"correctionCase" if is_case else "insurance"}"
by = ["idNo", "name"]
rank = 10
record_id = "dxbh"
subject = {{ id_no = "sfzhm", name = "xm" }}
[answers.request]
view = "v_own"
key_columns = {{ idNo = "sfzhm", name = "xm" }}
match_on = ["idNo"]
order_by = "dxbh"
[answers.fields]
{fields}
"""


def _case_row(name: str) -> tuple[str, ...]:
    state = {"A": "TRANSFERRING", "B": "SUPERVISED"}[name]
    return (f"{name}-1", WHO["name"], WHO["idNo"], CASE, "PROBATION", state, JURISDICTIONS[name])


def _write(path: Path, columns: str, rows: Sequence[Sequence[str]]) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE TABLE own ({columns})")
        database.executemany(f"INSERT INTO own VALUES ({','.join('?' * len(columns.split(',')))})", rows)
        database.execute("CREATE VIEW v_own AS SELECT * FROM own")


def dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
