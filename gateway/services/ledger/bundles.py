"""Evidence of one access, for whoever may have it: the record, its salt, what of it this reader may see, and the proof.

- The asker (the same user of the same organisation): who asked, in which case, under which reference, and the salt of the
  answer's digest. Never what really decided.
- Who watches over officers, as in `access_history`: that too. Recorded as a reading.
- The person, of what their history shows: that it was about them.

To everybody else, and for what is not there, is sealed or was erased, the same answer after the same statements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from gateway.caller import Caller, CallerKind, Change, Subjects
from gateway.policy.rule_text import read_rule_file
from gateway.services.identities import DISCIPLINE, PROCURATORATE, PROSECUTOR, PUBLIC_KINDS, SUPERVISOR
from gateway.services.ledger.receipts import Receipts, Standing
from gateway.services.ledger.walk import Walk
from ledger.evidence import Disclosed, Evidence

WATCHERS = frozenset({SUPERVISOR, DISCIPLINE})
_KEPT_VERSIONS = 8


class Role(StrEnum):
    ASKER = "ASKER"
    WATCHER = "WATCHER"
    PERSON = "PERSON"


_PARTS: Mapping[Role, tuple[str, ...]] = {
    Role.ASKER: ("by", "case", "reference"),
    Role.WATCHER: ("by", "case", "reference", "inner"),
    Role.PERSON: (),
}


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose accesses an officer may have evidence of: their own, and those of officers they watch over, which never rest
    on a consent: that would show who agreed."""

    user_id: str
    org_id: str
    watches_org: str | None = None
    watches_jurisdiction: str | None = None
    org_kinds: frozenset[str] = PUBLIC_KINDS


class BundleDoor(Protocol):
    async def officer(self, entry_id: str, reach: Reach) -> Role | None:
        """ASKER or WATCHER. One statement whoever asks and whatever is there."""
        ...

    async def person(self, entry_id: str, subject_id: str) -> bool:
        """Whether the person's own history shows it now. One statement."""
        ...

    async def was_read(self, reading: Change) -> None:
        """Durable on return."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A record made anew from its row, and all that opens it. `parts`: by name, persons as "subjects/<place in the record>"."""

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
        """The same, of what the person's history shows."""
        if not await self._door.person(entry_id, subject_id):
            return None
        return await self._bundle(entry_id, Role.PERSON, subject_id)

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
        shown = {name: part for name, part in opened.parts.items() if name in _PARTS[role] and part.value is not None}
        if subject_id is not None:
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


def _titles(texts: Mapping[str, str]) -> Mapping[str, RuleTold]:
    rules = [rule for name, text in texts.items() if name.endswith(".cedar") for rule in read_rule_file(name, text, [])]
    return {rule.id: RuleTold(rule.id, *rule.title, rule.basis) for rule in rules}


def _reach(caller: Caller) -> Reach:
    """Two factors, as for whatever shows what others did."""
    reach = Reach(caller.user_id, caller.org_id)
    if caller.kind is not CallerKind.OFFICER or caller.level < 2:
        return reach
    if PROSECUTOR in caller.roles and caller.org_kind == PROCURATORATE and caller.jurisdiction:
        return Reach(caller.user_id, caller.org_id, watches_jurisdiction=caller.jurisdiction)
    if WATCHERS & caller.roles and caller.org_kind in PUBLIC_KINDS:
        return Reach(caller.user_id, caller.org_id, watches_org=caller.org_id)
    return reach
