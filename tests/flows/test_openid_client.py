"""A client nobody here wrote: npm openid-client does discovery, PAR, the code flow with an officer in a browser, DPoP with
our nonces, GraphQL, refresh, introspection and revocation against the running gateway.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from gateway.oauth.jose import PrivateKey
from gateway.oauth.terms import RAR_TYPE, terms_for
from gateway.policy.purposes import read_register
from gateway.services.clients import ManageClients
from gateway.services.identity_rows import from_files
from gateway.services.import_identities import ImportIdentities
from gateway.services.login_ports import Enrolment
from gateway.services.passwords import Passwords
from tests.fakes.login_house import LOGIN, PASSWORD, TOTP, browser, hidden, see, send
from tests.flows.house import CASE, House
from tests.flows.node_modules_of import installed
from tests.flows.node_script import run_script
from tests.gateway.services.identity_examples import district

PACKAGES = ("openid-client@6.9.0", "oauth4webapi@3.8.8", "jose@6.2.18")
SCRIPT = Path(__file__).parent / "node" / "openid_client.mjs"
REDIRECT = "http://127.0.0.1:9/callback"  # nobody listens: the browser's last redirect is read, not followed
QUESTION = f"""query($idNo: String!, $name: String!) @purpose(code: "CC_RECEPTION", caseNo: "{CASE}") {{
  person(idNo: $idNo, name: $name) {{ pid identity {{ state best {{ name }} }} }}
}}"""

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def packages() -> Path:
    return installed("openid-client", *PACKAGES)


def metadata(client_id: str, key: PrivateKey, **more: Any) -> dict[str, Any]:
    return {
        "client_id": client_id, "client_name": f"{client_id} 测试", "kind": "SYSTEM", "org_id": "CC-JUSTICE",
        "org_kind": "CORRECTION_AGENCY", "jurisdiction": "440604", "jwks": {"keys": [key.public_jwk()]}, **more,
    }  # fmt: skip


async def prepare(here: House) -> dict[str, PrivateKey]:
    """An officer who can log in, and three clients, as an operator brings them in."""
    store, clock = here.gateway.store, here.gateway.clock
    importing = ImportIdentities(store.identity_changes, store.subjects, store.revocations, clock)
    await importing(from_files(district()), actor_org="OPERATOR", actor_user="operator")
    officer = await store.identities.officer_by_login(LOGIN)
    assert officer is not None
    enrolment = Enrolment(officer.user_id, "CC-JUSTICE", await Passwords().hash(PASSWORD), totp_secret=TOTP)
    async with store.database.write() as connection:
        await store.login.accounts.put(connection, enrolment, demo=False)
    keys = {name: PrivateKey.generate() for name in ("desk", "system", "rs")}
    manage = ManageClients(
        store.clients, store.revocations, read_register, scopes=terms_for(here.url).scopes, actor=("OPERATOR", "o")
    )
    await manage.import_all(
        [
            metadata("desk", keys["desk"], kind="OFFICER", redirect_uris=[REDIRECT], purposes=["CC_RECEPTION"]),
            metadata("system", keys["system"], purposes=["CC_TRANSFER"]),
            metadata("rs", keys["rs"], is_resource_server=True),
        ]
    )
    return keys


async def officer_says_yes(here: House, url: str) -> str:
    """What the officer does in a browser without scripts: log in, read, press 同意; where the browser is sent then."""
    async with browser() as client:
        answer = await see(client, url)
        assert answer.status == 303
        shown = await see(client, here.url + answer.location)
        fields = hidden(shown.text, "/login") | {"login": LOGIN, "password": PASSWORD}
        answer = await send(client, f"{here.url}/login", fields)
        assert answer.location == "/login/factor", answer.text
        shown = await see(client, f"{here.url}/login/factor")
        code = pyotp.TOTP(TOTP).at(here.gateway.clock.now())
        answer = await send(client, f"{here.url}/login/factor", hidden(shown.text, "/login/factor") | {"code": code})
        assert answer.status == 303, answer.text
        shown = await see(client, here.url + answer.location)
        assert "desk 测试" in shown.text
        assert CASE in shown.text
        fields = hidden(shown.text, "/oauth/authorize") | {"decision": "approve"}
        answer = await send(client, f"{here.url}/oauth/authorize", fields)
        assert answer.status == 303, answer.text
        return answer.location


async def test_a_third_party_client_does_it_all(gateway: House, packages: Path) -> None:
    keys = await prepare(gateway)
    detail = {"type": RAR_TYPE, "purpose": {"code": "CC_RECEPTION", "reference": CASE}}
    variables = {"idNo": "440606199003070017", "name": "张三"}
    said = {
        "issuer": gateway.url,
        "redirect_uri": REDIRECT,
        "details": [detail],
        "question": {"query": QUESTION, "variables": variables},
        "desk": {"client_id": "desk", "jwk": keys["desk"].private_jwk()},
        "system": {"client_id": "system", "jwk": keys["system"].private_jwk()},
        "resource_server": {"client_id": "rs", "jwk": keys["rs"].private_jwk()},
    }
    steps = await run_script(SCRIPT, packages, said, lambda url: officer_says_yes(gateway, url))
    assert steps["discovery"] == {"issuer": gateway.url, "par": f"{gateway.url}/oauth/par"}
    assert parse_qs(urlsplit(steps["par"]["url"]).query).keys() == {"client_id", "request_uri"}
    assert steps["code"]["token_type"].lower() == "dpop"
    assert steps["code"]["details"][0]["purpose"] == detail["purpose"]
    assert steps["code"]["refresh"] == "string"
    for name in ("graphql", "graphql again"):
        assert steps[name]["status"] == 200
        assert steps[name]["answer"]["data"]["person"]["identity"]["state"] == "FRESH", steps[name]
    assert steps["refresh"]["token_type"].lower() == "dpop"
    seen = steps["introspection"]
    assert (seen["active"], seen["token_type"], seen["jkt"]) == (True, "DPoP", "string")
    assert steps["own refresh token"] == {"active": True}
    assert steps["a foreign refresh token"] == {"active": False}
    assert steps["revocation"] == {"active": False}
    assert steps["graphql after revocation"]["status"] == 401
    assert steps["refresh after revocation"] == {"error": "invalid_grant"}
    assert steps["client credentials"] == {"token_type": "dpop", "expires_in": 600}
