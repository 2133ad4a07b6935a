"""Who is asking, and the ports every service may ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from gateway.errors import NotAdmitted, Unauthenticated

if TYPE_CHECKING:  # a witness and most commands know callers, and load no sources
    from adapters.onward import UpstreamReceipt


class CallerKind(StrEnum):
    """What stands behind a request. A person's own requests do not come through GraphQL, so there is no fourth."""

    OFFICER = "OFFICER"  # a natural person acting for an organisation, through some client
    SYSTEM = "SYSTEM"  # a regulator's client by itself: another district's gateway, a batch
    PARTNER = "PARTNER"  # a partner organisation's client: bank, employer, insurer


@dataclass(frozen=True, slots=True)
class SharingDetail:
    """One `authorization_details` object of our RAR type (RFC 9396), as granted. Narrows, never widens.

    `purpose` is a code of the purpose register. `reference`: a case number (officers) or the partner's own file mark.
    `datatypes`: leaf fields as "noun.field", or None for whatever the rules allow (never None for partners).
    """

    purpose: str
    reference: str | None = None
    datatypes: frozenset[str] | None = None
    consent_id: str | None = None
    until: datetime | None = None
    max_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """What one request to a resource must pass in the store: its proof is new, its token not revoked."""

    proof_key: str | None  # None: spend nothing
    proof_until: datetime
    token_id: str
    grant_id: str
    client_id: str
    user_id: str
    consent_ids: tuple[str, ...] = ()  # of the token's details: a withdrawal ends the token
    granted_at: datetime | None = None  # None: any revocation of its user or client counts, however old


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated person or system behind a request. All parts are opaque ids and codes, never names.

    What the token says is all there is: a change of roles, posts or purposes revokes the grants made under the old ones.
    """

    user_id: str  # the officer; the client where no person stands behind it
    org_id: str
    org_kind: str  # CORRECTION_AGENCY | JUSTICE_OFFICE | POLICE | PROCURATORATE | COURT | PRISON | BANK | ...
    roles: frozenset[str]
    token_id: str  # `jti`
    expires_at: datetime
    purposes: frozenset[str] = (
        frozenset()
    )  # that may be claimed: token's RAR within client's registration; empty = none
    kind: CallerKind = CallerKind.OFFICER
    client_id: str = ""
    grant_id: str = ""
    jurisdiction: str = ""  # GB/T 2260 of the organisation, 2, 4 or 6 leading digits that count
    posts: frozenset[str] = frozenset()
    level: int = 1  # authentication: 1 one factor, 2 two factors or a client's own key, 3 phishing-resistant
    details: tuple[SharingDetail, ...] = ()
    scope: frozenset[str] = frozenset()  # of the token, where a resource asks for one (RFC 6749 3.3)
    granted_at: datetime | None = field(default=None, compare=False)  # when the grant behind the token came to be
    next_nonce: str | None = field(default=None, compare=False, repr=False)  # DPoP nonce to hand out with the answer
    # What the store has not been asked yet: whoever holds it answers nothing before it is settled (ADR 0021).
    admission: Admission | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request shows of its sender, as it arrived. `several` headers of one name are refused before this.

    The URL is not here on purpose: `htu` is compared with our configured base URL and `path`, never with Host.
    """

    authorization: str | None
    method: str = "POST"
    path: str = "/graphql"
    dpop: str | None = None
    client_certificate: str | None = None  # as the trusted proxy passes it on, else None
    use_once: bool = True  # False: look only, spend nothing (a second look at an open stream)


