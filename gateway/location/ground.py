"""The only way to ask where a device is: a ground, which corrections work under a live order alone can have.

A request is made of a `LocationGround`, and a ground is made by `ground_of` alone: there is no value a partner's, a
system's or a score's code could hand over. The import contracts of `pyproject.toml` keep such code out of this room
altogether, and the schema takes no noun and no field that names a place on the map, so that no query can ask for one.

Source: Community Corrections Law, Article 29.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, final

from gateway.caller import Caller, CallerKind
from gateway.policy.facts import CaseLink, Relationship, Seal, SubjectFacts

_CORRECTIONS = frozenset({"CORRECTION_AGENCY", "JUSTICE_OFFICE"})
_KEY: Final = object()


@final
class LocationGround:
    """One officer's ground towards one person, as of one moment; good for that moment only."""

    __slots__ = ("as_of", "org_id", "subject_id", "user_id")

    def __init__(self, key: object, caller: Caller, subject_id: str, as_of: datetime) -> None:
        if key is not _KEY:
            raise TypeError("a ground is given by ground_of, never made")
        self.user_id, self.org_id, self.subject_id, self.as_of = caller.user_id, caller.org_id, subject_id, as_of


@dataclass(frozen=True, slots=True)
class LocationRequest:
    """Fixes of the ground's own person between two instants."""

    ground: LocationGround
    since: datetime
    until: datetime


class Locations(Protocol):
    """Whoever keeps fixes answers nothing but this."""

    async def fixes(self, request: LocationRequest) -> object: ...


def ground_of(caller: Caller, subject_id: str, facts: SubjectFacts, as_of: datetime) -> LocationGround | None:
    """The ground, or None: an assigned corrections officer; police once contact is lost or an offence is in progress; the
    procuratorate on a case. All of them only while an order is live, and none towards kin, oneself or the sealed."""
    if caller.kind is not CallerKind.OFFICER or not facts.monitoring_order:
        return None
    if facts.relationship is not Relationship.NONE or (facts.seal is not Seal.NONE and not facts.unsealed):
        return None
    entitled = (
        (caller.org_kind in _CORRECTIONS and facts.case_link is CaseLink.ASSIGNED)
        or (caller.org_kind == "POLICE" and facts.case_link is not CaseLink.NONE and facts.out_of_contact)
        or (caller.org_kind == "PROCURATORATE" and facts.case_link is not CaseLink.NONE and facts.claimed_case)
    )
    return LocationGround(_KEY, caller, subject_id, as_of) if entitled else None
