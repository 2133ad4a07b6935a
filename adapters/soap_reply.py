"""What a SOAP reply says: records, "no record", or why there is no answer.

Faults and result codes are judged by the department's own tables in the manifest. What is not in them is never read as
"no record". Source: SOAP 1.1, sections 4.4 and 6.2; SOAP 1.2 part 1, section 5.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lxml import etree

from adapters.egress import Reply
from adapters.errors import Reason
from adapters.outcomes import NO_TABLE, OutcomeTable, Said, Verdict, failure_of_status, retry_instant, shown
from adapters.source import Failed, Value
from adapters.xml import XmlRefused, element_to_dict, local_name, parse_xml

ENVELOPES: Final = ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")
MAX_FAULT_CODES: Final = 32
_FAULT_STATUS: Final = (400, 500)  # with which a fault comes; any other failing status is the HTTP server's own
_CODE = re.compile(r"(?!.*\d{5})[A-Za-z0-9_.:-]{1,48}")  # five digits in a row may be part of an ID number
_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._-]{1,40})""", re.IGNORECASE)

Record = Mapping[str, Value]


class _Garbage(Exception):
    """Not the agreed format; the message is free of content."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the replies to one operation are read. Paths start at the child of the SOAP body."""

    rows: str
    outcome: OutcomeTable
    faults: Mapping[str, Verdict]
    max_bytes: int
    timezone: str


def read_reply(reply: Reply, reading: Reading, now: datetime) -> list[Record] | Failed:
    """The records of a complete reply; none of them only where the department says in full that there are none."""
    by_status = failure_of_status(reply, now)
    if isinstance(by_status, Failed) and reply.status not in _FAULT_STATUS:
        return by_status
    try:
        answer = _answer(reply, reading)
        if local_name(answer) == "Fault":
            return _of_fault(answer, reading)
        if isinstance(by_status, Failed):
            return by_status
        return _of_answer(element_to_dict(answer), reading, now)
    except (_Garbage, XmlRefused) as garbage:
        # an error page in front of the service says nothing but "down"
        return by_status if isinstance(by_status, Failed) else Failed(Reason.GARBAGE, detail=str(garbage))


def walk(value: Value, path: str) -> Value:
    """The value at the dotted path; None where there is none."""
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _answer(reply: Reply, reading: Reading) -> etree._Element:
    """The one element in the body of the envelope."""
    envelope = _parse(reply, reading.max_bytes)
    namespace = etree.QName(envelope).namespace
    if local_name(envelope) != "Envelope" or namespace not in ENVELOPES:
        raise _Garbage("not a SOAP envelope")
    body = envelope.find(f"{{{namespace}}}Body")
    answer = next(iter(body), None) if body is not None else None
    if answer is None:
        raise _Garbage("an envelope with nothing in it")
    return answer


def _parse(reply: Reply, max_bytes: int) -> etree._Element:
    """By the document's own declaration, since servers put a default charset into the header; then by the header."""
    if not reply.body.strip():
        raise _Garbage("an empty reply")
    charset = _CHARSET.search(reply.headers.get("content-type", ""))
    header = charset.group(1) if charset else None
    declared = b"encoding" in reply.body[:200].partition(b"?>")[0]
    first, second = (None, header) if declared else (header, None)
    try:
        return parse_xml(reply.body, max_bytes=max_bytes, encoding=first)
    except XmlRefused:
        if first == second:
            raise
        return parse_xml(reply.body, max_bytes=max_bytes, encoding=second)


def _of_answer(answer: Record, reading: Reading, now: datetime) -> list[Record] | Failed:
    table = reading.outcome
    if table is not NO_TABLE:
        code = walk(answer, table.path)
        verdict = table.verdict(code)
        if verdict is Said.ABSENT:
            return []
        if isinstance(verdict, Reason):
            retry_at = retry_instant(walk(answer, table.retry_at), now, reading.timezone) if table.retry_at else None
            return Failed(verdict, retry_at, shown(code))
    found = _rows(answer, reading.rows)
    if not found and Said.ABSENT in table.verdicts.values():
        # a department with a word for "no record" did not say it
        raise _Garbage("success without a record")
    return found


def _of_fault(fault: etree._Element, reading: Reading) -> list[Record] | Failed:
    codes = list(_fault_codes(fault))
    for code in codes:
        verdict = reading.faults.get(code)
        if verdict is Said.ABSENT:
            return []
        if isinstance(verdict, Reason):
            return Failed(verdict, detail=f"fault {_printable(code)}")
    # the code only: a fault's text and detail may name the person
    return Failed(Reason.DOWN, detail=f"fault {_printable(codes[0]) if codes else 'without a code'}")


def _fault_codes(fault: etree._Element) -> Iterator[str]:
    """The fault code with and without its prefix, then every text in the detail; a bounded number of them."""
    seen = 0
    for part in fault:
        name = local_name(part).lower()
        if name not in ("faultcode", "code", "detail"):
            continue
        for leaf in part.iter():
            text = (leaf.text or "").strip()
            if not text or len(leaf):
                continue
            seen += 1
            if seen > MAX_FAULT_CODES:
                return
            yield text
            if name != "detail" and ":" in text:
                yield text.rpartition(":")[2]


def _rows(answer: Record, path: str) -> list[Record]:
    places: list[Value] = [answer]
    for name in path.split(".") if path else ():
        places = [inner for place in places if isinstance(place, Mapping) for inner in _many(place.get(name))]
    found: list[Record] = []
    for place in places:
        if not isinstance(place, Mapping):
            raise _Garbage("a record without fields")
        found.append(place)
    return found


def _many(value: Value) -> Sequence[Value]:
    if value is None or value == "":
        return ()
    return value if isinstance(value, list) else (value,)


def _printable(code: str) -> str:
    """The code, if it is one: a sentence in its place may hold a name."""
    return code if _CODE.fullmatch(code) else "of another form"
