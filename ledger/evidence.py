"""What somebody holds in hand to show, years later and without us, what was done: record, salt, and proof from the log.

An evidence file is one JSON object. Its entry commits to the record. Parts of a record that not every holder may read stand
in it as a *blind*, a commitment of their own: a holder sees a part only where the file also discloses its salt and value,
and nobody can put another value in its place.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger.encoding import b64, hash_of, unb64
from ledger.entry import Entry, canonical, commit, is_actor, parse_canonical, parse_entry
from ledger.errors import InvalidProof, Malformed
from ledger.merkle import leaf_hash
from ledger.note import VerifierKey
from ledger.policy import Policy
from ledger.proof import TlogProof, parse_proof, verify_proof

FORMAT = "yimen-evidence/v1"
VERSION = 1
"""Of records."""
RESULT = "result"
SUBJECTS = "subjects"
BLINDED: Mapping[str, tuple[str, ...]] = {
    "access": ("by", "case", "reference", "inner"),
    "change": ("by", "object", "detail", "subject"),
    "alert": ("about_id", "detail", "subject"),
}
"""By a record's type, which parts of it are blinds. In `subjects`, a list, each member is one."""
_WHEN = {"access": "recorded_at", "change": "at", "alert": "opened_at"}
_SYSTEM = "yimen"
LARGEST_EVIDENCE = 1 << 24
_IN_PAGE = re.compile(rb'<script type="application/json" id="evidence">(.*?)</script>', re.DOTALL)
_SALT_BYTES = range(16, 65)


@dataclass(frozen=True, slots=True)
class Disclosed:
    """A part in clear, and the salt that shows it is the one that was recorded."""

    salt: bytes
    value: Any


@dataclass(frozen=True, slots=True)
class Evidence:
    """`bytes()` of it is the file.

    `entry`: its bytes as they stand in the log. `disclosed`: by part, members of `subjects` as `subjects/0`. `result_salt`:
    for whoever holds the answer's own bytes. `hint`: the text of a policy, which a reader may compare, never believe.
    """

    entry: bytes
    record: Mapping[str, Any]
    salt: bytes = field(repr=False)
    proof: TlogProof
    disclosed: Mapping[str, Disclosed] = field(default_factory=dict, repr=False)
    result_salt: bytes | None = field(default=None, repr=False)
    hint: str = ""

    def __bytes__(self) -> bytes:
        shown = {name: {"salt": b64(one.salt), "value": one.value} for name, one in self.disclosed.items()}
        if self.result_salt is not None:
            shown[RESULT] = {"salt": b64(self.result_salt)}
        said = {
            "format": FORMAT, "entry": self.entry.decode(), "record": self.record, "salt": b64(self.salt),
            "disclosed": shown, "proof": bytes(self.proof).decode(), "vkeys": self.hint,
        }  # fmt: skip
        return canonical(said)


@dataclass(frozen=True, slots=True)
class Findings:
    """What an evidence file proves: this record is entry `index` of the log `origin`, in a tree of `size` entries that the
    log signed and these witnesses, by their names in the policy, cosigned at these POSIX seconds.

    `disclosed`: parts in clear, each the one that was recorded. `blind`: parts of which only that they exist is shown.
    `answer_checked`: the answer's bytes were given, and are the ones recorded. It does not prove that what was recorded
    is true.
    """

    entry: Entry
    record: Mapping[str, Any]
    index: int
    size: int
    origin: str
    log: VerifierKey
    witnesses: Mapping[str, int]
    disclosed: Mapping[str, Any]
    blind: tuple[str, ...]
    answer_checked: bool


def blind(salt: bytes, value: Any) -> str:
    """What stands in a record in place of a part: base64 of HMAC-SHA256 over its canonical JSON."""
    return b64(commit(salt, canonical(value)))


def parse_evidence(data: bytes) -> Evidence:
    """The file, or the page for people that holds it. Raises Malformed, whatever the bytes."""
    if len(data) > LARGEST_EVIDENCE:
        raise Malformed("larger than any evidence file")
    if data.lstrip().startswith(b"<"):
        data = _out_of_page(data)
    said = _object(parse_canonical(data), "format", "entry", "record", "salt", "disclosed", "proof", "vkeys")
    if said["format"] != FORMAT:
        raise Malformed("no evidence file of version 1")
    shown = _object(said["disclosed"])
    result = _object(shown.pop(RESULT), "salt") if RESULT in shown else None
    return Evidence(
        entry=_text(said["entry"]).encode(),
        record=_object(said["record"]),
        salt=hash_of(_text(said["salt"])),
        proof=parse_proof(_text(said["proof"]).encode()),
        disclosed={name: _disclosed(one) for name, one in shown.items()},
        result_salt=None if result is None else _salt(result["salt"]),
        hint=_text(said["vkeys"]),
    )


def _out_of_page(page: bytes) -> bytes:
    """What people read there is not looked at, so two of them would leave open which one it tells of."""
    found = _IN_PAGE.findall(page)
    if len(found) != 1:
        raise Malformed("a page with evidence holds it once")
    return bytes(found[0])


