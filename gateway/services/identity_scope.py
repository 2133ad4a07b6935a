"""How far whoever imports over the wire may reach: their own organisation and those below it. Pure.

Only a PLATFORM_ADMIN (and the operator at the command line) changes other bodies, makes bodies of another kind or place,
or hands out roles that count beyond one body.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.services.identities import Organisation
from gateway.services.identity_plan import IdentityChange, Plan
from gateway.services.identity_records import DeviceEntry, OfficerEntry, PostRecord, Records
from gateway.services.identity_rows import Fault, Given

PLATFORM_ADMIN = "PLATFORM_ADMIN"
PLATFORM_ROLES = frozenset({PLATFORM_ADMIN, "POLICY_OWNER", "POLICY_APPROVER"})
"""Roles whose holders act for everybody, not for their own body."""
_OF_ONES_OWN = frozenset({"name_zh", "name_en", "uscc", "agency_keys"})
"""What a body may say of itself. Its kind, place, purposes and whom it is below are for others to say."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The organisations at or below `org_id`. By the chains that are held: nobody gets a body by claiming it."""

    org_id: str

    def holds(self, org_id: str | None, held: Records, after: Records) -> bool:
        climbed: set[str] = set()
        while org_id is not None and org_id not in climbed:
            if org_id == self.org_id:
                return True
            climbed.add(org_id)
            one = held.organisations.get(org_id) or after.organisations.get(org_id)
            org_id = None if one is None else one.parent_id
        return False

    def faults(self, plan: Plan, held: Records, after: Records, given: Given) -> tuple[Fault, ...]:
        """Every change of the plan that is not theirs to make, at its row."""
        return tuple(
            _at(given, change, column, code)
            for change in plan.changes
            for column, code in self._faults(change, held, after)
        )

    def _faults(self, change: IdentityChange, held: Records, after: Records) -> Iterator[tuple[str, str]]:
        before, now = change.before, change.after
        if not all(self.holds(one.org_id, held, after) for one in (before, now) if one is not None):
            yield "org_id", "ORGANISATION_BEYOND"
        elif isinstance(now, Organisation):
            yield from self._organisation(before, now, held, after)
        elif isinstance(now, PostRecord | OfficerEntry):
            if PLATFORM_ROLES & (now.roles - (before.roles if before is not None else frozenset())):
                yield "roles", "PLATFORM_ROLE"
        elif isinstance(now, DeviceEntry) and not self._holder(now, held, after):
            yield "officer", "ORGANISATION_BEYOND"

    def _holder(self, device: DeviceEntry, held: Records, after: Records) -> bool:
        return device.login is None or self.holds(after.officers[device.login].org_id, held, after)

    def _organisation(
        self, before: Organisation | None, now: Organisation, held: Records, after: Records
    ) -> Iterator[tuple[str, str]]:
        own = held.organisations.get(self.org_id)
        if now.org_id == self.org_id:
            changed = [
                name for name in Organisation.__dataclass_fields__ if getattr(before, name, None) != getattr(now, name)
            ]
            yield from ((name, "OWN_ORGANISATION") for name in changed if name not in _OF_ONES_OWN)
            return
        if not self.holds(now.parent_id, held, after):
            yield "parent_id", "ORGANISATION_BEYOND"
        kinds = {one.kind for one in held.organisations.values() if self.holds(one.org_id, held, held)}
        if (before is None or before.kind != now.kind) and now.kind not in kinds:
            yield "kind", "KIND_BEYOND"
        if own is not None and not now.jurisdiction.startswith(own.jurisdiction):
            yield "jurisdiction", "JURISDICTION_BEYOND"
        if own is not None and now.purposes - (before.purposes if before is not None else frozenset()) - own.purposes:
            yield "purposes", "PURPOSE_BEYOND"


def _at(given: Given, change: IdentityChange, column: str, code: str) -> Fault:
    kind, named = _named(change.after)
    for cells in given.rows.get(kind, ()):
        if all(cells.values.get(name, "").strip().lower() == value.lower() for name, value in named.items()):
            return cells.fault(column, code)
    return Fault("", 0, 0, column, code)


def _named(record: Any) -> tuple[str, dict[str, str]]:
    match record:
        case Organisation():
            return "organisations", {"org_id": record.org_id}
        case PostRecord():
            return "posts", {"org_id": record.org_id, "code": record.code}
        case OfficerEntry():
            return "officers", {"login": record.login}
    return "devices", {"device_id": record.device_id}
