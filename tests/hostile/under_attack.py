"""The house that is attacked: opened as `yimen serve` opens it, with officers, clients, one consent in force, and an officer
who has logged in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyotp

from demo.places import TEMPLATES
from demo.render import render_manifests
from gateway.bootstrap.composition import stored_facts
from gateway.caller import Caller, CallerKind
from gateway.consent.consent import ConsentState, Terms
from gateway.consent.ports import Answer as PersonSays
from gateway.consent.ports import Asked
from gateway.oauth.jose import PrivateKey
from gateway.oauth.terms import terms_for
from gateway.policy.decision import Purpose
from gateway.policy.facts import Facts, SubjectFacts
from gateway.policy.purposes import read_register
from gateway.services.clients import ManageClients
from gateway.services.identity_rows import from_files
from gateway.services.import_identities import ImportIdentities
from gateway.services.login_ports import Enrolment
from gateway.services.passwords import Passwords
from tests.fakes.federated import Assigned
from tests.fakes.login_house import LOGIN, PASSWORD, TOTP, browser, log_in
from tests.flows.house import House, house
from tests.gateway.services.identity_examples import district
from tests.hostile.attacker import ID_NO, ITEM, NAME, OTHER_REDIRECT, REDIRECT, Ahead, Attacker

KEY_NAMES = ("desk", "other-desk", "system", "neighbour", "bank", "rs", "gone", "doomed")


class Known:
    """Every case is the officer's; what partners may know is in the store."""

    stored: Facts | None = None

    async def of(self, caller: Caller, purpose: Purpose, subjects: Sequence[str]) -> Sequence[SubjectFacts]:
        if caller.kind is CallerKind.PARTNER:
            assert self.stored is not None
            return await self.stored.of(caller, purpose, subjects)
        return await Assigned().of(caller, purpose, subjects)


@asynccontextmanager
async def attacked(folder: Path) -> AsyncIterator[Attacker]:
    """The house as `yimen serve` opens it: officers, clients, one consent in force, an officer who has logged in."""
    clock, known = Ahead(), Known()
    (folder / "manifests").mkdir()
    (folder / "zm_token").write_text("t", encoding="ascii")
    # One department, and nobody there: what is allowed is UNAVAILABLE, so that it cannot be taken for WITHHELD.
    render_manifests(TEMPLATES, folder / "manifests", {"ZM_URL": "http://127.0.0.1:9", "SECRETS": str(folder)})
    async with house(
        folder / "manifests", folder, clock=clock, facts=known, client_requests_per_minute=1_000_000, client_cost_per_minute=100_000_000, alarm_poll_s=0, reload_poll_s=0
    ) as here:  # fmt: skip
        known.stored = stored_facts(here.gateway.store, clock)
        keys = {name: PrivateKey.generate(f"{name}-key") for name in KEY_NAMES}
        await _people_and_clients(here, keys)
        consent_id = await _consented(here, clock)
        async with browser() as client:
            place: Any = SimpleNamespace(base_url=here.url)
            answer = await log_in(place, client, pyotp.TOTP(TOTP).at(clock.now()))
            assert answer.status == 303, answer.text
            yield Attacker(here, clock, keys, client, consent_id)


async def _people_and_clients(here: House, keys: Mapping[str, PrivateKey]) -> None:
    store = here.gateway.store
    importing = ImportIdentities(store.identity_changes, store.subjects, store.revocations, here.gateway.clock)
    await importing(from_files(district()), actor_org="OPERATOR", actor_user="operator")
    found = await store.identities.officer_by_login(LOGIN)
    assert found is not None
    made = Enrolment(found.user_id, "CC-JUSTICE", await Passwords().hash(PASSWORD), totp_secret=TOTP)
    async with store.database.write() as connection:
        await store.login.accounts.put(connection, made, demo=False)
    manage = ManageClients(
        store.clients, store.revocations, read_register, scopes=terms_for(here.url).scopes, actor=("OPERATOR", "o")
    )

    def one(name: str, **more: Any) -> dict[str, Any]:
        told = {"client_id": name, "client_name": f"{name} 测试", "kind": "SYSTEM", "org_id": "CC-JUSTICE",
                "org_kind": "CORRECTION_AGENCY", "jurisdiction": "440604"}  # fmt: skip
        return {**told, "jwks": {"keys": [keys[name].public_jwk()]}, **more}

    officers = {"kind": "OFFICER", "purposes": ["CC_RECEPTION", "CC_PLAN"]}
    await manage.import_all([
        one("desk", redirect_uris=[REDIRECT], **officers),
        one("other-desk", redirect_uris=[OTHER_REDIRECT], refresh_rotation="always", **officers),
        one("system", purposes=["CC_TRANSFER"]),
        one("neighbour", purposes=["CC_TRANSFER"]),
        one("bank", kind="PARTNER", org_id="bank", org_kind="BANK", jurisdiction="", purposes=["LOAN_SERVICE"]),
        one("rs", is_resource_server=True),
        one("gone", purposes=["CC_TRANSFER"]),
        one("doomed", purposes=["CC_TRANSFER"]),
    ])  # fmt: skip
    await manage.disable("gone")


async def _consented(here: House, clock: Ahead) -> str:
    """张三 has said yes to one field for the bank."""
    consents, now = here.gateway.store.consents, clock.now()
    asked = Terms("bank", "bank", "LOAN_SERVICE", (ITEM,), now, now + timedelta(days=30), "recurring", 1000, "file-1")
    _, consent_id = await consents.ask(asked, Asked(ID_NO, NAME), now + timedelta(days=7))
    (subject,) = await here.gateway.store.subjects.intern([ID_NO])
    await consents.settle(consent_id, subject)
    consent = await consents.of_person(subject, consent_id)
    assert consent is not None
    yes = PersonSays(ConsentState.GIVEN, "one_time_code", "v1", "ab" * 32, "zh-CN", "a.b.c")
    assert await consents.answer(consent, yes) is not None
    return str(consent_id)
