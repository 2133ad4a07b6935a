"""From the text of one cell to its value, or the code of what is wrong with it. Pure; knows no other cell."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, time, timedelta
from typing import Any

from adapters.identity import IdNumber, fold_name, is_readable, normalise_id, normalise_uscc
from gateway.clock import CIVIL
from gateway.services.identities import fold_login
from gateway.services.identity_records import HeldPost

_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_ORG_ID = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,63}")
_DEVICE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")
_MOBILE = re.compile(r"(\+?86)?1[3-9][0-9]{9}")
_EXCEL = re.compile(r"[0-9][.,]?[0-9]*E\+?[0-9]+", re.IGNORECASE)
_SEPARATORS = re.compile(r"[;；、]")
_YES = frozenset({"是", "yes", "true", "1", "y", "启用"})
_NO = frozenset({"否", "no", "false", "0", "n", "停用"})
# GB/T 2260: the first two digits are the province; which counties exist changes every year and is not judged.
_PROVINCES = frozenset({
    "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34",
    "35", "36", "37", "41", "42", "43", "44", "45", "46", "50", "51", "52",
    "53", "54", "61", "62", "63", "64", "65", "71", "81", "82",
})  # fmt: skip
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class Wrong(ValueError):
    """The value cannot be used; `code` is a key of `identity_faults.TEXTS`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def text(said: str, longest: int = 200) -> str:
    """A name or title. Raises Wrong for one that holds marks of lost characters."""
    if len(said) > longest:
        raise Wrong("TOO_LONG")
    if said and not is_readable(fold_name(said)):
        raise Wrong("UNREADABLE")
    return said


def code(said: str) -> str:
    if not _CODE.fullmatch(said):
        raise Wrong("CODE")
    return said


def codes(said: str) -> frozenset[str]:
    """Several, with ; between (also ；and 、)."""
    return frozenset(code(part.strip()) for part in _SEPARATORS.split(said) if part.strip())


def org_id(said: str) -> str:
    if not _ORG_ID.fullmatch(said):
        raise Wrong("ORG_ID")
    return said


def device_id(said: str) -> str:
    if not _DEVICE_ID.fullmatch(said):
        raise Wrong("DEVICE_ID")
    return said


def login(said: str) -> str:
    folded = fold_login(said)
    if _MOBILE.fullmatch(folded) or normalise_id(folded) is not None:
        raise Wrong("LOGIN_PERSONAL")
    if not _LOGIN.fullmatch(folded):
        raise Wrong("LOGIN")
    return folded


def external_id(said: str) -> str | None:
    if len(said) > 255:
        raise Wrong("TOO_LONG")
    return said or None


def uscc(said: str) -> str | None:
    """Source: GB 32100-2015."""
    if not said:
        return None
    compact, right = normalise_uscc(said)
    if not right:
        raise Wrong("USCC")
    return compact


def jurisdiction(said: str) -> str:
    """The digits that count: 440600 is the whole of Foshan, 4406. Source: GB/T 2260."""
    if not said:
        return ""
    if not (said.isascii() and said.isdigit() and len(said) in (2, 4, 6) and said[:2] in _PROVINCES):
        raise Wrong("JURISDICTION")
    while len(said) > 2 and said.endswith("00"):
        said = said[:-2]
    if "00" in (said[2:4], said[4:6]):
        raise Wrong("JURISDICTION")
    return said


def id_no(said: str) -> str | None:
    """The normalised 18 characters."""
    if not said:
        return None
    if _EXCEL.fullmatch(said):
        raise Wrong("EXCEL_NUMBER")
    number: IdNumber | None = normalise_id(said)
    if number is None or not (number.checksum_ok and number.date_ok):
        raise Wrong("ID_NO")
    return number.value18


def yes(said: str) -> bool:
    """Yes where nothing is said."""
    if not said or said.lower() in _YES:
        return True
    if said.lower() in _NO:
        return False
    raise Wrong("YES_NO")


def begins(said: str) -> datetime | None:
    """The first instant of a civil day."""
    return None if not said else datetime.combine(_day(said), time(), CIVIL)


def ends(said: str) -> datetime | None:
    """The first instant after a last civil day."""
    if not said:
        return None
    try:
        return datetime.combine(_day(said) + timedelta(days=1), time(), CIVIL)
    except OverflowError:
        raise Wrong("DATE") from None


def period(first: str, last: str) -> tuple[datetime | None, datetime | None]:
    begin, end = begins(first), ends(last)
    if begin is not None and end is not None and end <= begin:
        raise Wrong("PERIOD")
    return begin, end


def held_posts(said: str) -> frozenset[HeldPost]:
    """`CODE;CODE:2026-01-01..2026-12-31`, either end may be left open; no post twice."""
    found: dict[str, HeldPost] = {}
    for part in _SEPARATORS.split(said):
        name, _, days = (piece.strip() for piece in part.partition(":"))
        if not name and not days:
            continue
        first, dots, last = days.partition("..")
        if days and not dots:
            raise Wrong("DATE")
        begin, end = period(first.strip(), last.strip())
        if code(name) in found:
            raise Wrong("TWICE")
        found[name] = HeldPost(name, begin, end)
    return frozenset(found.values())


def agency_keys(said: str) -> dict[str, Any]:
    """A JWK set, public keys only. Source: RFC 7517, sections 4 and 5."""
    if not said:
        return {"keys": []}
    try:
        value = json.loads(said)
    except (ValueError, RecursionError):
        raise Wrong("KEYS") from None
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list) or not all(_is_public(key) for key in keys):
        raise Wrong("KEYS")
    if len({key["kid"] for key in keys}) != len(keys):
        raise Wrong("KEYS")
    return {"keys": keys}


def _is_public(key: Any) -> bool:
    if not isinstance(key, dict) or key.keys() & _PRIVATE:
        return False
    kid = key.get("kid")
    return key.get("kty") in ("EC", "RSA", "OKP") and isinstance(kid, str) and bool(kid)


def _day(said: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", said, re.ASCII):
        raise Wrong("DATE")
    try:
        day = date.fromisoformat(said)
    except ValueError:
        raise Wrong("DATE") from None
    if not 1949 <= day.year <= 9000:
        raise Wrong("DATE")
    return day
