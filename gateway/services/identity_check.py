"""From cells to records laid over what is held already, with every fault found on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from gateway.policy.purposes import PurposeRegister
from gateway.services import identity_values as values
from gateway.services.identities import DEVICE_KINDS, PUBLIC_KINDS, Organisation
from gateway.services.identity_records import DeviceEntry, OfficerEntry, PostRecord, Records
from gateway.services.identity_rows import REQUIRED, Cells, Fault, Given
from gateway.services.identity_values import Wrong

_T = TypeVar("_T")
ById = Mapping[str, str]
"""Normalised ID number -> subject_id, of every number the import names."""


class Check:
    """One import's records. `faults` is complete once `laid_over` has run; `id_numbers` is what to intern before."""

    def __init__(self, given: Given, register: PurposeRegister | None = None) -> None:
        self._given, self._register = given, register
        self.faults: list[Fault] = list(given.faults)
        self.id_numbers: dict[str, None] = {}
        self._organisations: dict[str, tuple[Cells, Organisation]] = {}
        self._posts: dict[tuple[str, str], tuple[Cells, PostRecord]] = {}
        self._officers: dict[str, tuple[Cells, OfficerEntry, str | None]] = {}
        self._devices: dict[str, tuple[Cells, DeviceEntry, str | None]] = {}
        for cells in given.rows.get("organisations", ()):
            self._organisation(cells)
        for cells in given.rows.get("posts", ()):
            self._post(cells)
        for cells in given.rows.get("officers", ()):
            self._officer(cells)
        for cells in given.rows.get("devices", ()):
            self._device(cells)

    def laid_over(self, held: Records, subjects: ById) -> Records:
        """What would be held afterwards; only to be used where `faults` is empty."""
        after = Records(
            {**held.organisations, **{key: one for key, (_, one) in self._organisations.items()}},
            {**held.posts, **{key: one for key, (_, one) in self._posts.items()}},
            {
                **held.officers,
                **{key: self._known(held, one, id_no, subjects) for key, (_, one, id_no) in self._officers.items()},
            },
            {
                **held.devices,
                **{
                    key: replace(one, subject_id=subjects[id_no] if id_no else None)
                    for key, (_, one, id_no) in self._devices.items()
                },
            },
        )
        self._together(after)
        return after

    @staticmethod
    def _known(held: Records, entry: OfficerEntry, id_no: str | None, subjects: ById) -> OfficerEntry:
        """With its id; an ID number that is left out this time is kept, since officers do not lose theirs."""
        before = held.officers.get(entry.login)
        subject_id = subjects[id_no] if id_no else before.subject_id if before else None
        return replace(entry, subject_id=subject_id, user_id=before.user_id if before else "")

    def _organisation(self, cells: Cells) -> None:
        read = _Reader(cells, self.faults)
        one = Organisation(
            org_id=read("org_id", values.org_id, ""),
            name_zh=read("name_zh", values.text, ""),
            kind=(kind := read("kind", values.code, "")),
            name_en=read("name_en", values.text, ""),
            uscc=read("uscc", values.uscc, None),
            jurisdiction=(jurisdiction := read("jurisdiction", values.jurisdiction, "")),
            parent_id=read("parent_id", lambda said: values.org_id(said) if said else None, None),
            agency_keys=read("agency_keys", values.agency_keys, {"keys": []}),
            purposes=read("purposes", values.codes, frozenset()),
            active=read("active", values.yes, True),
        )
        if kind in PUBLIC_KINDS and not jurisdiction and not read.failed("jurisdiction"):
            read.fault("jurisdiction", "JURISDICTION_MISSING")
        self._put(self._organisations, one.org_id, (cells, one), cells, "org_id")

    def _post(self, cells: Cells) -> None:
        read = _Reader(cells, self.faults)
        begin = read("from", values.begins, None)
        end = read("to", values.ends, None)
        if begin is not None and end is not None and end <= begin:
            read.fault("to", "PERIOD")
        one = PostRecord(
            org_id=read("org_id", values.org_id, ""),
            code=read("code", values.code, ""),
            title_zh=read("title_zh", values.text, ""),
            title_en=read("title_en", values.text, ""),
            roles=read("roles", values.codes, frozenset()),
            purposes=read("purposes", values.codes, frozenset()),
            from_=begin,
            to=end,
        )
        self._put(self._posts, one.key if all(one.key) else "", (cells, one), cells, "code")

    def _officer(self, cells: Cells) -> None:
        read = _Reader(cells, self.faults)
        one = OfficerEntry(
            login=read("login", values.login, ""),
            org_id=read("org_id", values.org_id, ""),
            name=read("name", values.text, ""),
            posts=read("posts", values.held_posts, frozenset()),
            roles=read("roles", values.codes, frozenset()),
            external_id=read("external_id", values.external_id, None),
            active=read("active", values.yes, True),
        )
        id_no = self._id_no(read("id_no", values.id_no, None))
        self._put(self._officers, one.login, (cells, one, id_no), cells, "login")

    def _device(self, cells: Cells) -> None:
        read = _Reader(cells, self.faults)
        one = DeviceEntry(
            device_id=read("device_id", values.device_id, ""),
            kind=(kind := read("kind", values.code, "")),
            org_id=read("org_id", values.org_id, ""),
            login=read("officer", lambda said: values.login(said) if said else None, None),
        )
        id_no = self._id_no(read("person_id_no", values.id_no, None))
        if kind and kind not in DEVICE_KINDS:
            read.fault("kind", "DEVICE_KIND")
        if one.login is not None and id_no is not None:
            read.fault("person_id_no", "DEVICE_HOLDER")
        self._put(self._devices, one.device_id, (cells, one, id_no), cells, "device_id")

    def _id_no(self, id_no: str | None) -> str | None:
        if id_no is not None:
            self.id_numbers[id_no] = None
        return id_no

    def _put(self, place: dict[Any, Any], key: Any, entry: Any, cells: Cells, name: str) -> None:
        if not key:
            return  # its own fault is noted
        if key in place:
            self.faults.append(cells.fault(name, "TWICE"))
        place.setdefault(key, entry)

    def _together(self, after: Records) -> None:
        """What only shows between records."""
        codes = _several(other.uscc for other in after.organisations.values())
        for cells, one in self._organisations.values():
            if one.parent_id is not None and one.parent_id not in after.organisations:
                self.faults.append(cells.fault("parent_id", "NO_SUCH_ORGANISATION"))
            elif _above_itself(one.org_id, after.organisations):
                self.faults.append(cells.fault("parent_id", "PARENT_CIRCLE"))
            self._purposes(cells, one.purposes, one)
            if one.uscc in codes:
                self.faults.append(cells.fault("uscc", "TAKEN"))
        for cells, post in self._posts.values():
            if post.org_id not in after.organisations:
                self.faults.append(cells.fault("org_id", "NO_SUCH_ORGANISATION"))
            else:
                self._purposes(cells, post.purposes, after.organisations[post.org_id])
        accounts = _several(other.external_id for other in after.officers.values())
        for cells, officer, _ in self._officers.values():
            if officer.org_id not in after.organisations:
                self.faults.append(cells.fault("org_id", "NO_SUCH_ORGANISATION"))
            elif any((officer.org_id, held_post.code) not in after.posts for held_post in officer.posts):
                self.faults.append(cells.fault("posts", "NO_SUCH_POST"))
            if officer.external_id in accounts:
                self.faults.append(cells.fault("external_id", "TAKEN"))
        for cells, device, _ in self._devices.values():
            if device.org_id not in after.organisations:
                self.faults.append(cells.fault("org_id", "NO_SUCH_ORGANISATION"))
            if device.login is not None and device.login not in after.officers:
                self.faults.append(cells.fault("officer", "NO_SUCH_OFFICER"))

    def _purposes(self, cells: Cells, claimed: frozenset[str], organisation: Organisation) -> None:
        for code in sorted(claimed) if self._register is not None else ():
            rule = self._register.get(code) if self._register is not None else None
            if rule is None:
                self.faults.append(cells.fault("purposes", "PURPOSE_UNKNOWN"))
            elif rule.org_kinds and organisation.kind not in rule.org_kinds:
                self.faults.append(cells.fault("purposes", "PURPOSE_KIND"))


