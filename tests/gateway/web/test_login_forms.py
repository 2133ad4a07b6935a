"""Only our own pages can send our forms."""

from __future__ import annotations

import pytest

from gateway.web.problems import Refusal
from gateway.web.session import Cookie, FormGuard, new_secret

GUARD = FormGuard(bytes(range(32)), "https://gw.example")
SECURE = Cookie("yimen", secure=True)
COOKIE = "A" * 43


def check(form: dict[str, str], *headers: tuple[bytes, bytes], cookie: str | None = COOKIE) -> None:
    GUARD.check(headers, form, cookie)


def test_a_token_beside_its_cookie_is_ours() -> None:
    check({"csrf": GUARD.token(COOKIE)})
    check({"csrf": GUARD.token(COOKIE)}, (b"sec-fetch-site", b"same-origin"), (b"origin", b"null"))
    check({"csrf": GUARD.token(COOKIE)}, (b"origin", b"https://gw.example"))
    check({}, (b"x-csrf-token", GUARD.token(COOKIE).encode()))


@pytest.mark.parametrize(
    ("form", "headers", "cookie"),
    [
        ({}, [], COOKIE),
        ({"csrf": "x"}, [], COOKIE),
        ({"csrf": "é"}, [], COOKIE),
        ({"csrf": GUARD.token("B" * 43)}, [], COOKIE),
        ({"csrf": FormGuard(bytes(32), "https://gw.example").token(COOKIE)}, [], COOKIE),
        ({"csrf": GUARD.token(COOKIE)}, [], None),
        ({"csrf": GUARD.token(COOKIE)}, [(b"sec-fetch-site", b"cross-site")], COOKIE),
        ({"csrf": GUARD.token(COOKIE)}, [(b"sec-fetch-site", b"same-site")], COOKIE),
        ({"csrf": GUARD.token(COOKIE)}, [(b"sec-fetch-site", b"none")], COOKIE),
        ({"csrf": GUARD.token(COOKIE)}, [(b"origin", b"https://gw.example.evil.example")], COOKIE),
        ({"csrf": GUARD.token(COOKIE)}, [(b"origin", b"http://gw.example")], COOKIE),
        ({"csrf": GUARD.token(COOKIE)}, [(b"x-csrf-token", GUARD.token(COOKIE).encode())], COOKIE),
    ],
)
def test_anything_else_is_not(form: dict[str, str], headers: list[tuple[bytes, bytes]], cookie: str | None) -> None:
    with pytest.raises(Refusal) as caught:
        check(form, *headers, cookie=cookie)
    assert caught.value.code == "FORM_NOT_OURS"


def test_a_cookie_is_locked_to_our_host_and_hidden_from_scripts() -> None:
    name, value = SECURE.set(COOKIE)
    assert (name, value.decode()) == (
        b"set-cookie", f"__Host-yimen={COOKIE}; Path=/; HttpOnly; SameSite=Lax; Secure",
    )  # fmt: skip
    assert b"Domain" not in value
    plain = Cookie("yimen", secure=False, max_age_s=60)
    assert plain.set(COOKIE)[1].decode() == f"yimen={COOKIE}; Path=/; HttpOnly; SameSite=Lax; Max-Age=60"


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"yimen=" + COOKIE.encode(),  # without __Host- anybody under our domain could have set it
        b"__Host-yimen=short",
        b"__Host-yimen=" + b"A" * 200,
        b"__Host-yimen=" + b"A" * 42 + b"\xff",
        b"__Host-yimen=" + COOKIE.encode() + b"; __Host-yimen=" + b"B" * 43,
    ],
)
def test_what_we_cannot_have_set_is_not_read(header: bytes) -> None:
    assert SECURE.read([(b"cookie", header)]) is None


def test_our_own_is_read() -> None:
    assert SECURE.read([(b"cookie", b"a=b; __Host-yimen=" + COOKIE.encode() + b"; c")]) == COOKIE
    assert len(new_secret()) == 43
