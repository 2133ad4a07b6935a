"""What goes along with a question that is put to another gateway, and what is kept of its answer.

A department's system gets none of this and gives none of it: `Lookup.onward` and `receipt` are None there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Onward:
    """For what, in which case and for whom a question is asked, and by which gateways it has come.

    `on_behalf` names the asking organisation to us alone: the other side can quote it, and cannot read it.
    `via` holds the gateways' names, the first asker's first and our own last.
    """

    purpose: str
    case_no: str | None
    on_behalf: str
    via: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UpstreamReceipt:
    """What another gateway says it recorded about our question; codes and hashes, nothing about a person.

    `note` says why there is no receipt to keep ("MISSING", "MALFORMED", "TIME"); all but `source` is then empty.
    `recorded_at` and `leaf_hash` (base64 of 32 bytes) stand as the other side wrote them; `proof` is a whole URL.
    """

    source: str
    id: str = ""
    recorded_at: str = ""
    leaf_hash: str = ""
    level: str = ""
    proof: str = ""
    rules: tuple[str, ...] = ()
    version: str = ""
    note: str = ""

    def told(self) -> Mapping[str, object]:
        """As it is recorded: what is empty is left out."""
        said = {
            "source": self.source, "id": self.id, "recordedAt": self.recorded_at, "leafHash": self.leaf_hash,
            "level": self.level, "proof": self.proof, "rules": list(self.rules), "policy": self.version,
            "note": self.note,
        }  # fmt: skip
        return {name: value for name, value in said.items() if value}
