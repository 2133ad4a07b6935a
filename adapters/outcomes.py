"""What an answer means before its content is read: the department's own result code, and the HTTP status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from adapters.egress import Reply
from adapters.errors import Reason
from adapters.source import Failed

MAX_WAIT: Final = timedelta(days=7)  # who says "come back" later than this is not believed
_WORDS: Final[Mapping[str, Reason]] = {
    "closed": Reason.CLOSED,
    "rate_limited": Reason.RATE_LIMITED,
    "refused": Reason.REFUSED,
    "clock": Reason.CLOCK_SKEW,
    "busy": Reason.DOWN,
}
_SHOWABLE = re.compile(r"\A[A-Za-z0-9._-]{1,8}\Z")  # too short for an ID number, a telephone or a token
_CIVIL = re.compile(r"\A([01]?\d|2[0-4]):([0-5]\d)(?::[0-5]\d)?\Z")


class Said(StrEnum):
    """An answer that is no failure."""

    OK = "OK"
    ABSENT = "ABSENT"


Verdict: TypeAlias = Said | Reason


@dataclass(frozen=True, slots=True)
class OutcomeTable:
    """The department's result codes. `path` says where the code stands in the answer, "" = there is none."""

    path: str
    verdicts: Mapping[str, Verdict]
    retry_at: str = ""

    def verdict(self, code: object) -> Verdict:
        """OK, ABSENT or the reason of the failure; a code that is not in the table is GARBAGE, never OK."""
        if isinstance(code, bool) or not isinstance(code, str | int):
            return Reason.GARBAGE
        return self.verdicts.get(str(code).strip(), Reason.GARBAGE)

    def knows(self, code: object) -> bool:
        return isinstance(code, str | int) and not isinstance(code, bool) and str(code).strip() in self.verdicts


NO_TABLE: Final = OutcomeTable("", {})


def read_outcomes(config: Mapping[str, Any], at: str) -> tuple[OutcomeTable, list[tuple[str, str]]]:
    """The table of a manifest's `outcome` entry, and its faults as (dotted path, what to mend)."""
    faults: list[tuple[str, str]] = []
    verdicts: dict[str, Verdict] = {}
    words: dict[str, Verdict] = {"ok": Said.OK, "absent": Said.ABSENT, **_WORDS}
    for word, value in config.items():
        if word in ("path", "retry_at"):
            if not isinstance(value, str) or not value:
                faults.append((f"{at}.{word}", "the place in the answer, as dotted names"))
            continue
        if word not in words:
            faults.append((f"{at}.{word}", f"unknown outcome; one of {', '.join(words)}, path, retry_at"))
            continue
        if not isinstance(value, list | tuple) or not all(isinstance(code, str) for code in value):
            faults.append((f"{at}.{word}", "a list of codes, each a text"))
            continue
        for code in value:
            if verdicts.setdefault(code, words[word]) is not words[word]:
                faults.append((f"{at}.{word}", f"code {code!r} stands for two outcomes"))
    if not config.get("path"):
        faults.append((f"{at}.path", "missing: where the result code stands in the answer"))
    if Said.OK not in verdicts.values():
        faults.append((f"{at}.ok", "missing: which codes mean that all went well"))
    retry_at = config.get("retry_at", "")
    return OutcomeTable(str(config.get("path", "")), verdicts, str(retry_at)), faults


def shown(code: object) -> str:
    """The code for an operator's eyes, unless it might be something else."""
    text = str(code)
    return f"result code {text}" if _SHOWABLE.match(text) else "a result code that is not in the table"


def failure_of_status(reply: Reply, now: datetime, absent_status: frozenset[int] = frozenset()) -> Failed | Said:
    """What the HTTP status alone says. ABSENT only for a status the manifest names in `absent_status`."""
    status = reply.status
    if status in absent_status:
        return Said.ABSENT
    if 200 <= status < 300:
        return Said.OK
    detail = f"HTTP {status}"
    if status in (401, 403):
        return Failed(Reason.REFUSED, detail=detail)
    wait = retry_after(reply.headers.get("retry-after"), now)
    if status == 429:
        return Failed(Reason.RATE_LIMITED, wait, detail)
    if status == 408:
        return Failed(Reason.TIMEOUT, wait, detail)
    return Failed(Reason.DOWN, wait, detail)


def retry_after(header: str | None, now: datetime) -> datetime | None:
    """The instant a Retry-After header names, in seconds or as a date; None where it says nothing we believe.

    Source: RFC 9110, section 10.2.3.
    """
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return _believable(now + timedelta(seconds=int(text)), now) if len(text) <= 9 else None
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return _believable(instant if instant.tzinfo else instant.replace(tzinfo=UTC), now)


def retry_instant(value: object, now: datetime, timezone: str) -> datetime | None:
    """The instant a department's answer names: ISO 8601 (civil time of `timezone` without an offset) or the next HH:MM."""
    if not isinstance(value, str):
        return None
    text, zone = value.strip(), ZoneInfo(timezone)
    if civil := _CIVIL.match(text):
        local = now.astimezone(zone)
        at = datetime.combine(local.date(), time(int(civil[1]) % 24, int(civil[2])), zone)
        return (at if at > local else at + timedelta(days=1)).astimezone(UTC)
    try:
        instant = datetime.fromisoformat(text)
        return _believable(instant if instant.tzinfo else instant.replace(tzinfo=zone), now)
    except (ValueError, OverflowError):
        return None


def _believable(instant: datetime, now: datetime) -> datetime | None:
    try:
        instant = instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return instant if now <= instant <= now + MAX_WAIT else None
