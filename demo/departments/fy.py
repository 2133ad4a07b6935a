"""法院: REST with XML judgments in GB18030, by person or by case number.

One document names every defendant of the case: a reader who asked about one must never see another. A correcting
ruling (更正裁定) names the document it supersedes; the corrected one stays in the list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final
from xml.sax.saxutils import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from demo.department import Department, Options, Profile, Refusal
from demo.departments.doors import Denied, bearer
from demo.people import JudgmentFact, Person

PROFILE = Profile(code="FY", zh="佛山市两级法院", latency_s=0.2, rps=20.0)
ENCODING: Final = "gb18030"
KINDS: Final = {"JUDGMENT": "01", "RULING": "02", "DECISION": "03", "EXEC_NOTICE": "04", "CORRECTION": "05"}


def build(department: Department, options: Options) -> Starlette:
    token = options.secret("fy_token")

    async def answer(request: Request, operation: str, key: str) -> Response:
        try:
            bearer(request, token)
            await department.enter(operation, key=key)
        except Denied:
            return _xml("<DM>E4010</DM>", 401)
        except Refusal as refusal:
            return _refused(refusal)
        if department.faults.garbage:
            return _xml("<DM>0</DM><ZS>1</ZS><AJ><AH>&AH;</AJ>")
        people = department.people
        person = people.by_id(key) if operation == "case/by-person" else None
        cases = (
            _documents([person] if person else [], "") if operation == "case/by-person" else _by_case(department, key)
        )
        texts = [_document(department, fact, persons) for fact, persons in cases]
        shown = texts[: len(texts) // 2] if department.faults.half_page else texts
        return _xml(f"<DM>0</DM><ZS>{len(texts)}</ZS>{''.join(shown)}")

    async def by_person(request: Request) -> Response:
        return await answer(request, "case/by-person", request.query_params.get("sfzh", ""))

    async def by_case(request: Request) -> Response:
        return await answer(request, "case/by-number", request.query_params.get("ah", ""))

    return Starlette(routes=[Route("/sfgk/api/dsr", by_person), Route("/sfgk/api/ah", by_case)])


def _by_case(department: Department, case_no: str) -> list[tuple[JudgmentFact, list[Person]]]:
    return _documents(department.people.by_case_no(case_no), case_no)


def _documents(people: Iterable[Person], case_no: str) -> list[tuple[JudgmentFact, list[Person]]]:
    """Each document once, with those of `people` it is about; of one case only if `case_no` is given."""
    found: dict[str, tuple[JudgmentFact, list[Person]]] = {}
    for person in people:
        for fact in person.judgments:
            if not case_no or fact.case_no == case_no:
                found.setdefault(fact.doc_no, (fact, []))[1].append(person)
    return list(found.values())


def _document(department: Department, fact: JudgmentFact, about: list[Person]) -> str:
    updated = department.now() - timedelta(minutes=5, days=department.faults.stale)
    defendants = {person.id_no: person.name_at("FY") for person in about}
    for other in fact.co_defendants:
        defendants.setdefault(other.id_no, other.name)
    fields = {
        "AH": fact.case_no,
        "WSBH": fact.doc_no,
        "WSLX": KINDS[fact.doc_type],
        "WSMC": fact.title,
        "FYMC": fact.issuer,
        "CPRQ": _day(fact.issued_on),
        "SXRQ": _day(fact.effective_on),
        "BGZWS": fact.supersedes or "",
        "WSZY": hashlib.sha256(fact.doc_no.encode()).hexdigest(),
        "WSGS": "application/pdf",
        "GXSJ": f"{updated:%Y-%m-%d %H:%M:%S}",
    }
    persons = "".join(
        f"<DSR><XM>{escape(name)}</XM><SFZH>{id_no}</SFZH>{_sentence(department, id_no, fact.doc_no)}</DSR>"
        for id_no, name in defendants.items()
    )
    return f"<AJ>{''.join(f'<{name}>{escape(text)}</{name}>' for name, text in fields.items())}{persons}</AJ>"


def _sentence(department: Department, id_no: str, doc_no: str) -> str:
    """What the document says about this defendant: each has a sentence of his own."""
    person = department.people.by_id(id_no)
    months = next((f.probation_months for f in person.judgments if f.doc_no == doc_no), None) if person else None
    return f"<PJJG><XZ>HX</XZ><HXQ>{months}</HXQ></PJJG>" if months else "<PJJG/>"


def _day(day: date | None) -> str:
    return f"{day:%Y-%m-%d}" if day else ""


def _refused(refusal: Refusal) -> Response:
    if refusal.kind == "down":
        return Response("Service Unavailable", 503)
    if refusal.kind == "closed":
        opens = f"{refusal.opens_at:%H:%M}" if refusal.opens_at else ""
        return _xml(f"<DM>E2300</DM><KFSJ>{opens}</KFSJ>")
    wait = str(max(1, round(refusal.retry_after_s or 1)))
    return _xml("<DM>E4290</DM>", 429, {"retry-after": wait})


def _xml(content: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    text = f'<?xml version="1.0" encoding="{ENCODING.upper()}"?>\n<AJLB>{content}</AJLB>'
    return Response(text.encode(ENCODING), status, headers, media_type=f"application/xml; charset={ENCODING.upper()}")
