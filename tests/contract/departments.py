"""The departments of the contract suite: every kind joins `CONTRACT_KINDS` with one line and keeps every promise.

How your kind joins (say, sql):

1. Write `tests/contract/department_sql.py` with an async context manager that starts a REAL department on loopback
   (server, database, directory) holding exactly `RAW_ROWS`, and yields `department(KIND_SOURCE, ...)`:

       @asynccontextmanager
       async def sql_department(tmp_path: Path) -> AsyncIterator[Department]:
           ...load RAW_ROWS into a table v_jzry...
           manifest = manifest_for("sql", endpoint="sqlite+aiosqlite:///...", request={"view": "v_jzry", ...})
           raw = SQL.open(opening_for(manifest, channel=None, base_dir=tmp_path))
           yield department(manifest, raw, outage=..., silence=...)

2. Add `("sql", "tests.contract.department_sql:sql_department")` below. Run `pytest tests/contract -k sql`.

`outage()` and `silence()` are async context managers: inside, the department is down / takes every request and never
answers. A kind that cannot be silent (a directory of files) gives None and those tests are skipped for it.
A server that looks up one person a request finds the rows by `rows_of(id_no)`. Names may be 䶮 and ·: use GB18030 or
UTF-8, and escape: one address holds quotes, brackets, an ampersand and a comma on purpose.
Never pass on an ID to an index as it stands in the row: 赵强 is stored with 15 digits and asked by 18 (`id_forms`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from stdnum.iso7064 import mod_11_2

from adapters.clock import utc_now
from adapters.egress import Channel
from adapters.identity import id_forms
from adapters.kind import Opening
from adapters.manifest import AnswerSpec, CatalogueEntry, FieldMapping, ShareClass, SourceManifest, Subject, Text
from adapters.mapping import Mapped
from adapters.secrets import Secrets
from adapters.source import Source

CONTRACT_KINDS: list[tuple[str, str]] = [
    ("memory", "tests.contract.department_memory:memory_department"),
    ("rest-key", "tests.contract.department_rest:rest_key_department"),
    ("rest-batch", "tests.contract.department_rest:rest_batch_department"),
    ("rest-pages", "tests.contract.department_rest:rest_pages_department"),
    ("rest-oauth", "tests.contract.department_rest:rest_oauth_department"),
    ("graphql", "tests.contract.department_graphql:graphql_department"),
    ("graphql-batch", "tests.contract.department_graphql:graphql_batch_department"),
    ("soap", "tests.contract.department_soap:soap_department"),
    ("sql-sqlite", "tests.contract.department_sql:sqlite_department"),
    ("sql-postgres", "tests.contract.department_sql:postgres_department"),
    ("file-drop-csv", "tests.contract.department_file_drop:csv_department"),
    ("file-drop-xml", "tests.contract.department_file_drop:xml_department"),
]


def generated_id(number: int) -> str:
    """The ID of the invented person `number` (0-999), checksum valid."""
    body = f"44060419800101{number:03d}"
    return body + str(mod_11_2.calc_check_digit(body))


ZHANG = ("440606199003070017", "张三")
OTHER_ZHANG = ("440606199003070033", "张三")  # same name, same birth date, another man; no record
LI_MEI = ("44060419910518002X", "李梅")
CHEN = ("430121198502200015", "陈明")  # no record
ZHAO = ("440604196501010010", "赵强")  # the department stores 440604650101001
LI_YAN = ("440605198808150048", "李䶮")
ALI = ("653121199206010012", "买买提·艾力")
GENERATED = [(generated_id(n), f"生成{n}") for n in range(100)]  # those with an even number have a record

Raw: TypeAlias = dict[str, str]


def _raw(djbh: str, who: tuple[str, str], jzdz: str, jzsy: str, djrq: str, *, sfzh: str = "") -> Raw:
    return {
        "djbh": djbh,
        "sfzh": sfzh or who[0],
        "xm": who[1],
        "jzdz": jzdz,
        "jzsy": jzsy,
        "djrq": djrq,
        "dh": "SECRET",
    }


RAW_ROWS: list[Raw] = [
    _raw("R1", ZHANG, "佛山市禅城区祖庙路1号", "01", "2024-03-01"),
    _raw("R2", ZHANG, '佛山市禅城区"永安"路2号, <A&B> 座', "99", "2025/7/9"),
    _raw("R3", LI_MEI, "佛山市南海区桂城街道3号", "02", "20240630"),
    _raw("R4", ZHAO, "佛山市禅城区人民路4号", "03", "2023-01-31", sfzh="440604650101001"),
    _raw("R5", LI_YAN, "佛山市南海区大沥路5号", "01", "2022-12-01"),
    _raw("R6", ALI, "佛山市禅城区季华路6号", "01", "2022-11-01"),
    *(_raw(f"G{n:03d}", GENERATED[n], f"佛山市禅城区同济路{n}号", "01", "2020-01-02") for n in range(0, 100, 2)),
]
"""`dh` is there to be asked for by nobody: the suite fails if "SECRET" is ever seen."""

RAW_COLUMNS = ("djbh", "sfzh", "xm", "jzdz", "jzsy", "djrq", "dh")
FIELDS = frozenset({"regNo", "address", "residenceType", "startOn"})


def rows_of(id_no: str) -> list[Raw]:
    """What the department holds about one person, by the 18-character ID."""
    return [row for row in RAW_ROWS if row["sfzh"] in id_forms(id_no)]


def manifest_for(
    kind: str,
    *,
    endpoint: str,
    request: Mapping[str, Any],
    options: Mapping[str, Any] | None = None,
    auth: Mapping[str, Any] | None = None,
    prefix: str = "",
    allow_plain_http: bool = True,
) -> SourceManifest:
    """The suite's one noun, mapped from `RAW_ROWS`; `prefix` is put before raw names (say "info.")."""
    text = Text("契约", "contract")
    codes = {"01": "WORK", "02": "BUSINESS", "03": "STUDY", "99": "OTHER"}
    answer = AnswerSpec(
        noun="residence",
        by=("idNo", "name"),
        request=request,
        fields=(
            FieldMapping("regNo", prefix + "djbh"),
            FieldMapping("address", prefix + "jzdz", clean="address"),
            FieldMapping("residenceType", prefix + "jzsy", type="code", codes=codes),
            FieldMapping("startOn", prefix + "djrq", type="date"),
            FieldMapping("phone", prefix + "dh"),
        ),
        record_id=prefix + "djbh",
        subject=Subject(id_no=prefix + "sfzh", name=prefix + "xm"),
    )
    catalogue = CatalogueEntry(text, text, "DAILY", ShareClass.U)
    return SourceManifest(
        code="CONTRACT",
        title=text,
        kind=kind,
        endpoint=endpoint,
        catalogue=catalogue,
        answers=(answer,),
        auth=auth or {},
        options=options or {},
        allow_plain_http=allow_plain_http,
    )


