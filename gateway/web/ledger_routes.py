"""Every URL under /ledger, and the evidence on a person's own pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gateway.services.ledger.bundles import Bundles
from gateway.services.ledger.ports import LedgerReader
from gateway.services.ledger.receipts import Receipts
from gateway.services.ledger.walk import Walk
from gateway.services.words import Words
from gateway.web.html import page
from gateway.web.ledger import CheckpointFile, TileFiles
from gateway.web.ledger_evidence import EvidenceFiles
from gateway.web.ledger_pages import LedgerPages
from gateway.web.ledger_receipts import Evidence, PersonEvidence, ReceiptProof, ReceiptState
from gateway.web.me_visit import Desk, PersonPage
from gateway.web.problems import Refusal, Reply, status_of, text
from gateway.web.token_door import Admit


@dataclass(frozen=True, slots=True)
class LedgerParts:
    """What these endpoints are made of."""

    reader: LedgerReader
    receipts: Receipts
    bundles: Bundles
    walk: Walk
    words: Words
    admit: Admit
    desk: Desk
    base_url: str


def ledger_routes(parts: LedgerParts) -> list[BaseRoute]:
    """What has a fixed name stands before what has a shard's."""
    pages = LedgerPages(parts.walk, parts.receipts, parts.words, parts.base_url)
    files = EvidenceFiles(parts.words)

    def get(path: str, endpoint: Callable[..., Awaitable[None]], name: str) -> BaseRoute:
        return Route(path, endpoint, methods=["GET"], name=name)

    receipt, person = "/ledger/receipts/{id}", PersonEvidence(parts.bundles, files)
    return [
        get("/ledger", _Page(pages.entries), "ledger"),
        get("/ledger/checkpoints", _Page(pages.checkpoints), "ledger checkpoints"),
        get("/ledger/witnesses", _Page(pages.witnesses), "ledger witnesses"),
        get("/ledger/policy", _Page(pages.policy), "ledger policy"),
        get("/ledger/verifier", _Page(pages.verifier), "ledger verifier"),
        get(receipt, ReceiptState(parts.receipts), "ledger receipt"),
        get(f"{receipt}/proof", ReceiptProof(parts.receipts), "ledger proof"),
        get(f"{receipt}/evidence", Evidence(parts.bundles, files, parts.admit), "ledger evidence"),
        get("/me/history/{id}/evidence", PersonPage(parts.desk, person.access), "me evidence"),
        get("/me/consents/{consent_id}/evidence", PersonPage(parts.desk, person.consent), "me consent evidence"),
        get("/ledger/{shard}", _Page(pages.origin), "ledger origin"),
        get("/ledger/{shard}/checkpoint", CheckpointFile(parts.reader), "ledger checkpoint"),
        get("/ledger/{shard}/tile/{tile:path}", TileFiles(parts.reader), "ledger tile"),
        get("/ledger/{shard}/entries/{index}", _Page(pages.entry), "ledger entry"),
        get("/ledger/{shard}/entries/{index}/proof", _Page(pages.proof), "ledger entry proof"),
        get("/ledger/{shard}/entries/{index}/entry", _Page(pages.raw), "ledger entry bytes"),
    ]


class _Page:
    """An endpoint around a function that answers a request; a class, so that Starlette hands it the scope as it is.

    What there is not is said as a page to whoever looks with a browser."""

    def __init__(self, answer: Callable[[Scope], Awaitable[Reply]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = await self._answer(scope)
        except Refusal as refusal:
            if b"text/html" not in dict(scope["headers"]).get(b"accept", b""):
                raise
            reply = page("ledger_message.html", status=status_of(refusal.code), text=text(refusal.code))
        await reply(scope, receive, send)
