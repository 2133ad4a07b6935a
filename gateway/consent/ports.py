"""What decisions ask of consents, and what giving and withdrawing them asks of a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.caller import Caller
from gateway.consent.consent import Consent, ConsentState, Terms


@dataclass(frozen=True, slots=True)
class ConsentInForce:
    """A consent that holds for this grantee, purpose and person now. `items` are leaf fields, "noun.field"."""

    consent_id: str
    items: frozenset[str]
    until: datetime


class LiveConsents(Protocol):
    async def use(self, caller: Caller, purpose: str, subjects: Sequence[str]) -> Sequence[ConsentInForce | None]:
        """For a partner's question: the consent in force for each subject, read now (a withdrawal counts at once), with
        one use of it spent in one atomic statement; None where there is none, it ended, or today's uses are gone.

        Only consents named in the token's `details` count. `purpose` is the code that was claimed.
        """
        ...


@dataclass(frozen=True, slots=True)
class ConsentEnded:
    """A consent that was in force is no longer; whatever was derived from it must stop being used."""

    consent_id: str
    client_id: str
    subject_id: str
    state: ConsentState  # withdrawn | expired | superseded
    at: datetime


class OnConsentEnded(Protocol):
    """Those who must act when a consent ends: tokens are revoked, credentials' status flips, statements are recalled.

    Called after the end is durable, so it counts already for every live read. May be called again for the same consent.
    """

    async def __call__(self, ended: ConsentEnded) -> None: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a grantee names. Known only until somebody has looked who it is."""

    id_no: str = field(repr=False)  # normalised, 18 characters
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A request nobody has looked at yet: who was named, by whom, and until when an answer counts."""

    asked: Asked
    org_id: str
    answer_by: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's answer to a request: what was shown, by hash, and how we knew it was them."""

    state: ConsentState  # given | refused
    method: str  # one_time_code | device
    notice_version: str
    notice_sha256: str
    language: str
    receipt: str | None = field(default=None, repr=False)  # the signed receipt, with `given`


class Consents(Protocol):
    """The record of consents: events are added, nothing is changed."""

    async def ask(self, terms: Terms, asked: Asked, answer_by: datetime) -> tuple[str, str]:
        """(request id, consent id), durable. The same request again gives the first one's; who it names is not looked
        at, so the same statements run whoever it is. Raises ReferenceTaken where the reference is another request's.
        """
        ...

    async def unsettled(self, consent_id: str) -> Unsettled | None:
        """None once `settle` was called."""
        ...

    async def settle(self, consent_id: str, subject_id: str | None) -> None:
        """Write down whose request it is (None: nobody's), and forget the ID number and the name. The first call counts."""
        ...

    async def put_since(self, subject_id: str, org_id: str, since: datetime) -> tuple[int, int]:
        """How many settled requests asked since then are this person's: of that organisation, and of all."""
        ...

    async def request(self, client_id: str, request_id: str) -> Consent | None:
        """Only this client's own."""
        ...

    async def of_person(self, subject_id: str, consent_id: str) -> Consent | None:
        """Only this person's own."""
        ...

    async def all_of(self, subject_id: str) -> Sequence[Consent]:
        """Newest first."""
        ...

    async def answer(self, consent: Consent, answer: Answer) -> Sequence[ConsentEnded] | None:
        """None where it was answered already, or too late. Else the consents that a given one put an end to."""
        ...

    async def withdraw(self, subject_id: str, consent_id: str, method: str) -> ConsentEnded | None:
        """None where there is nothing of this person's to withdraw."""
        ...

    async def end_due(self) -> Sequence[ConsentEnded]:
        """Put down what time has ended; each is returned to one caller, with those of replicas side by side."""
        ...

    async def receipt(self, subject_id: str, consent_id: str) -> str | None: ...
