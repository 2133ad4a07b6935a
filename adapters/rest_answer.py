"""From the bytes of a REST answer to raw records, or to the reason why there are none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from adapters.egress import Reply
from adapters.errors import Reason
from adapters.json_body import JsonRefused, parse_json
from adapters.outcomes import NO_TABLE, Said, failure_of_status, retry_after, retry_instant, shown
from adapters.records import MISSING, Garbage, Record, walk
from adapters.rest_request import RestRequest
from adapters.source import Failed
from adapters.xml import XmlRefused, element_to_dict, local_name, parse_xml

_OBJECTS = frozenset({dict})
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9._-]{1,40})", re.IGNORECASE)


class Records(NamedTuple):
    """What one answer holds. `total` is how many it declares, None where it declares nothing."""

    records: Sequence[Record]
    total: int | None = None
    received: int = -1  # how many came, counted before any was exploded; -1: as many as `records`

    @property
    def short(self) -> bool:
        """Whether another number came than was declared."""
        return self.total is not None and self.total != (len(self.records) if self.received < 0 else self.received)


def read_reply(request: RestRequest, reply: Reply, now: datetime, timezone: str, max_bytes: int) -> Records | Failed:
    """The records of a complete answer; none of them where the department says in full that there are none.

    A result code of the body that the manifest knows as a failure is more exact than the HTTP status and wins;
    a success in the body never wins over a failing status.
    """
    by_status = failure_of_status(reply, now, request.absent_status)
    if by_status is Said.ABSENT:
        return Records((), 0)
    try:
        document = _document(request, reply, max_bytes)
        code = walk(document, request.outcome.path) if request.outcome is not NO_TABLE else None
        verdict = request.outcome.verdict(code) if request.outcome is not NO_TABLE else Said.OK
        if isinstance(verdict, Reason) and (by_status is Said.OK or request.outcome.knows(code)):
            back = _retry_at(request, document, now, timezone) or retry_after(reply.headers.get("retry-after"), now)
            return Failed(verdict, back, shown(code))
        if isinstance(by_status, Failed):
            return by_status
        return Records((), 0) if verdict is Said.ABSENT else _records(request, document)
    except (Garbage, JsonRefused, XmlRefused) as garbage:
        return by_status if isinstance(by_status, Failed) else Failed(Reason.GARBAGE, detail=str(garbage))


def _document(request: RestRequest, reply: Reply, max_bytes: int) -> Any:
    if not reply.body or reply.body.isspace():
        raise Garbage("an empty body")
    if not request.xml:
        document = parse_json(reply.body)
        if not isinstance(document, dict | list):
            raise Garbage("JSON that is neither an object nor a list")
        return document
    charset = _CHARSET.search(reply.headers.get("content-type", ""))
    root = parse_xml(
        reply.body, max_bytes=max_bytes, encoding=request.encoding or (charset[1] if charset is not None else None)
    )
    return {local_name(root): element_to_dict(root)}


def _retry_at(request: RestRequest, document: Any, now: datetime, timezone: str) -> datetime | None:
    if not request.outcome.retry_at:
        return None
    return retry_instant(walk(document, request.outcome.retry_at), now, timezone)


def _records(request: RestRequest, document: Any) -> Records:
    found = _rows_at(request, document)
    if not set(map(type, found)) <= _OBJECTS and not all(isinstance(record, Mapping) for record in found):
        raise Garbage("a record that is not an object")
    total, received = _total(request, document), len(found)
    if request.explode:
        found = [part for record in found for part in _exploded(record, request.explode)]
    return Records(found, total, received)


def _rows_at(request: RestRequest, document: Any) -> Sequence[Any]:
    value = walk(document, request.rows)
    if request.xml:
        # XML knows no empty list: the element the records stand in must be there, the records need not
        if value is MISSING:
            parent, _, _ = request.rows.rpartition(".")
            if not parent or walk(document, parent) is MISSING:
                raise Garbage("the element of the records is missing")
            return ()
        many = value if isinstance(value, list) else [value]
        return [{} if record == "" else record for record in many]
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and request.mode == "key":
        return (value,)
    raise Garbage("no list of records where the manifest says it stands")


def _exploded(record: Record, path: str) -> list[Record]:
    """One record a child, the parent's fields beside it; a parent without children stays as it is."""
    children = record.get(path)
    if children is None or children in ("", []):
        return [{name: value for name, value in record.items() if name != path}]
    many = children if isinstance(children, list) else [children]
    return [{**record, path: child} for child in many]


def _total(request: RestRequest, document: Any) -> int | None:
    if not request.total:
        return None
    value = walk(document, request.total)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**9:
        raise Garbage("the declared number of records is missing or not a number")
    return value
