"""Evidence of one access, change or alert, for whoever may have it: the record, its salt, what of it this reader may see,
and the proof.

- Whoever did it (the same user of the same organisation): of an access who asked, in which case, under which reference, and
  the salt of the answer's digest, never what really decided; of a change what was changed, and how.
- Who watches over officers, as in `access_history`, `change_history` and `alerts`: that too. Recorded as a reading.
- The person: of an access their history shows, that it was about them; of their own consents given, refused and withdrawn,
  which consent that was. The consent's signed receipt names the person; our id of them is in no file.

An alert has a proof only once its entry, which comes later than the alert, is in the log.

To everybody else, and for what is not there, is sealed or was erased, the same answer after the same statements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from gateway.caller import Caller, CallerKind, Change, Subjects
from gateway.errors import RequestRefused
from gateway.policy.rule_text import read_rule_file
from gateway.services.alerts import Watch, watch_of
from gateway.services.change_history import ChangesAsked, changes_within
from gateway.services.identities import DISCIPLINE, PROCURATORATE, PROSECUTOR, PUBLIC_KINDS, SUPERVISOR
from gateway.services.ledger.receipts import Receipts, Standing
from gateway.services.ledger.walk import Walk
from ledger.entry import canonical
from ledger.evidence import Disclosed, Evidence

_T = TypeVar("_T")
WATCHERS = frozenset({SUPERVISOR, DISCIPLINE})
_KEPT_VERSIONS = 8


class Role(StrEnum):
    ASKER = "ASKER"  # of an access; of a change, who made it
    WATCHER = "WATCHER"
    PERSON = "PERSON"


_CHANGE = ("by", "object", "detail")
_PARTS: Mapping[tuple[str, Role], tuple[str, ...]] = {
    ("access", Role.ASKER): ("by", "case", "reference"),
    ("access", Role.WATCHER): ("by", "case", "reference", "inner"),
    ("change", Role.ASKER): _CHANGE,
    ("change", Role.WATCHER): _CHANGE,
    ("change", Role.PERSON): _CHANGE,
    ("alert", Role.WATCHER): ("about_id", "detail"),
}
OWN_DOING = {"given": "CONSENT_GIVEN", "refused": "CONSENT_REFUSED", "withdrawn": "CONSENT_WITHDRAWN"}
"""What a person does to a consent, by the word in a URL: the kind of change it is."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What an officer may have evidence of: what they did themselves; accesses of officers they watch over, which never
    rest on a consent: that would show who agreed; changes and alerts as they may read them elsewhere, None = none."""

    user_id: str
    org_id: str
    watches_org: str | None = None
    watches_jurisdiction: str | None = None
    org_kinds: frozenset[str] = PUBLIC_KINDS
    changes: ChangesAsked | None = None
    alerts: Watch | None = None


class BundleDoor(Protocol):
    async def officer(self, entry_id: str, reach: Reach) -> Role | None:
        """ASKER or WATCHER. One statement whoever asks and whatever is there."""
        ...

    async def person(self, entry_id: str, subject_id: str) -> bool:
        """Whether the person's own history shows it now, or it is their own doing. One statement."""
        ...

    async def of_consent(self, consent_id: str, subject_id: str, kind: str) -> str | None:
        """The newest change of this kind the person made to it. One statement."""
        ...

    async def was_read(self, reading: Change) -> None:
        """Durable on return."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A record made anew from its row, and all that opens it. `parts`: by name; persons of an access as
    "subjects/<place in the record>", the person of a change or alert, by our own id of them, as "subject"; null parts, and
    persons whose key is destroyed, are left out."""

    record: Mapping[str, Any]
    salt: bytes = field(repr=False)
    parts: Mapping[str, Disclosed] = field(repr=False)
    result_salt: bytes | None = field(default=None, repr=False)


class Openings(Protocol):
    async def open(self, entry_id: str) -> Opened | None:
        """None where there is no such record, or nobody can open it any more because the persons' keys are destroyed."""
        ...


class RuleTexts(Protocol):
    async def texts(self, version: str) -> Mapping[str, str] | None:
        """The rules of a version that decided once, by file."""
        ...


@dataclass(frozen=True, slots=True)
class RuleTold:
    """A rule as it was when it decided. `title_*` are None where its version is not kept any more."""

    id: str
    title_zh: str | None = None
    title_en: str | None = None
    basis: str | None = None


@dataclass(frozen=True, slots=True)
class Bundle:
    """The rest is for showing the evidence to people."""

    evidence: Evidence
    standing: Standing
    rules: tuple[RuleTold, ...]
    role: Role


class NotIncluded(Exception):
    """It will have a proof in a moment."""


