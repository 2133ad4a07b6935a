"""By which names the gateway may be called."""

from __future__ import annotations

import pytest

from gateway.bootstrap.composition import allowed_hosts
from gateway.settings import Settings

HERE = ("localhost", "127.0.0.1", "[::1]")


@pytest.mark.parametrize(
    ("settings", "added"),
    [
        (Settings(), ()),
        (Settings(public_url="https://yimen.example.gov:8443/x"), ("yimen.example.gov",)),
        (Settings(host="10.0.0.7"), ("10.0.0.7",)),
        (Settings(host="fd00::7"), ("[fd00::7]",)),
        (
            Settings(host="0.0.0.0", public_url="http://localhost", allowed_hosts="gateway,10.0.0.7"),
            ("gateway", "10.0.0.7"),
        ),
    ],
)
def test_names_we_answer_to(settings: Settings, added: tuple[str, ...]) -> None:
    assert allowed_hosts(settings) == (*HERE, *added)


def test_listening_everywhere_is_not_being_called_anything() -> None:
    assert allowed_hosts(Settings(host="0.0.0.0")) == HERE
    assert "*" in allowed_hosts(Settings(allowed_hosts="*"))
