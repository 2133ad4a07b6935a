"""Rich authorization requests of our one type (RFC 9396): read strictly, compared by structure, never widened.

    {"type": "urn:yimen:data-sharing:v1", "actions": ["read"], "locations": ["<base>/graphql"],
     "datatypes": ["noun.field", ...], "purpose": {"code": ..., "reference": ...}, "subjects": {"consent_id": ...},
     "validity": {"until": "2026-12-31T00:00:00Z"}, "access": {"mode": "one_time" | "recurring", "max_per_day": 4}}

Anything else in it is refused, because what we do not understand must not look granted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.caller import CallerKind, SharingDetail
from gateway.oauth.client import Client
from gateway.oauth.errors import OAuthError
from gateway.oauth.terms import RAR_TYPE
from gateway.policy.claim import claimed
from gateway.policy.purposes import PurposeRegister

_LONGEST = 32_768
_MOST_DETAILS, _MOST_DATATYPES = 50, 300
_DATATYPE = re.compile(r"[a-z][A-Za-z0-9]{0,63}\.[a-z][A-Za-z0-9]{0,63}")
_CONSENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MEMBERS = frozenset({"type", "actions", "locations", "datatypes", "purpose", "subjects", "validity", "access"})
_FURTHEST = timedelta(days=5 * 366)
ONE_TIME, RECURRING = "one_time", "recurring"


@dataclass(frozen=True, slots=True)
class Asked:
    """One detail, read. `mode` None: not said, which is recurring within whatever else limits it."""

    detail: SharingDetail
    location: str
    mode: str | None = None

    def within(self, granted: Asked) -> Asked | None:
        """What is left of this detail under `granted`, or None where it asks for more anywhere.

        What it does not say it takes over: leaving a limit out is no way around it.
        """
        mine, theirs = self.detail, granted.detail
        if (mine.purpose, mine.consent_id, self.location) != (theirs.purpose, theirs.consent_id, granted.location):
            return None
        if theirs.reference is not None and mine.reference not in (None, theirs.reference):
            return None
        if theirs.datatypes is not None and mine.datatypes is not None and not mine.datatypes <= theirs.datatypes:
            return None
        if _beyond(mine.until, theirs.until) or _beyond(mine.max_per_day, theirs.max_per_day):
            return None
        if granted.mode == ONE_TIME and self.mode == RECURRING:
            return None
        left = replace(
            mine,
            reference=mine.reference if mine.reference is not None else theirs.reference,
            datatypes=mine.datatypes if mine.datatypes is not None else theirs.datatypes,
            until=mine.until or theirs.until,
            max_per_day=mine.max_per_day if mine.max_per_day is not None else theirs.max_per_day,
        )
        return Asked(left, self.location, self.mode or granted.mode)

    def as_json(self) -> dict[str, Any]:
        """As tokens and answers carry it; `read_granted` reads it back."""
        detail = self.detail
        found: dict[str, Any] = {"type": RAR_TYPE, "actions": ["read"], "locations": [self.location]}
        if detail.datatypes is not None:
            found["datatypes"] = sorted(detail.datatypes)
        found["purpose"] = {"code": detail.purpose}
        if detail.reference is not None:
            found["purpose"]["reference"] = detail.reference
        if detail.consent_id is not None:
            found["subjects"] = {"consent_id": detail.consent_id}
        if detail.until is not None:
            found["validity"] = {"until": detail.until.isoformat().replace("+00:00", "Z")}
        access = {"mode": self.mode, "max_per_day": detail.max_per_day}
        if any(value is not None for value in access.values()):
            found["access"] = {name: value for name, value in access.items() if value is not None}
        return found


def _beyond(mine: Any, theirs: Any) -> bool:
    return mine is not None and theirs is not None and mine > theirs


def parse(text: str, *, location: str, register: PurposeRegister, now: datetime) -> tuple[Asked, ...]:
    """The details an `authorization_details` parameter holds, at least one.

    Raises OAuthError invalid_authorization_details. Whether this client may have them: `check_for`.
    """
    if len(text) > _LONGEST:
        raise _invalid("size")
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_unreadable)
    except (ValueError, RecursionError):
        raise _invalid("json") from None
    if not isinstance(value, list) or not 0 < len(value) <= _MOST_DETAILS:
        raise _invalid("array")
    found = tuple(_read(one, location, register) for one in value)
    for one in found:
        if one.detail.until is not None and not now < one.detail.until < now + _FURTHEST:
            raise _invalid("until")
    keys = [(one.detail.purpose, one.detail.reference, one.detail.consent_id) for one in found]
    if len(set(keys)) != len(keys):
        raise _invalid("doubled")
    return found


def read_granted(granted: Sequence[Mapping[str, Any]], register: PurposeRegister) -> tuple[Asked, ...]:
    """What we granted ourselves, read back; a purpose that has left the register since is refused like any other."""
    return tuple(_read(one, one["locations"][0], register) for one in granted)


def check_for(client: Client, asked: Sequence[Asked]) -> None:
    """Whether `client` may ask for this at all. Raises OAuthError invalid_authorization_details.

    A partner always names purpose, leaf fields and consent; nobody else rests on a consent, so nobody else names one.
    """
    partner = client.kind is CallerKind.PARTNER
    if partner and not asked:
        raise _invalid("needed")
    for one in asked:
        if one.detail.purpose not in client.purposes:
            raise _invalid("purpose")
        if partner != (one.detail.consent_id is not None):
            raise _invalid("consent")
        if partner and not one.detail.datatypes:
            raise _invalid("datatypes")


def narrowed(asked: Sequence[Asked], granted: Sequence[Asked]) -> tuple[Asked, ...]:
    """`asked` within `granted`; where nothing was granted by details, whatever `check_for` let pass.

    Raises OAuthError invalid_authorization_details where any of it goes further.
    """
    if not granted:
        return tuple(asked)
    found = []
    for one in asked:
        left = next((left for held in granted if (left := one.within(held)) is not None), None)
        if left is None:
            raise _invalid("wider")
        found.append(left)
    return tuple(found)


def _read(value: Any, location: str, register: PurposeRegister) -> Asked:
    if not isinstance(value, dict) or value.get("type") != RAR_TYPE:
        raise _invalid("type")
    if value.keys() - _MEMBERS:
        raise _invalid("member")
    if value.get("actions", ["read"]) != ["read"] or value.get("locations", [location]) != [location]:
        raise _invalid("member")
    purpose = _object(value, "purpose", {"code", "reference"})
    subjects = _object(value, "subjects", {"consent_id"})
    validity = _object(value, "validity", {"until"})
    access = _object(value, "access", {"mode", "max_per_day"})
    code, reference = _text(purpose, "code"), _text(purpose, "reference")
    # The claim's own rules: a code of the register, and nothing that must not stand in a record for good.
    if code is None or claimed({"code": code, "reference": reference}, register) is None or not register.get(code):
        raise _invalid("purpose")
    consent_id = _text(subjects, "consent_id")
    if ("subjects" in value) != (consent_id is not None) or not _CONSENT_ID.fullmatch(consent_id or "c"):
        raise _invalid("consent")
    mode = _text(access, "mode")
    if mode not in (None, ONE_TIME, RECURRING):
        raise _invalid("access")
    detail = SharingDetail(
        code, reference, _datatypes(value), consent_id, _until(_text(validity, "until")), _per_day(access)
    )
    return Asked(detail, location, mode)


def _datatypes(value: Mapping[str, Any]) -> frozenset[str] | None:
    if "datatypes" not in value:
        return None
    named = value["datatypes"]
    if not isinstance(named, list) or not 0 < len(named) <= _MOST_DATATYPES:
        raise _invalid("datatypes")
    if not all(isinstance(one, str) and _DATATYPE.fullmatch(one) for one in named):
        raise _invalid("datatypes")
    return frozenset(named)


def _until(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        until = datetime.fromisoformat(text)
    except ValueError:
        raise _invalid("until") from None
    if len(text) < len("2026-01-01T00:00:00Z") or until.tzinfo is None:
        raise _invalid("until")
    try:
        return until.astimezone(UTC)
    except OverflowError:
        raise _invalid("until") from None


def _per_day(access: Mapping[str, Any]) -> int | None:
    limit = access.get("max_per_day")
    if limit is None and "max_per_day" not in access:
        return None
    if not isinstance(limit, int) or isinstance(limit, bool) or not 0 < limit <= 100_000:
        raise _invalid("access")
    return limit


def _object(value: Mapping[str, Any], name: str, members: set[str]) -> Mapping[str, Any]:
    found = value.get(name, {})
    if not isinstance(found, dict) or found.keys() - members or (name in value and not found):
        raise _invalid("member")
    return found


def _text(value: Mapping[str, Any], name: str) -> str | None:
    if name not in value:
        return None
    found = value[name]
    if not isinstance(found, str) or not found or not found.isprintable():
        raise _invalid("member")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("doubled")
    return found


def _unreadable(_: str) -> Any:
    raise ValueError("not JSON")


def _invalid(why: str) -> OAuthError:
    return OAuthError("invalid_authorization_details", f"rar_{why}")
