"""The scope for saying that a fact changed: of a regulator's own systems, asked for by name, good for nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.oauth.registration import as_metadata, read_client
from gateway.oauth.terms import FACTS_SCOPE, SCOPE, Terms
from gateway.policy.purposes import read_register
from tests.fakes.authorization import BANK, SYSTEM, Desk, refused

pytestmark = pytest.mark.anyio
SCOPES = Terms("https://yimen.example", ("https://yimen.example/graphql",)).scopes


async def test_a_system_gets_a_token_for_it_without_details(desk: Desk) -> None:
    await desk.register_all(replace(SYSTEM, scope=frozenset({SCOPE, FACTS_SCOPE})))
    answer = await desk.credentials(SYSTEM.client_id, scope=FACTS_SCOPE)
    assert answer["scope"] == FACTS_SCOPE


async def test_who_is_not_registered_for_it_gets_none(desk: Desk) -> None:
    for client in (SYSTEM, BANK):
        assert (await refused(desk.credentials(client.client_id, scope=FACTS_SCOPE))).code == "invalid_scope"


@pytest.mark.parametrize(
    ("kind", "org_kind", "scope", "granted"),
    [
        ("SYSTEM", "CORRECTION_AGENCY", f"{SCOPE} {FACTS_SCOPE}", {SCOPE, FACTS_SCOPE}),
        ("SYSTEM", "POPULATION_OFFICE", FACTS_SCOPE, {FACTS_SCOPE}),  # who asks nothing needs no purpose
        ("SYSTEM", "CORRECTION_AGENCY", None, {SCOPE}),  # nobody has it who did not ask for it
        ("PARTNER", "BANK", FACTS_SCOPE, None),
        ("OFFICER", "JUSTICE_OFFICE", FACTS_SCOPE, None),
    ],
)
def test_it_is_registered_for_by_name_and_by_systems_only(
    kind: str, org_kind: str, scope: str | None, granted: set[str] | None
) -> None:
    faults: list[tuple[str, str]] = []
    told = as_metadata(replace(SYSTEM if kind == "SYSTEM" else BANK, client_id="c-1")) | {
        "kind": kind, "org_kind": org_kind, "scope": scope,
    }  # fmt: skip
    if scope == FACTS_SCOPE:
        told["purposes"] = []
    if scope is None:
        del told["scope"]
    client = read_client(
        told, lambda member, why: faults.append((member, why)), scopes=SCOPES, register=read_register(())
    )
    if granted is None:
        assert "scope" in {member for member, _ in faults}
    else:
        assert client is not None, faults
        assert client.scope == granted
