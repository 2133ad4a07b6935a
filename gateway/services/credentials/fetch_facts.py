"""The facts of a credential type as they are now, by the road of every query: policy, federation, evidence, the person's
own access history. What a department does or does not do never raises here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from credentials.credential_type import CredentialType
from credentials.rules import Judged, Outcome, Part, judge
from gateway.caller import Caller, CallerKind, Evidence, SharingDetail
from gateway.clock import CIVIL, Clock
from gateway.policy.public_rules import DEFAULT_DENY, NO_GROUND
from gateway.services.credentials.fact_document import document, own_part, parts_of, places
from gateway.services.credentials.ports import Acting, FactSource, FactsState, Fetched
from gateway.services.execute import Execute, GraphQLAnswer, GraphQLRequest
from gateway.services.refusals import refusal_event
from gateway.services.snapshots import Snapshots

ISSUE, RECHECK = "CREDENTIAL_ISSUE", "CREDENTIAL_RECHECK"
CLIENT = "yimen"
_USERS = {ISSUE: "credential-issuer", RECHECK: "credential-recheck"}
_REFUSALS = frozenset({"PURPOSE_NOT_YOURS", "PURPOSE_UNKNOWN", "CASE_REQUIRED", NO_GROUND.code})
_STATES = {
    Outcome.READY: FactsState.READY,
    Outcome.NOT_MET: FactsState.NOT_MET,
    Outcome.UNAVAILABLE: FactsState.UNAVAILABLE,
    Outcome.DOUBTED: FactsState.DOUBTED,
    Outcome.WITHHELD: FactsState.REFUSED,
}
_LIVES = timedelta(minutes=1)
_SAID_SOMETHING = frozenset({"FRESH", "STALE"})


class KnownPersons(Protocol):
    async def known(self, subject_id: str) -> tuple[str, str] | None:
        """ID number and name as enrolled; None where they are not kept, or the person was erased."""
        ...


class Holders(Protocol):
    async def states(self, subject_id: str, org_id: str) -> Collection[str]:
        """States of the person's cases this body has a part in now; what is sealed, of a minor, or over is not among them."""
        ...


class DisputedFact(Protocol):
    @property
    def noun(self) -> str: ...

    @property
    def field(self) -> str: ...


class OpenDisputes(Protocol):
    async def of(self, subject_id: str) -> Collection[DisputedFact]:
        """What the person disputes at this very moment: a look that a dispute brought about must see it."""
        ...


