"""The grants, end to end on a store: what comes out of them, and what cannot be got out of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.oauth.errors import OAuthError
from gateway.oauth.jose import PrivateKey
from gateway.oauth.pkce import challenge_of
from gateway.settings import Settings
from gateway.store import open_store
from gateway.store.revocations import revoke
from tests.fakes.authorization import (
    BASE,
    DPOP_KEY,
    OFFICER,
    OFFICER_KEY,
    REDIRECT,
    SYSTEM,
    VERIFIER,
    Desk,
    answer_of,
    bank_detail,
    officer_detail,
    refused,
)  # fmt: skip
from tests.gateway.oauth.conftest import HandClock

pytestmark = pytest.mark.anyio


async def test_an_officer_s_code_becomes_a_bound_token_that_says_who_for_what_and_by_which_grant(desk: Desk) -> None:
    answer = await desk.tokens_of_officer(authorization_details=[officer_detail()])
    assert answer["token_type"] == "DPoP"
    assert answer["expires_in"] == 600
    assert answer["scope"] == "graphql"
    claims = await desk.claims(answer["access_token"])
    assert claims["sub"] == "u-1"
    assert claims["aud"] == f"{BASE}/graphql"
    assert claims["cnf"] == {"jkt": DPOP_KEY.public.thumbprint}
    assert claims["purposes"] == ["CC_RECEPTION"]
    assert claims["roles"] == ["CASE_OFFICER"]
    assert claims["level"] == 2
    assert claims["acr"] == "2"
    assert claims["authorization_details"] == answer["authorization_details"]
    granted = answer["authorization_details"][0]
    assert granted["locations"] == [f"{BASE}/graphql"]
    assert granted["purpose"]["code"] == "CC_RECEPTION"
    caller = (await desk.tokens.verify(answer["access_token"])).caller
    assert caller.details[0].reference == "(2026)粤0604刑初123号"


async def test_without_details_the_token_has_the_purposes_both_client_and_officer_have(desk: Desk) -> None:
    claims = await desk.claims((await desk.tokens_of_officer())["access_token"])
    assert claims["purposes"] == ["CC_PLAN", "CC_RECEPTION"]
    assert "authorization_details" not in claims


async def test_a_supervisor_whose_post_has_no_purpose_gets_a_token_that_asks_about_nobody(desk: Desk) -> None:
    answer = await desk.redeem(await desk.code(login=desk.login(roles=frozenset({"SUPERVISOR"}), purposes=frozenset())))
    assert (await desk.claims(answer["access_token"]))["purposes"] == []
    again = await desk.refresh(answer["refresh_token"])
    caller = (await desk.tokens.verify(again["access_token"])).caller
    assert caller.roles == {"SUPERVISOR"}
    assert caller.purposes == frozenset()


async def test_the_answer_to_the_browser_names_the_issuer_in_success_and_refusal(desk: Desk) -> None:
    url = await desk.authorize.approve(await desk.pending(), desk.login())
    assert url.startswith(REDIRECT + "?")
    said = answer_of(url)
    assert said["iss"] == BASE
    assert said["state"] == "st"
    assert len(said["code"]) >= 43
    assert answer_of(await desk.authorize.deny(await desk.pending())) == {
        "error": "access_denied", "state": "st", "iss": BASE,
    }  # fmt: skip


async def test_a_page_may_be_loaded_again_but_answered_once(desk: Desk) -> None:
    request_uri = await desk.push()
    first = await desk.authorize.load("desk", request_uri)
    second = await desk.authorize.load("desk", request_uri)
    await desk.authorize.approve(first, desk.login())
    assert (await refused(desk.authorize.approve(second, desk.login()))).code == "invalid_request_uri"
    assert (await refused(desk.authorize.deny(second))).code == "invalid_request_uri"
    assert (await refused(desk.authorize.load("desk", request_uri))).code == "invalid_request_uri"


async def test_a_request_uri_is_its_client_s_own_and_ends(desk: Desk, clock: HandClock) -> None:
    request_uri = await desk.push()
    assert (await refused(desk.authorize.load("shunde", request_uri))).code == "invalid_request_uri"
    assert (await refused(desk.authorize.load("nobody", request_uri))).code == "invalid_request_uri"
    assert (await refused(desk.authorize.load("desk", None))).code == "invalid_request"
    pending = await desk.authorize.load("desk", request_uri)
    clock.forward(301)
    assert (await refused(desk.authorize.approve(pending, desk.login()))).code == "invalid_request_uri"


async def test_a_client_disabled_while_the_page_is_open_gets_no_code_and_no_redirect(desk: Desk) -> None:
    pending = await desk.pending()
    await desk.store.clients.disable("desk", actor_org="o", actor_user="u")
    assert (await refused(desk.authorize.approve(pending, desk.login()))).code == "invalid_client"


async def test_an_officer_cannot_grant_a_purpose_of_somebody_else_s_post(desk: Desk) -> None:
    pending = await desk.pending(authorization_details=[officer_detail(purpose={"code": "CC_TRANSFER"})])
    assert answer_of(await desk.authorize.approve(pending, desk.login()))["error"] == "access_denied"


async def test_a_weak_or_old_login_is_told_to_the_client(desk: Desk, clock: HandClock) -> None:
    pending = await desk.pending(acr_values="3")
    assert pending.level == 3
    error = answer_of(await desk.authorize.approve(pending, desk.login()))["error"]
    assert error == "unmet_authentication_requirements"
    login = desk.login()
    clock.forward(61)
    pending = await desk.pending(max_age="60")
    assert answer_of(await desk.authorize.approve(pending, login))["error"] == "login_required"


async def test_the_page_shows_what_is_asked_in_words(desk: Desk) -> None:
    until = "2026-12-31T00:00:00Z"
    detail = officer_detail(datatypes=["identity.name"], validity={"until": until})
    pending = await desk.pending(authorization_details=[detail], prompt="login", max_age="30")
    (asked,) = pending.asked
    assert (asked.code, asked.reference, asked.datatypes) == (
        "CC_RECEPTION", "(2026)粤0604刑初123号", ("identity.name",),
    )  # fmt: skip
    assert asked.title_zh.startswith("社区矫正接收")
    assert asked.until is not None
    assert pending.redirect_host == "https://desk.example"
    assert pending.client_name == "社矫工作台"
    assert (pending.log_in_again, pending.max_age_s, pending.no_page) == (True, 30, False)


async def test_a_code_is_good_once_and_its_second_use_kills_what_came_of_it(desk: Desk) -> None:
    code = await desk.code()
    answer = await desk.redeem(code)
    assert (await desk.introspect("rs", answer["access_token"]))["active"] is True
    assert (await refused(desk.redeem(code))).code == "invalid_grant"
    assert await desk.introspect("rs", answer["access_token"]) == {"active": False}
    assert (await refused(desk.refresh(answer["refresh_token"]))).code == "invalid_grant"


async def test_of_parallel_redemptions_one_at_most_gets_tokens_and_none_keeps_them(desk: Desk) -> None:
    code = await desk.code()
    answers = await asyncio.gather(*(desk.redeem(code) for _ in range(6)), return_exceptions=True)
    got = [one for one in answers if not isinstance(one, BaseException)]
    assert len(got) <= 1
    assert all(one.code == "invalid_grant" for one in answers if isinstance(one, OAuthError))
    for one in got:
        assert await desk.introspect("rs", one["access_token"]) == {"active": False}
        assert (await refused(desk.refresh(one["refresh_token"]))).code == "invalid_grant"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"code_verifier": challenge_of(VERIFIER)}, "invalid_grant"),
        ({"redirect_uri": REDIRECT + "/"}, "invalid_grant"),
        ({"redirect_uri": ""}, "invalid_grant"),
        ({"resource": "https://other.example/"}, "invalid_target"),
        ({"authorization_details": [officer_detail(purpose={"code": "CC_TRANSFER"})]}, "invalid_authorization_details"),
    ],
)
async def test_a_code_shown_wrongly_is_refused_and_spent(desk: Desk, wrong: dict[str, Any], error: str) -> None:
    code = await desk.code()
    assert (await refused(desk.redeem(code, **wrong))).code == error
    assert (await refused(desk.redeem(code))).code == "invalid_grant"


async def test_a_code_in_another_client_s_hands_is_spent_without_effect(desk: Desk) -> None:
    other = replace(OFFICER, client_id="other")
    await desk.register_all(other)
    code = await desk.code()
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER,
            "client_assertion": desk.assertion("other", OFFICER_KEY)}  # fmt: skip
    asked = desk.server.token(desk.incoming("/oauth/token", "desk", form))
    assert (await refused(asked)).code == "invalid_grant"
    assert (await refused(desk.redeem(code))).code == "invalid_grant"


async def test_a_code_lives_a_minute(desk: Desk, clock: HandClock) -> None:
    code = await desk.code()
    clock.forward(60)
    assert (await refused(desk.redeem(code))).code == "invalid_grant"


@pytest.mark.parametrize("by", ["dpop_jkt", "proof"])
async def test_a_code_bound_to_a_key_is_useless_to_another_key(desk: Desk, by: str) -> None:
    bound = {"dpop_jkt": DPOP_KEY.public.thumbprint} if by == "dpop_jkt" else {"dpop": ""}
    thief = PrivateKey.generate()
    assert (await refused(desk.redeem(await desk.code(**bound), key=thief))).reason == "dpop_key"
    assert (await desk.redeem(await desk.code(**bound)))["token_type"] == "DPoP"


async def test_a_proof_at_par_must_be_of_the_key_that_dpop_jkt_names(desk: Desk) -> None:
    error = await refused(desk.push(dpop="", dpop_jkt=PrivateKey.generate().public.thumbprint))
    assert error.code == "invalid_dpop_proof"


async def test_a_refresh_token_that_is_not_rotated_stays_good_until_its_login_is_over(
    desk: Desk, clock: HandClock
) -> None:
    answer = await desk.tokens_of_officer()
    first, second = await desk.refresh(answer["refresh_token"]), await desk.refresh(answer["refresh_token"])
    assert "refresh_token" not in first
    claims = await desk.claims(second["access_token"])
    assert claims["purposes"] == ["CC_PLAN", "CC_RECEPTION"]
    clock.forward(12 * 3600)
    assert (await refused(desk.refresh(answer["refresh_token"]))).code == "invalid_grant"


async def test_a_rotated_refresh_token_that_comes_back_ends_the_grant(desk: Desk) -> None:
    await desk.register_all(replace(OFFICER, refresh_rotation="always"))
    old = (await desk.tokens_of_officer())["refresh_token"]
    new = await desk.refresh(old)
    assert new["refresh_token"] != old
    newest = await desk.refresh(new["refresh_token"])
    assert (await refused(desk.refresh(old))).code == "invalid_grant"
    assert (await refused(desk.refresh(newest["refresh_token"]))).code == "invalid_grant"
    assert await desk.introspect("rs", newest["access_token"]) == {"active": False}


async def test_rotation_does_not_lengthen_a_login(desk: Desk, clock: HandClock) -> None:
    await desk.register_all(replace(OFFICER, refresh_rotation="always"))
    token = (await desk.tokens_of_officer())["refresh_token"]
    for _ in range(3):
        clock.forward(3 * 3600)
        token = (await desk.refresh(token))["refresh_token"]
    clock.forward(3 * 3600)
    assert (await refused(desk.refresh(token))).code == "invalid_grant"


async def test_of_parallel_refreshes_with_rotation_one_at_most_wins(desk: Desk) -> None:
    await desk.register_all(replace(OFFICER, refresh_rotation="always"))
    token = (await desk.tokens_of_officer())["refresh_token"]
    answers = await asyncio.gather(*(desk.refresh(token) for _ in range(6)), return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in answers) <= 1
    assert all(one.code == "invalid_grant" for one in answers if isinstance(one, OAuthError))


async def test_another_client_s_refresh_token_is_refused_and_stays_good(desk: Desk) -> None:
    other_key = PrivateKey.generate()
    await desk.register_all(replace(OFFICER, client_id="other", jwks={"keys": [other_key.public_jwk()]}))
    token = (await desk.tokens_of_officer())["refresh_token"]
    form = {"client_assertion": desk.assertion("other", other_key)}
    assert (await refused(desk.refresh(token, **form))).code == "invalid_grant"
    assert (await desk.refresh(token))["token_type"] == "DPoP"


async def test_a_refresh_narrows_and_never_widens(desk: Desk) -> None:
    detail = officer_detail(datatypes=["identity.name", "identity.sex"])
    token = (await desk.tokens_of_officer(authorization_details=[detail]))["refresh_token"]
    narrow = officer_detail(datatypes=["identity.name"])
    answer = await desk.refresh(token, authorization_details=[narrow])
    assert answer["authorization_details"][0]["datatypes"] == ["identity.name"]
    wide = officer_detail(datatypes=["identity.name", "identity.idNo"])
    error = await refused(desk.refresh(token, authorization_details=[wide]))
    assert error.code == "invalid_authorization_details"
    assert (await refused(desk.refresh(token, scope="graphql admin"))).code == "invalid_scope"
    whole = await desk.refresh(token)
    assert whole["authorization_details"][0]["datatypes"] == ["identity.name", "identity.sex"]


async def test_what_the_client_lost_since_is_gone_with_the_next_refresh(desk: Desk) -> None:
    token = (await desk.tokens_of_officer())["refresh_token"]
    await desk.register_all(replace(OFFICER, purposes=frozenset({"CC_PLAN"})))
    assert (await desk.claims((await desk.refresh(token))["access_token"]))["purposes"] == ["CC_PLAN"]
    await desk.register_all(replace(OFFICER, purposes=frozenset({"CC_TRANSFER"})))
    assert (await refused(desk.refresh(token))).code == "invalid_grant"


@pytest.mark.parametrize("whose", ["user", "client", "grant"])
async def test_a_revoked_officer_client_or_grant_gets_nothing_more(desk: Desk, clock: HandClock, whose: str) -> None:
    code = await desk.code()
    answer = await desk.tokens_of_officer()
    clock.forward(1)
    revoker = desk.store.revocations
    if whose == "user":
        await revoker.revoke_user("u-1")
    elif whose == "client":
        await revoker.revoke_client("desk")
    else:
        await revoker.revoke_grant((await desk.claims(answer["access_token"]))["grant_id"])
    assert (await refused(desk.refresh(answer["refresh_token"]))).code == "invalid_grant"
    assert await desk.introspect("rs", answer["access_token"]) == {"active": False}
    if whose != "grant":
        assert (await refused(desk.redeem(code))).code == "invalid_grant"


async def test_a_grant_ends_where_the_officer_s_post_does(desk: Desk, clock: HandClock) -> None:
    code = await desk.code(login=desk.login(until=clock.now() + timedelta(seconds=100)))
    answer = await desk.redeem(code)
    assert answer["expires_in"] == 100
    clock.forward(100)
    assert (await refused(desk.refresh(answer["refresh_token"]))).code == "invalid_grant"


async def test_a_system_acts_for_its_organisation_with_its_registered_purposes(desk: Desk) -> None:
    answer = await desk.credentials("shunde")
    claims = await desk.claims(answer["access_token"])
    assert claims["sub"] == claims["client_id"] == "shunde"
    assert claims["purposes"] == ["CC_RECEPTION", "CC_TRANSFER"]
    assert (claims["kind"], claims["roles"], claims["level"]) == ("SYSTEM", ["CASE_OFFICER"], 2)
    assert "refresh_token" not in answer
    narrow = await desk.credentials("shunde", authorization_details=[officer_detail(purpose={"code": "CC_TRANSFER"})])
    assert (await desk.claims(narrow["access_token"]))["purposes"] == ["CC_TRANSFER"]


async def test_a_bank_gets_exactly_what_was_consented_until_the_consent_ends(desk: Desk, clock: HandClock) -> None:
    end = clock.now() + timedelta(seconds=300)
    desk.consents.held["c-1"] = (frozenset({"conductStatement.result"}), end)
    answer = await desk.credentials("bank", authorization_details=[bank_detail()])
    (granted,) = answer["authorization_details"]
    assert granted["validity"]["until"] == end.isoformat().replace("+00:00", "Z")
    assert answer["expires_in"] == 300
    claims = await desk.claims(answer["access_token"])
    assert (claims["kind"], claims["purposes"]) == ("PARTNER", ["LOAN_SERVICE"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (None, "rar_needed"),
        ({"datatypes": ["conductStatement.result", "identity.idNo"]}, "rar_consent"),
        ({"datatypes": ["conductStatement.*"]}, "rar_datatypes"),
        ({"datatypes": []}, "rar_datatypes"),
        ({"datatypes": None}, "rar_datatypes"),
        ({"subjects": {"consent_id": "c-2"}}, "rar_consent"),
        ({"subjects": {}}, "rar_member"),
        ({"purpose": {"code": "CC_RECEPTION"}}, "rar_purpose"),
        ({"purpose": {"code": "NONE"}}, "rar_purpose"),
        ({"purpose": {"code": "LOAN_SERVICE", "reference": "440606199003070017"}}, "rar_purpose"),
        ({"validity": {"until": "2027-06-01T00:00:00Z"}}, "rar_until"),
        ({"validity": {"until": "2020-01-01T00:00:00Z"}}, "rar_until"),
        ({"locations": ["https://elsewhere.example/graphql"]}, "rar_member"),
        ({"actions": ["read", "write"]}, "rar_member"),
        ({"privileges": ["admin"]}, "rar_member"),
        ({"type": "openid_credential"}, "rar_type"),
        ({"access": {"mode": "always"}}, "rar_access"),
        ({"access": {"max_per_day": 0}}, "rar_access"),
        ({"access": {"max_per_day": True}}, "rar_access"),
    ],
)
async def test_a_bank_gets_no_token_for_anything_else(
    desk: Desk, clock: HandClock, changes: dict[str, Any] | None, reason: str
) -> None:
    desk.consents.held["c-1"] = (frozenset({"conductStatement.result"}), clock.now() + timedelta(days=30))
    detail = bank_detail(**(changes or {}))
    if changes == {"datatypes": None}:
        del detail["datatypes"]
    form = {} if changes is None else {"authorization_details": [detail]}
    error = await refused(desk.credentials("bank", **form))
    assert (error.code, error.reason) == ("invalid_authorization_details", reason)


@pytest.mark.parametrize(
    ("client_id", "form", "error"),
    [
        ("shunde", {"scope": "graphql admin"}, "invalid_scope"),
        ("shunde", {"scope": "graphql graphql"}, "invalid_scope"),
        ("shunde", {"resource": "https://elsewhere.example"}, "invalid_target"),
        ("shunde", {"authorization_details": [officer_detail(subjects={"consent_id": "c-1"})]},
         "invalid_authorization_details"),
        ("shunde", {"authorization_details": "[" * 2000}, "invalid_authorization_details"),
        ("shunde", {"authorization_details": '[{"type":"a","type":"b"}]'}, "invalid_authorization_details"),
        ("shunde", {"authorization_details": "{}"}, "invalid_authorization_details"),
        ("shunde", {"authorization_details": "[]"}, "invalid_authorization_details"),
        ("shunde", {"authorization_details": "[NaN]"}, "invalid_authorization_details"),
        ("shunde", {"authorization_details": [officer_detail()] * 2}, "invalid_authorization_details"),
        ("shunde", {"grant_type": "authorization_code", "code": "x"}, "unauthorized_client"),
        ("shunde", {"grant_type": "password"}, "unsupported_grant_type"),
        ("shunde", {"grant_type": "urn:ietf:params:oauth:grant-type:pre-authorized_code"}, "unsupported_grant_type"),
        ("shunde", {"grant_type": ""}, "invalid_request"),
        ("desk", {}, "unauthorized_client"),
        ("rs", {}, "unauthorized_client"),
    ],
)  # fmt: skip
async def test_the_token_endpoint_refuses_in_the_standard_s_words(
    desk: Desk, client_id: str, form: dict[str, Any], error: str
) -> None:
    assert (await refused(desk.credentials(client_id, **form))).code == error


async def test_no_token_is_issued_without_a_proof_and_the_nonce_comes_before_anything_is_spent(
    tmp_path: Path, clock: HandClock
) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/n.db", master_key=bytes(range(32)), demo=True)
    store = await open_store(settings, clock)
    desk = Desk(store, clock, nonces=True)
    await desk.register_all()
    asked = desk.server.token(desk.incoming("/oauth/token", "shunde", {"grant_type": "client_credentials"}, dpop=None))
    assert (await refused(asked)).code == "invalid_dpop_proof"
    code = await desk.code()
    error = await refused(desk.redeem(code))
    assert error.code == "use_dpop_nonce"
    assert error.nonce is not None
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    proof = desk.proof("/oauth/token", nonce=error.nonce)
    answer = await desk.server.token(desk.incoming("/oauth/token", "desk", form, dpop=proof))
    assert answer.body["token_type"] == "DPoP"
    await store.close()


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"request_uri": "urn:x"}, "invalid_request"),
        ({"request": "ey"}, "request_not_supported"),
        ({"redirect_uri": ""}, "invalid_request"),
        ({"redirect_uri": REDIRECT + "?x=1"}, "invalid_request"),
        ({"redirect_uri": "https://desk.example/CB"}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/cb"}, "invalid_request"),
        ({"redirect_uri": REDIRECT + "\r\nset-cookie: a=b"}, "invalid_request"),
        ({"redirect_uri": REDIRECT.replace("e", "е", 1)}, "invalid_request"),
        ({"response_type": ""}, "invalid_request"),
        ({"response_type": "token\r\n一"}, "unsupported_response_type"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": VERIFIER + "="}, "invalid_request"),
        ({"scope": "graphql admin"}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"resource": "https://elsewhere.example"}, "invalid_target"),
        ({"state": "s" * 4097}, "invalid_request"),
        ({"nonce": "n" * 257}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "²"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"dpop_jkt": "short"}, "invalid_request"),
        ({"authorization_details": [officer_detail(purpose={"code": "PROC_SUPERVISION"})]},
         "invalid_authorization_details"),
    ],
)  # fmt: skip
async def test_a_pushed_request_is_checked_in_full(desk: Desk, form: dict[str, Any], error: str) -> None:
    assert (await refused(desk.push(**form))).code == error


async def test_who_pushes_in_another_client_s_name_is_nobody(desk: Desk) -> None:
    asked = desk.server.push(desk.incoming("/oauth/par", "desk", {"client_id": "shunde"}, dpop=None))
    error = await refused(asked)
    assert (error.code, error.status) == ("invalid_client", 401)


async def test_a_state_of_a_thousand_and_more_characters_comes_back_whole(desk: Desk) -> None:
    state = "状态&=#" * 300
    url = await desk.authorize.approve(await desk.pending(state=state), desk.login())
    assert answer_of(url)["state"] == state


async def test_only_a_client_of_the_code_flow_may_push(desk: Desk) -> None:
    await desk.register_all(replace(SYSTEM, redirect_uris=(REDIRECT,)))
    assert (await refused(desk.push("shunde"))).code == "unauthorized_client"


async def test_introspection_is_for_resource_servers_and_the_owner(desk: Desk) -> None:
    answer = await desk.tokens_of_officer(authorization_details=[officer_detail()])
    access, refresh = answer["access_token"], answer["refresh_token"]
    seen = await desk.introspect("rs", access)
    assert seen["active"] is True
    assert seen["token_type"] == "DPoP"
    assert seen["cnf"] == {"jkt": DPOP_KEY.public.thumbprint}
    assert seen["authorization_details"] == answer["authorization_details"]
    assert (seen["sub"], seen["client_id"], seen["iss"]) == ("u-1", "desk", BASE)
    assert (await desk.introspect("desk", access))["active"] is True
    assert (await desk.introspect("desk", refresh))["authorization_details"] == answer["authorization_details"]
    dead = {"active": False}
    assert await desk.introspect("shunde", access) == dead
    assert await desk.introspect("bank", refresh) == dead
    assert await desk.introspect("rs", refresh) == dead
    assert await desk.introspect("rs", access + "x") == dead
    assert await desk.introspect("rs", "nothing at all") == dead
    assert (await desk.introspect("rs", access, token_type_hint="refresh_token"))["active"] is True
    assert (await desk.introspect("rs", access, token_type_hint="nonsense"))["active"] is True


async def test_an_expired_token_is_inactive(desk: Desk, clock: HandClock) -> None:
    access = (await desk.tokens_of_officer())["access_token"]
    clock.forward(600)
    assert await desk.introspect("rs", access) == {"active": False}


async def test_a_revoked_access_token_is_dead_and_its_grant_lives(desk: Desk) -> None:
    answer = await desk.tokens_of_officer()
    assert await desk.revoke("desk", answer["access_token"]) == 200
    assert await desk.introspect("rs", answer["access_token"]) == {"active": False}
    assert (await desk.refresh(answer["refresh_token"]))["token_type"] == "DPoP"


async def test_a_revoked_refresh_token_takes_its_grant_along(desk: Desk) -> None:
    answer = await desk.tokens_of_officer()
    assert await desk.revoke("desk", answer["refresh_token"], token_type_hint="access_token") == 200
    assert await desk.introspect("rs", answer["access_token"]) == {"active": False}
    assert (await refused(desk.refresh(answer["refresh_token"]))).code == "invalid_grant"


async def test_a_stranger_s_revocation_is_polite_and_without_effect(desk: Desk) -> None:
    answer = await desk.tokens_of_officer()
    for token in (answer["access_token"], answer["refresh_token"], "nothing"):
        assert await desk.revoke("shunde", token) == 200
        assert await desk.revoke("rs", token) == 200
    assert (await desk.introspect("rs", answer["access_token"]))["active"] is True
    assert (await desk.refresh(answer["refresh_token"]))["token_type"] == "DPoP"


async def test_a_revocation_that_stands_on_the_list_alone_counts_too(desk: Desk, clock: HandClock) -> None:
    """The door is asked besides the grant itself: a revocation and a grant that cross each other leave nothing alive."""
    code = await desk.code()
    refresh_token = (await desk.tokens_of_officer())["refresh_token"]
    async with desk.store.database.write() as connection:
        await revoke(connection, "user", "u-1", clock.now())
    assert (await refused(desk.refresh(refresh_token))).reason == "grant_ended"
    assert (await refused(desk.redeem(code))).reason == "grant_ended"


async def test_a_client_changed_between_two_requests_is_read_anew(desk: Desk) -> None:
    assert (await desk.credentials("shunde"))["token_type"] == "DPoP"
    await desk.register_all(replace(SYSTEM, purposes=frozenset({"CC_TRANSFER"})))
    answer = await desk.credentials("shunde")
    assert (await desk.claims(answer["access_token"]))["purposes"] == ["CC_TRANSFER"]
