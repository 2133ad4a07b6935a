"""JY: the prisons hand over whom they release on parole or to serve outside. One GBK XML file a day, head and body.

Dates are written three ways, old people have 15-digit numbers, and the file is delivered twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from starlette.applications import Starlette

from demo.department import Department, Options, Profile
from demo.departments.outbox import Export, Outbox, application
from demo.people import HandoverFact, Person

PROFILE = Profile(code="JY", zh="广东省监狱管理局")

TYPES = {"PAROLE": "03", "TEMPORARY_SERVICE_OUTSIDE_PRISON": "04"}
CRIMES = {
    "NATIONAL_SECURITY": "10", "PUBLIC_SECURITY": "20", "ECONOMIC_ORDER": "30", "PERSONAL_RIGHTS": "40", "PROPERTY": "50",
    "SOCIAL_ORDER": "60", "NATIONAL_DEFENCE": "70", "CORRUPTION": "80", "DERELICTION": "90", "OTHER": "99",
}  # fmt: skip


def build(department: Department, options: Options) -> Starlette:
    def write(export: Export) -> bytes:
        return drop(department.people.people, export)

    return application(
        department, Outbox(department, options.directory / "out", "JY_{day}.xml", write, again="JY_{day}_2.xml")
    )


def drop(people: tuple[Person, ...], export: Export) -> bytes:
    """The whole file. Declared as GBK; characters GBK lacks go out in the bytes of GB18030, as such systems do."""
    rows = [row for person in people if person.handover for row in _row(person, person.handover, export.garbage)]
    count = sum(person.handover is not None for person in people)
    head = (
        '<?xml version="1.0" encoding="GBK"?>\n<PACKET>\n<HEAD>\n'
        f"<FSDW>{PROFILE.zh}</FSDW><FSSJ>{export.made_at:%Y%m%d%H%M%S}</FSSJ><PCH>{export.batch}</PCH><JLS>{count}</JLS>\n"
        "</HEAD>\n<BODY>\n"
    )
    return head.encode("gb18030") + b"".join(rows) + b"</BODY>\n</PACKET>\n"


def _row(person: Person, fact: HandoverFact, garbage: bool) -> Iterator[bytes]:
    start, end = fact.start_on, fact.end_on
    outside = fact.case_type != "PAROLE"
    basic = {
        "ZFBH": fact.prison_no,
        "XM": person.name_at("JY"),
        "SFZH": fact.id_as_written,
        "CSRQ": f"{person.birth_date:%Y%m%d}" if person.birth_date else "",
    }
    service = {
        "JZLB": TYPES[fact.case_type],
        "JDJG": "3" if outside else "1",
        "AH": fact.case_no,
        "WSH": fact.decision_doc_no,
        "JDRQ": fact.decided_on_as_written,
        "KSRQ": f"{start.year}/{start.month}/{start.day}",
        "JSRQ": f"{end:%Y%m%d}",
        "QX": fact.term_text,
        "ZMLB": CRIMES[fact.crime_category],
        "ZM": fact.charge,
        "YJDW": fact.prison,
    }
    text = f"<ROW>\n<JBXX>{_elements(basic)}</JBXX>\n<ZYJWZX>{_elements(service)}</ZYJWZX>\n</ROW>\n"
    content = text.encode("gb18030")
    # Lead bytes without a second one and a NUL: no decoder and no parser reads this
    yield content.replace(b"<SFZH>", b"<SFZH>\xff\xff\x00") if garbage else content


def _elements(values: dict[str, str]) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())
