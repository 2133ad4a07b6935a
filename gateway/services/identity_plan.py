"""What an import changes: the difference between what is held and what would be, one change per record. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Protocol

from gateway.services.identity_records import DeviceEntry, HeldPost, OfficerEntry, Records, standing
from gateway.services.identity_rows import Fault, Given


@dataclass(frozen=True, slots=True)
class IdentityChange:
    """One record that is new or differs. `object_id` is a code, never a name; `changed` are field names.

    `before` and `after` are the records (Organisation, PostRecord, OfficerEntry, DeviceEntry), None where there is none.
    """

    kind: str  # ORGANISATION_ADDED | OFFICER_CHANGED | OFFICER_DEACTIVATED | DEVICE_BOUND | DEVICE_UNBOUND | ...
    object_id: str
    changed: tuple[str, ...]
    before: Any = field(repr=False)
    after: Any = field(repr=False)

    def detail(self) -> dict[str, Any]:
        """What evidence keeps: codes, dates and opaque ids before and after; of names only that they changed."""
        return {"changed": list(self.changed), "before": _codes(self.before), "after": _codes(self.after)}


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything an import would do, or every reason why it does nothing."""

    changes: tuple[IdentityChange, ...] = ()
    faults: tuple[Fault, ...] = ()
    revoked: frozenset[str] = frozenset()  # user ids whose grants end with it
    closed_organisations: frozenset[str] = frozenset()  # org ids whose own clients end with it


class OnesOwn(Protocol):
    def holds(self, org_id: str | None, held: Records, after: Records) -> bool:
        """Whether an organisation is one's own to change."""
        ...


def made(
    held: Records, after: Records, given: Given, now: datetime, *, full: bool, reach: OnesOwn | None = None
) -> Plan:
    """The plan of an import without faults. With `full`, officers and devices it does not name are switched off: all of
    them, or those within `reach`."""
    if full:
        after = _without_the_unnamed(held, after, given, reach)
    changes = (*_organisations(held, after), *_posts(held, after), *_officers(held, after), *_devices(held, after))
    touched = [one.user_id for one in held.officers.values() if _another(held, after, one.login, now)]
    closed = [key for key, one in held.organisations.items() if _closes(one, after.organisations[key])]
    return Plan(tuple(changes), revoked=frozenset(touched), closed_organisations=frozenset(closed))


def _another(held: Records, after: Records, login: str, now: datetime) -> bool:
    return standing(held, login, now) != standing(after, login, now)


def _closes(before: Any, after: Any) -> bool:
    """Whether what was registered for the organisation's own clients no longer holds."""
    names = ("active", "kind", "jurisdiction", "purposes")
    return bool(before.active) and any(getattr(before, name) != getattr(after, name) for name in names)


def _without_the_unnamed(held: Records, after: Records, given: Given, reach: OnesOwn | None) -> Records:
    def own(org_id: str) -> bool:
        return reach is None or reach.holds(org_id, held, after)

    officers, devices = dict(after.officers), dict(after.devices)
    if "officers" in given.kinds:
        named = {cells.values.get("login", "").strip().lower() for cells in given.rows["officers"]}
        for login in (one for one in held.officers.keys() - named if own(officers[one].org_id)):
            officers[login] = replace(officers[login], active=False)
    if "devices" in given.kinds:
        named = {cells.values.get("device_id", "") for cells in given.rows["devices"]}
        for device_id in (one for one in held.devices.keys() - named if own(devices[one].org_id)):
            devices[device_id] = replace(devices[device_id], login=None, subject_id=None)
    return replace(after, officers=officers, devices=devices)


def _organisations(held: Records, after: Records) -> Iterator[IdentityChange]:
    for key, one in after.organisations.items():
        before = held.organisations.get(key)
        if before != one:
            yield _change("ORGANISATION", key, before, one)


def _posts(held: Records, after: Records) -> Iterator[IdentityChange]:
    for (org_id, code), one in after.posts.items():
        before = held.posts.get(one.key)
        if before != one:
            yield _change("POST", f"{org_id}/{code}", before, one)


def _officers(held: Records, after: Records) -> Iterator[IdentityChange]:
    for login, one in after.officers.items():
        before = held.officers.get(login)
        if before != one:
            yield _change("OFFICER", login, before, one)


def _devices(held: Records, after: Records) -> Iterator[IdentityChange]:
    for key, one in after.devices.items():
        before = held.devices.get(key)
        if before != one and not (before is None and not _has_holder(one)):
            kind = "DEVICE_BOUND" if _has_holder(one) else "DEVICE_UNBOUND"
            yield IdentityChange(kind, key, _differing(before, one), before, one)


def _has_holder(device: DeviceEntry) -> bool:
    return device.login is not None or device.subject_id is not None


def _change(noun: str, key: str, before: Any, after: Any) -> IdentityChange:
    done = "ADDED" if before is None else "CHANGED"
    if before is not None and getattr(before, "active", True) and not getattr(after, "active", True):
        done = "DEACTIVATED"
    return IdentityChange(f"{noun}_{done}", key, _differing(before, after), before, after)


def _differing(before: Any, after: Any) -> tuple[str, ...]:
    names = [one.name for one in fields(after)]
    if before is None:
        return tuple(name for name in names if getattr(after, name) not in (None, "", frozenset()))
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))


_UNTOLD = frozenset({"name", "login", "external_id", "agency_keys"})


def _codes(record: Any) -> Mapping[str, Any]:
    """A record as evidence may hold it: no name of a person, and what a person logs in with only by its opaque id."""
    if record is None:
        return {}
    told: dict[str, Any] = {}
    for one in fields(record):
        value = getattr(record, one.name)
        if isinstance(record, OfficerEntry | DeviceEntry) and one.name in _UNTOLD:
            continue
        if one.name == "agency_keys":
            value = sorted(key["kid"] for key in value["keys"])
        elif isinstance(value, datetime):
            value = value.isoformat()
        elif isinstance(value, frozenset):
            value = sorted(_word(item) for item in value)
        told[one.name.rstrip("_")] = value
    return told


def _word(item: object) -> str:
    if isinstance(item, HeldPost):
        begin = "" if item.from_ is None else item.from_.isoformat()
        end = "" if item.to is None else item.to.isoformat()
        return f"{item.code}:{begin}..{end}"
    return str(item)
