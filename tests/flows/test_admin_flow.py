"""Everything under /admin with tokens that officers really got: a browser, two factors, a code, a key, a proof each time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyotp
import pytest

from adapters.egress import Channel, Rule
from adapters.egress_http import HttpEgress
from adapters.oauth_client import OAuthClient, Token
from adapters.oauth_client import Registration as Registered
from adapters.oauth_jose import SigningKey
from gateway.bootstrap.changes import list_changes
from gateway.oauth.terms import terms_for
from gateway.policy.purposes import read_register
from gateway.services.change_history import ChangesAsked
from gateway.services.clients import ManageClients
from gateway.services.identity_rows import from_files
from gateway.services.import_identities import ImportIdentities
from gateway.services.login_ports import Enrolment
from gateway.services.passwords import Passwords
from gateway.services.token_client import headers_for, push, redeem
from gateway.store import Store
from gateway.supervision.case_facts import CaseEntry
from tests.fakes.login_house import PASSWORD, TOTP, browser, hidden, see, send
from tests.flows.house import CASE, House, house
from tests.gateway.services.identity_examples import district

pytestmark = pytest.mark.anyio
REDIRECT = "http://127.0.0.1:9/callback"
POSTS = """\
org_id,code,title_zh,roles,purposes
CC-JUSTICE,KEEPER,信息中心,IDENTITY_ADMIN,
CC-JUSTICE,CASE_OFFICER,矫正专干,JUSTICE_OFFICER,CC_RECEPTION
CC-JUSTICE,HEAD,科长,SUPERVISOR,
CC-JUSTICE,PRIVACY,个人信息保护负责人,DPO,
"""
OFFICERS = """\
login,name,org_id,posts
keeper,吴平,CC-JUSTICE,KEEPER
lin,林晓,CC-JUSTICE,CASE_OFFICER
he,何建,CC-JUSTICE,HEAD
dpo,方圆,CC-JUSTICE,PRIVACY
"""


@dataclass
class Desk:
    """The officers' client, its key, and one session for each who logged in."""

    here: House
    key: SigningKey
    channel: Channel

    async def log_in(self, login: str) -> Officer:
        here = self.here
        client = OAuthClient(
            Registered(here.url, "desk", self.key, scope="graphql"), self.channel, here.gateway.clock.now, name="desk"
        )
        request = await push(client, REDIRECT)
        async with browser() as surfer:
            to_login = await see(surfer, request.url)
            shown = await see(surfer, here.url + to_login.location)
            fields = hidden(shown.text, "/login") | {"login": login, "password": PASSWORD}
            answer = await send(surfer, f"{here.url}/login", fields)
            shown = await see(surfer, here.url + answer.location)
            code = pyotp.TOTP(TOTP).at(here.gateway.clock.now())
            answer = await send(
                surfer, f"{here.url}/login/factor", hidden(shown.text, "/login/factor") | {"code": code}
            )
            shown = await see(surfer, here.url + answer.location)
            answer = await send(
                surfer, f"{here.url}/oauth/authorize", hidden(shown.text, "/oauth/authorize") | {"decision": "approve"}
            )
        back = dict(parse_qsl(urlsplit(answer.location).query))
        answers: list[dict[str, Any]] = []
        post = client.post

        async def noted(endpoint: str, form: Any, *, timeout_s: float) -> Any:
            answers.append(await post(endpoint, form, timeout_s=timeout_s))
            return answers[-1]

        client.post = noted  # type: ignore[method-assign]  # (a refresh token is not `Token`'s business)
        token = await redeem(client, request, back)
        return Officer(here, client, token, self.channel, answers[-1]["refresh_token"])


@dataclass
class Officer:
    here: House
    client: OAuthClient
    token: Token
    channel: Channel
    refresh_token: str

    async def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        url = self.here.url + path
        headers = await headers_for(self.client, self.token, self.channel, method, url.partition("?")[0])
        async with self.here.session.request(method, url, json=body, headers=headers) as reply:
            return reply.status, await reply.json(content_type=None)


def store_of(opened: Desk) -> Store:
    return opened.here.gateway.store


