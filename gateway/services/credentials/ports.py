"""What the use cases of credentials ask of a store. Every single use is one atomic statement, also with two replicas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

PRE_AUTHORIZED, AUTHORIZATION_CODE = "pre-authorized_code", "authorization_code"
"""`flow` of an offer."""


@dataclass(frozen=True, slots=True)
class Acting:
    """The body on whose case and duty a credential rests; facts are asked for in its name, never in the person's."""

    org_id: str
    org_kind: str
    jurisdiction: str
    case_no: str | None = None


class OfferState(StrEnum):
    OPEN = "OPEN"
    REDEEMED = "REDEEMED"  # the code was exchanged for a token
    BURNT = "BURNT"  # too many wrong transaction codes
    CANCELLED = "CANCELLED"
    # Past its time is no state: `expires_at` says it.


class OfferOrigin(StrEnum):
    OFFICER = "OFFICER"
    BULK = "BULK"
    PERSON = "PERSON"  # from their own page: get it again
    FOLLOW = "FOLLOW"  # the fact changed and a fresh one is there


@dataclass(frozen=True, slots=True)
class Offer:
    """`reference` is what stands in the link and opens nothing by itself; the code is derived from `offer_id`."""

    offer_id: str
    reference: str = field(repr=False)
    subject_id: str
    configuration_ids: tuple[str, ...]
    flow: str
    tx_code: bool
    acting: Acting
    actor_user: str
    origin: OfferOrigin
    created_at: datetime
    expires_at: datetime
    state: OfferState = OfferState.OPEN
    bulk_id: str | None = None
    redeemed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of an offer's timeline: CREATED | SENT | OPENED | CODE_WRONG | REDEEMED | DEFERRED | ISSUED | STORED |
    FAILED | DELETED | BURNT | CANCELLED. Never where a credential was shown."""

    kind: str
    at: datetime


class Offers(Protocol):
    async def add(self, offer: Offer, *, code: str | None, tx_code: str | None) -> None:
        """Keep it with the hashes of its codes, and CREDENTIAL_OFFERED with it. Raises SubjectErased."""
        ...

    async def by_reference(self, reference: str) -> Offer | None:
        """Looking spends nothing, however often."""
        ...

    async def find(self, offer_id: str) -> Offer | None: ...

    async def of_person(self, subject_id: str) -> Sequence[Offer]: ...

    async def note(self, offer_id: str, kind: str) -> None:
        """One more line of the timeline; OPENED is written the first time only."""
        ...

    async def timeline(self, offer_id: str) -> Sequence[Moment]: ...

    async def cancel(self, offer_id: str, *, actor_org: str, actor_user: str) -> bool:
        """True for the first to end an open one."""
        ...


@dataclass(frozen=True, slots=True)
class HolderGrant:
    """What an access token of the credential endpoint stands for. `identifiers`: credential_identifier -> configuration,
    empty where the request had no authorization_details. `jkt`: the DPoP key it is bound to. `ended`: configurations of
    which somebody ended what came of it; it brings none of these any more."""

    grant_id: str
    subject_id: str
    acting: Acting
    configuration_ids: tuple[str, ...]
    identifiers: Mapping[str, str] = field(default_factory=dict)
    offer_id: str | None = None
    client_id: str = ""  # "": an anonymous wallet
    jkt: str | None = None
    expires_at: datetime | None = None
    ended: frozenset[str] = frozenset()


class CodeRefused(StrEnum):
    """Why a pre-authorized code bought nothing, for the standard's codes (OpenID4VCI 6.3)."""

    UNKNOWN = "UNKNOWN"  # or used, burnt, cancelled, past
    TX_CODE_WRONG = "TX_CODE_WRONG"
    TX_CODE_MISSING = "TX_CODE_MISSING"
    TX_CODE_UNEXPECTED = "TX_CODE_UNEXPECTED"
    NOT_OFFERED = "NOT_OFFERED"  # `NewToken.wanted` names what the offer does not


@dataclass(frozen=True, slots=True)
class NewToken:
    """An access token to be kept with its grant: `token` in clear goes in, its hash is kept."""

    grant_id: str
    token: str = field(repr=False)
    expires_at: datetime
    client_id: str = ""
    jkt: str | None = None
    identified: bool = False  # authorization_details were used: the answer names credential_identifiers
    wanted: tuple[str, ...] | None = None  # of the configurations offered these only; None: all of them


class HolderGrants(Protocol):
    async def redeem(self, code: str, tx_code: str | None, new: NewToken) -> HolderGrant | CodeRefused:
        """The offer's code for a token: exactly one of many at once wins, and the losers end nothing.

        `tx_code` is looked at first: a wrong one counts as a try and leaves the code; too many burn the offer.
        """
        ...

    async def offered(self, code: str) -> bool:
        """Whether it is the code of an offer that is open. A look that waits for nobody and spends nothing."""
        ...

    async def grant(self, grant: HolderGrant, new: NewToken) -> bool:
        """For the authorization code flow: grant and token, made elsewhere. Where it comes of an offer, that is redeemed by
        this, once; False where it is not open (any more), and then nothing is kept."""
        ...

    async def find(self, token: str) -> HolderGrant | None:
        """None where it is none, past, or its grant is revoked."""
        ...

    async def extend(self, grant_id: str, until: datetime) -> None:
        """While something is deferred the token must live."""
        ...

    async def revoke(self, grant_id: str) -> None: ...


class CredentialState(StrEnum):
    VALID = "VALID"
    SUSPENDED = "SUSPENDED"
    REVOKED = "REVOKED"