class Authenticator(Protocol):
    """From what a request shows to a caller."""

    async def __call__(self, presented: Presented) -> Caller:
        """Raises Unauthenticated, with the challenge to answer with, for anything that is not a live token."""
        ...

    async def unspent(self, presented: Presented) -> Caller:
        """The same, but a caller may come with an `admission` the store has not been asked yet: it is spent with the record
        of the answer, or by `settle` before anything else is said."""
        ...

    async def settle(self, caller: Caller) -> Caller:
        """The store is asked now, where it was not yet. Raises Unauthenticated, as the call itself does."""
        ...

    async def turned_away(self, caller: Caller, error: NotAdmitted) -> Unauthenticated:
        """What a caller is told whom the store turned away with the record of the answer: the same as at the door."""
        ...

    async def still(self, caller: Caller) -> bool:
        """Whether the token behind `caller` is still good now: not expired, not revoked. For open streams."""
        ...


class Decision(StrEnum):
    ALLOW = "ALLOW"
    DENY = "DENY"


@dataclass(frozen=True, slots=True)
class AccessEvent:
    """What is recorded before an answer leaves. Holds opaque subject ids only, no name and no ID number."""

    at: datetime
    actor_org: str
    actor_user: str
    purpose: str
    case_no: str | None
    reference: str | None
    subjects: Sequence[str]
    fields: Sequence[str]  # "noun.field", the fields granted (ALLOW) or asked for (DENY)
    decision: Decision
    rule_ids: Sequence[str]
    legal_basis: Sequence[str]
    policy_version: str
    result_digest: bytes  # HMAC-SHA256 of the answer's bytes under `result_salt`
    result_salt: bytes
    states: Mapping[str, int] = field(default_factory=dict)  # how many parts were FRESH, UNAVAILABLE, ...
    client_id: str = ""
    grant_id: str = ""
    consent_id: str | None = None
    level: int = 0
    inner_rule_ids: Sequence[str] = ()  # what really decided where the answer may not say it; for supervisors only
    visible_from: datetime | None = None  # when the person may see it; None = at once
    repeats: int = 1  # equal refusals of a flood, counted in one event
    inputs: str = ""  # JSON of codes: what the decision was made from, to make it again; for supervisors only
    upstream: Sequence[UpstreamReceipt] = ()  # what other gateways say they recorded about the same question


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of recording that the asker takes along; `/ledger/receipts/{id}` upgrades it later.

    `leaf_hash` is that of the ledger entry that was made durable with the record: 32 bytes, RFC 6962.
    """

    id: str
    recorded_at: datetime
    leaf_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class Change:
    """Something was done to identities, consents, rules or keys. Opaque ids and codes only, no personal data."""

    kind: str  # OFFICER_CHANGED, CONSENT_GIVEN, POLICY_APPROVED, ...
    object_id: str
    actor_org: str
    actor_user: str
    subject_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a supervisor must see. `org_id` says whose supervisors; the officer it is about never sees it."""

    type: str  # A11_INSIDER, A12_PARTNER_SCRAPE, A16_CONSENT_USED_AFTER_END, A17_RULE_WAIVED, ...
    severity: str  # S1 | S2 | S3
    about: str  # PERSON | OFFICER | PARTNER | SYSTEM
    about_id: str
    org_id: str
    subject_id: str | None = None
    due_at: datetime | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


