"""An evidence bundle as files: JSON for programs, one page for people that holds the same JSON and needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway.consent.notice import in_words
from gateway.services.ledger.bundles import Bundle, Role
from gateway.services.words import Words
from gateway.web.html import HTML, page, style
from gateway.web.problems import JSON, Reply


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
        return Reply(200, orjson.dumps({"policyVersion": bundle.evidence.record["policy"], "rules": told}), JSON)

    async def html(self, bundle: Bundle, *, to_keep: bool = False) -> Reply:
        """One file, to read, to keep and to print; the verifier reads the JSON out of it."""
        record = bundle.evidence.record
        text = style("page.css") + style("ledger.css")
        reply = page(
            "ledger_evidence.html",
            record=record,
            told=await self._told(record),
            bundle=bundle,
            person=bundle.role is Role.PERSON,
            shown=bundle.evidence.disclosed,
            style=text,
            said=embedded(bytes(bundle.evidence)),
            witnesses=sorted(bundle.standing.checkpoint.cosignatures) if bundle.standing.checkpoint else [],
        )
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest())
        policy = b"default-src 'none'; style-src 'sha256-%b'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
        own = [
            (b"content-security-policy", policy % digest),
            (b"cache-control", b"no-store"),
            (b"x-frame-options", b"DENY"),
        ]
        return Reply(200, reply.body, HTML, [*own, _name(bundle, "html", b"attachment" if to_keep else b"inline")])

    async def _told(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "at": in_words(_instant(record["at"])),
            "body": await self._words.organisation(record["org"]),
            "purpose": self._words.purpose(record.get("purpose", "")),
            "facts": tuple(self._words.facts(record.get("fields", ()))),
        }


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
