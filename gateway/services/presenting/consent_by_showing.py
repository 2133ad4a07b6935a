"""A consent given by showing: the holder's key signs the very words, and the credentials say whose key it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from gateway.clock import Clock
from gateway.consent.consent import Consent
from gateway.consent.notice import Notice, notice_of
from gateway.consent.persons import PersonSession
from gateway.consent.ports import Consents
from gateway.errors import RequestRefused
from gateway.services.credentials.ports import CredentialState
from gateway.services.presenting.issued_here import IssuedHere
from gateway.services.words import Words

METHOD = "presentation"


class GiveConsent(Protocol):
    """What `MyConsents` does for a person who is in."""

    async def give(self, person: PersonSession, consent_id: str, seen: str) -> None: ...


class ShowToConsent:
    """Implements `ConsentByShowing`. Whatever is not entirely sure is no consent."""

    def __init__(self, consents: Consents, words: Words, own: IssuedHere, give: GiveConsent, clock: Clock) -> None:
        self._consents, self._words, self._own, self._give, self._clock = consents, words, own, give, clock

    async def terms(self, client_id: str, request_id: str) -> Mapping[str, Any]:
        """See the port. The same whoever the person is, and whether anybody has looked who it is."""
        consent = await self._open(client_id, request_id)
        notice = await self._notice(consent)
        return {"consent_request": request_id, "notice": asdict(notice), "notice_sha256": notice.sha256}

    async def give(
        self, client_id: str, request_id: str, terms: Mapping[str, Any], places: Sequence[tuple[str, int]]
    ) -> str:
        """See the port. Raises RequestRefused CONSENT_NOT_THEIRS, CONSENT_CHANGED, CONSENT_CLOSED, NOT_FOUND."""
        consent = await self._open(client_id, request_id)
        subjects = {await self._holder(place) for place in places}
        if len(subjects) != 1 or consent.subject_id is None or subjects != {consent.subject_id}:
            raise RequestRefused("CONSENT_NOT_THEIRS")
        seen = terms.get("notice_sha256")
        if terms.get("consent_request") != request_id or not isinstance(seen, str):
            raise RequestRefused("CONSENT_CHANGED")
        person = PersonSession(consent.subject_id, "", METHOD, self._clock.now())
        await self._give.give(person, consent.consent_id, seen)
        return consent.consent_id

    async def _holder(self, place: tuple[str, int]) -> str | None:
        found = await self._own.at(place)
        return found.subject_id if found is not None and found.state is CredentialState.VALID else None

    async def _open(self, client_id: str, request_id: str) -> Consent:
        found = await self._consents.request(client_id, request_id)
        if found is None:
            raise RequestRefused("NOT_FOUND")
        if not found.open(self._clock.now()):
            raise RequestRefused("CONSENT_CLOSED")
        return found

    async def _notice(self, consent: Consent) -> Notice:
        """The very words of the person's own page. Raises RequestRefused where something has no name any more."""
        terms = consent.terms
        organisation = await self._words.organisation(terms.org_id)
        try:
            return notice_of(terms, organisation, self._words.purpose(terms.purpose), self._words.titles())
        except KeyError:
            raise RequestRefused("CONSENT_CHANGED") from None
