"""`yimen identities import | list` and `yimen persons enrol`, from the command line to the database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demo.bodies import clerks, identity_files
from gateway.cli import main
from tests.gateway.services.identity_examples import OFFICERS, district


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("YIMEN_DEMO", "true")
    monkeypatch.setenv("YIMEN_STATE_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("YIMEN_DATABASE_URL", f"sqlite:///{tmp_path}/y.db")
    manifests = tmp_path / "manifests"
    (manifests / "policy").mkdir(parents=True)
    (manifests / "policy" / "more.toml").write_text(
        '[CREDIT_CHECK]\ntitle = { zh = "一", en = "a" }\nlegal_basis = { zh = "一", en = "a" }\n'
        'case_required = false\norg_kinds = ["BANK"]\n',
        "utf-8",
    )
    monkeypatch.setenv("YIMEN_MANIFESTS_DIR", str(manifests))
    return tmp_path


def folder(place: Path, files: dict[str, bytes]) -> str:
    where = place / "import"
    where.mkdir(exist_ok=True)
    for name, raw in files.items():
        (where / name).write_bytes(raw)
    return str(where)


def test_import_shows_then_does_then_has_nothing_left_to_do(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder(place, district())
    assert main(["identities", "import", path, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "would change: 11" in shown
    assert "OFFICER_ADDED cc0001" in shown
    assert main(["identities", "list"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["identities", "import", path]) == 0
    assert "changed: 11" in capsys.readouterr().out
    assert main(["identities", "import", path]) == 0
    assert "changed: 0" in capsys.readouterr().out
    assert main(["identities", "list"]) == 0
    listed = capsys.readouterr().out
    assert "CC-JUSTICE 禅城区司法局 CORRECTION_AGENCY 440604" in listed
    assert "  cc0001 CASE_OFFICER" in listed
    assert "周凯" not in listed


def test_every_fault_is_shown_with_file_line_and_column(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = district(officers=OFFICERS.replace("440604198604040051", "440604198604040052"))
    files["posts.csv"] = files["posts.csv"].replace(b"CC_PLAN", b"CC_PLAM").replace("专干".encode(), b"?", 1)
    assert main(["identities", "import", folder(place, files)]) == 1
    said = capsys.readouterr().out
    assert "officers.csv:2:6 (id_no): 身份号码无效" in said
    assert "posts.csv:2:5 (purposes): 用途未登记" in said
    assert "posts.csv:2:3 (title_zh): 含有不可读的字符" in said
    assert "440604198604040052" not in said


def test_gb18030_and_one_json_file_are_taken_too(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {name: raw.decode().encode("gb18030") for name, raw in district().items()}
    assert main(["identities", "import", folder(place, files)]) == 0
    path = place / "more.json"
    path.write_text(json.dumps({"organisations": [{"org_id": "X-1", "name_zh": "䶮", "kind": "LEGAL_AID"}]}), "utf-8")
    assert main(["identities", "import", str(path)]) == 0
    assert "ORGANISATION_ADDED X-1" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["nothing.csv", "broken.json"])
def test_what_cannot_be_read_is_said_plainly(place: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "broken.json").write_text("{", "utf-8")
    assert main(["identities", "import", str(place / name)]) == 1
    assert "IMPORT_REFUSED" in capsys.readouterr().err


def test_the_demo_enrols_persons_from_a_file_and_nobody_else_does(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place / "persons.csv"
    path.write_text(
        "身份号码,姓名,手机号\n440606199003070017,张三,13800138000\n440606199003070018,张三,13800138000\n", "utf-8"
    )
    assert main(["persons", "enrol", str(path), "--org", "CC-JUSTICE"]) == 1
    said = capsys.readouterr().out
    assert "persons.csv:3: BAD_ID" in said
    assert "enrolled: 1" in said
    assert "张三" not in said
    monkeypatch.setenv("YIMEN_DEMO", "false")
    monkeypatch.setenv("YIMEN_MASTER_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    assert main(["persons", "enrol", str(path), "--org", "CC-JUSTICE"]) == 1
    assert "demo only" in capsys.readouterr().err


def test_the_demos_own_bodies_and_officers_can_be_imported(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YIMEN_MANIFESTS_DIR", str(Path("demo/manifests").resolve()))
    files = {name: text.encode() for name, text in identity_files().items()}
    code = main(["identities", "import", folder(place, files)])
    said = capsys.readouterr().out
    assert code == 0, said
    assert said.count("OFFICER_ADDED") == len(clerks())