class _Reader:
    """Reads one row's cells; what is wrong with one is noted, and the rest is read all the same."""

    def __init__(self, cells: Cells, faults: list[Fault]) -> None:
        self._cells, self._faults = cells, faults
        self._required = REQUIRED[cells.file.removesuffix(".csv")]
        self._failed: set[str] = set()

    def __call__(self, name: str, value: Callable[[str], _T], otherwise: _T) -> _T:
        said = self._cells.values.get(name, "")
        if not said and name in self._required:
            self.fault(name, "MISSING")
            return otherwise
        try:
            return value(said)
        except Wrong as wrong:
            self.fault(name, wrong.code)
            return otherwise

    def fault(self, name: str, code: str) -> None:
        self._failed.add(name)
        self._faults.append(self._cells.fault(name, code))

    def failed(self, name: str) -> bool:
        return name in self._failed


def _above_itself(org_id: str, organisations: Mapping[str, Organisation]) -> bool:
    seen: set[str] = set()
    above: str | None = org_id
    while above is not None and above in organisations and above not in seen:
        seen.add(above)
        above = organisations[above].parent_id
    return above == org_id


def _several(values_: Iterable[str | None]) -> frozenset[str]:
    """What more than one record has."""
    return frozenset(one for one, count in Counter(values_).items() if one is not None and count > 1)
