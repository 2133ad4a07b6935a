"""What must not be believed when somebody shows something: each refused with its own reason, and none of it told."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from credentials.jose import LocalSigner, base64url, dumps, generate_private_jwk, thumbprint
from credentials.key_binding import bind
from credentials.sd_jwt import disclosure, read
from credentials.status_list import INVALID, SUSPENDED
from gateway.bootstrap.credential_keys import open_rings
from tests.fakes.holder import Holder, Request, sealed
from tests.fakes.show_house import ShowHouse, show_house
from tests.fakes.tokens import Asker, partner

pytestmark = pytest.mark.anyio
RESIDENCE = {"districtName": "广东省佛山市禅城区", "livesInDistrict": "440604", "name": "张*"}
INCOME = {"stableIncome": True, "name": "张*"}
OTHER_ID = "440606198807213328"
Spoil = Callable[[Holder, Request], dict[str, list[str]]]


@pytest.fixture
async def house() -> AsyncIterator[ShowHouse]:
    async with show_house() as opened:
        yield opened


async def asked(house: ShowHouse, holder: Holder, bank: Asker, **changes: Any) -> tuple[str, Request]:
    status, made = await house.create(bank, **changes)
    assert status == 201, made
    return made["id"], await holder.fetch(house.client, made["links"]["openid4vp"])


async def refused(house: ShowHouse, holder: Holder, vp_token: Callable[[Request], Any]) -> str:
    """The reason the bank is given; the wallet gets 200, as for every answer that was looked at."""
    bank = await house.bank()
    id, request = await asked(house, holder, bank)
    assert await holder.send(house.client, request, vp_token(request)) == (200, {})
    status, said = await house.result(bank, id)
    assert (status, said["state"]) == (200, "FAILED"), said
    assert "credentials" not in said
    return str(said["reason"])


def bound(holder: Holder, request: Request, id: str, **changes: Any) -> str:
    names = ["livesInDistrict", "stableIncome", "name"]
    against = {"aud": request.claims["client_id"], "nonce": request.claims["nonce"]} | changes
    return holder.present(holder.credentials[id], names, **against)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "x509_hash:somebody-else"},
        {"nonce": "of-another-request"},
        {"sd_hash": base64url(b"x" * 32)},
        {"key": LocalSigner.generate()},
        {"iat": 0},
        {"iat": 4_000_000_000},
        {"iat": "now"},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_a_key_binding_for_another_moment_verifier_or_choice(house: ShowHouse, changes: dict[str, Any]) -> None:
    holder = await house.wallet()
    reason = await refused(
        house,
        holder,
        lambda request: holder.answer(request) | {"income": [bound(holder, request, "income", **changes)]},
    )
    assert reason == "key_binding"


async def test_no_key_binding_at_all(house: ShowHouse) -> None:
    holder = await house.wallet()
    assert (
        await refused(
            house, holder, lambda request: holder.answer(request) | {"income": [holder.credentials["income"]]}
        )
        == "key_binding"
    )


async def test_an_answer_to_one_request_is_none_to_another(house: ShowHouse) -> None:
    holder, bank = await house.wallet(), await house.bank()
    _, first = await asked(house, holder, bank)
    old = holder.answer(first)
    assert await refused(house, holder, lambda request: old) == "key_binding"


async def test_a_key_binding_of_one_choice_is_none_of_another(house: ShowHouse) -> None:
    """One disclosure fewer under the same KB-JWT: it was made over more."""
    holder = await house.wallet()

    def less(request: Request) -> dict[str, list[str]]:
        whole = bound(holder, request, "income")
        jwt, _first, *rest = whole.split("~")
        return holder.answer(request) | {"income": ["~".join([jwt, *rest])]}

    assert await refused(house, holder, less) == "key_binding"


async def test_somebody_elses_credential_with_ones_own_key(house: ShowHouse) -> None:
    holder, other = await house.wallet(), await house.wallet(OTHER_ID)
    holder.credentials["income"] = other.credentials["income"]
    assert await refused(house, holder, holder.answer) == "key_binding"


async def test_two_persons_credentials_in_one_wallet_are_no_answer(house: ShowHouse) -> None:
    """Both genuine, both bound to keys of this wallet: but the income is somebody else's."""
    holder = await house.wallet()
    holder.credentials["income"], _ = await house.issue(holder, "stable-income", INCOME, id_no=OTHER_ID)
    assert await refused(house, holder, holder.answer) == "holders"


