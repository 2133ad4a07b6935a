"""An evidence bundle as files: JSON for programs, one page for people that holds the same JSON and needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway.consent.notice import Both, in_words
from gateway.services.ledger.bundles import Bundle, Role
from gateway.services.words import Words
from gateway.web.html import HTML, page, style
from gateway.web.problems import JSON, Reply, catalogue
from ledger.entry import parse_entry
from ledger.evidence import Disclosed
from ledger.note import parse_signature


class EvidenceFiles:
    """Names are those of now; what is proven are the codes beside them."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def json(self, bundle: Bundle) -> Reply:
        """The file as `ledger.evidence` reads it."""
        return Reply(200, bytes(bundle.evidence), JSON, [_name(bundle, "json")])

    def rules(self, bundle: Bundle) -> Reply:
        """Beside it, for programs: what the rules that decided were called then, and what they rest on."""
        told = [
            {"id": one.id, "title": {"zh": one.title_zh, "en": one.title_en}, "basis": one.basis}
            for one in bundle.rules
        ]
        return Reply(200, orjson.dumps({"policyVersion": bundle.evidence.record.get("policy"), "rules": told}), JSON)

    async def html(self, bundle: Bundle, *, to_keep: bool = False) -> Reply:
        """One file, to read, to keep and to print; the verifier reads the JSON out of it."""
        record = bundle.evidence.record
        text = style("page.css") + style("ledger.css")
        reply = page(
            "ledger_evidence.html",
            record=record,
            told=await self._told(bundle),
            bundle=bundle,
            person=bundle.role is Role.PERSON,
            shown=bundle.evidence.disclosed,
            style=text,
            said=embedded(bytes(bundle.evidence)),
            detail=_lines(bundle.evidence.disclosed.get("detail")),
            witnesses=_cosigned(bundle),
        )
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest())
        policy = b"default-src 'none'; style-src 'sha256-%b'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
        own = [
            (b"content-security-policy", policy % digest),
            (b"cache-control", b"no-store"),
            (b"x-frame-options", b"DENY"),
        ]
        return Reply(200, reply.body, HTML, [*own, _name(bundle, "html", b"attachment" if to_keep else b"inline")])

    async def _told(self, bundle: Bundle) -> Mapping[str, Any]:
        record, entry = bundle.evidence.record, parse_entry(bundle.evidence.entry)
        return {
            "at": in_words(_instant(record["opened_at" if record["type"] == "alert" else "at"])),
            "body": await self._words.organisation(record["org"]) if record["org"] else None,
            "kind": Both(**catalogue()[f"LEDGER_KIND_{entry.kind.upper()}"]),
            "purpose": self._words.purpose(record.get("purpose", "")),
            "facts": tuple(self._words.facts(record.get("fields", ()))),
        }


def _lines(part: Disclosed | None) -> list[tuple[str, str]]:
    """What was recorded besides, by name."""
    if part is None:
        return []
    said = part.value if isinstance(part.value, Mapping) else {"": part.value}
    return [(name, value if isinstance(value, str) else orjson.dumps(value).decode()) for name, value in said.items()]


def _cosigned(bundle: Bundle) -> list[tuple[str, Both | None]]:
    """Who, and when by their own clock."""
    kept = bundle.standing.checkpoint
    found = []
    for name, line in sorted(kept.cosignatures.items()) if kept is not None else ():
        at = cosigned_at(line)
        found.append((name, None if at is None else in_words(datetime.fromtimestamp(at, UTC))))
    return found


def cosigned_at(line: str) -> int | None:
    """POSIX seconds: what the witness says itself."""
    value = parse_signature(line.splitlines()[0] + "\n").value
    return int.from_bytes(value[:8], "big") if len(value) > 64 else None


def embedded(said: bytes) -> str:
    """JSON that may stand inside a script element: the same value, without a character HTML would see."""
    text = said.decode()
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _name(bundle: Bundle, kind: str, how: bytes = b"attachment") -> tuple[bytes, bytes]:
    name = f"yimen-evidence-{bundle.standing.placed.id}.{kind}"
    return b"content-disposition", b'%b; filename="%b"' % (how, name.encode())
