"""`/ledger/receipts/{id}`: how far an entry has come, its proof as a file, and evidence of what it is about."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from gateway.services.ledger.bundles import OWN_DOING, Bundle, Bundles, NotIncluded
from gateway.services.ledger.ports import Level
from gateway.services.ledger.receipts import Receipts, Standing, note_of
from gateway.web.forms import FormInvalid, parse_form
from gateway.web.ledger import PUBLIC, TEXT
from gateway.web.ledger_evidence import EvidenceFiles, cosigned_at
from gateway.web.log_question import EVENT_ID
from gateway.web.me_visit import PersonVisit
from gateway.web.negotiation import negotiate
from gateway.web.problems import JSON, Refusal, Reply, problem
from gateway.web.token_door import Admit, next_nonce, single
from ledger.encoding import b64

LEVEL = b"yimen-ledger-level"
_JSON, _HTML, _FILE, _RULES = "application/json", "text/html", "html", "rules"
_FORMATS = {"json": _JSON, "html": _FILE, "rules": _RULES}


class ReceiptState:
    """`GET /ledger/receipts/{id}?wait=SEALED`: whoever holds the id may ask; see `services.ledger.receipts`."""

    def __init__(self, receipts: Receipts) -> None:
        self._receipts = receipts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = await self._receipts(_id(scope), wait_for=_wait(scope))
        if found is None:
            raise _unknown()
        await Reply(200, orjson.dumps(receipt(found)), JSON, PUBLIC)(scope, receive, send)


class ReceiptProof:
    """`GET /ledger/receipts/{id}/proof`: a `.tlog-proof`; a header tells whether it is sealed."""

    def __init__(self, receipts: Receipts) -> None:
        self._receipts = receipts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = await self._receipts(_id(scope), wait_for=_wait(scope))
        if found is None:
            raise _unknown()
        reply = await proof_file(self._receipts, found, _id(scope))
        await reply(scope, receive, send)


class Evidence:
    """`GET /ledger/receipts/{id}/evidence` with a token: as JSON, or for people as HTML (Accept; `?format=html`: to keep);
    `?format=rules`: what the rules that decided were called."""

    def __init__(self, bundles: Bundles, files: EvidenceFiles, admit: Admit) -> None:
        self._bundles, self._files, self._admit = bundles, files, admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = await self._admit(scope)
        kind = _format(scope)
        try:
            found = await self._bundles.for_officer(caller, _id(scope))
        except NotIncluded:
            raise _not_yet() from None
        if found is None:
            raise _unknown()
        reply = await _evidence(self._files, found, kind)
        reply.headers += next_nonce(caller)
        await reply(scope, receive, send)


class PersonEvidence:
    """Of what is a person's own business, on their own pages."""

    def __init__(self, bundles: Bundles, files: EvidenceFiles) -> None:
        self._bundles, self._files = bundles, files

    async def access(self, visit: PersonVisit) -> Reply:
        """`GET /me/history/{id}/evidence`: of an access their history shows."""
        person, entry_id = await visit.person(), visit.part("id")
        if not EVENT_ID.fullmatch(entry_id):
            raise _unknown()
        return await self._reply(visit, self._bundles.for_person(person.subject_id, entry_id))

    async def consent(self, visit: PersonVisit) -> Reply:
        """`GET /me/consents/{consent_id}/evidence?of=given`: that they agreed, declined or withdrew."""
        person, kind = await visit.person(), OWN_DOING.get(visit.asked.get("of", "given"))
        if kind is None:
            raise Refusal("BAD_VALUE")
        return await self._reply(visit, self._bundles.for_consent(person.subject_id, visit.part("consent_id"), kind))

    async def _reply(self, visit: PersonVisit, wanted: Awaitable[Bundle | None]) -> Reply:
        kind = _format(visit.scope)
        try:
            found = await wanted
        except NotIncluded:
            raise _not_yet() from None
        if found is None:
            raise _unknown()
        return await _evidence(self._files, found, kind)


def receipt(found: Standing) -> dict[str, Any]:
    """Nothing of this is personal: it is what the public log says of the entry."""
    placed, kept = found.placed, found.checkpoint
    return {
        "id": placed.id,
        "level": found.level.value,
        "shard": placed.shard,
        "origin": found.origin or None,
        "index": placed.number,
        "leafHash": b64(placed.leaf_hash),
        "entry": placed.entry.decode(),
        "recordedAt": orjson.loads(placed.entry)["time"],
        "checkpoint": None if kept is None else bytes(note_of(kept)).decode(),
        "proof": None if kept is None else f"/ledger/receipts/{placed.id}/proof",
        "witnesses": [] if kept is None else [{"name": name, "at": cosigned_at(line)} for name, line in kept.cosignatures.items()],
    }  # fmt: skip


async def proof_file(receipts: Receipts, found: Standing, name: str) -> Reply:
    proof = await receipts.proof(found)
    if proof is None:
        return problem("LEDGER_NOT_INCLUDED", headers=[*PUBLIC, (b"retry-after", b"1")])
    headers = [
        *PUBLIC, (LEVEL, found.level.value.encode()),
        (b"content-disposition", b'attachment; filename="%b.tlog-proof"' % name.encode()),
    ]  # fmt: skip
    return Reply(200, bytes(proof), TEXT, headers)


async def _evidence(files: EvidenceFiles, found: Bundle, kind: str) -> Reply:
    if kind == _RULES:
        return files.rules(found)
    if kind == _JSON:
        return files.json(found)
    return await files.html(found, to_keep=kind == _FILE)


def _id(scope: Scope) -> str:
    found: str = scope["path_params"]["id"]
    if not EVENT_ID.fullmatch(found):
        raise _unknown()
    return found


def _wait(scope: Scope) -> Level | None:
    given = _asked(scope).get("wait")
    if given is None:
        return None
    if given not in (Level.SEALED, Level.INCLUDED):
        raise Refusal("BAD_VALUE")
    return Level(given)


def _format(scope: Scope) -> str:
    given = _asked(scope).get("format")
    if given is not None:
        if given not in _FORMATS:
            raise Refusal("BAD_VALUE")
        return _FORMATS[given]
    accept = single(scope).get(b"accept")
    return negotiate(None if accept is None else accept.decode("latin-1"), (_JSON, _HTML)) or _JSON


def _asked(scope: Scope) -> dict[str, str]:
    try:
        return parse_form(scope["query_string"], fields=4)
    except FormInvalid:
        raise Refusal("BAD_VALUE") from None


def _unknown() -> Refusal:
    return Refusal("RECEIPT_UNKNOWN")


def _not_yet() -> Refusal:
    return Refusal("LEDGER_NOT_INCLUDED", [(b"retry-after", b"1")])
