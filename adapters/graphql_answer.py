"""From a GraphQL answer to what it says about each key (GraphQL over HTTP; October 2021 specification, section 7)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from adapters.egress import Reply
from adapters.errors import Reason
from adapters.graphql_request import GraphqlRequest
from adapters.json_body import JsonRefused, parse_json
from adapters.outcomes import failure_of_status, retry_instant
from adapters.records import MISSING, Garbage, pick, walk
from adapters.source import Absent, Answer, Failed, Found

_CODE = re.compile(r"[A-Z][A-Z_]{0,39}")  # letters only: no ID number, no token
_ORIGIN = re.compile(r"[A-Z][A-Z0-9_]{0,19}(?:/[A-Z][A-Z0-9_]{0,19}){0,3}")
_TRUSTED: Final = frozenset((Reason.TIMEOUT, Reason.RATE_LIMITED, Reason.CLOSED, Reason.INCOMPLETE, Reason.CLOCK_SKEW))


def read_answers(
    request: GraphqlRequest, reply: Reply, roots: Sequence[str], fields: frozenset[str], now: datetime
) -> list[Answer]:
    """One answer per root field (the response key a key's record stands under), in order.

    An error with a path spoils the key it points into and no other; one without, or pointing elsewhere, all of them.
    """
    by_status = failure_of_status(reply, now)
    try:
        document = parse_json(reply.body) if reply.body.strip() else None
        if isinstance(by_status, Failed):
            return [_worded(request, document, by_status)] * len(roots)
        if not isinstance(document, dict):
            raise Garbage("no GraphQL answer")
        errors, data = document.get("errors") or [], document.get("data")
        if not isinstance(errors, list) or not all(isinstance(error, dict) for error in errors):
            raise Garbage("errors that are not a list of objects")
        failed = _failures(request, errors, roots)
        if not isinstance(data, dict):
            if not errors:
                raise Garbage("neither data nor errors")
            # A null that rose to the top took every key with it, whichever it was about.
            failure = next(iter(failed.values()))
            return [failed.get(root, failure) for root in roots]
    except (Garbage, JsonRefused) as garbage:
        failure = by_status if isinstance(by_status, Failed) else Failed(Reason.GARBAGE, detail=str(garbage))
        return [failure] * len(roots)
    return [failed[root] if root in failed else _one(request, data, root, fields, now) for root in roots]


def _worded(request: GraphqlRequest, document: object, by_status: Failed) -> Failed:
    """The failure of a failing status; the code of its first error is more exact where we know it."""
    errors = document.get("errors") if isinstance(document, dict) else None
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    code = walk(first, "extensions.code")
    if by_status.reason is Reason.DOWN and isinstance(code, str) and code in request.errors:
        return Failed(request.errors[code], by_status.retry_at, f"error code {code}")
    return by_status


def _failures(request: GraphqlRequest, errors: Sequence[Mapping[str, Any]], roots: Sequence[str]) -> dict[str, Failed]:
    failed: dict[str, Failed] = {}
    for error in errors:
        code = walk(error, "extensions.code")
        known = isinstance(code, str) and _CODE.fullmatch(code) is not None
        reason = request.errors.get(str(code), Reason.DOWN) if known else Reason.DOWN
        failure = Failed(reason, detail=f"error code {code}" if known else "an error without a code we show")
        path = error.get("path")
        first = path[0] if isinstance(path, list) and path else None
        for root in [first] if first in roots else roots:
            failed.setdefault(str(root), failure)
    return failed


def _one(request: GraphqlRequest, data: Mapping[str, Any], root: str, fields: frozenset[str], now: datetime) -> Answer:
    def at(path: str) -> Any:
        """The value at `path`, whose first name is the root field: here it answers under `root`."""
        _, _, rest = path.partition(".")
        return walk(data, f"{root}.{rest}" if rest else root)

    try:
        if root not in data:
            raise Garbage("the answer does not mention the key")
        as_of = _instant(at(request.as_of)) if request.as_of else None
        records = _records(data, root, request.rows)
        rows = tuple(pick(record, fields) for record in records)
        if request.origin:
            rows = tuple(
                replace(row, origin=_origin(one, request.origin)) for row, one in zip(rows, records, strict=True)
            )
    except Garbage as garbage:
        return Failed(Reason.GARBAGE, detail=str(garbage))
    if not request.state:
        return Found(rows, as_of, now) if rows else Absent(as_of, now)
    match at(request.state):
        case "FRESH" | "STALE" if rows:
            return Found(rows, as_of, now)
        case "PARTIAL" if rows:
            return Found(rows, as_of, now, incomplete=Reason.INCOMPLETE)
        case "PARTIAL":
            return Failed(Reason.INCOMPLETE, detail="the other side has a part only")
        case "NOT_FOUND" if not rows:
            return Absent(as_of, now)
        case "WITHHELD":
            return Failed(Reason.REFUSED, detail="the other side withholds it")
        case "UNAVAILABLE":
            said = at(request.reason) if request.reason else None
            reason = next((reason for reason in _TRUSTED if reason == said), Reason.DOWN)
            back = retry_instant(at(request.retry_at), now, "Asia/Shanghai") if request.retry_at else None
            return Failed(reason, back, "the other side has no answer")
        case _:
            return Failed(Reason.GARBAGE, detail="state and records contradict each other")


def _records(data: Mapping[str, Any], root: str, path: str) -> list[Any]:
    """The records at `path`; none where null stands on the way, which without an error means that there are none."""
    _, _, rest = path.partition(".")
    value: Any = data[root]
    for name in rest.split(".") if rest else ():
        if value is None:
            return []
        if not isinstance(value, Mapping) or name not in value:
            raise Garbage("the records do not stand where the manifest says")
        value = value[name]
    if value is None:
        return []
    many = value if isinstance(value, list) else [value]
    if not all(isinstance(record, Mapping) for record in many):
        raise Garbage("a record that is not an object")
    return many


def _origin(record: Mapping[str, Any], path: str) -> str:
    """A code of the other side's catalogue, "A/B" where it was told by yet another; "" for anything else."""
    found = walk(record, path)
    return found if isinstance(found, str) and _ORIGIN.fullmatch(found) else ""


def _instant(value: object) -> datetime | None:
    """An ISO instant with its offset; None for null. Raises Garbage for anything else, a naive instant included."""
    if value is None or value is MISSING:
        return None
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise Garbage("a date that is not an instant")
    return instant