class GatewayFacts:
    """Implements `gateway.services.credentials.ports.FetchFacts`."""

    def __init__(
        self,
        execute: Execute,
        snapshots: Snapshots,
        types: Mapping[str, CredentialType],
        persons: KnownPersons,
        holders: Holders,
        evidence: Evidence,
        clock: Clock,
        disputes: OpenDisputes,
    ) -> None:
        self._execute, self._snapshots, self._types = execute, snapshots, types
        self._persons, self._holders = persons, holders
        self._evidence, self._clock, self._disputes = evidence, clock, disputes

    async def __call__(self, subject_id: str, type_id: str, acting: Acting, *, purpose: str, reference: str) -> Fetched:
        """See the port. Raises GatewayError only where the own store or the log does not work, and then nothing was said."""
        ctype = self._types.get(type_id)
        caller = self._caller(acting, purpose, ctype)
        known = await self._persons.known(subject_id)
        states = frozenset(await self._holders.states(subject_id, acting.org_id))
        if ctype is None or known is None or not states & ctype.holders:
            why = "credential-type" if ctype is None else "holder-unknown" if known is None else "holder-state"
            return await self._refused(caller, purpose, acting, subject_id, ctype, why)
        id_no, name = known
        hung = places(ctype, self._snapshots.current.snapshot.schema.nouns)
        if not hung:
            return Fetched(FactsState.UNAVAILABLE, reason="NO_SOURCE")
        said = {"code": purpose, "caseNo": acting.case_no, "reference": reference, "idNo": id_no, "name": name}
        answer = await self._execute(caller, GraphQLRequest(document(ctype, hung), variables=said))
        return self._judged(ctype, hung, answer, await self._disputed(subject_id), name)

    def _caller(self, acting: Acting, purpose: str, ctype: CredentialType | None) -> Caller:
        """The issuing system, in the name of the body of the case; what it may ask ends with the facts of this type."""
        facts = ctype.facts if ctype is not None else {}
        datatypes = frozenset(f"{noun}.{name}" for noun, fields in facts.items() for name in fields)
        return Caller(
            user_id=_USERS[purpose],
            org_id=acting.org_id,
            org_kind=acting.org_kind,
            roles=frozenset(),
            token_id="",
            expires_at=self._clock.now() + _LIVES,
            purposes=frozenset({purpose}),
            kind=CallerKind.SYSTEM,
            client_id=CLIENT,
            jurisdiction=acting.jurisdiction,
            level=2,
            details=(SharingDetail(purpose, datatypes=datatypes),),
        )

    async def _refused(
        self, caller: Caller, purpose: str, acting: Acting, subject_id: str, ctype: CredentialType | None, inner: str
    ) -> Fetched:
        """Before anybody is asked; on record like every refusal, the reason inside alone."""
        fields = [f"{noun}.{name}" for noun, names in (ctype.facts if ctype else {}).items() for name in names]
        event = refusal_event(
            caller, self._clock.now(), purpose, NO_GROUND.id, inner=inner, case_no=acting.case_no,
            subjects=[subject_id], fields=fields, basis=[NO_GROUND.basis],
        )  # fmt: skip
        receipt = await self._evidence.record(event)
        return Fetched(FactsState.REFUSED, reason=NO_GROUND.code, receipt_id=receipt.id)

    def _judged(
        self,
        ctype: CredentialType,
        hung: Mapping[str, str],
        answer: GraphQLAnswer,
        disputed: Mapping[str, frozenset[str]],
        name: str,
    ) -> Fetched:
        receipt_id = str(answer.extensions.get("receipt", {}).get("id", ""))
        now = self._clock.now()
        person = (answer.data or {}).get("person")
        if answer.errors or person is None:
            return self._failed(answer, receipt_id, now)
        rules = list(answer.extensions.get("policy", {}).get("rules", ()))
        if NO_GROUND.id in rules:
            return Fetched(FactsState.REFUSED, reason=NO_GROUND.code, receipt_id=receipt_id)
        if rules == [DEFAULT_DENY]:  # policy itself could not look: that is no decision about the person
            return Fetched(FactsState.UNAVAILABLE, reason="POLICY_UNAVAILABLE", receipt_id=receipt_id)
        parts = parts_of(ctype, hung, person, disputed)
        judged = judge(ctype.rule, {**parts, **own_part(name)}, now, now.astimezone(CIVIL).date())
        return Fetched(
            _STATES[judged.outcome],
            judged.claims,
            _sources(parts, judged),
            judged.retry_at,
            NO_GROUND.code if judged.outcome is Outcome.WITHHELD else judged.reason,
            receipt_id,
        )

    async def _disputed(self, subject_id: str) -> Mapping[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = {}
        for one in await self._disputes.of(subject_id):
            found[one.noun] = found.get(one.noun, frozenset()) | {one.field}
        return found

    def _failed(self, answer: GraphQLAnswer, receipt_id: str, now: datetime) -> Fetched:
        """No answer: a refusal by policy is one, everything else says nothing about the person."""
        said: Mapping[str, Any] = answer.errors[0].get("extensions", {}) if answer.errors else {}
        code = str(said.get("code", "INTERNAL"))
        if code in _REFUSALS:
            return Fetched(FactsState.REFUSED, reason=NO_GROUND.code, receipt_id=receipt_id)
        after = said.get("retryAfter")
        retry_at = now + timedelta(seconds=int(after)) if isinstance(after, int) else None
        return Fetched(FactsState.UNAVAILABLE, retry_at=retry_at, reason=code, receipt_id=receipt_id)


def _sources(parts: Mapping[str, Part], judged: Judged) -> tuple[FactSource, ...]:
    """Who answered with what the claims rest on."""
    return tuple(
        FactSource(noun, said.source, said.as_of)
        for noun in judged.used
        if noun in parts
        for said in parts[noun].sources
        if said.state in _SAID_SOMETHING
    )
