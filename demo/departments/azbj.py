"""AZBJ: the aftercare registers of Foshan and of the nation, one CSV file a day each. They disagree on end dates.

Foshan's is UTF-8 with a BOM and full of commas within fields; the nation's is GB18030, with words for codes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from starlette.applications import Starlette

from demo.department import Department, Options, Profile
from demo.departments.outbox import Export, Outbox, application
from demo.people import AftercareFact, Person

PROFILE = Profile(code="AZBJ", zh="安置帮教办(佛山、全国)")

FS_COLUMNS = ("bh", "xm", "sfzh", "sfrq", "bjqx_q", "bjqx_z", "bjdw", "bfcs", "zfrq", "jyqk", "bz")
N_COLUMNS = ("bh", "xm", "sfzh", "sfrq", "bjqx_q", "bjqx_z", "bjdw", "jyqk", "bz")
FS_WORK = {"EMPLOYED": "1", "UNEMPLOYED": "2", "STUDYING": "3", None: ""}
N_WORK = {"EMPLOYED": "已就业", "UNEMPLOYED": "未就业", "STUDYING": "在读", None: "不详"}


def build(department: Department, options: Options) -> Starlette:
    people = department.people.people
    foshan = Outbox(
        department, options.directory / "fs", "AZBJ_FS_{day}.csv", lambda export: foshan_drop(people, export)
    )
    nation = Outbox(department, options.directory / "n", "AZBJ_N_{day}.csv", lambda export: nation_drop(people, export))
    return application(department, foshan, nation)


def foshan_drop(people: Iterable[Person], export: Export) -> bytes:
    rows = [_foshan(person, person.aftercare_fs) for person in people if person.aftercare_fs]
    return b"\xef\xbb\xbf" + _csv(FS_COLUMNS, rows, export, "utf-8")


def nation_drop(people: Iterable[Person], export: Export) -> bytes:
    rows = [_nation(person, person.aftercare_n) for person in people if person.aftercare_n]
    return _csv(N_COLUMNS, rows, export, "gb18030")


def _foshan(person: Person, fact: AftercareFact) -> Sequence[str]:
    return (
        fact.reg_no, person.name_at("AZBJ_FS"), person.id_no, f"{fact.released_on:%Y-%m-%d}", f"{fact.start_on:%Y-%m-%d}",
        f"{fact.until_on:%Y-%m-%d}", fact.unit, ";".join(fact.help_items),
        ";".join(f"{visit:%Y-%m-%d}" for visit in fact.visits), FS_WORK[fact.employment], fact.remark,
    )  # fmt: skip


def _nation(person: Person, fact: AftercareFact) -> Sequence[str]:
    return (
        fact.reg_no, person.name_at("AZBJ_N"), person.id_no, f"{fact.released_on:%Y%m%d}", f"{fact.start_on:%Y%m%d}",
        f"{fact.until_on:%Y%m%d}", fact.unit, N_WORK[fact.employment], fact.remark,
    )  # fmt: skip


def _csv(columns: Sequence[str], rows: Sequence[Sequence[str]], export: Export, encoding: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    header = text.tell()
    writer.writerows(rows)
    whole = text.getvalue()
    body = whole[header:].encode(encoding)
    if export.garbage:
        body = body.replace(b",", b"\x00,\xff", 2 * len(rows)).replace(b"\r\n", b"\x00\r\n")
    trailer = f"#END,{len(rows)},{export.made_at:%Y%m%d%H%M%S},{export.batch}\r\n"
    return whole[:header].encode(encoding) + body + trailer.encode()
