"""A passkey's answer, made here byte by byte: the good one passes, and each lie is refused (WebAuthn 7.2)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import bytes_to_base64url

from gateway.services.login_ports import Passkey
from gateway.services.second_factor import RelyingParty

PARTY = RelyingParty("https://gw.example")
KEY = ec.generate_private_key(ec.SECP256R1())
CHALLENGE = b"c" * 32
_NUMBERS = KEY.public_key().public_numbers()
PUBLIC = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: _NUMBERS.x.to_bytes(32, "big"), -3: _NUMBERS.y.to_bytes(32, "big")})
MINE = Passkey(b"mine", PUBLIC, 5)


def answer(
    *,
    key: Any = KEY,
    rp: str = "gw.example",
    flags: int = 0x05,
    count: int = 6,
    credential: bytes = b"mine",
    **client: Any,
) -> str:
    said = {"type": "webauthn.get", "challenge": bytes_to_base64url(CHALLENGE), "origin": "https://gw.example"} | client
    client_data = json.dumps(said).encode()
    data = hashlib.sha256(rp.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big")
    signature = key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(SHA256()))
    response = {"clientDataJSON": client_data, "authenticatorData": data, "signature": signature}
    named = bytes_to_base64url(credential)
    return json.dumps(
        {
            "id": named,
            "rawId": named,
            "type": "public-key",
            "response": {name: bytes_to_base64url(value) for name, value in response.items()},
        }
    )


def test_a_good_answer_brings_the_new_count() -> None:
    found = PARTY.authenticated(answer(), CHALLENGE, [Passkey(b"other", PUBLIC, 0), MINE])
    assert found is not None
    assert (found.credential_id, found.sign_count) == (b"mine", 6)


@pytest.mark.parametrize(
    "lie",
    [
        {"key": ec.generate_private_key(ec.SECP256R1())},
        {"rp": "evil.example"},
        {"flags": 0x01},  # nobody was verified
        {"flags": 0x04},  # nobody was there
        {"count": 5},  # a copy of the key
        {"count": 0},
        {"credential": b"another"},
        {"origin": "https://evil.example"},
        {"origin": "http://gw.example"},
        {"origin": "https://gw.example:8443"},
        {"challenge": bytes_to_base64url(b"d" * 32)},
        {"type": "webauthn.create"},
    ],
)
def test_each_lie_is_refused(lie: dict[str, Any]) -> None:
    assert PARTY.authenticated(answer(**lie), CHALLENGE, [MINE]) is None
