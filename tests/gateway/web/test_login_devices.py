"""Device cookies: for one login, unforged, for half a year."""

from __future__ import annotations

import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest

from gateway.web.login_parts import DeviceCookies
from gateway.web.session import Cookie
from gateway.web.visit import Visit

DEVICES = DeviceCookies(bytes(range(32)), Cookie("yimen-device", secure=True, max_age_s=1))


def visit(value: str) -> Visit:
    async def receive() -> Any:
        raise AssertionError

    return Visit({"type": "http", "headers": [(b"cookie", f"__Host-yimen-device={value}".encode())]}, receive)


def issued(login: str = "cc0001") -> str:
    return DEVICES.issue(login)[1].decode().split("=", 1)[1].split(";")[0]


def test_a_device_is_known_for_its_login_only() -> None:
    value = issued()
    first = DEVICES.known(visit(value), "cc0001")
    assert first is not None
    assert DEVICES.known(visit(value), " CC0001 ") == first
    assert DEVICES.known(visit(value), "cc0002") is None
    assert DEVICES.known(visit(issued()), "cc0001") != first


def test_no_bit_of_it_can_be_changed_and_no_other_key_makes_one() -> None:
    raw = urlsafe_b64decode(issued() + "==")
    for at in range(len(raw)):
        changed = bytes([*raw[:at], raw[at] ^ 1, *raw[at + 1 :]])
        assert DEVICES.known(visit(urlsafe_b64encode(changed).decode().rstrip("=")), "cc0001") is None
    other = DeviceCookies(bytes(32), DEVICES.cookie)
    assert other.known(visit(issued()), "cc0001") is None
    for value in ("", "A" * 43, "A" * 70, "-" * 71):
        assert DEVICES.known(visit(value), "cc0001") is None


def test_it_ends_after_half_a_year(monkeypatch: pytest.MonkeyPatch) -> None:
    value, now = issued(), time.time()
    monkeypatch.setattr("time.time", lambda: now + 180 * 86_400)
    assert DEVICES.known(visit(value), "cc0001") is not None
    monkeypatch.setattr("time.time", lambda: now + 181 * 86_400)
    assert DEVICES.known(visit(value), "cc0001") is None
    monkeypatch.setattr("time.time", lambda: now - 86_400)
    assert DEVICES.known(visit(value), "cc0001") is None