def verify_evidence(evidence: Evidence, policy: Policy, *, answer: bytes | None = None) -> Findings:
    """Check everything the file says against `policy`, the reader's own. `answer`: the bytes once received, to be checked too.

    Raises Malformed, InvalidProof, InvalidSignature, PolicyUnsatisfied.
    """
    entry = parse_entry(evidence.entry)
    if not hmac.compare_digest(entry.commitment, commit(evidence.salt, canonical(evidence.record))):
        raise InvalidProof("the entry commits to another record")
    _same_kind(entry, evidence.record)
    blinds = _blinds(evidence.record)
    for name, part in evidence.disclosed.items():
        if name not in blinds:
            raise InvalidProof("a part is disclosed that the record does not hold")
        if not hmac.compare_digest(blinds[name], blind(part.salt, part.value)):
            raise InvalidProof(f"{name} was disclosed as another than was recorded")
    if answer is not None:
        _same_answer(evidence, answer)
    believed = verify_proof(evidence.proof, leaf_hash(evidence.entry), policy)
    return Findings(
        entry=entry,
        record=evidence.record,
        index=evidence.proof.index,
        size=believed.checkpoint.size,
        origin=believed.checkpoint.origin,
        log=believed.log,
        witnesses=believed.witnesses,
        disclosed={name: part.value for name, part in evidence.disclosed.items()},
        blind=tuple(name for name in blinds if name not in evidence.disclosed),
        answer_checked=answer is not None,
    )


def _same_kind(entry: Entry, record: Mapping[str, Any]) -> None:
    """The log shows everybody a kind; it must not be another than the record's."""
    kind = record.get("type")
    if record.get("v") != VERSION or not isinstance(kind, str) or kind not in BLINDED:
        raise Malformed("a record of another version or type")
    if kind == "access":
        fits = entry.kind == ("query" if record.get("decision") == "ALLOW" else "refusal")
    elif kind == "alert":
        fits = entry.kind == "alert"
    else:
        fits = entry.kind not in ("query", "refusal", "alert", "log")
    if not fits:
        raise InvalidProof("the entry is of another kind than its record")
    _same_face(entry, record, kind)


def _same_face(entry: Entry, record: Mapping[str, Any], kind: str) -> None:
    """Nor may it show everybody another body or time: what is counted by them would be wrong, and no holder would notice.
    A change may name its person instead, and it and an alert may show later than they were."""
    org, at = record.get("org"), record.get(_WHEN[kind])
    if not isinstance(org, str) or not isinstance(at, str):
        raise Malformed("a record without its body or time")
    body = org if is_actor(org) else ("unlisted" if org else _SYSTEM)
    bodies = {"access": (body,), "change": (body, "person"), "alert": (body, _SYSTEM)}[kind]
    shown, happened = entry.time.replace(tzinfo=None).isoformat(timespec="seconds"), at[:19]
    if entry.actor not in bodies or (shown != happened if kind == "access" else shown < happened):
        raise InvalidProof("the entry shows another body or time than its record")


def _blinds(record: Mapping[str, Any]) -> dict[str, str]:
    """By name. What is null in a record was never there, and is no part."""
    found = {name: record[name] for name in BLINDED[record["type"]] if record.get(name) is not None}
    subjects = record.get(SUBJECTS, [])
    if not isinstance(subjects, list):
        raise Malformed("the subjects of a record are a list")
    found |= {f"{SUBJECTS}/{at}": one for at, one in enumerate(subjects)}
    for one in found.values():
        hash_of(_text(one))
    return found


def _same_answer(evidence: Evidence, answer: bytes) -> None:
    recorded = evidence.record.get(RESULT)
    if evidence.result_salt is None or not recorded:
        raise InvalidProof("this evidence cannot show which answer was given")
    digest, salt = hash_of(_text(recorded)), evidence.result_salt
    if not any(hmac.compare_digest(digest, commit(salt, one)) for one in (answer, _without_extensions(answer))):
        raise InvalidProof("another answer was recorded")


def _without_extensions(answer: bytes) -> bytes:
    """An answer as it came over HTTP bears its receipt at its end, which cannot be part of what is recorded before."""
    end = answer.rfind(b',"extensions":')
    return answer if end < 0 else answer[:end] + b"}"


def _object(value: Any, *names: str) -> dict[str, Any]:
    """An object with exactly these names, or with any where none are given."""
    if not isinstance(value, dict) or (names and value.keys() != set(names)):
        raise Malformed("a part of the evidence file has another form")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Malformed("a part of the evidence file has another form")
    return value


def _disclosed(value: Any) -> Disclosed:
    part = _object(value, "salt", "value")
    salt = hash_of(_text(part["salt"]))
    if part["value"] is None:
        raise Malformed("what is null is not blinded")
    return Disclosed(salt, part["value"])


def _salt(value: Any) -> bytes:
    salt = unb64(_text(value))
    if len(salt) not in _SALT_BYTES:
        raise Malformed("a salt is 16 to 64 bytes")
    return salt
