"""Settings: environment over file over default, and every fault at once, without a secret in any of it."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import SettingsInvalid
from gateway.settings import Settings, describe, shown

ROOT = Path(__file__).parents[2]
KEY = base64.b64encode(bytes(range(32))).decode()
PLAIN = {"YIMEN_MASTER_KEY": KEY}


def faults(environ: dict[str, str], file: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsInvalid) as caught:
        Settings.load(environ, file)
    return caught.value.faults


def test_a_master_key_is_all_that_must_be_set() -> None:
    settings = Settings.load(PLAIN | {"PATH": "/bin"}, None)
    assert settings == Settings(master_key=bytes(range(32)))
    assert (settings.sqlite, settings.workers, settings.limits.batch_persons) == (True, 1, 100)
    assert (settings.limits.body_bytes, settings.limits.operation_deadline_s) == (1 << 20, 1.8)
    assert settings.base_url == "http://127.0.0.1:8000"


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "master").write_text(KEY + "\n")
    file = tmp_path / "yimen.toml"
    file.write_text(
        'port = 8001\nhost = "0.0.0.0"\nlimit_depth = 9\nmanifests_dir = "sources"\nmaster_key_file = "master"\ndrain_s = 3\n'
    )
    settings = Settings.load({"YIMEN_PORT": "8002", "YIMEN_GRAPHIQL": "true", "YIMEN_SETTINGS": "ignored here"}, file)
    assert (settings.port, settings.host, settings.limits.depth, settings.drain_s) == (8002, "0.0.0.0", 9, 3.0)
    assert settings.manifests_dir == tmp_path / "sources"  # beside the file that names it
    assert (settings.master_key, settings.graphiql) == (bytes(range(32)), True)


def test_any_setting_can_be_the_content_of_a_file(tmp_path: Path) -> None:
    for name, text in (("key", KEY), ("url", "postgresql://yimen@db/yimen"), ("tokens", "")):
        (tmp_path / name).write_text(text + "\n")
    environ = {
        "YIMEN_MASTER_KEY_FILE": f"{tmp_path}/key",
        "YIMEN_DATABASE_URL_FILE": f"{tmp_path}/url",
        "YIMEN_DEMO_ACCOUNTS_FILE": f"{tmp_path}/tokens",  # its own name, not the content of demo_accounts
        "YIMEN_DEMO": "1",
    }
    settings = Settings.load(environ, None)
    assert settings.database_url == "postgresql+psycopg://yimen@db/yimen"
    assert settings.demo_accounts_file == tmp_path / "tokens"


def test_every_fault_is_listed_at_once(tmp_path: Path) -> None:
    file = tmp_path / "yimen.toml"
    file.write_text(f'prot = 1\nport = "x"\ndemo = 1\nmaster_key = "{KEY}"\nlimit_depth = true\n')
    found = faults(
        {
            "YIMEN_WORKERS": "4",
            "YIMEN_DATABSE_URL": "x",
            "YIMEN_LOG_LEVEL": "loud",
            "YIMEN_LIMIT_COST": "1e9",
            "YIMEN_OPERATION": "",
            "YIMEN_DRAIN_S": "nan",
            "YIMEN_MANIFESTS_DIR": f"{tmp_path}/none",
            "YIMEN_DEMO_ACCOUNTS_FILE": f"{tmp_path}/none",
            "YIMEN_TRUSTED_DOCUMENTS_ONLY": "yes",
            "YIMEN_MASTER_KEY_FILE": f"{tmp_path}/none",
            "YIMEN_PUBLIC_URL": "https://u:p@host",
            "YIMEN_HOST": "a b",
        },
        file,
    )
    for part in (
        "prot: no such setting; did you mean port?", "port must be a whole number", "demo must be true or false",
        "master_key is not written into a settings file", "limit_depth must be", "workers: more than one worker needs PostgreSQL",
        "YIMEN_DATABSE_URL: no such setting; did you mean YIMEN_DATABASE_URL?", "log_level must be one of debug",
        "limit_cost must be a whole number", "YIMEN_OPERATION: no such setting", "drain_s must be a number from 0 to 300",
        "none is not a folder", "for the demo only", "none is not a file", "needs trusted_documents_dir", "master_key: required",
        "the file for master_key cannot be read", "public_url must be", "host must be",
    ):  # fmt: skip
        assert any(part in fault for fault in found), part
    assert not any(KEY in fault or "u:p" in fault for fault in found)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "short",
        base64.b64encode(bytes(32)).decode(),
        base64.b64encode(bytes(range(31))).decode(),
        KEY + "!",
        "密" * 43,
    ],
)
def test_a_master_key_is_32_random_bytes(key: str) -> None:
    assert "32 random bytes" in faults({"YIMEN_MASTER_KEY": key})[0]


@pytest.mark.parametrize("text", ["\ud800", "port = ", "port = 1\nport = 2", "\x00"])
def test_a_settings_file_that_cannot_be_read_is_a_fault(tmp_path: Path, text: str) -> None:
    file = tmp_path / "yimen.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert any("yimen.toml" in fault for fault in faults(PLAIN, file))
    assert any("none.toml" in fault for fault in faults(PLAIN, tmp_path / "none.toml"))


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory",
        "mysql://h/d",
        "postgresql+asyncpg://h/d",
        "",
        "x",
    ],
)
def test_only_a_database_that_keeps_things_is_taken(url: str) -> None:
    assert "database_url must be sqlite:///FILE or postgresql" in faults(PLAIN | {"YIMEN_DATABASE_URL": url})[0]


def test_given_twice_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    assert "given twice" in faults(PLAIN | {"YIMEN_MASTER_KEY_FILE": f"{tmp_path}/key"})[0]


def test_more_workers_with_postgresql() -> None:
    settings = Settings.load(
        PLAIN | {"YIMEN_WORKERS": "4", "YIMEN_DATABASE_URL": "postgresql://u:secretword@h/d"}, None
    )
    assert settings.workers == 4
    for text in (repr(settings), str(shown(settings))):
        assert "secretword" not in text
        assert repr(settings.master_key) not in text
        assert KEY not in text
    assert shown(settings)["master_key"] == "(set)"
    assert shown(settings)["previous_master_key"] == "(not set)"


def test_the_demo_makes_its_key_once_and_for_its_owner_only(tmp_path: Path) -> None:
    environ = {"YIMEN_DEMO": "true", "YIMEN_STATE_DIR": str(tmp_path / "state")}
    first, second = Settings.load(environ, None), Settings.load(environ, None)
    assert first.master_key is not None
    assert len(first.master_key) == 32
    assert first == second
    (file,) = (tmp_path / "state").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("broken")
    assert "master.key" in faults(environ)[0]


def test_processes_that_start_together_agree_on_the_demo_key(tmp_path: Path) -> None:
    code = "from gateway.settings import Settings; print(Settings.from_process().master_key.hex())"
    environ = os.environ | {"YIMEN_DEMO": "true", "YIMEN_STATE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in started}) == 1


def test_every_setting_is_described_in_both_languages_and_in_the_guide() -> None:
    guide = (ROOT / "docs/guides/operate.md").read_text("utf-8")
    missing = []
    for one in describe():
        assert one.zh
        assert one.en
        default = "" if one.default == "" else f"`{one.default}`"
        row = f"| `{one.variable}` | {default} | {one.zh} | {one.en} |"
        if row not in guide:
            missing.append(row)
    assert not missing, "docs/guides/operate.md lacks these rows:\n" + "\n".join(missing)
