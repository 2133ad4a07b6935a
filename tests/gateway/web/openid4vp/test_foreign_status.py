"""Credentials of another issuer whose root the operator trusts: its status list is asked for, and believed only if it is one."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from credentials.jose import Signer, base64url, dumps, sign
from credentials.status_list import MEDIA_TYPE, TYP, make_token, pack
from tests.fakes.holder import Holder
from tests.fakes.show_house import ShowHouse, show_house

pytestmark = pytest.mark.anyio
INCOME = {"stableIncome": True, "name": "张*"}


@dataclass
class Stranger:
    """Another issuer's status service: what it answers with, and how often it was asked."""

    signer: Signer
    uri: str
    answer: Callable[[], web.Response]
    asked: int = 0


def said(token: str, kind: str = MEDIA_TYPE) -> Callable[[], web.Response]:
    return lambda: web.Response(body=token.encode(), headers={"content-type": kind})


@asynccontextmanager
async def between(tmp_path: Path) -> AsyncIterator[tuple[ShowHouse, Stranger]]:
    async def serve(_: web.Request) -> web.Response:
        stranger.asked += 1
        return stranger.answer()

    app = web.Application()
    app.router.add_get("/list", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    trust = tmp_path / "trust"
    trust.mkdir()
    (trust / "status-hosts.txt").write_text(f"# the neighbour\n127.0.0.1:{port}\n")
    try:
        async with show_house() as other:
            roots = [x509.load_der_x509_certificate(one) for one in other.rings.issuer.roots]
            (trust / "other.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in roots))
            stranger = Stranger(await other.rings.issuer.signer(), f"http://127.0.0.1:{port}/list", said(""))
            async with show_house(trust_dir=trust) as house:
                yield house, stranger
    finally:
        await runner.cleanup()


async def shown(house: ShowHouse, stranger: Stranger) -> dict[str, Any]:
    """What the bank is given for two credentials of the stranger's."""
    bank, holder = await house.bank(), Holder()
    for id, type_id, claims in (
        ("residence", "residence", {"districtName": "广东省佛山市禅城区", "livesInDistrict": "440604", "name": "张*"}),
        ("income", "stable-income", INCOME),
    ):
        holder.credentials[id], _ = await house.issue(
            holder,
            type_id,
            claims,
            signer=stranger.signer,
            id_no=None,
            iss=None,
            status={"status_list": {"idx": 40, "uri": stranger.uri}},
        )
    _, made = await house.create(bank)
    request = await holder.fetch(house.client, made["links"]["openid4vp"])
    await holder.send(house.client, request, holder.answer(request))
    return (await house.result(bank, made["id"]))[1]


def listed(house: ShowHouse, stranger: Stranger, value: int = 0, **changes: Any) -> str:
    now = house.clock.now()
    given: dict[str, Any] = {"issued_at": now, "expires_at": now + timedelta(hours=1), "ttl_s": 60} | changes
    return make_token(stranger.signer, given.pop("uri", stranger.uri), pack(64, {40: value}), **given)


async def test_a_good_list_is_asked_once_for_as_long_as_its_word_holds(tmp_path: Path) -> None:
    async with between(tmp_path) as (house, stranger):
        stranger.answer = said(listed(house, stranger))
        for _ in range(2):
            told = await shown(house, stranger)
            assert told["state"] == "ANSWERED", told
        assert {one["issued_here"] for one in told["credentials"]} == {False}
        assert {one["status"] for one in told["credentials"]} == {"VALID"}
        assert stranger.asked == 1
        assert await house.errands.totals() == {}  # only papers of our own are counted


async def test_revoked_and_suspended_there(tmp_path: Path) -> None:
    async with between(tmp_path) as (house, stranger):
        for value, reason in ((1, "revoked"), (2, "suspended")):
            stranger.answer = said(listed(house, stranger, value, ttl_s=0))
            assert (await shown(house, stranger))["reason"] == reason


async def test_what_is_no_list_of_this_issuer_says_nothing_and_is_refused(tmp_path: Path) -> None:
    async with between(tmp_path) as (house, stranger):
        now = house.clock.now()
        bomb = {
            "sub": stranger.uri, "iat": int(now.timestamp()), "ttl": 0,
            "status_list": {"bits": 2, "lst": base64url(zlib.compress(b"\0" * 200_000_000, 9))},
        }  # fmt: skip
        header = {"typ": TYP, "kid": stranger.signer.kid, "x5c": list(stranger.signer.x5c)}
        ours = await house.rings.verifier.signer()
        good = listed(house, stranger, ttl_s=0)
        spoilt: list[Callable[[], web.Response]] = [
            said(sign(stranger.signer, header, dumps(bomb))),
            said(listed(house, stranger, uri=stranger.uri + "2", ttl_s=0)),  # another list's token
            said(listed(house, stranger, issued_at=now - timedelta(days=3), expires_at=now - timedelta(days=2), ttl_s=0)),
            said(make_token(ours, stranger.uri, pack(64, {}), issued_at=now, expires_at=now + timedelta(1), ttl_s=0)),
            said(good[:-4] + "AAAA"),
            said(good, "text/html"),
            said(make_token(stranger.signer, stranger.uri, pack(40, {}), issued_at=now, expires_at=now + timedelta(1), ttl_s=0)),
            said("x" * 3_000_000),
            lambda: web.Response(status=302, headers={"location": stranger.uri + "?again"}),
            lambda: web.Response(status=500),
        ]  # fmt: skip
        for answer in spoilt:
            stranger.answer, before = answer, stranger.asked
            assert (await shown(house, stranger))["reason"] == "status_unknown"
            assert stranger.asked == before + 1
        stranger.answer = said(good)
        assert (await shown(house, stranger))["state"] == "ANSWERED"
