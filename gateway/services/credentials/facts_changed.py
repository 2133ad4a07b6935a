"""A source says of whom a fact changed; what rests on it is looked at now. It is told nothing: not whom we know, not what
there was to look at."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from adapters.identity import normalise_id
from credentials.credential_type import CredentialType
from gateway.caller import Caller, CallerKind, Change, Evidence, Subjects
from gateway.clock import Clock
from gateway.errors import RequestRefused
from gateway.oauth.terms import FACTS_SCOPE
from gateway.services.client_limits import ClientLimits
from gateway.services.refusals import refusal_event

MOST = 500
"""Persons in one call."""
_PURPOSE = "FACTS_CHANGED"


@dataclass(frozen=True, slots=True)
class FactChange:
    id_no: str = field(repr=False)  # as the source writes it, 15 or 18 characters
    noun: str


class HastenMany(Protocol):
    async def hasten_many(self, of: Mapping[tuple[str, ...], Sequence[str]], change: Change) -> None:
        """Types -> the persons whose batches of these types are looked at now, with one record of who said so."""
        ...


class FactsChanged:
    def __init__(
        self,
        issued: HastenMany,
        subjects: Subjects,
        types: Mapping[str, CredentialType],
        limits: ClientLimits,
        evidence: Evidence,
        clock: Clock,
    ) -> None:
        self._issued, self._subjects, self._types, self._limits = issued, subjects, types, limits
        self._evidence, self._clock = evidence, clock

    async def __call__(self, caller: Caller, changes: Sequence[FactChange]) -> None:
        """Raises RequestRefused: FORBIDDEN, INSUFFICIENT_SCOPE, BAD_ID, BAD_VALUE, and those of the client's limits."""
        if caller.kind is not CallerKind.SYSTEM or FACTS_SCOPE not in caller.scope:
            await self._evidence.record(refusal_event(caller, self._clock.now(), _PURPOSE, "default-deny"))
            raise RequestRefused("FORBIDDEN" if caller.kind is not CallerKind.SYSTEM else "INSUFFICIENT_SCOPE")
        if len(changes) > MOST:
            raise RequestRefused("BAD_VALUE")
        numbers = [_number(one.id_no) for one in changes]
        await self._limits.admit(caller, len(changes))
        # The same statements whoever they are, and nobody is made by being named.
        known = await self._subjects.recognise(numbers, reader=caller.org_id)
        of: dict[tuple[str, ...], set[str]] = {}
        for subject_id, one in zip(known, changes, strict=True):
            of.setdefault(self._resting_on(one.noun), set()).add(subject_id)
        nouns = Counter(one.noun if self._resting_on(one.noun) else "OTHER" for one in changes)
        told = Change(
            "CREDENTIAL_FACTS_CHANGED",
            secrets.token_hex(16),
            caller.org_id,
            caller.user_id,
            None,
            {"nouns": dict(nouns)},
        )
        await self._issued.hasten_many({types: sorted(who) for types, who in of.items()}, told)

    def _resting_on(self, noun: str) -> tuple[str, ...]:
        return tuple(sorted(one.id for one in self._types.values() if noun in one.facts))


def _number(text: str) -> str:
    number = normalise_id(text)
    if number is None or not number.checksum_ok or not number.date_ok:
        raise RequestRefused("BAD_ID")
    return number.value18
