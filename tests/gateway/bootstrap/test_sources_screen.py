"""`yimen sources check` tells what is no fault of form, yet would leave an officer without the fact."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.bootstrap.sources import check_manifests
from gateway.cli import main
from gateway.settings import manifests_dir
from tests.flows.test_add_a_source import join, registry

pytestmark = pytest.mark.anyio


def altered(directory: Path, file: str, old: str, new: str) -> None:
    text = (directory / file).read_text("utf-8")
    assert old in text
    (directory / file).write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize(
    ("file", "old", "new", "code", "said"),
    [
        ("land.toml", 'raw = "mj"', 'raw = "area"', 0, "empty: areaM2"),
        ("land.toml", '"张三"]', '"李四"]', 0, "REVIEW: "),
        ("land.toml", 'probe = ["440606199003070017"', 'probe = ["440606199003070033"', 0, "ABSENT: "),
        ("policy/land.toml", "landParcel =", "landparcel =", 1, 'unknown noun landparcel; did you mean "landParcel"?'),
        ("policy/land.toml", '"areaM2"', '"area"', 1, "policy/land.toml:2: CC_HELP: landParcel has no field area"),
        ("policy/land.toml", "CC_HELP", "CC_HELPS", 1, "no such purpose; did you mean CC_HELP?"),
    ],
)
async def test_a_mistake_the_form_allows_is_pointed_out(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    file: str,
    old: str,
    new: str,
    code: int,
    said: str,
) -> None:
    join(tmp_path)
    altered(tmp_path, file, old, new)
    async with registry("land-token") as (url, _):
        monkeypatch.setenv("BDC_URL", url)
        monkeypatch.setenv("BDC_TOKEN", "land-token")
        assert await check_manifests(tmp_path, probe=True) == code
    assert said in capsys.readouterr().out


async def test_an_empty_folder_is_no_sound_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await check_manifests(tmp_path, probe=False) == 1
    assert "没有清单" in capsys.readouterr().out


def test_the_manifests_folder_is_all_that_must_be_set_to_look_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("YIMEN_DEMO", "YIMEN_MASTER_KEY", "YIMEN_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("YIMEN_MASTER_KEY_FILE", str(tmp_path / "not for us"))
    join(tmp_path)
    monkeypatch.setenv("YIMEN_MANIFESTS_DIR", str(tmp_path))
    monkeypatch.setenv("BDC_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("BDC_TOKEN", "t")
    assert main(["sources", "check", "--no-probe"]) == 0
    assert main(["sources", "list"]) in (0, 1)
    assert "master_key" not in capsys.readouterr().err
    monkeypatch.setenv("YIMEN_MANIFESTS_DIR", str(tmp_path / "none"))
    assert main(["sources", "check"]) == 1
    assert f"manifests_dir: {tmp_path / 'none'} is not a folder" in capsys.readouterr().err
    monkeypatch.delenv("YIMEN_MANIFESTS_DIR")
    (tmp_path / "yimen.toml").write_text('manifests_dir = "."\n', "utf-8")
    monkeypatch.setenv("YIMEN_SETTINGS", str(tmp_path / "yimen.toml"))
    assert manifests_dir() == tmp_path


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["--version"], "yimen "),
        (["schema", "-h"], "usage: yimen schema [-h] [directory]"),
        (["sources", "check", "-h"], "usage: yimen sources check [-h]"),
    ],
)
def test_the_command_says_how_it_is_used(line: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line)
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(said)


def test_settings_are_explained_also_where_they_are_at_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("YIMEN_DEMO", "YIMEN_MASTER_KEY", "YIMEN_MASTER_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert main(["settings"]) == 1
    said = capsys.readouterr()
    assert "YIMEN_RELOAD_POLL_S" in said.out
    assert "master_key: required" in said.err
