"""The one file an agency gets, on a Python that has `cryptography` and has never heard of yimen."""

from __future__ import annotations

import json
import subprocess
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.ledger.audit.logs import Files, entry, policy_text
from tests.ledger.audit.serving import serving

ROOT = Path(__file__).parents[3]
NEEDED = ("cryptography", "cffi", "_cffi_backend*", "pycparser")


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = [tmp_path_factory.mktemp("pyz") / name for name in ("yimen-auditor.pyz", "again.pyz")]
    for one in made:
        subprocess.run([ROOT / "script/auditor", one], check=True, capture_output=True)
    assert made[0].read_bytes() == made[1].read_bytes()
    return made[0]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    for pattern in NEEDED:
        for found in Path(sysconfig.get_path("platlib")).glob(pattern):
            (site / found.name).symlink_to(found)
    return folder / "bin/python"


def test_nothing_of_yimen_is_there_besides(python: Path) -> None:
    for name in ("ledger", "gateway", "sqlalchemy", "starlette"):
        run = subprocess.run([python, "-I", "-c", f"import {name}"], capture_output=True, text=True, cwd="/")
        assert "ModuleNotFoundError" in run.stderr


def test_it_audits_proves_and_verifies(pyz: Path, python: Path, log: Files, tmp_path: Path) -> None:
    (tmp_path / "policy").write_text(policy_text())

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [python, "-I", pyz, *words, "--policy", "policy"]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={"LANG": "C"})

    with serving(log.path) as served:
        done = run("audit", served.url, "--state", "s")
        assert (done.returncode, done.stderr) == (0, "")
        assert run("prove", served.url, "300", "--out", "p", "--entry-out", "e").returncode == 0
        log.held[300] = entry(300, actor="ZZ")
        log.publish()
        done = run("audit", served.url, "--state", "s", "--json")
    assert done.returncode == 1
    assert [(one["fault"], one["first"]) for one in json.loads(done.stdout)["findings"]] == [("REWRITTEN_HISTORY", 300)]
    done = run("verify", "p", "--entry", "e")
    assert done.returncode == 0
    assert "entry 300 of the log" in done.stdout


def test_it_holds_the_ledger_and_nothing_else(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as packed:
        names = {name for name in packed.namelist() if not name.endswith("/")}
    assert all(name == "__main__.py" or name.startswith("ledger/") for name in names)
    assert not any("__pycache__" in name or "witness" in name for name in names)


def test_it_works_as_a_module_too(log: Files, tmp_path: Path, python: Path) -> None:
    """The folder `ledger` alone is enough."""
    (tmp_path / "policy").write_text(policy_text())
    (tmp_path / "ledger").symlink_to(ROOT / "ledger")
    command = [python, "-m", "ledger", "audit", "log", "--policy", "policy"]
    assert subprocess.run(command, capture_output=True, cwd=tmp_path).returncode == 0
