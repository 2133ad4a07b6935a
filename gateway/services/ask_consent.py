"""A partner asks a person for consent. What the partner learns is the same whoever the person is: that it was sent.

Asking looks at the request and at nobody: who the ID number is, whether they have a phone here, whether they are sealed,
all that a job finds out afterwards. A person that cannot be reached, or said no, stays PENDING until the time to answer
is over, and is ENDED then, like one who never answered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from adapters.identity import fold_name, is_readable, normalise_id
from gateway.caller import Caller, CallerKind, Jobs
from gateway.clock import Clock
from gateway.consent.consent import (
    Consent,
    ConsentState,
    Terms,
    TermsRefused,
    checked_end,
    checked_items,
    checked_use,
)
from gateway.consent.ports import Asked, Consents
from gateway.errors import RequestRefused
from gateway.oauth.ports import Clients
from gateway.oauth.terms import CONSENT_SCOPE
from gateway.policy.claim import claimed
from gateway.policy.purposes import PurposeRegister, PurposeRule
from gateway.services.client_limits import ClientLimits
from gateway.services.reach_person import SEND
from gateway.services.words import Words

ASKING_COSTS, LOOKING_COSTS = 50, 1
"""Of the client's own budget, in the units of a query's cost: a message to a person's phone is dear."""

_LONGEST_REFERENCE = 100
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """What a partner sends; shapes are checked, contents are not."""

    id_no: str = field(repr=False)
    name: str = field(repr=False)
    purpose: str
    datatypes: Sequence[str]
    until: datetime
    mode: str
    max_per_day: int | None
    reference: str


class AskConsent:
    """The partner's two questions: please ask this person, and what became of it."""

    def __init__(
        self,
        consents: Consents,
        clients: Clients,
        jobs: Jobs,
        words: Words,
        purposes: Callable[[], PurposeRegister],
        clock: Clock,
        limits: ClientLimits,
        *,
        longest: timedelta,
        answer_within: timedelta,
    ) -> None:
        self._consents, self._clients, self._jobs = consents, clients, jobs
        self._words, self._purposes, self._clock = words, purposes, clock
        self._limits = limits
        self._longest, self._answer_within = longest, answer_within

    async def __call__(self, caller: Caller, request: ConsentRequest) -> str:
        """The request's id. Raises RequestRefused, TermsRefused, ReferenceTaken; none of them depends on the person."""
        check_asker(caller)
        await self._limits.admit(caller, ASKING_COSTS)
        now = self._clock.now()
        terms = Terms(
            client_id=caller.client_id,
            org_id=caller.org_id,
            purpose=request.purpose,
            items=await self._items(caller, request),
            starts_at=now,
            until=checked_end(request.until, now, self._longest),
            mode=(use := checked_use(request.mode, request.max_per_day))[0],
            max_per_day=use[1],
            reference=self._reference(request),
        )
        request_id, consent_id = await self._consents.ask(terms, _asked(request), now + self._answer_within)
        # For every request alike, a repeated one too: the job finds out that there is nothing left to do.
        await self._jobs.enqueue(SEND, {"consent_id": consent_id}, run_at=now, unique_key=consent_id)
        return request_id

    async def state(self, caller: Caller, request_id: str) -> dict[str, Any]:
        """PENDING | GIVEN | ENDED, for whoever asked. Raises RequestRefused NOT_FOUND for anybody else's request."""
        check_asker(caller)
        await self._limits.admit(caller, LOOKING_COSTS)
        consent = await self._consents.request(caller.client_id, request_id)
        if consent is None:
            raise RequestRefused("NOT_FOUND")
        return told(consent, self._clock.now())

    async def _items(self, caller: Caller, request: ConsentRequest) -> tuple[str, ...]:
        """Within what this client is registered for, as it is registered now."""
        rule, client = self._purposes().get(request.purpose), await self._clients.find(caller.client_id)
        if rule is None or client is None or request.purpose not in client.purposes:
            raise TermsRefused("purpose")
        if caller.org_kind not in rule.org_kinds:
            raise TermsRefused("purpose")
        items = checked_items(request.datatypes, self._words.titles(), caller.org_kind)
        for item in items:
            if not _reaches(rule, item):
                raise TermsRefused("item_not_for_purpose", item)
        return items

    def _reference(self, request: ConsentRequest) -> str:
        """It is kept for good, so it is held to what a claim's reference is: a mark of papers, no ID number."""
        text = request.reference.strip()
        said = {"code": request.purpose, "reference": text}
        if not 0 < len(text) <= _LONGEST_REFERENCE or not text.isprintable() or claimed(said, self._purposes()) is None:
            raise TermsRefused("reference")
        return text


def check_asker(caller: Caller) -> None:
    """A partner's own client with the scope for it. Bodies that act by duty cannot even ask: consent is no ground of
    theirs and must not be made to look like one (PIPL Art. 13(3)). Raises RequestRefused.
    """
    if caller.kind is not CallerKind.PARTNER:
        raise RequestRefused("CONSENT_NOT_YOURS_TO_ASK")
    if CONSENT_SCOPE not in caller.scope:
        raise RequestRefused("INSUFFICIENT_SCOPE")


def told(consent: Consent, now: datetime) -> dict[str, Any]:
    """What the asking client may know. Until the time to answer is over, no answer and a no look the same; after it,
    so do a no, no answer and a consent that has ended.
    """
    if consent.in_force(now):
        terms = consent.terms
        return {
            "state": "GIVEN",
            "consent_id": consent.consent_id,
            "datatypes": list(terms.items),
            "purpose": terms.purpose,
            "until": terms.until.isoformat().replace("+00:00", "Z"),
            "mode": terms.mode,
            "max_per_day": terms.max_per_day,
        }
    unanswered = consent.state in (ConsentState.REQUESTED, ConsentState.REFUSED)
    if unanswered and now < min(consent.answer_by, consent.terms.until):
        return {"state": "PENDING"}
    return {"state": "ENDED"}


def _asked(request: ConsentRequest) -> Asked:
    number = normalise_id(request.id_no)
    if number is None or not number.checksum_ok or not number.date_ok:
        raise RequestRefused("BAD_ID")
    if len(request.name) > _LONGEST_NAME or not is_readable(fold_name(request.name)):
        raise RequestRefused("BAD_NAME")
    return Asked(number.value18, request.name)


def _reaches(rule: PurposeRule, item: str) -> bool:
    noun, _, name = item.partition(".")
    if noun not in rule.nouns:
        return False
    fields = rule.nouns[noun]
    return fields is None or name in fields
