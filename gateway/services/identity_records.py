"""What an import means once it is read: posts, officers, devices as records, and the state they are laid over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.services.identities import Organisation


@dataclass(frozen=True, slots=True)
class PostRecord:
    """A post of one organisation, with what whoever holds it may do and claim. `to`: the first instant it is gone."""

    org_id: str
    code: str
    title_zh: str
    title_en: str = ""
    roles: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()
    from_: datetime | None = None
    to: datetime | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.org_id, self.code


@dataclass(frozen=True, slots=True)
class HeldPost:
    """A post in somebody's hands, for a time."""

    code: str
    from_: datetime | None = None
    to: datetime | None = None


@dataclass(frozen=True, slots=True)
class OfficerEntry:
    """An officer as imported. `subject_id` is of the officer's own ID number; the number itself is not kept here."""

    login: str
    org_id: str
    name: str = field(repr=False)
    posts: frozenset[HeldPost] = frozenset()
    roles: frozenset[str] = frozenset()
    external_id: str | None = None
    subject_id: str | None = None
    active: bool = True
    user_id: str = ""  # '' until the store has made one


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """A device and who has it now: an officer, a person, or nobody."""

    device_id: str
    kind: str
    org_id: str
    login: str | None = None
    subject_id: str | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """Organisations by org_id, posts by (org_id, code), officers by login, devices by device_id."""

    organisations: Mapping[str, Organisation] = field(default_factory=dict)
    posts: Mapping[tuple[str, str], PostRecord] = field(default_factory=dict)
    officers: Mapping[str, OfficerEntry] = field(default_factory=dict)
    devices: Mapping[str, DeviceEntry] = field(default_factory=dict)


def standing(records: Records, login: str, now: datetime) -> object:
    """What tokens say of an officer, as something to compare: another value = the grants made before must go."""
    officer = records.officers.get(login)
    if officer is None:
        return None
    organisation = records.organisations[officer.org_id]
    if not (officer.active and organisation.active):
        return False
    held = [
        (one, post)
        for one in officer.posts
        if (post := records.posts.get((officer.org_id, one.code))) is not None
        and _runs(one.from_, one.to, now)
        and _runs(post.from_, post.to, now)
    ]
    return (
        officer.org_id,
        organisation.kind,
        organisation.jurisdiction,
        officer.roles.union(*(post.roles for _, post in held)),
        frozenset(post.code for _, post in held),
        frozenset[str]().union(*(post.purposes for _, post in held)),
        officer.subject_id,
        # An end that moved: what was granted until then may now be too long.
        frozenset(end for one, post in held for end in (one.to, post.to) if end is not None),
    )


def _runs(begin: datetime | None, end: datetime | None, now: datetime) -> bool:
    return (begin is None or begin <= now) and (end is None or now < end)
