"""What showing asks of a store and of its neighbours. Every step is one atomic statement, also with two replicas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

CLERK = ""
"""`client_id` of a request a clerk made at the counter: then it is that clerk's alone."""


class Step(StrEnum):
    CREATED = "CREATED"
    FETCHED = "FETCHED"  # a wallet has the request; nothing else can be answered
    ANSWERED = "ANSWERED"  # and everything of the answer held
    REFUSED = "REFUSED"  # by the person or their wallet
    FAILED = "FAILED"  # an answer came that does not hold
    RETRIEVED = "RETRIEVED"  # whatever it was, whoever asked has it, and we have it no more


OPEN_STEPS = (Step.CREATED, Step.FETCHED)
DONE_STEPS = (Step.ANSWERED, Step.REFUSED, Step.FAILED)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Kept sealed. `encryption`: the private JWK of this request alone, with its `kid`. `kid`: of the key that signs the
    request, whose certificate `prefix` (the whole client identifier) is the hash of. `consent_request`: the partner's
    own request for consent that the answer gives, with `transaction_data` as the wallet is sent it."""

    encryption: Mapping[str, Any]
    prefix: str
    kid: str
    encrypted: bool
    transaction_data: str | None = None
    consent_request: str | None = None


@dataclass(frozen=True, slots=True)
class Presentation:
    """One request to show something. Whose wallet answers is never kept with it."""

    presentation_id: str
    request_ref: str = field(repr=False)
    response_ref: str = field(repr=False)
    client_id: str
    org_id: str
    actor_user: str
    template: str
    purpose: str
    file_mark: str
    dcql: Mapping[str, Any]
    profile: str
    same_device: bool
    return_to: str | None
    nonce: str = field(repr=False)
    state: str = field(repr=False)
    created_at: datetime
    expires_at: datetime
    secrets: Secrets | None = field(default=None, repr=False)  # None once it is over
    step: Step = Step.CREATED
    reason: str | None = None
    consent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended. `result`: what the asker gets, for ANSWERED only. `code`: the response code of the browser."""

    step: Step
    reason: str | None = None
    result: Mapping[str, Any] | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)
    consent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What whoever asked is given, the one time it is given."""

    presentation: Presentation
    step: Step
    reason: str | None
    result: Mapping[str, Any] | None = field(repr=False)


class Presentations(Protocol):
    async def add(self, presentation: Presentation) -> None:
        """With PRESENTATION_CREATED."""
        ...

    async def by_request(self, request_ref: str) -> Presentation | None:
        """While it is open, else None."""
        ...

    async def by_response(self, response_ref: str) -> Presentation | None:
        """Fetched, unanswered and in time, else None."""
        ...

    async def fetched(self, presentation_id: str) -> None: ...

    async def end(self, presentation_id: str, outcome: Outcome) -> bool:
        """True for the first answer to a request that was fetched and is in time, with PRESENTATION_ANSWERED."""
        ...

    async def find(self, presentation_id: str, client_id: str, actor_user: str | None) -> Presentation | None:
        """Only this client's own; a clerk's (client CLERK) only that clerk's."""
        ...

    async def take(
        self, presentation_id: str, client_id: str, actor_user: str | None, code: str | None
    ) -> Taken | None:
        """Once: the result goes with it, and PRESENTATION_RETRIEVED is written. None where there is nothing to take:
        unknown, somebody else's, unanswered, taken, past, or for the same device without its code."""
        ...

    async def purge(self) -> int:
        """What is past goes, result and all; how many."""
        ...


@dataclass(frozen=True, slots=True)
class Believed:
    """One presentation that held in every way but the query: signature, chain, dates, status, key binding.

    `issuer`: whom its key belongs to, in words. `place`: list uri and index, where it has a status. `status_at`: when the
    status was known, None where it has none. `issued_here`: by a key of our own issuer ring. `binding`: the claims of
    the key binding, None where it was not asked for.
    """

    format: str
    types: frozenset[str]
    claims: Mapping[str, Any] = field(repr=False)
    issuer: str
    place: tuple[str, int] | None
    status_at: datetime | None
    issued_here: bool
    authorities: frozenset[str] = frozenset()
    binding: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ToCheck:
    """What a presentation must be bound to."""

    format: str
    aud: str
    nonce: str
    bound: bool


class CheckPresentation(Protocol):
    async def __call__(self, text: str, against: ToCheck) -> Believed:
        """Raises CheckFailed with a code for whoever asked."""
        ...


class CheckFailed(Exception):
    """`why`: signature | chain | type | expired | not_yet | revoked | suspended | status_unknown | key_binding | format."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class OwnCredentials(Protocol):
    """What the issuer in us knows of what the verifier in us was shown; nothing of the showing is kept there."""

    async def fault(self, shown: Sequence[tuple[tuple[str, int], str]]) -> str | None:
        """Why credentials of ours, shown together, do not hold: revoked | suspended | status_unknown, as they stand this
        moment and not as a list said; not_issued: what we issued at this place is bound to another key, so that somebody
        else signed this with a key of ours; holders: they are not all of one person. None where they hold.

        `shown`: the place of each, and the thumbprint of its holder's key ("" for none)."""
        ...

    async def facts_as_of(self, place: tuple[str, int]) -> datetime | None:
        """When the oldest of the facts behind it was known."""
        ...


class Errands(Protocol):
    async def count(self, presentation_id: str, type_ids: Sequence[str], org_id: str) -> None:
        """A paper nobody had to fetch; each type of a presentation counts once. Whose it was is not said."""
        ...


class ConsentByShowing(Protocol):
    async def terms(self, client_id: str, request_id: str) -> Mapping[str, Any]:
        """What the wallet shows and the holder signs, of this client's own open request. Raises RequestRefused."""
        ...

    async def give(
        self, client_id: str, request_id: str, terms: Mapping[str, Any], places: Sequence[tuple[str, int]]
    ) -> str:
        """The consent's id. The holder is whose credentials stand at `places`: all of one person, the one who was asked.

        Raises RequestRefused where they are not, the words are others by now, or it is closed.
        """
        ...
