"""Passwords and second factors, from the published vectors on."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pyotp
import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from gateway.services.login_ports import Passkey
from gateway.services.passwords import Passwords, common, fault
from gateway.services.second_factor import RelyingParty, new_totp_secret, totp_step, totp_uri

pytestmark = pytest.mark.anyio
# RFC 6238, appendix B (SHA-1), the last six of its eight digits; the secret is "12345678901234567890".
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_6238 = [
    (59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037"),
    (20000000000, "353130"),
]  # fmt: skip


@pytest.mark.parametrize(("at", "code"), RFC_6238)
def test_the_vectors_of_rfc_6238(at: int, code: str) -> None:
    assert totp_step(RFC_SECRET, code, datetime.fromtimestamp(at, UTC)) == at // 30


@given(st.integers(0, 2**33), st.integers(-200, 200))
def test_a_code_is_good_for_its_own_step_and_its_neighbours(at: int, later: int) -> None:
    at += 300
    code = pyotp.TOTP(RFC_SECRET).at(at)
    found = totp_step(RFC_SECRET, code, datetime.fromtimestamp(at + later, UTC))
    if abs((at + later) // 30 - at // 30) <= 1:
        assert found is not None
    elif found is not None:  # one in a million: the same digits in another step
        assert pyotp.TOTP(RFC_SECRET).generate_otp(found) == code


@pytest.mark.parametrize("code", ["", "28708", "2870820", "28708a", "２８７０８２", "287082\n", "-87082", "287 82"])
def test_what_is_no_code_is_none(code: str) -> None:
    assert totp_step(RFC_SECRET, code, datetime.fromtimestamp(59, UTC)) is None


def test_a_new_secret_is_160_bits_and_its_address_names_us() -> None:
    secret = new_totp_secret()
    assert len(base64.b32decode(secret)) == 20
    assert totp_uri(secret, "cc0001") == f"otpauth://totp/yimen:cc0001?secret={secret}&issuer=yimen"


async def test_a_password_is_argon2id_under_owasps_parameters() -> None:
    passwords = Passwords()
    made = await passwords.hash("correct horse 电池")
    assert made.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert made != await passwords.hash("correct horse 电池")
    assert await passwords.matches("correct horse 电池", made)
    assert not await passwords.matches("correct horse 电他", made)
    assert not await passwords.matches("", made)
    assert not await passwords.matches("x" * 1_000_000, made)
    assert not await passwords.matches("correct horse 电池", None)
    assert not await passwords.matches("correct horse 电池", "not a hash")


async def test_one_keyboards_letters_are_anothers() -> None:
    passwords = Passwords()
    made = await passwords.hash("ｆｕｌｌ width é")  # full-width letters, and an accent in one piece
    assert await passwords.matches("full width é", made)


async def test_weaker_hashes_are_made_anew() -> None:
    passwords = Passwords()
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("correct horse")
    assert passwords.outdated(old)
    assert await passwords.matches("correct horse", old)
    assert not passwords.outdated(await passwords.hash("correct horse"))


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "PASSWORD_SHORT"),
        ("x" * 257, "PASSWORD_LONG"),
        ("1234567890", "PASSWORD_COMMON"),
        ("QwertyUIOP", "PASSWORD_COMMON"),
        ("Password2026", "PASSWORD_COMMON"),
        ("admin-2026-2026", "PASSWORD_COMMON"),
        ("woaini5201314", "PASSWORD_COMMON"),
        ("aaaaaaaaaaaa", "PASSWORD_COMMON"),
        ("9876543210", "PASSWORD_COMMON"),
        ("112233445566", "PASSWORD_COMMON"),
        ("my cc0001 password", "PASSWORD_COMMON"),
        ("电池马订书钉正确的很长", None),
        ("correct horse", None),
        ("k3-Ux!9pQz", None),
    ],
)
def test_a_password_is_long_enough_and_not_one_that_is_tried_first(password: str, why: str | None) -> None:
    assert fault(password, "cc0001") == why


def test_the_list_of_common_ones_is_read() -> None:
    assert len(common()) >= 100
    assert all(len(one) >= 10 for one in common())


PARTY = RelyingParty("https://gw.example:8443")


def test_the_relying_party_is_our_own_address() -> None:
    assert (PARTY.id, PARTY.origin) == ("gw.example", "https://gw.example:8443")
    options = json.loads(PARTY.registration_options("0" * 32, "cc0001", b"c" * 32))
    assert options["rp"]["id"] == "gw.example"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert json.loads(PARTY.authentication_options(b"c" * 32, []))["userVerification"] == "required"


@pytest.mark.parametrize(
    "response",
    ["", "{}", "[]", "null", "7", '{"id": 7}', '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {}}',
     '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": "AA", "authenticatorData": "AA", "signature": "AA"}}',
     '{"id": "\\u0000"}', '{"id": "x' + "A" * 10_000 + '"}'],
)  # fmt: skip
def test_what_no_authenticator_would_say_is_refused_in_silence(response: str) -> None:
    known = [Passkey(b"\x00", b"\x01" * 77, 0)]
    assert PARTY.authenticated(response, b"c" * 32, known) is None
    assert PARTY.registered(response, b"c" * 32) is None


@given(st.recursive(st.none() | st.text() | st.integers() | st.booleans(), lambda inner: st.dictionaries(
    st.sampled_from(["id", "rawId", "type", "response", "clientDataJSON", "authenticatorData", "signature", "attestationObject", "userHandle"]),
    inner)))  # fmt: skip
def test_any_json_is_refused_in_silence(response: Any) -> None:
    told = json.dumps(response)
    assert PARTY.authenticated(told, b"c" * 32, [Passkey(b"id", b"key", 0)]) is None
    assert PARTY.registered(told, b"c" * 32) is None
