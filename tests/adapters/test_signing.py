"""Signatures against values computed here from the description alone, and over the wire as a server sees them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta

import pytest

from adapters.signing import AppKeyHmac, Outgoing, Tif, check_auth, open_signer
from tests.adapters.rest_lab import NOW, ZHANG, lab, listing

pytestmark = pytest.mark.anyio

TIF = {"style": "tif", "paasid": "yimen", "token": "env:T"}
HMAC = {"style": "hmac", "appkey": "yimen", "secret": "env:S"}


def test_tif_against_a_value_from_sha256sum(monkeypatch: pytest.MonkeyPatch) -> None:
    # printf 1790000000tokenabc1790000000 | sha256sum
    expected = "ADBF08AFAD163D8C46C94D204D940228D8A150619CEE3935D85C29B99D043C09"
    monkeypatch.setattr("adapters.signing.random.token_hex", lambda size: "abc")
    headers = Tif("yimen", "token").headers(Outgoing("GET", "/", (), b""), datetime.fromtimestamp(1790000000.9, UTC))
    assert headers["x-tif-signature"] == expected
    assert headers["x-tif-timestamp"] == "1790000000"
    assert headers["x-tif-paasid"] == "yimen"


def test_hmac_against_a_value_from_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    # printf 'POST\n/a%%20b\na=1&b=%%E5%%BC%%A0&b=2\n1790000000500\nabc\n<sha256 of {}>' | openssl dgst -sha256 -hmac key
    expected = "ADb4CWQXuGwk7HBPR8sv7uY6vkD7VB8i8ZolZF99DBM="
    monkeypatch.setattr("adapters.signing.random.token_hex", lambda size: "abc")
    outgoing = Outgoing("POST", "/a%20b", (("b", "张"), ("b", "2"), ("a", "1")), b"{}")
    headers = AppKeyHmac("yimen", "key").headers(outgoing, datetime.fromtimestamp(1790000000.5, UTC))
    assert headers == {"appkey": "yimen", "timestamp": "1790000000500", "nonce": "abc", "signature": expected}


async def test_a_department_can_check_tif_headers_as_they_arrive() -> None:
    async with lab(lambda r, b: listing(), auth=TIF, secrets={"env:T": "s3cret\n"}) as room:
        await room.ask_one()
        headers = room.seen[0].headers
        timestamp, nonce = headers["x-tif-timestamp"], headers["x-tif-nonce"]
        assert timestamp == str(int(NOW.timestamp()))
        signed = hashlib.sha256((timestamp + "s3cret" + nonce + timestamp).encode()).hexdigest().upper()
        assert headers["x-tif-signature"] == signed
        assert "s3cret" not in repr(headers)


@pytest.mark.parametrize("post", [False, True])
async def test_a_department_can_check_an_hmac_over_the_raw_bytes_it_received(post: bool) -> None:
    request = {
        "method": "POST" if post else "GET",
        "path": "/q/{idNo}/张",
        "query": {"z": "1 2&=~", "xm": "{name}"},
        "rows": "list",
    } | ({"body": {"xm": "{name}"}} if post else {})
    async with lab(lambda r, b: listing(), request, auth=HMAC, secrets={"env:S": "密钥"}, base="/base") as room:
        await room.ask_one((ZHANG[0], "买买提·艾力+/%?"))
        (seen,) = room.seen
        text = "\n".join(
            [
                seen.method,
                seen.path,
                "&".join(sorted(seen.query.split("&"))),
                seen.headers["timestamp"],
                seen.headers["nonce"],
                hashlib.sha256(seen.body).hexdigest(),
            ]
        )
        digest = hmac.new("密钥".encode(), text.encode(), hashlib.sha256).digest()
        assert seen.headers["signature"] == base64.b64encode(digest).decode()
        assert seen.headers["timestamp"] == str(int(NOW.timestamp() * 1000))


async def test_a_bearer_token_goes_into_one_header() -> None:
    auth = {"style": "bearer", "token": "env:T"}
    async with lab(lambda r, b: listing(), auth=auth, secrets={"env:T": "abc"}) as room:
        await room.ask_one()
        assert room.seen[0].headers["authorization"] == "Bearer abc"


@pytest.mark.parametrize(("auth", "header"), [(TIF, "x-tif-nonce"), (HMAC, "nonce")])
async def test_each_request_has_a_nonce_and_a_time_of_its_own(auth: dict[str, str], header: str) -> None:
    ticks = iter(range(10_000))
    secrets = {"env:T": "t", "env:S": "s"}
    later = lambda: NOW + timedelta(seconds=next(ticks))  # noqa: E731
    async with lab(lambda r, b: listing(), auth=auth, secrets=secrets, now=later) as room:
        for _ in range(5):
            await room.ask_one()
        nonces = [seen.headers[header] for seen in room.seen]
        assert len(set(nonces)) == 5
        assert all(re.fullmatch("[0-9a-f]{32}", nonce) for nonce in nonces)
        name = "x-tif-timestamp" if auth is TIF else "timestamp"
        assert len({seen.headers[name] for seen in room.seen}) == 5


def test_a_secret_is_shown_by_no_repr() -> None:
    for auth in (TIF, HMAC, {"style": "bearer", "token": "env:T"}):
        assert "hidden" not in repr(open_signer(auth, lambda reference: "hidden"))


@pytest.mark.parametrize(
    ("auth", "places"),
    [
        ({}, []),
        (TIF, []),
        (HMAC, []),
        ({"style": "basic"}, ["source.auth.style"]),
        ({"style": ["tif"]}, ["source.auth.style"]),
        ({"style": "tif"}, ["source.auth.paasid", "source.auth.token"]),
        ({**TIF, "token": "inline"}, ["source.auth.token"]),
        ({**HMAC, "secret": 5}, ["source.auth.secret"]),
        ({**TIF, "tokne": "env:X"}, ["source.auth.tokne"]),
        ({"style": "none", "token": "env:X"}, ["source.auth.token"]),
    ],
)
def test_faults_of_auth_are_told_with_their_place(auth: dict[str, object], places: list[str]) -> None:
    faults = check_auth(auth)
    assert [place for place, _ in faults] == places
    assert "inline" not in " ".join(message for _, message in faults)
