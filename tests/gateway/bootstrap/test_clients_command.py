"""`yimen clients`, as an operator types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.oauth.jose import PrivateKey
from gateway.oauth.registration import as_metadata
from tests.fakes.authorization import BANK, RS


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DEMO": "true",
        "STATE_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path}/y.db",
    }.items():
        monkeypatch.setenv(f"YIMEN_{name}", value)
    monkeypatch.chdir(tmp_path)


def typed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(["clients", *words])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_from_a_file_to_a_disabled_client(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "clients.json"
    file.write_text(json.dumps([as_metadata(BANK), as_metadata(RS)]))
    status, out, _ = typed(capsys, "import", str(file), "--dry-run")
    assert (status, "bank, rs" in out, "Dry run" in out) == (0, True, True)
    assert typed(capsys, "list") == (0, "", "没有客户端 / no client yet\n")
    assert typed(capsys, "import", str(file))[0] == 0
    _, out, _ = typed(capsys, "list")
    assert [line.split()[0] for line in out.splitlines()] == ["bank", "rs"]
    assert "RESOURCE_SERVER" in out
    status, out, _ = typed(capsys, "show", "bank")
    assert json.loads(out) == as_metadata(BANK)
    new = PrivateKey.generate()
    keys = tmp_path / "new.json"
    keys.write_text(json.dumps({"keys": [new.public_jwk()]}))
    status, out, _ = typed(capsys, "rotate", "bank", str(keys), "--overlap", "1")
    assert (status, new.kid in out, "old" in out) == (0, True, True)
    assert typed(capsys, "disable", "bank")[0] == 0
    assert "DISABLED" in typed(capsys, "list")[1]
    status, _, err = typed(capsys, "disable", "bank")
    assert (status, "no such enabled client" in err) == (1, True)
    assert typed(capsys, "enable", "bank")[0] == 0


@pytest.mark.parametrize("text", ["{", '[{"client_id":"a","client_id":"b"}]', "[]", "7", "[" * 100_000, None])
def test_a_file_that_is_no_such_thing_is_said_in_plain_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    file = tmp_path / "clients.json"
    if text is not None:
        file.write_text(text)
    status, out, err = typed(capsys, "import", str(file))
    assert (status, out) == (1, "")
    assert "Nothing was changed" in err
    assert "Traceback" not in err


def test_an_invitation_is_one_token_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = typed(capsys, "invite", "bank-9", "BANK", "--purpose", "LOAN_SERVICE")
    assert status == 0
    assert len(out.strip()) == 43
    status, out, err = typed(capsys, "invite", "bank-9", "BANK", "--purpose", "NO_SUCH")
    assert (status, out) == (1, "")
    assert "NO_SUCH" in err