async def test_the_wrong_type_is_not_what_was_asked_for(house: ShowHouse) -> None:
    holder = await house.wallet()
    holder.credentials["income"], _ = await house.issue(holder, "business", RESIDENCE | INCOME)
    assert await refused(house, holder, holder.answer) == "query_type"


async def test_fewer_claims_than_were_asked_for(house: ShowHouse) -> None:
    holder = await house.wallet()

    def fewer(request: Request) -> dict[str, list[str]]:
        claims = request.claims
        shown = holder.present(
            holder.credentials["income"], ["stableIncome"], aud=claims["client_id"], nonce=claims["nonce"]
        )
        return holder.answer(request) | {"income": [shown]}

    assert await refused(house, holder, fewer) == "query_claims"


async def test_one_of_two_is_not_both(house: ShowHouse) -> None:
    holder = await house.wallet()
    assert (
        await refused(house, holder, lambda request: {"residence": holder.answer(request)["residence"]})
        == "query_missing"
    )


async def test_an_id_nobody_asked_for(house: ShowHouse) -> None:
    holder = await house.wallet()
    assert (
        await refused(
            house, holder, lambda request: holder.answer(request) | {"further": [bound(holder, request, "income")]}
        )
        == "query_unknown_id"
    )


async def test_two_where_one_was_asked_for(house: ShowHouse) -> None:
    holder = await house.wallet()
    assert (
        await refused(
            house,
            holder,
            lambda request: (
                holder.answer(request)
                | {"income": [bound(holder, request, "income"), bound(holder, request, "residence")]}
            ),
        )
        == "query_multiple"
    )


async def test_what_was_not_asked_for_is_not_told(house: ShowHouse) -> None:
    holder, bank = await house.wallet(), await house.bank()
    id, request = await asked(house, holder, bank)
    claims = request.claims
    everything = holder.present(
        holder.credentials["income"],
        ["stableIncome", "name", "further"],
        aud=claims["client_id"],
        nonce=claims["nonce"],
    )
    await holder.send(house.client, request, holder.answer(request) | {"income": [everything]})
    _, said = await house.result(bank, id)
    assert said["state"] == "ANSWERED"
    assert {one["name"] for one in said["credentials"][1]["claims"]} == {"stableIncome", "name"}


async def test_orphan_and_doubled_disclosures(house: ShowHouse) -> None:
    holder = await house.wallet()
    plain = holder.credentials["income"]
    orphan = plain + disclosure("stableIncome", True) + "~"
    doubled = plain + plain.split("~")[1] + "~"
    for spoilt in (orphan, doubled):
        holder.credentials["income"] = spoilt

        def whole(request: Request, spoilt: str = spoilt) -> dict[str, list[str]]:
            said = bind(
                holder.key,
                spoilt,
                aud=request.claims["client_id"],
                nonce=request.claims["nonce"],
                at=house.clock.now(),
            )
            holder.credentials["income"] = plain
            return holder.answer(request) | {"income": [said]}

        assert await refused(house, holder, whole) == "disclosures"


@pytest.mark.parametrize(("value", "reason"), [(INVALID, "revoked"), (SUSPENDED, "suspended")])
async def test_revoked_and_suspended(house: ShowHouse, value: int, reason: str) -> None:
    holder = await house.wallet()
    holder.credentials["income"], place = await house.issue(holder, "stable-income", INCOME)
    await house.flip(place, value)
    assert await refused(house, holder, holder.answer) == reason


async def test_expired_and_not_yet_valid(house: ShowHouse) -> None:
    holder, now = await house.wallet(), int(house.clock.now().timestamp())
    for changes, reason in (({"exp": now - 1}, "expired"), ({"nbf": now + 3600}, "not_yet")):
        holder.credentials["income"], _ = await house.issue(holder, "stable-income", INCOME, **changes)
        assert await refused(house, holder, holder.answer) == reason


async def test_of_ours_without_a_status(house: ShowHouse) -> None:
    holder = await house.wallet()
    holder.credentials["income"], _ = await house.issue(holder, "stable-income", INCOME, status=None)
    assert await refused(house, holder, holder.answer) == "status_unknown"


async def test_an_index_outside_the_list_and_a_list_we_do_not_have(house: ShowHouse) -> None:
    holder = await house.wallet()
    _, place = await house.issue(holder, "stable-income", INCOME)
    for listed, reasons in (
        ({"idx": 10_000_000, "uri": house.list_uri(place.list_id)}, {"status_unknown"}),
        ({"idx": 1, "uri": house.list_uri("0" * 16)}, {"status_unknown"}),
        ({"idx": 1, "uri": house.list_uri("../../oauth")}, {"status_unknown"}),
    ):
        holder.credentials["income"], _ = await house.issue(
            holder, "stable-income", INCOME, status={"status_list": listed}
        )
        assert await refused(house, holder, holder.answer) in reasons


