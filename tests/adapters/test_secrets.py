from __future__ import annotations

from pathlib import Path

import pytest

from adapters.secrets import SecretMissing, Secrets


def test_references_lead_to_values(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"s3cr3t\r\n")
    (tmp_path / "two").write_bytes(b"s3cr3t\n\n")
    secrets = Secrets({"TOKEN": "abc "}, tmp_path)
    assert secrets("env:TOKEN") == "abc "
    assert secrets("file:token") == "s3cr3t"
    assert secrets("file:two") == "s3cr3t\n"
    assert secrets(f"file:{tmp_path}/token") == "s3cr3t"
    assert secrets.plain_or_reference("https://a") == "https://a"
    assert secrets.path("file:token") == tmp_path / "token"


@pytest.mark.parametrize(
    "reference", ["env:NONE", "env:BLANK", "file:none", "file:.", "file:empty", "file:binary", "file:huge"]
)
def test_a_missing_one_is_named_but_not_its_value(tmp_path: Path, reference: str) -> None:
    (tmp_path / "empty").write_bytes(b"\n")
    (tmp_path / "binary").write_bytes(b"s3cr3t\xff")
    (tmp_path / "huge").write_bytes(b"s3cr3t" * 20_000)
    with pytest.raises(SecretMissing) as caught:
        Secrets({"BLANK": "", "OTHER": "s3cr3t"}, tmp_path)(reference)
    assert reference in str(caught.value)
    assert "s3cr3t" not in repr(caught.value) + str(caught.value.__cause__)


@pytest.mark.parametrize("text", ["hunter2", "env:", "file:", ""])
def test_an_inline_secret_is_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(SecretMissing) as caught:
        Secrets({}, tmp_path)(text)
    assert "hunter2" not in str(caught.value)


def test_a_resolver_shows_nothing(tmp_path: Path) -> None:
    assert repr(Secrets({"TOKEN": "s3cr3t"}, tmp_path)) == "Secrets()"
