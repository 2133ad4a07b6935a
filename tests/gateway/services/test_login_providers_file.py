"""The file of OIDC providers: every fault named, no secret repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import SettingsInvalid
from gateway.services.oidc_providers import read_providers

GOOD = '[[providers]]\nname = "gov"\nissuer = "https://idp.example"\nclient_id = "yimen"\nsecret_file = "secret"\n'


def read(folder: Path, text: str) -> object:
    (folder / "secret").write_text("hunter2hunter2\n")
    (folder / "providers.toml").write_text(text)
    return read_providers(folder / "providers.toml")


def test_a_good_file_is_read_and_its_secret_hidden(tmp_path: Path) -> None:
    (one,) = read(tmp_path, GOOD)  # type: ignore[misc]
    assert (one.secret, one.reachable, one.loopback) == ("hunter2hunter2", frozenset({"idp.example:443"}), False)
    assert "hunter2" not in repr(one)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("https://idp", "http://idp"), "https"),
        (("idp.example", "idp.example/?x=1"), "query"),
        (('name = "gov"', 'name = "Gov/../x"'), "name"),
        (('client_id = "yimen"\n', ""), "client_id"),
        (('secret_file = "secret"', 'secret_file = "secret"\nkey_file = "secret"'), "one of them"),
        (('secret_file = "secret"', 'secret_file = "nowhere"'), "cannot be read"),
        (('secret_file = "secret"', 'secret_file = "secret"\nsigning_algs = ["HS256"]'), "signing_algs"),
        (('secret_file = "secret"', 'secret_file = "secret"\nlevel = 4'), "level"),
        (('secret_file = "secret"', 'secret_file = "secret"\nusers = "email"'), "users"),
        (('secret_file = "secret"', 'secret_file = "secret"\nleevl = 2'), "leevl"),
        (("[[providers]]", "[[providers"), "TOMLDecodeError"),
    ],
)
def test_each_fault_is_named(tmp_path: Path, change: tuple[str, str], fault: str) -> None:
    with pytest.raises(SettingsInvalid, match=fault) as caught:
        read(tmp_path, GOOD.replace(*change))
    assert "hunter2" not in str(caught.value)


def test_two_of_one_name_or_issuer_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        read(tmp_path, GOOD + GOOD)
    assert len(caught.value.faults) == 2
