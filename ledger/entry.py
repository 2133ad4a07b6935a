"""What stands in the log: that an organisation did something of a kind at a time, and a commitment to the record of it.

An entry is coarse on purpose and holds nothing about a person. The record stays with whoever keeps it; the commitment is
HMAC-SHA256 of the record under a random salt, so that without the salt an entry says nothing, and with it everything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ledger.encoding import b64, hash_of, number
from ledger.errors import Malformed
from ledger.keyed import keyed, keyed_each

VERSION = 1
SALT_BYTES = 32
_DEEPEST = 32
_LARGEST_INTEGER = 1 << 53
KINDS = frozenset({
    "query", "refusal", "identity", "client", "consent", "policy", "case", "key", "revocation", "emergency", "oversight",
    "alert", "document", "acknowledgement", "credential", "dispute", "erasure", "change", "log",
})  # fmt: skip
"""Closed, so that nothing of a record can slip into its entry. `log`: what the log says of itself, see `public`."""
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_ACTOR = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")


@dataclass(frozen=True, slots=True)
class Entry:
    """`actor`: the acting body's id, never a person's; `time` to the second, UTC. `public`: for kind `log` only, what
    everybody shall read: a key, or the shard before this one."""

    kind: str
    actor: str
    time: datetime
    commitment: bytes
    public: Mapping[str, Any] | None = None

    def __bytes__(self) -> bytes:
        said = {
            "actor": self.actor, "commitment": b64(self.commitment), "kind": self.kind,
            "time": f"{self.time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z", "v": VERSION,
        }  # fmt: skip
        return canonical(said if self.public is None else said | {"public": dict(self.public)})


def is_actor(name: str) -> bool:
    """Whether an entry may name a body so: ASCII letters and digits, and within it `._:/-`; 128 characters at most."""
    return _ACTOR.fullmatch(name) is not None


def parse_entry(data: bytes) -> Entry:
    """Raises Malformed for whatever `bytes(Entry(...))` does not write."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        raise Malformed("an entry is JSON") from None
    if not isinstance(said, dict) or not {"actor", "commitment", "kind", "time", "v"} <= said.keys():
        raise Malformed("an entry has actor, commitment, kind, time and v")
    texts = [said[name] for name in ("actor", "commitment", "kind", "time")]
    if said["v"] != VERSION or not all(isinstance(text, str) for text in texts) or not _TIME.fullmatch(said["time"]):
        raise Malformed("an entry of another version or form")
    public = said.get("public")
    if said["kind"] not in KINDS or not is_actor(said["actor"]) or (public is not None) > (said["kind"] == "log"):
        raise Malformed("an entry of no known kind or actor")
    try:
        at = datetime.fromisoformat(said["time"])
        entry = Entry(said["kind"], said["actor"], at, hash_of(said["commitment"]), public)
        same = bytes(entry) == data
    except (ValueError, TypeError, RecursionError):
        raise Malformed("an entry of another form") from None
    if public is not None:
        parse_canonical(data)
    if not same:
        raise Malformed("an entry is written in one way only")
    return entry


def canonical(value: Any) -> bytes:
    """JSON in one way only: keys sorted, no spaces, UTF-8. Source: RFC 8785, for ASCII keys, texts, integers below 2^53,
    true, false, null, lists and objects; nothing else is written."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def parse_canonical(data: bytes) -> Any:
    """A value `canonical` writes, though its spaces and order may have been changed since. Raises Malformed."""
    try:
        value = json.loads(
            data.decode(), parse_int=_integer, parse_float=_integer, parse_constant=_integer, object_pairs_hook=_unique
        )
        _shallow(value)
        canonical(value)
    except (ValueError, RecursionError):  # no JSON; no UTF-8; half a surrogate pair; nested beyond all measure
        raise Malformed("no JSON of the kind that is written here") from None
    return value


def _integer(text: str) -> int:
    value = -number(text[1:]) if text.startswith("-") and text != "-0" else number(text)
    if abs(value) >= _LARGEST_INTEGER:
        raise Malformed("an integer is below 2^53")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs) or not all(name.isascii() for name in found):
        raise Malformed("names in an object are ASCII, each once")
    return found


def _shallow(value: Any) -> None:
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise Malformed("nested deeper than any record")


def commit(salt: bytes, record: bytes) -> bytes:
    """The commitment to a record's canonical bytes, and in the same way to any part of a record that is blinded."""
    return keyed(salt, record)


def commit_each(salts: bytes, records: Sequence[bytes]) -> list[bytes]:
    """`commit` to each under its own salt, all of 32 bytes and one after the other."""
    return keyed_each(salts, records)