class Alerts(Protocol):
    async def raise_alert(self, alert: Alert) -> str:
        """Durable on return; the alert's id. An open alert of the same type about the same id and subject is kept, not
        doubled (its detail counts the repeats)."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """Something to tell a person, by whatever road the deployment has (SMS, WeChat); no road is part of yimen."""

    subject_id: str
    phone: str = field(repr=False)
    kind: str = ""  # a key of the message catalogue: CONSENT_ASKED, ENROLLED, ONE_TIME_CODE, ...
    values: Mapping[str, str] = field(default_factory=dict, repr=False)  # link, code, organisation, ...


class Messages(Protocol):
    async def send(self, message: Message) -> None:
        """Returns once it is handed over. Raises MessagesUnavailable; nothing personal in the error or any log."""
        ...


class Evidence(Protocol):
    """Record before release."""

    async def record(self, event: AccessEvent, *, admission: Admission | None = None) -> Receipt:
        """Returns once the event is durable. Raises EvidenceUnavailable, and then nothing may be answered."""
        ...

    async def record_all(self, events: Sequence[AccessEvent], *, admission: Admission | None = None) -> Receipt:
        """Several events of one answer, all durable or none; the receipt is the first one's.

        With `admission`, its proof is spent and its token's revocation looked up in the very transaction. Raises NotAdmitted:
        then nothing was recorded, and nothing may be answered but that.
        """
        ...

    async def admit(self, admission: Admission) -> None:
        """The same question alone, for whoever must know before anything is done. Raises NotAdmitted, StoreUnavailable."""
        ...


class Subjects(Protocol):
    """From a person's ID number to the opaque `subject_id` everything else is keyed by."""

    async def intern(self, id_numbers: Sequence[str]) -> Sequence[str]:
        """The subject ids for normalised 18-digit ID numbers, in order; new ones are made, once, atomically."""
        ...

    async def recognise(self, id_numbers: Sequence[str], *, reader: str = "") -> Sequence[str]:
        """The same ids as `intern` gives, now or later, but nobody is made: the same one read, known or unknown. For
        whoever merely asks about somebody; `reader` is their organisation, and what others asked helps them nothing."""
        ...

    def pid(self, subject_id: str, org_id: str) -> str:
        """What a reader of `org_id` sees instead: HMAC(subject_id, org_id), different for every organisation."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of background work. `fence` grows with every lease: a worker that lost its lease cannot finish it."""

    id: str
    kind: str
    payload: Mapping[str, Any]
    fence: int
    attempts: int
    progress: float
    run_at: datetime


class Seals(Protocol):
    """What is granted waits, for a bounded time, until witnesses stand behind the record of it."""

    async def allow(self) -> None:
        """Raises LedgerUnwitnessed or LedgerHalted where nothing may be granted now; withdrawals never ask."""
        ...

    async def sealed(self, object_id: str, *, wait: bool = True) -> bool | None:
        """Whether the newest change of this object is sealed, waiting as long as is set; False: it will be later. None:
        nobody witnesses here, so there is nothing to wait for."""
        ...


class Jobs(Protocol):
    """One mechanism for every later re-check, deadline and retention run."""

    async def enqueue(
        self, kind: str, payload: Mapping[str, Any], *, run_at: datetime, unique_key: str | None = None
    ) -> str:
        """The job's id; with `unique_key`, an unfinished job of that key is returned instead of a second one."""
        ...

    async def lease(self, kinds: Sequence[str], *, worker: str, seconds: float) -> Job | None:
        """The next due job nobody holds, held for `seconds`; each job is handed to one worker at a time."""
        ...

    async def renew(self, job: Job, *, seconds: float, progress: float | None = None) -> bool:
        """False where the lease was lost; the worker then stops without effect."""
        ...

    async def finish(self, job: Job) -> bool: ...

    async def fail(self, job: Job, *, retry_at: datetime | None, reason: str) -> bool:
        """Try again at `retry_at`, or never; `reason` carries no personal data."""
        ...


class Metrics(Protocol):
    """Counts for operators. Labels are codes from closed sets, never anything a request, a person or a source said.

    None of these raises, blocks or awaits; what looks like no code is counted as OTHER.
    """

    def operation(self, kind: str, outcome: str, seconds: float) -> None:
        """One GraphQL operation: query | mutation | subscription, OK or the code of its refusal."""
        ...

    def part(self, noun: str, state: str, count: int = 1) -> None:
        """`count` parts of a noun left in this state: FRESH, STALE, UNAVAILABLE, ..."""
        ...

    def upstream(self, source: str, outcome: str, reason: str, seconds: float) -> None:
        """One call to a source: OK | FAILED, with the reason of a failure (TIMEOUT, BREAKER_OPEN, ...) or ''."""
        ...