async def test_a_type_we_do_not_know_and_one_whose_text_is_another(house: ShowHouse) -> None:
    holder = await house.wallet()
    for changes in ({"vct": "https://elsewhere.example/types/income/1"}, {"vct#integrity": "sha256-" + "A" * 43 + "="}):
        holder.credentials["income"], _ = await house.issue(holder, "stable-income", INCOME, **changes)
        assert await refused(house, holder, holder.answer) in ("type", "query_type")


async def test_a_chain_that_leads_to_an_anchor_we_do_not_know(house: ShowHouse, tmp_path: Path) -> None:
    strangers = await open_rings(replace(house.settings, state_dir=tmp_path), house.store.keys, house.clock)
    holder = await house.wallet()
    signer = await strangers.issuer.signer()
    holder.credentials["income"], _ = await house.issue(holder, "stable-income", INCOME, signer=signer)
    assert await refused(house, holder, holder.answer) == "chain"


async def test_signed_by_who_only_asks(house: ShowHouse) -> None:
    """The verifier's own key signs no credential, whatever chain it has."""
    holder = await house.wallet()
    signer = await house.rings.verifier.signer()
    holder.credentials["income"], _ = await house.issue(holder, "stable-income", INCOME, signer=signer)
    assert await refused(house, holder, holder.answer) == "chain"


async def test_a_key_without_a_chain_is_nobodys(house: ShowHouse) -> None:
    holder = await house.wallet()
    holder.credentials["income"], _ = await house.issue(holder, "stable-income", INCOME, signer=LocalSigner.generate())
    assert await refused(house, holder, holder.answer) in ("chain", "signature")


async def test_alg_none_and_a_shared_secret(house: ShowHouse) -> None:
    holder = await house.wallet()
    jwt, *rest = holder.credentials["income"].split("~")
    head, payload, signature = jwt.split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=="))
    for alg, signed in (("none", ""), ("HS256", signature), ("ES256", base64url(b"\0" * 64))):
        forged = base64url(dumps(header | {"alg": alg}))
        spoilt = "~".join([f"{forged}.{payload}.{signed}", *rest])

        def answer(request: Request, spoilt: str = spoilt) -> dict[str, list[str]]:
            return holder.answer(request) | {"income": [spoilt]}

        assert await refused(house, holder, answer) in ("format", "signature")


async def test_what_is_no_answer_to_this_request_leaves_it_waiting(house: ShowHouse) -> None:
    holder, bank = await house.wallet(), await house.bank()
    id, request = await asked(house, holder, bank)
    answer, uri = holder.answer(request), request.claims["response_uri"]
    other = generate_private_jwk()
    other = {name: other[name] for name in ("kty", "crv", "x", "y")}
    said = {"vp_token": answer, "state": request.claims["state"]}
    bad_forms: list[dict[str, str]] = [
        {"response": sealed(request, said, other | {"kid": thumbprint(other)})},
        {
            "response": sealed(
                request, said, other | {"kid": request.claims["client_metadata"]["jwks"]["keys"][0]["kid"]}
            )
        },
        {"response": sealed(request, {"vp_token": answer})},
        {"response": sealed(request, said | {"state": "another"})},
        {"response": sealed(request, said | {"error": "access_denied"})},
        {"response": sealed(request, {"state": request.claims["state"]})},
        {"response": sealed(request, {"vp_token": dumps(answer).decode(), "state": request.claims["state"]})},
        {"response": sealed(request, {"vp_token": {"residence": []}, "state": request.claims["state"]})},
        {"response": sealed(request, {"vp_token": {"residence": "x"}, "state": request.claims["state"]})},
        {"response": sealed(request, said), "state": request.claims["state"]},
        {"vp_token": dumps(answer).decode(), "state": request.claims["state"]},
        {"error": "access_denied"},
        {"error": "access_denied", "state": "another"},
        {"response": "a.b.c.d.e"},
        {"response": "x"},
    ]
    for form in bad_forms:
        async with house.client.post(uri, data=form, headers={"origin": "https://wallet.example"}) as reply:
            assert (reply.status, (await reply.json())["error"]) == (400, "invalid_request"), form.keys()
            assert reply.headers["access-control-allow-origin"] == "*"
    async with house.client.post(uri, json=said) as reply:
        assert reply.status == 400
    assert (await house.result(bank, id))[0] == 202
    assert await holder.send(house.client, request, answer) == (200, {})
    assert (await house.result(bank, id))[1]["state"] == "ANSWERED"


