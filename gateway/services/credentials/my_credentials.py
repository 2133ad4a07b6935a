"""A person's own documents: what each one says and would show, whether it stands, getting it again, ending it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from credentials.credential_type import ClaimType, CredentialType
from gateway.clock import Clock
from gateway.consent.notice import Both, in_words
from gateway.consent.persons import PersonSession
from gateway.errors import RequestRefused
from gateway.services.credentials.ports import CredentialState, Issued, IssuedCredentials
from gateway.services.words import Words

Again = Callable[[Issued], Awaitable[str]]
"""A fresh offer of the same document to the same person; the link to the wallet."""
_STATES = {
    CredentialState.VALID: Both("有效", "valid"),
    CredentialState.SUSPENDED: Both("暂停使用，正在核查", "suspended, being looked into"),
    CredentialState.REVOKED: Both("已失效", "revoked"),
}
_EXPIRED = Both("已过期", "expired")


@dataclass(frozen=True, slots=True)
class ClaimShown:
    """`always`: whoever is shown the document sees it; else it is shown only where the person ticks it."""

    name: Both
    value: str = field(repr=False)
    always: bool = False


@dataclass(frozen=True, slots=True)
class DocumentShown:
    """One batch, whatever number of copies a wallet holds of it."""

    batch_id: str
    name: Both
    body: Both
    state: Both
    live: bool
    issued: Both
    until: Both
    claims: tuple[ClaimShown, ...] = field(repr=False)
    sources: tuple[tuple[Both, Both | None], ...] = ()  # who said so, and as of when
    again: bool = True


class MyCredentials:
    """Whatever is not theirs is not there."""

    def __init__(
        self,
        issued: IssuedCredentials,
        types: Mapping[str, CredentialType],
        words: Words,
        source_name: Callable[[str], Both],
        again: Again,
        clock: Clock,
    ) -> None:
        self._issued, self._types, self._words, self._clock = issued, types, words, clock
        self._source_name, self._again = source_name, again

    async def all(self, person: PersonSession) -> Sequence[DocumentShown]:
        """The newest first; of one kind, those that have ended are told only where none of them stands."""
        batches: dict[str, Issued] = {}
        for one in await self._issued.of_person(person.subject_id):
            batches.setdefault(one.batch_id, one)
        now = self._clock.now()
        standing = {one.type_id for one in batches.values() if _stands(one, now)}
        told: dict[str, Issued] = {}
        for batch_id, one in batches.items():
            if _stands(one, now):
                told[batch_id] = one
            elif one.type_id not in standing:
                standing.add(one.type_id)
                told[batch_id] = one
        return [await self._shown(one, now) for one in told.values()]

    async def again(self, person: PersonSession, batch_id: str) -> str:
        """The link that leads on. Raises RequestRefused NOT_FOUND, and what offering raises."""
        return await self._again(await self._mine(person, batch_id))

    async def end(self, person: PersonSession, batch_id: str) -> None:
        """What has ended already stays so. Raises RequestRefused NOT_FOUND."""
        one = await self._mine(person, batch_id)
        await self._issued.set_state(one.batch_id, CredentialState.REVOKED, "BY_PERSON", actor_user="person")

    async def _mine(self, person: PersonSession, batch_id: str) -> Issued:
        found = [one for one in await self._issued.batch(batch_id) if one.subject_id == person.subject_id]
        if not found:
            raise RequestRefused("NOT_FOUND")
        return found[0]

    async def _shown(self, one: Issued, now: datetime) -> DocumentShown:
        known = self._types.get(one.type_id)
        remembered = orjson.loads(one.facts) if one.facts else {"claims": {}, "sources": []}
        claims = () if known is None else known.claims
        return DocumentShown(
            one.batch_id,
            Both(one.type_id, one.type_id) if known is None else Both(known.name.zh, known.name.en),
            await self._words.organisation(one.acting.org_id),
            _EXPIRED if one.state is CredentialState.VALID and one.valid_until <= now else _STATES[one.state],
            _stands(one, now),
            in_words(one.issued_at),
            in_words(one.valid_until),
            tuple(_claim(claim, remembered["claims"]) for claim in claims if claim.name in remembered["claims"]),
            tuple(dict.fromkeys(self._source(source) for source in remembered["sources"])),
            known is not None,
        )

    def _source(self, said: Mapping[str, Any]) -> tuple[Both, Both | None]:
        as_of = said["as_of"]
        return self._source_name(said["source"]), None if as_of is None else in_words(datetime.fromisoformat(as_of))


def _stands(one: Issued, now: datetime) -> bool:
    return one.state is not CredentialState.REVOKED and one.valid_until > now


def _claim(claim: ClaimType, values: Mapping[str, Any]) -> ClaimShown:
    value = values[claim.name]
    said = ("是 yes" if value else "否 no") if isinstance(value, bool) else str(value)
    return ClaimShown(Both(claim.label.zh, claim.label.en), said, claim.disclosed == "always")