def opening_for(
    manifest: SourceManifest,
    *,
    base_dir: Path,
    channel: Channel | None = None,
    environ: Mapping[str, str] | None = None,
) -> Opening:
    """What the registry would hand your kind."""
    state_dir = base_dir / "state"
    state_dir.mkdir(exist_ok=True)
    secrets = Secrets(environ or {}, base_dir)
    return Opening(
        manifest, channel, secrets.plain_or_reference(manifest.endpoint), secrets, utc_now, state_dir, base_dir
    )


Trouble: TypeAlias = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Department:
    """A running department and the two faces of it: `raw` is the kind's own source, `source` the mapped one."""

    manifest: SourceManifest
    raw: Source
    source: Source
    outage: Trouble
    silence: Trouble | None


def department(manifest: SourceManifest, raw: Source, *, outage: Trouble, silence: Trouble | None) -> Department:
    return Department(manifest, raw, Mapped(manifest, raw, now=utc_now), outage, silence)


Start: TypeAlias = Callable[[Path], AbstractAsyncContextManager[Department]]


async def start(place: str, tmp_path: Path) -> AsyncIterator[Department]:
    """The department at `place` ("module:function"), closed afterwards."""
    module, _, function = place.partition(":")
    begin: Start = getattr(import_module(module), function)
    async with begin(tmp_path) as running:
        yield running
        await running.source.close()
