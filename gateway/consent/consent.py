"""A consent: what was asked, what became of it, and what can never be asked of a person by consent at all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.clock import CIVIL
from gateway.errors import GatewayError


class ConsentState(StrEnum):
    """The state of a consent is that of its last event."""

    REQUESTED = "requested"
    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"  # not answered in time, or past its end
    SUPERSEDED = "superseded"  # by a newer one for the same grantee and purpose


ENDS = frozenset({ConsentState.WITHDRAWN, ConsentState.EXPIRED, ConsentState.SUPERSEDED})

ONE_TIME = "one_time"
RECURRING = "recurring"
MOST_ITEMS = 50
MOST_PER_DAY = 100

_ITEM = re.compile(r"[a-z][A-Za-z0-9]{0,63}\.[a-z][A-Za-z0-9]{0,63}")

NEVER_NOUNS = frozenset({"correctionCase", "legalDocument", "monitoringOrder", "aftercare", "person"})
"""Judgments, penalties, orders and help plans: case work, never a partner's. What a person may prove of them, they carry."""

NEVER_FIELDS = frozenset(
    {
        "identity.photoHash", "identity.ethnicity", "identity.usedNames", "identity.phone",
        "residence.landlordMasked", "residence.permitNo",
    }
)  # fmt: skip
"""Biometrics, ethnicity, other people's data, and what nobody needs for a decision."""

_NEVER_WORDS = frozenset(
    {
        "location", "position", "latitude", "longitude", "lat", "lon", "track", "geofence", "device",
        "biometric", "face", "fingerprint", "photo", "iris", "voiceprint", "gene",
        "medical", "illness", "disease", "diagnosis", "pregnancy", "disability", "health",
        "religion", "ethnicity", "family", "relative", "penalty", "penalties", "punishment", "sanction",
        "judgment", "crime", "charge", "sentence", "wage",
    }
)  # fmt: skip
"""Words that a declared noun or field may not carry to a partner, whatever its manifest says (征信业管理条例 Art. 14;
PIPL Art. 28; 治安管理处罚法 Art. 136; 社区矫正法 Art. 29). Word by word of a camelCase name."""

NO_SCORE = ("EMPLOYER", "scoreAssessment")
"""An employer gets no score, whoever agrees (社区矫正法 Art. 4)."""

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


@dataclass(frozen=True, slots=True)
class ItemTitle:
    """What a leaf field is called for people: the noun's title, then the field's own."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Terms:
    """Exactly what a grantee asks for. `items` are leaf fields, "noun.field", sorted, none twice."""

    client_id: str
    org_id: str
    purpose: str
    items: tuple[str, ...]
    starts_at: datetime
    until: datetime
    mode: str  # one_time | recurring
    max_per_day: int  # 1 for one_time
    reference: str


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """One line of the record. `notice_*` and `language` only where something was shown and answered."""

    state: ConsentState
    at: datetime
    by: str  # grantee | principal | system
    method: str  # api | one_time_code | device | clock | newer_consent
    notice_version: str | None = None
    notice_sha256: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """The record with its events in order, at least one."""

    consent_id: str
    request_id: str
    subject_id: str | None  # None where nobody has looked yet
    terms: Terms
    asked_at: datetime
    answer_by: datetime
    events: tuple[ConsentEvent, ...]

    @property
    def state(self) -> ConsentState:
        return self.events[-1].state

    @property
    def given(self) -> ConsentEvent | None:
        return next((event for event in self.events if event.state is ConsentState.GIVEN), None)

    def in_force(self, now: datetime) -> bool:
        return self.state is ConsentState.GIVEN and self.terms.starts_at <= now < self.terms.until

    def open(self, now: datetime) -> bool:
        """Whether the person may still answer."""
        return self.state is ConsentState.REQUESTED and now < self.answer_by and now < self.terms.until


class TermsRefused(GatewayError):
    """What was asked cannot be consented to; `item` is the leaf at fault where there is one."""

    code = "CONSENT_TERMS_REFUSED"

    def __init__(self, why: str, item: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.item = item


class ReferenceTaken(GatewayError):
    """The reference already stands for another request of this client."""

    code = "CONSENT_REFERENCE_TAKEN"


def checked_items(items: Sequence[str], known: Mapping[str, ItemTitle], org_kind: str) -> tuple[str, ...]:
    """`items` sorted. Raises TermsRefused for none, too many, one twice, a wildcard, one that does not exist in the
    schema, or one that never leaves for a partner, or for one of this kind.
    """
    if not items or len(items) > MOST_ITEMS or len(set(items)) != len(items):
        raise TermsRefused("items_count")
    for item in items:
        if not _ITEM.fullmatch(item):
            raise TermsRefused("item_form")  # not repeated: it may be any text
        if item not in known or never_for_partners(item) or (org_kind, item.partition(".")[0]) == NO_SCORE:
            raise TermsRefused("item_not_shareable", item)
    return tuple(sorted(items))


def never_for_partners(item: str) -> bool:
    """Whether `item` may not be shared with a partner under any consent."""
    noun, _, field = item.partition(".")
    if noun in NEVER_NOUNS or item in NEVER_FIELDS:
        return True
    return any(word.lower() in _NEVER_WORDS for word in _WORDS.findall(f"{noun} {field}"))


def checked_use(mode: str, max_per_day: int | None) -> tuple[str, int]:
    """Raises TermsRefused unless it is once, or recurring with a daily limit."""
    if mode == ONE_TIME and max_per_day in (None, 1):
        return mode, 1
    if mode == RECURRING and max_per_day is not None and 1 <= max_per_day <= MOST_PER_DAY:
        return mode, max_per_day
    raise TermsRefused("mode")


def checked_end(until: datetime, now: datetime, longest: timedelta) -> datetime:
    """Raises TermsRefused for an end that is naive, past, or further away than the deployment allows."""
    if until.tzinfo is None or not now < until <= now + longest:
        raise TermsRefused("until")
    return until


def civil_day(at: datetime) -> int:
    """The civil day in China that `at` falls on, in days since 1970-01-01; what "a day" is for a daily limit."""
    return at.astimezone(CIVIL).date().toordinal() - _FIRST_DAY


_FIRST_DAY = datetime(1970, 1, 1).toordinal()  # noqa: DTZ001  (a date, no instant)