async def test_huge_answers_end_soon(house: ShowHouse) -> None:
    holder, bank = await house.wallet(), await house.bank()
    _, request = await asked(house, holder, bank, profile="open", encrypted=False)
    state, uri = request.claims["state"], request.claims["response_uri"]
    huge = {"residence": ["x" * 70_000]}
    many = {"residence": [f"x{n}" for n in range(9)]}
    deep = '{"residence":' + "[" * 50_000 + "]" * 50_000 + "}"
    async with asyncio.timeout(5):
        for token in (dumps(huge).decode(), dumps(many).decode(), deep, "[]", "null", '{"a":["x"],"a":["x"]}'):
            async with house.client.post(uri, data={"vp_token": token, "state": state}) as reply:
                assert reply.status == 400
        async with house.client.post(uri, data={"vp_token": "x" * 1_000_000, "state": state}) as reply:
            assert reply.status == 413
        async with house.client.post(uri, data={"vp_token": "x" * 300_000, "state": state}) as reply:
            assert reply.status == 400


async def test_without_encryption_only_where_it_was_asked_so(house: ShowHouse) -> None:
    holder, bank = await house.wallet(), await house.bank()
    id, request = await asked(house, holder, bank, profile="open", encrypted=False)
    assert request.claims["response_mode"] == "direct_post"
    assert await holder.send(house.client, request, holder.answer(request)) == (200, {})
    assert (await house.result(bank, id))[1]["state"] == "ANSWERED"
    for wrong in ({"encrypted": False}, {"client_id_prefix": "pre-registered"}, {"profile": "other"}):
        assert (await house.create(bank, **wrong))[0] == 400


@pytest.mark.parametrize(("profile", "given"), [("open", "open"), ("haip", "haip"), ("both", "haip")])
async def test_a_deployment_of_one_profile_asks_by_it_and_by_no_other(profile: str, given: str) -> None:
    async with show_house(profile=profile) as house:
        bank = await house.bank()
        assert (await house.create(bank))[0] == 201
        assert (await house.create(bank, profile=given))[0] == 201
        other = "haip" if given == "open" else "open"
        assert (await house.create(bank, profile=other))[0] == (201 if profile == "both" else 400)


async def test_the_other_ways_to_say_who_asks(house: ShowHouse) -> None:
    holder, bank = await house.wallet(), await house.bank()
    id, request = await asked(house, holder, bank, profile="open", client_id_prefix="pre-registered")
    assert request.claims["client_id"] == "127.0.0.1"
    await holder.send(house.client, request, holder.answer(request))
    assert (await house.result(bank, id))[1]["state"] == "ANSWERED"
    # This house's certificate stands for an address, which is no name.
    assert (await house.create(bank, profile="open", client_id_prefix="x509_san_dns"))[0] == 400


async def test_the_person_says_no(house: ShowHouse) -> None:
    holder, bank = await house.wallet(), await house.bank()
    for error, told in (("access_denied", "access_denied"), ("made_up", "invalid_request")):
        id, request = await asked(house, holder, bank)
        assert await holder.send(house.client, request, None, error=error) == (200, {})
        assert await house.result(bank, id) == (
            200,
            {
                "id": id,
                "state": "REFUSED",
                "template": "bank-account-opening",
                "reference": "acc-2026-118",
                "reason": told,
            },
        )


async def test_an_error_need_not_be_encrypted(house: ShowHouse) -> None:
    holder, bank = await house.wallet(), await house.bank()
    id, request = await asked(house, holder, bank)
    form = {"error": "access_denied", "state": request.claims["state"]}
    async with house.client.post(request.claims["response_uri"], data=form) as reply:
        assert reply.status == 200
        assert await reply.json() == {}
    assert (await house.result(bank, id))[1]["state"] == "REFUSED"


