"""The scope for asking wallets: partners' alone, good without details, and never for what needs them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.oauth.terms import CONSENT_SCOPE, PRESENTATION_SCOPE, SCOPE
from tests.fakes.authorization import BANK, SYSTEM, Desk, refused

pytestmark = pytest.mark.anyio
ALL = frozenset({SCOPE, CONSENT_SCOPE, PRESENTATION_SCOPE})


@pytest.mark.parametrize("scope", [PRESENTATION_SCOPE, f"{CONSENT_SCOPE} {PRESENTATION_SCOPE}"])
async def test_a_partner_gets_a_token_for_it_without_details(desk: Desk, scope: str) -> None:
    await desk.register_all(replace(BANK, scope=ALL))
    answer = await desk.credentials(BANK.client_id, scope=scope)
    assert answer["token_type"] == "DPoP"
    assert set(answer["scope"].split()) == set(scope.split())
    assert "authorization_details" not in answer


async def test_beside_a_scope_that_opens_data_details_are_needed(desk: Desk) -> None:
    await desk.register_all(replace(BANK, scope=ALL))
    for scope in (SCOPE, f"{SCOPE} {PRESENTATION_SCOPE}", ""):
        assert (await refused(desk.credentials(BANK.client_id, scope=scope))).code == "invalid_authorization_details"


async def test_who_is_not_registered_for_it_gets_none(desk: Desk) -> None:
    for client in (SYSTEM, BANK):
        assert (await refused(desk.credentials(client.client_id, scope=PRESENTATION_SCOPE))).code == "invalid_scope"