@asynccontextmanager
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    async with house(manifests, tmp_path) as here:
        store, key, egress = here.gateway.store, SigningKey.new(), HttpEgress()
        importing = ImportIdentities(store.identity_changes, store.subjects, store.revocations, here.gateway.clock)
        files = district(posts=POSTS, officers=OFFICERS, devices="")
        assert (await importing(from_files(files), actor_org="OPERATOR", actor_user="operator")).faults == ()
        for one in await store.identities.officers():
            async with store.database.write() as connection:
                enrolment = Enrolment(one.user_id, one.org_id, await Passwords().hash(PASSWORD), totp_secret=TOTP)
                await store.login.accounts.put(connection, enrolment, demo=False)
        manage = ManageClients(
            store.clients, store.revocations, read_register, scopes=terms_for(here.url).scopes, actor=("OPERATOR", "o")
        )
        await manage.import_all(
            [
                {
                    "client_id": "desk", "client_name": "办案系统", "kind": "OFFICER", "org_id": "CC-JUSTICE",
                    "org_kind": "CORRECTION_AGENCY", "jurisdiction": "440604", "redirect_uris": [REDIRECT],
                    "jwks": {"keys": [dict(key.public)]}, "purposes": ["CC_RECEPTION"],
                }
            ]
        )  # fmt: skip
        host = urlsplit(here.url).netloc
        try:
            yield Desk(here, key, egress.open(Rule("desk", frozenset({host}), allow_plain_http=True)))
        finally:
            await egress.close()


async def test_who_has_a_role_but_no_purpose_refreshes_like_anybody(tmp_path: Path) -> None:
    async with desk(tmp_path) as opened:
        keeper = await opened.log_in("keeper")
        form = {"grant_type": "refresh_token", "refresh_token": keeper.refresh_token}
        again = await keeper.client.post("token_endpoint", form, timeout_s=10)
        keeper.token = replace(keeper.token, value=again["access_token"])
        assert (await keeper("POST", "/admin/identities/import", {"officers": [], "dry_run": True}))[0] == 200


async def test_admins_enrol_and_import_watchers_watch_and_all_of_it_is_told_afterwards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with desk(tmp_path) as opened:
        keeper, lin, head, dpo = [await opened.log_in(login) for login in ("keeper", "lin", "he", "dpo")]
        new = {"login": "new01", "name": "新人", "org_id": "CC-OFFICE"}
        bank = {"org_id": "FS-BANK", "name_zh": "银行", "kind": "BANK", "purposes": ["LOAN_SERVICE"]}
        for body, status in (
            ({"officers": [new], "dry_run": True}, 200),
            ({"officers": [new]}, 200),
            ({"organisations": [bank]}, 422),
        ):
            said = await keeper("POST", "/admin/identities/import", body)
            assert said[0] == status, said
        assert (await lin("POST", "/admin/identities/import", {"officers": [new]}))[0] == 403
        person = {"idNo": "440606199003070017", "name": "张三", "phone": "13800138000", "caseNo": CASE}
        status, said = await lin("POST", "/admin/persons/enrol", person)
        assert status == 200, said
        assert (await keeper("POST", "/admin/persons/enrol", person))[0] == 403
        (zhang,) = await store_of(opened).subjects.intern(["440606199003070017"])
        await store_of(opened).cases.declare([CaseEntry(CASE, zhang)])
        emergency = {
            "reasonCode": "RISK_TO_LIFE", "reason": "当事人失联，家属报警", "caseNo": CASE, "idNo": "440606199003070017",
            "items": ["identity.name"], "review": "AFTER",
        }  # fmt: skip
        status, said = await lin("POST", "/admin/break-glass", emergency)
        assert status == 201, said
        status, alerts = await head("GET", "/admin/alerts")
        assert status == 200
        assert (await lin("GET", "/admin/alerts"))[0] == 403
        (alert,) = [one for one in alerts["alerts"] if one["type"] == "A17_RULE_WAIVED"]
        assert (await head("POST", f"/admin/alerts/{alert['id']}/ack"))[0] == 200
        status, events = await head("GET", "/admin/access-events?limit=50")
        assert status == 200
        assert "IDENTITY_IMPORT" in {one["purpose"] for one in events["events"]}
        status, changes = await dpo("GET", "/admin/changes?limit=200")
        assert status == 200
        kinds = {one["kind"] for one in changes["changes"]}
        assert {"OFFICER_ADDED", "PERSON_ENROLLED", "LOG_READ", "LOGGED_IN"} <= kinds
        assert (await keeper("GET", "/admin/changes"))[0] == (await lin("GET", "/admin/changes"))[0] == 403
        assert "440606199003070017" not in str((events, changes, alerts))
        await list_changes(opened.here.gateway.settings, ChangesAsked(everybody=True, kind="OFFICER_ADDED"))
        assert "OFFICER_ADDED" in capsys.readouterr().out