async def test_who_may_ask(house: ShowHouse) -> None:
    for asker, code in (
        (await house.bank(scope={"graphql"}), "INSUFFICIENT_SCOPE"),
        (await house.bank(kind="SYSTEM"), "PRESENTATION_NOT_YOURS_TO_ASK"),
        (await partner(house, "shop-client", org_id="shop", scope={"presentation:create"}), "PRESENTATION_TEMPLATE"),
    ):
        status, said = await house.create(asker)
        assert status == 403
        assert said["errors"][0]["extensions"]["code"] == code
    bank = await house.bank()
    for template in ("made-up", "employment", "counter-residence", ""):
        assert (await house.create(bank, template=template))[0] == 403
    for changes in (
        {"reference": ""},
        {"reference": "440604199001011234"},
        {"reference": "x" * 101},
        {"same_device": True},
        {"same_device": True, "return_to": "https://evil.example/back"},
        {"return_to": "https://bank.example/back"},
        {"consent_request": "0" * 32},
        {"dcql_query": {}},
        {"same_device": "yes"},
    ):
        assert (await house.create(bank, **changes))[0] in (400, 404), changes
    async with house.client.post(f"{house.url}/openid4vp/requests", json={}) as reply:
        assert reply.status == 401


async def test_the_result_is_the_askers_alone(house: ShowHouse) -> None:
    holder, bank = await house.wallet(), await house.bank()
    id, request = await asked(house, holder, bank)
    await holder.send(house.client, request, holder.answer(request))
    other = await partner(house, "shop-client", org_id="shop", scope={"presentation:create"})
    assert (await house.result(other, id))[0] == 404
    assert (await house.result(bank, "0" * 32))[0] == 404
    assert (await house.result(bank, id))[0] == 200


async def test_a_link_fetched_twice_is_the_same_request_and_the_second_answer_is_too_late(house: ShowHouse) -> None:
    holder, bank = await house.wallet(), await house.bank()
    _, made = await house.create(bank)
    first = await holder.fetch(house.client, made["links"]["openid4vp"])
    second = await holder.fetch(house.client, made["links"]["wallet"], wallet_nonce="n")
    assert first.claims["nonce"] == second.claims["nonce"]
    assert (await holder.send(house.client, first, holder.answer(first)))[0] == 200
    assert (await holder.send(house.client, second, holder.answer(second)))[0] == 404
    async with house.client.get(made["request_uri"]) as reply:
        assert reply.status == 404


async def test_an_anchor_file_of_the_operator_is_believed_and_its_hosts_alone_are_asked(tmp_path: Path) -> None:
    """SSRF: a believed issuer's credential points at an address on loopback; off the list nothing is opened there."""
    hits: list[str] = []

    async def heard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hits.append((await reader.readline()).decode())
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(heard, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    trust = tmp_path / "trust"
    trust.mkdir()
    async with server:
        for hosts, expected in (("", 0), ("issuer.example:443\n", 0), (f"127.0.0.1:{port}\n", 1)):
            hits.clear()
            (trust / "status-hosts.txt").write_text(hosts)
            async with show_house() as stranger:
                roots = [x509.load_der_x509_certificate(one) for one in stranger.rings.issuer.roots]
                (trust / "stranger.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in roots))
                async with show_house(trust_dir=trust) as house:
                    holder = await house.wallet()
                    signer = await stranger.rings.issuer.signer()
                    holder.credentials["income"], _ = await house.issue(
                        holder,
                        "stable-income",
                        INCOME,
                        signer=signer,
                        iss=stranger.url,
                        jwks_uri=f"http://127.0.0.1:{port}/jwks",
                        status={"status_list": {"idx": 0, "uri": f"http://127.0.0.1:{port}/list"}},
                    )
                    assert await refused(house, holder, holder.answer) == "status_unknown"
            assert len(hits) == expected, hosts


async def test_a_request_is_over_when_its_time_is(house: ShowHouse) -> None:
    holder, bank = await house.wallet(), await house.bank()
    id, request = await asked(house, holder, bank)
    assert request.claims["exp"] - request.claims["iat"] <= 300
    later = house.clock.now() + timedelta(seconds=house.settings.credentials.presentation_s)
    assert int(later.timestamp()) - request.claims["exp"] <= 5
    async with house.client.post(request.claims["response_uri"] + "x", data={"state": "x"}) as reply:
        assert reply.status == 404
    assert (await house.result(bank, id))[0] == 202


async def test_a_stolen_key_makes_nothing_at_the_place_of_somebody_elses_good_credential(house: ShowHouse) -> None:
    """Dated before the theft is known it would pass every look at signature, chain, cut-off and list."""
    victim, thief = await house.wallet(), await house.wallet(OTHER_ID)
    place = victim_place(victim)
    thief.credentials["income"], _ = await house.issue(
        thief, "stable-income", INCOME, id_no=None, status={"status_list": place}
    )
    assert await refused(house, thief, thief.answer) == "not_issued"


def victim_place(holder: Holder) -> dict[str, Any]:
    return dict(read(holder.credentials["income"]).jwt.claims["status"]["status_list"])