class Bundles:
    def __init__(
        self, door: BundleDoor, openings: Openings, receipts: Receipts, walk: Walk, subjects: Subjects, rules: RuleTexts
    ) -> None:
        self._door, self._openings, self._receipts, self._walk = door, openings, receipts, walk
        self._subjects, self._rules = subjects, rules
        self._titled: dict[str, Mapping[str, RuleTold]] = {}

    async def for_officer(self, caller: Caller, entry_id: str) -> Bundle | None:
        """None alike for whatever is not theirs to have. Raises NotIncluded."""
        role = await self._door.officer(entry_id, _reach(caller))
        if role is None:
            return None
        if role is Role.WATCHER:
            await self._door.was_read(Change("EVIDENCE_READ", entry_id, caller.org_id, caller.user_id))
        return await self._bundle(entry_id, role, None)

    async def for_person(self, subject_id: str, entry_id: str) -> Bundle | None:
        """The same, of what the person's history shows and of what they did themselves."""
        if not await self._door.person(entry_id, subject_id):
            return None
        return await self._bundle(entry_id, Role.PERSON, subject_id)

    async def for_consent(self, subject_id: str, consent_id: str, kind: str) -> Bundle | None:
        """The same, of what a person did to a consent; `kind`: see `OWN_DOING`."""
        entry_id = await self._door.of_consent(consent_id, subject_id, kind)
        return None if entry_id is None else await self.for_person(subject_id, entry_id)

    async def _bundle(self, entry_id: str, role: Role, subject_id: str | None) -> Bundle | None:
        opened, standing = await self._openings.open(entry_id), await self._receipts(entry_id)
        if opened is None or standing is None:
            return None
        proof = await self._receipts.proof(standing)
        if proof is None:
            raise NotIncluded
        record = opened.record
        rules = await self._rules_told(record.get("policy", ""), record.get("rules", ()))
        evidence = Evidence(
            entry=standing.placed.entry,
            record=record,
            salt=opened.salt,
            proof=proof,
            disclosed=self._disclosed(opened, role, subject_id),
            result_salt=opened.result_salt if role is Role.ASKER else None,
            hint=await self._walk.policy_text(standing.placed.shard),
        )
        return Bundle(evidence, standing, rules, role)

    def _disclosed(self, opened: Opened, role: Role, subject_id: str | None) -> dict[str, Disclosed]:
        """What is null in the record hides nothing and needs no salt."""
        kind = opened.record["type"]
        parts = _PARTS.get((kind, role), ())
        shown = {
            name: part
            for name, part in opened.parts.items()
            if name in parts and part.value is not None and not _names_a_person(opened, part)
        }
        if subject_id is not None and kind == "access":
            own = self._subjects.pid(subject_id, opened.record["org"])
            shown |= {
                name: part for name, part in opened.parts.items() if name[:9] == "subjects/" and part.value == own
            }
        return shown

    async def _rules_told(self, version: str, ids: Sequence[str]) -> tuple[RuleTold, ...]:
        if version not in self._titled:
            texts = await self._rules.texts(version)
            if texts is None:
                return tuple(map(RuleTold, ids))
            while len(self._titled) >= _KEPT_VERSIONS:
                self._titled.pop(next(iter(self._titled)))
            self._titled[version] = _titles(texts)
        return tuple(self._titled[version].get(one, RuleTold(one)) for one in ids)


def _names_a_person(opened: Opened, part: Disclosed) -> bool:
    """By our own id, which no reader knows anybody by: such a part stays a blind."""
    said, person = canonical(part.value), opened.parts.get("subject")
    return b'subject_id"' in said or (person is not None and str(person.value).encode() in said)


def _titles(texts: Mapping[str, str]) -> Mapping[str, RuleTold]:
    rules = [rule for name, text in texts.items() if name.endswith(".cedar") for rule in read_rule_file(name, text, [])]
    return {rule.id: RuleTold(rule.id, *rule.title, rule.basis) for rule in rules}


def _reach(caller: Caller) -> Reach:
    """Two factors, as for whatever shows what others did."""
    reach = Reach(caller.user_id, caller.org_id)
    if caller.kind is not CallerKind.OFFICER or caller.level < 2:
        return reach
    reach = replace(reach, changes=_or_none(changes_within, caller), alerts=_or_none(watch_of, caller))
    if PROSECUTOR in caller.roles and caller.org_kind == PROCURATORATE and caller.jurisdiction:
        return replace(reach, watches_jurisdiction=caller.jurisdiction)
    if WATCHERS & caller.roles and caller.org_kind in PUBLIC_KINDS:
        return replace(reach, watches_org=caller.org_id)
    return reach


def _or_none(which: Callable[[Caller], _T], caller: Caller) -> _T | None:
    try:
        return which(caller)
    except RequestRefused:
        return None