@dataclass(frozen=True, slots=True)
class Place:
    """A credential's place in a status list."""

    list_id: str
    index: int


@dataclass(frozen=True, slots=True)
class Issued:
    """One credential as we remember it. The credential itself is not kept, nor where it is shown.

    `facts` (canonical JSON of claims and their sources) is sealed under the person's key; `facts_digest` is keyed and tells
    whether they changed. A `batch_id` is one request of one wallet: all of a batch live and die together.
    """

    credential_id: str
    batch_id: str
    subject_id: str
    configuration_id: str
    type_id: str
    acting: Acting
    grant_id: str
    offer_id: str | None
    kid: str
    place: Place
    jkt: str
    issued_at: datetime
    valid_until: datetime
    facts: bytes = field(repr=False)
    facts_digest: bytes = field(repr=False)
    receipt_id: str = ""
    state: CredentialState = CredentialState.VALID
    reason: str | None = None
    state_at: datetime | None = None
    stored: str | None = None  # credential_accepted | credential_failure | credential_deleted, as the wallet said


class IssuedCredentials(Protocol):
    async def add(self, batch: Sequence[Issued], *, notification_id: str, next_check_at: datetime) -> None:
        """All of a batch with one CREDENTIAL_ISSUED (object: batch_id) and ISSUED in its offer's timeline, or none. Raises
        SubjectErased."""
        ...

    async def of_person(self, subject_id: str) -> Sequence[Issued]: ...

    async def batch(self, batch_id: str) -> Sequence[Issued]: ...

    async def at(self, place: Place) -> Issued | None: ...

    async def notified(self, grant_id: str, notification_id: str, event: str) -> str | None:
        """The batch_id, again and again the same; None where this grant has no such notification."""
        ...

    async def due(self, now: datetime, limit: int) -> Sequence[str]:
        """Batches whose facts are to be looked at again, claimed for a minute so that no other worker takes them."""
        ...

    async def checked(self, batch_id: str, next_check_at: datetime) -> None: ...

    async def set_state(
        self, batch_id: str, state: CredentialState, reason: str, *, actor_org: str = "", actor_user: str = "yimen"
    ) -> bool:
        """The whole batch with all its places in status lists, and CREDENTIAL_REVOKED | _SUSPENDED | _REINSTATED with it.

        REVOKED is final; False where nothing changed. `reason`: a code, e.g. FACT_CHANGED, DISPUTED, SEALED, DISCHARGED,
        CONSENT_ENDED, REPLACED, BY_PERSON, BY_OFFICER, ERASED, KEY_COMPROMISED.
        """
        ...

    async def hasten(self, subject_id: str | None, type_ids: Sequence[str] | None) -> int:
        """Something happened: look at these again now. How many batches."""
        ...


class StatusLists(Protocol):
    async def allot(self, count: int) -> Sequence[Place]:
        """Unused, random places; never used again, whatever becomes of what they were allotted for."""
        ...

    async def token(self, list_id: str) -> tuple[str, str] | None:
        """The signed token now in force and its ETag; made anew where a status changed or it is about to run out."""
        ...

    async def history(self, list_id: str, at: datetime) -> str | None:
        """The token as the list was at a moment past."""
        ...

    async def lists(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Deferred:
    """A credential request that waits for a source. `request`: configuration, format and holder keys, sealed while kept."""

    grant_id: str
    subject_id: str
    configuration_id: str
    request: Mapping[str, Any] = field(repr=False)
    retry_at: datetime
    expires_at: datetime


class DeferredRequests(Protocol):
    async def add(self, transaction_id: str, deferred: Deferred) -> None: ...

    async def number(self, like: Deferred) -> int:
        """How many of the same grant and configuration wait now."""
        ...

    async def find(self, transaction_id: str, grant_id: str) -> Deferred | None:
        """None where it is unknown, another grant's, delivered, denied or past."""
        ...

    async def waiting(self, key: str) -> Deferred | None:
        """The same for whoever works in the background: `key` is the SHA-256 of the transaction_id, in hex."""
        ...

    async def take(self, key: str, until: datetime) -> bool:
        """True for the first who comes once its time has: nobody else tries before `until`."""
        ...

    async def hold(self, key: str, deferred: Deferred) -> bool:
        """What was asked for is ready, and `deferred.request` holds it until it is fetched. False where it is closed."""
        ...

    async def close(self, transaction_id: str) -> bool:
        """True for the first: whoever closes it delivers."""
        ...


class FactsState(StrEnum):
    READY = "READY"  # the rule is met; `claims` are to be signed
    NOT_MET = "NOT_MET"  # the departments answered, and what they say does not carry the claim
    UNAVAILABLE = "UNAVAILABLE"  # somebody who matters did not answer: neither yes nor no
    DOUBTED = "DOUBTED"  # conflict between sources, a dispute, a match under review
    REFUSED = "REFUSED"  # policy: no ground (any more), sealed, unknown; all the same from outside


@dataclass(frozen=True, slots=True)
class FactSource:
    """Where a claim comes from: the source's code and when it last knew."""

    noun: str
    source: str
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class Fetched:
    state: FactsState
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    sources: tuple[FactSource, ...] = ()
    retry_at: datetime | None = None
    reason: str = ""  # a code: which requirement was not met, which source did not answer
    receipt_id: str = ""


class FetchFacts(Protocol):
    async def __call__(self, subject_id: str, type_id: str, acting: Acting, *, purpose: str, reference: str) -> Fetched:
        """The facts of a type as they are now, by the road of every query: policy, federation, evidence.

        `purpose`: CREDENTIAL_ISSUE or CREDENTIAL_RECHECK. Never raises for what a source does.
        """
        ...
