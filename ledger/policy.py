"""Whom a reader believes: logs, witnesses, and how many of them. Source: C2SP tlog-policy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field

from ledger.checkpoint import Checkpoint, parse_checkpoint
from ledger.encoding import number
from ledger.errors import InvalidSignature, Malformed, PolicyUnsatisfied
from ledger.note import COSIGNATURE, ED25519, MLDSA44, Note, Verified, VerifierKey, parse_vkey, verify_note

NONE = "none"
_NOT_ALLOWED = re.compile("[\0-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class KnownLog:
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class KnownWitness:
    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """`groups`: name -> (how many, members: witnesses or groups). `quorum`: a name, or "none"."""

    logs: tuple[KnownLog, ...]
    witnesses: Mapping[str, KnownWitness] = field(default_factory=dict)
    groups: Mapping[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    quorum: str = NONE

    def satisfied_by(self, names: Set[str]) -> bool:
        """Whether cosignatures of these witnesses are enough."""
        met = {name for name in names if name in self.witnesses}
        for name, (needed, members) in self.groups.items():  # members are named before their group
            if sum(member in met for member in members) >= needed:
                met.add(name)
        return self.quorum == NONE or self.quorum in met


@dataclass(frozen=True, slots=True)
class Believed:
    """A checkpoint a known log signed, and which witnesses stand behind it, by their names in the policy; `at` of each is
    POSIX seconds."""

    checkpoint: Checkpoint
    log: VerifierKey
    witnesses: Mapping[str, int]
    satisfied: bool


def verify_checkpoint(note: Note, policy: Policy) -> Believed:
    """A checkpoint that one of the policy's logs signed, under its own name.

    Raises Malformed, InvalidSignature. A quorum that is missing is told, not raised: see `require`.
    """
    checkpoint = parse_checkpoint(note.text)
    keys = [one.key for one in policy.logs if one.key.name == checkpoint.origin]
    if not keys:
        raise InvalidSignature("the policy does not know this log")
    log = verify_note(note, keys)[0].key
    by_key = {one.key: name for name, one in policy.witnesses.items()}
    witnesses = {by_key[one.key]: one.at or 0 for one in _cosigned(note, by_key)}
    return Believed(checkpoint, log, witnesses, policy.satisfied_by(witnesses.keys()))


def signed_checkpoint(note: Note, origin: str, keys: Iterable[VerifierKey]) -> Checkpoint:
    """The checkpoint of the log `origin` that at least one of its `keys` signed; witnesses are not looked at.

    Raises Malformed, InvalidSignature.
    """
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != origin:
        raise InvalidSignature("this is another log's checkpoint")
    verify_note(note, keys)
    return checkpoint


def require(believed: Believed) -> None:
    """Raises PolicyUnsatisfied unless as many witnesses cosigned as the policy asks for."""
    if not believed.satisfied:
        raise PolicyUnsatisfied(
            f"only {len(believed.witnesses)} witnesses cosigned, which the policy does not take for enough"
        )


def _cosigned(note: Note, by_key: Mapping[VerifierKey, str]) -> tuple[Verified, ...]:
    known = {(key.name, key.id) for key in by_key}
    if not any((one.name, one.key_id) in known for one in note.signatures):
        return ()
    return verify_note(note, by_key)


def parse_policy(text: str) -> Policy:
    """Raises Malformed with the line that is at fault. A comment is a line of its own."""
    reading = _Reading()
    for at, line in enumerate(text.split("\n"), 1):
        words = [word for word in line.replace("\t", " ").split(" ") if word]
        try:
            if _NOT_ALLOWED.search(line):
                raise Malformed("a control character")
            if words and not words[0].startswith("#"):
                reading.item(*words)
        except (Malformed, TypeError) as error:
            said = str(error) if isinstance(error, Malformed) else "wrong number of words"
            raise Malformed(f"line {at} of the policy: {said}") from None
    if reading.quorum is None:
        raise Malformed("the policy has no quorum line")
    return Policy(tuple(reading.logs), reading.witnesses, reading.groups, reading.quorum)


class _Reading:
    def __init__(self) -> None:
        self.logs: list[KnownLog] = []
        self.witnesses: dict[str, KnownWitness] = {}
        self.groups: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.quorum: str | None = None
        self._members: set[str] = set()
        self._keys: set[bytes] = set()
        self._ids: set[tuple[str, bytes]] = set()

    def item(self, word: str, *rest: str) -> None:
        known: dict[str, Callable[..., None]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum,
        }
        if word not in known:
            raise Malformed("no item of a policy")
        known[word](*rest)

    def _log(self, vkey: str, url: str | None = None) -> None:
        key = self._own(vkey)
        if key.type not in (ED25519, MLDSA44):
            raise Malformed("not a key logs sign with")
        self.logs.append(KnownLog(key, url))

    def _witness(self, name: str, vkey: str, url: str | None = None) -> None:
        key = self._own(vkey)
        if key.type not in (COSIGNATURE, MLDSA44):
            raise Malformed("not a key witnesses sign with")
        self._new(name)
        self.witnesses[name] = KnownWitness(name, key, url)

    def _group(self, name: str, needed: str, *members: str) -> None:
        self._new(name)
        if not members or any(one not in self.witnesses and one not in self.groups for one in members):
            raise Malformed("a group has members that were named before")
        if len(set(members)) != len(members) or self._members & set(members):
            raise Malformed("a member belongs to one group, once")
        count = {"all": len(members), "any": 1}.get(needed) or number(needed)
        if not 0 < count <= len(members):
            raise Malformed("a group needs all, any, or a number of its members")
        self._members |= set(members)
        self.groups[name] = (count, members)

    def _quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise Malformed("a second quorum line")
        if name != NONE and name not in self.witnesses and name not in self.groups:
            raise Malformed("the quorum was not named before")
        self.quorum = name

    def _new(self, name: str) -> None:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise Malformed("this name is taken")

    def _own(self, vkey: str) -> VerifierKey:
        key = parse_vkey(vkey)
        if key.public in self._keys or (key.name, key.id) in self._ids:
            raise Malformed("the same key twice")
        self._keys.add(key.public)
        self._ids.add((key.name, key.id))
        return key
