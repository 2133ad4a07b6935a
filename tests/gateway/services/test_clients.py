"""Operators' work with clients: every fault at once, nothing by halves, and no token outlives its client's standing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.oauth.client import Client
from gateway.oauth.jose import PrivateKey
from gateway.oauth.registration import as_metadata, read_client
from gateway.oauth.terms import terms_for
from gateway.services.clients import ClientsRefused, ManageClients
from gateway.settings import Settings
from gateway.store import Store, open_store
from gateway.store.revocations import CLOCKS_APART
from tests.fakes.authorization import BANK, BANK_KEY, BASE, OFFICER, REGISTER, RS, SYSTEM, SYSTEM_KEY, Desk, refused

pytestmark = pytest.mark.anyio
SCOPES = terms_for(BASE).scopes


class HandClock:
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def store(tmp_path: Path, clock: HandClock) -> AsyncIterator[Store]:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/y.db", master_key=bytes(range(32)), demo=True)
    opened = await open_store(settings, clock)
    yield opened
    await opened.close()


@pytest.fixture
def manage(store: Store) -> ManageClients:
    return ManageClients(store.clients, store.revocations, lambda: REGISTER, scopes=SCOPES, actor=("OPERATOR", "op"))


def read(**changes: Any) -> tuple[Client | None, list[str]]:
    faults: list[str] = []
    given = {name: value for name, value in (as_metadata(BANK) | changes).items() if value is not ...}
    found = read_client(given, lambda member, wrong: faults.append(member), scopes=SCOPES, register=REGISTER)
    return found, faults


@pytest.mark.parametrize("client", [OFFICER, BANK, SYSTEM, RS])
def test_a_registration_reads_as_it_is_shown(client: Client) -> None:
    found = read_client(as_metadata(client), lambda *said: pytest.fail(str(said)), scopes=SCOPES, register=REGISTER)
    assert found == client


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"client_id": ...}, "client_id"),
        ({"client_id": "a b"}, "client_id"),
        ({"client_id": "x" * 65}, "client_id"),
        ({"client_name": ""}, "client_name"),
        ({"client_name": "a\nb"}, "client_name"),
        ({"client_name": "\u202eknab"}, "client_name"),
        ({"kind": "BANK"}, "kind"),
        ({"kind": ["PARTNER"]}, "kind"),
        ({"org_id": None}, "org_id"),
        ({"org_kind": "bank"}, "org_kind"),
        ({"jurisdiction": "44060"}, "jurisdiction"),
        ({"jwks": ...}, "jwks"),
        ({"jwks": {"keys": []}}, "jwks"),
        ({"jwks": {"keys": [BANK_KEY.private_jwk()]}}, "jwks"),
        ({"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, "jwks"),
        ({"jwks": {"keys": [BANK_KEY.public_jwk()] * 2}}, "jwks"),
        ({"grant_types": ["implicit"]}, "grant_types"),
        ({"grant_types": ["authorization_code"]}, "grant_types"),
        ({"grant_types": []}, "grant_types"),
        ({"grant_types": ["client_credentials"] * 2}, "grant_types"),
        ({"response_types": ["token"]}, "response_types"),
        ({"redirect_uris": ["https://bank.example/cb"]}, "redirect_uris"),
        ({"scope": "graphql admin"}, "scope"),
        ({"scope": ["graphql"]}, "scope"),
        ({"purposes": []}, "purposes"),
        ({"purposes": ["NO_SUCH"]}, "purposes"),
        ({"purposes": ["CC_RECEPTION"]}, "purposes"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "token_endpoint_auth_method"),
        ({"token_endpoint_auth_method": "none"}, "token_endpoint_auth_method"),
        ({"token_endpoint_auth_method": "tls_client_auth"}, "tls_client_auth_subject_dn"),
        ({"token_endpoint_auth_signing_alg": "RS256"}, "token_endpoint_auth_signing_alg"),
        ({"token_endpoint_auth_signing_alg": "none"}, "token_endpoint_auth_signing_alg"),
        ({"refresh_rotation": "sometimes"}, "refresh_rotation"),
        ({"is_resource_server": "yes"}, "is_resource_server"),
    ],
)
def test_what_must_not_be_registered_is_not(changes: dict[str, Any], member: str) -> None:
    found, faults = read(**changes)
    assert found is None
    assert member in faults


@pytest.mark.parametrize(
    "uri",
    [
        "http://desk.example/cb", "https://desk.example/cb#x", "https://u@desk.example/cb", "javascript:alert(1)", "desk://cb",
        "https:///cb", "//desk.example/cb", "/cb", "", "https://desk.example/c b", "https://desk.example\\@evil.example/",
        "https://[::1", "https://desk.example:99999/", "https://台.example/", "http://127.0.0.1.evil.example/",
        "data:text/html,x",
    ],
)  # fmt: skip
def test_redirects_go_to_https_or_this_machine_only(uri: str) -> None:
    faults: list[str] = []
    given = as_metadata(replace(OFFICER, redirect_uris=(uri,)))
    assert read_client(given, lambda member, _: faults.append(member), scopes=SCOPES, register=REGISTER) is None
    assert "redirect_uris" in faults


async def test_every_fault_of_a_file_comes_at_once_with_its_place(manage: ManageClients, store: Store) -> None:
    entries = [as_metadata(BANK), {"client_id": "b", "jwk": {}}, 7, as_metadata(BANK)]
    with pytest.raises(ClientsRefused) as caught:
        await manage.import_all(entries)
    faults = caught.value.faults
    assert any(fault.startswith("entry 2 (b): jwk is not known") for fault in faults)
    assert any(fault.startswith("entry 2 (b): kind") for fault in faults)
    assert "entry 3: must be an object" in faults
    assert "client_id bank: stands in the file more than once" in faults
    assert await store.clients.all() == []  # the good ones did not go in either
    for nothing in ({}, [], "x", None):
        with pytest.raises(ClientsRefused):
            await manage.import_all(nothing)


async def test_a_dry_run_says_what_would_be_and_does_nothing(manage: ManageClients, store: Store) -> None:
    done = await manage.import_all([as_metadata(BANK)], dry_run=True)
    assert done.added == ("bank",)
    assert await store.clients.all() == []
    await manage.import_all([as_metadata(BANK), as_metadata(RS)])
    done = await manage.import_all(
        [as_metadata(replace(BANK, client_name="新名")), as_metadata(RS), as_metadata(SYSTEM)]
    )
    assert (done.added, done.changed, done.unchanged) == (("shunde",), ("bank",), ("rs",))


async def test_a_changed_standing_ends_tokens_and_a_changed_name_does_not(
    manage: ManageClients, store: Store, clock: HandClock
) -> None:
    desk = Desk(store, clock)
    await desk.register_all()
    token = (await desk.credentials("shunde"))["access_token"]
    clock.at += timedelta(seconds=1)
    await manage.import_all([as_metadata(replace(SYSTEM, client_name="新名"))])
    assert (await desk.introspect("rs", token))["active"] is True
    await manage.import_all([as_metadata(replace(SYSTEM, purposes=frozenset({"CC_TRANSFER"})))])
    assert await desk.introspect("rs", token) == {"active": False}


async def test_a_disabled_client_is_nobody_at_once_and_comes_back_without_its_tokens(
    manage: ManageClients, store: Store, clock: HandClock
) -> None:
    desk = Desk(store, clock)
    await desk.register_all()
    token = (await desk.credentials("shunde"))["access_token"]
    clock.at += timedelta(seconds=1)
    await manage.disable("shunde")
    assert (await refused(desk.credentials("shunde"))).code == "invalid_client"
    assert await desk.introspect("rs", token) == {"active": False}
    clock.at += timedelta(seconds=1)
    await manage.enable("shunde")
    assert await desk.introspect("rs", token) == {"active": False}
    clock.at += CLOCKS_APART  # what another replica's clock says is of the moment before is ended, too
    new = (await desk.credentials("shunde"))["access_token"]
    assert (await desk.introspect("rs", new))["active"] is True
    for wrong in (manage.enable("shunde"), manage.disable("nobody"), manage.enable("nobody")):
        with pytest.raises(ClientsRefused):
            await wrong


async def test_keys_overlap_or_end_at_once(manage: ManageClients, store: Store, clock: HandClock) -> None:
    desk = Desk(store, clock)
    await desk.register_all()
    new = PrivateKey.generate()
    state = await manage.rotate("shunde", {"keys": [new.public_jwk()]}, timedelta(hours=1))
    assert state.keys == (new.kid,)
    by_old = await desk.credentials("shunde", client_assertion=desk.assertion("shunde", header={"kid": SYSTEM_KEY.kid}))
    assert await desk.credentials("shunde", client_assertion=desk.assertion("shunde", new, {"kid": new.kid}))
    clock.at += timedelta(seconds=1)
    newest = PrivateKey.generate()
    await manage.rotate("shunde", {"keys": [newest.public_jwk()]}, timedelta(0))
    assert (await refused(desk.credentials("shunde"))).code == "invalid_client"
    stolen = desk.assertion("shunde", new, {"kid": new.kid})
    assert (await refused(desk.credentials("shunde", client_assertion=stolen))).code == "invalid_client"
    assert await desk.introspect("rs", by_old["access_token"]) == {"active": False}
    with pytest.raises(ClientsRefused, match="kid of an old one"):
        await manage.rotate("shunde", {"keys": [newest.public_jwk()]}, timedelta(hours=1))
    nameless = {name: value for name, value in PrivateKey.generate().public_jwk().items() if name != "kid"}
    with pytest.raises(ClientsRefused, match="need a kid"):
        await manage.rotate("shunde", {"keys": [nameless]}, timedelta(hours=1))
    with pytest.raises(ClientsRefused, match="private"):
        await manage.rotate("shunde", {"keys": [newest.private_jwk()]}, timedelta(hours=1))
    with pytest.raises(ClientsRefused, match="no such client"):
        await manage.rotate("nobody", {"keys": [new.public_jwk()]}, timedelta(hours=1))
