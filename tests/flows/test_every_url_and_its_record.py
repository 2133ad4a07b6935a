"""Every URL there is, and what is written down when it tells something of a person or an officer. A new one must be put here."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.routing import Route, WebSocketRoute

from gateway.bootstrap.composition import application
from tests.flows.sealed_house import five
from tests.gateway.store.recording.test_kinds import SHOWN

pytestmark = pytest.mark.anyio
RECORDED = {
    "graphql": "query | refusal", "socket": "query | refusal", "access events": "LOG_READ", "changes": "CHANGES_READ",
    "alerts": "ALERTS_READ", "ledger evidence": "EVIDENCE_READ",  # of others' accesses; one's own answer is known
    "import identities": "IDENTITIES_READ | each change", "enrol person": "PERSON_ENROLLED",
    "break glass": "BREAK_GLASS_OPENED", "approve break glass": "BREAK_GLASS_APPROVED",
    "acknowledge alert": "ALERT_ACKNOWLEDGED", "close alert": "ALERT_CLOSED", "ask consent": "CONSENT_REQUESTED",
    "me give": "CONSENT_GIVEN", "me refuse": "CONSENT_REFUSED", "me withdraw": "CONSENT_WITHDRAWN",
    "login": "LOGGED_IN | LOGIN_FAILED", "login factor": "LOGGED_IN | LOGIN_FAILED",
    "login passkey": "LOGGED_IN | LOGIN_FAILED", "login oidc callback": "LOGGED_IN", "login enrol": "LOGIN_SET",
    "login enrol passkey": "LOGIN_SET", "authorize": "GRANT_CREATED", "revoke": "GRANT_REVOKED | TOKENS_REVOKED",
    "create presentation": "PRESENTATION_CREATED", "presentation response": "PRESENTATION_ANSWERED",
    "presentation result": "PRESENTATION_RETRIEVED", "counter ask": "PRESENTATION_CREATED",
    "counter result": "PRESENTATION_RETRIEVED",
    "facts changed": "CREDENTIAL_FACTS_CHANGED | refusal",
    "disputes": "query", "answer dispute": "DISPUTE_CORRECTED | DISPUTE_REFUSED", "me dispute": "DISPUTE_OPENED",
    "me withdraw dispute": "DISPUTE_WITHDRAWN", "me credential again": "CREDENTIAL_OFFERED", "me credential end": "CREDENTIAL_REVOKED",
    "me wallet decides": "GRANT_CREATED",
    "credential": "query | CREDENTIAL_ISSUED", "deferred credential": "query | CREDENTIAL_ISSUED",
    "register": "CLIENT_REGISTERED", "registration": "CLIENT_KEYS_ROTATED | CLIENT_DISABLED",
}  # fmt: skip
OWN = {
    "me", "me ask for link", "me link sent", "me link", "me send code", "me open", "me leave", "me consents", "me consent",
    "me receipt", "me history", "me history export", "me evidence", "me consent evidence", "logout",
    "consent request",  # the state of a request that the partner made; that the person answered is on record
    "query page session", "me credentials", "me disputes", "me new dispute",
    "credential offer",  # what is offered, to whoever holds the link; that it was opened stands in the offer's timeline
    "credential notification",  # what their wallet did, told by it
    "me wallet",  # which wallet asks for which of their own documents
}  # fmt: skip
"""What people see of themselves."""
TOKENS = {"token", "par", "introspect", "query page token"}
"""What a token says of its holder, to whom it was given or shown. What it is used for is on record."""
NOBODYS = {
    "c_nonce", "credential issuer metadata", "credential issuer metadata of the issuer's path",
    "credential type", "credential card",  # what a kind of credential is
    "counter", "counter wait",  # what may be asked, and that nobody answered yet
    "presentation request",  # who asks and what for; whoever answers is not known yet
    "protected resource", "livez", "page files", "readyz", "metrics", "query page", "authorization server metadata",
    "authorization server metadata of the issuer's path", "jwks", "login invitation", "login oidc", "demo inbox",
    "ledger", "ledger checkpoints", "ledger witnesses", "ledger policy", "ledger verifier", "ledger receipt",
    "ledger proof", "ledger origin", "ledger checkpoint", "ledger tile", "ledger entry", "ledger entry proof", "ledger entry bytes",
    "wallet", "wallet files",  # the same bytes for whoever opens a link
    "jwt vc issuer", "jwt vc issuer of the issuer's path", "did", "trust anchors", "status list", "status lists",
    "offline kit", "offline verifier",  # what anybody may check a credential with
}  # fmt: skip
"""What tells of nobody. The demo's inbox stands for phones and exists nowhere else."""


async def test_every_url_tells_nobody_anything_off_the_record(tmp_path: Path) -> None:
    async with five(tmp_path) as witnesses, witnesses.house(graphiql=True) as house:
        served = application(house.gateway).routes
    names = {route.name for route in served if isinstance(route, Route | WebSocketRoute)}
    assert names - RECORDED.keys() - OWN - TOKENS - NOBODYS == set()
    assert {*RECORDED, *OWN, *TOKENS, *NOBODYS} - names == set()


def test_what_is_said_to_be_recorded_is_a_record_there_is() -> None:
    kinds = {kind for kinds in SHOWN.values() for kind in kinds} | {"query", "refusal", "each change"}
    assert {kind for said in RECORDED.values() for kind in said.split(" | ")} <= kinds
