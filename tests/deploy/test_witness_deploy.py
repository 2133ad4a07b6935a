"""What an agency is given to run a witness can be followed as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.note import parse_vkey
from ledger.witness.config import read_config
from tests.ledger.witness.logs import LOG

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "witness"
GUIDE = (ROOT / "docs" / "guides" / "witness.md").read_text("utf-8")


def lines() -> list[str]:
    found = re.search(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    return found[1].splitlines()


def test_ten_lines() -> None:
    assert len(lines()) == 10


def test_the_lines_for_the_witness_work_in_their_order(tmp_path: Path) -> None:
    """Those that need root are left to the agency; the paths are this test's."""
    (tmp_path / "etc").mkdir()
    shutil.copy(DEPLOY / "witness.conf", tmp_path / "etc")
    ours = [line.partition("#")[0] for line in lines() if line.startswith("witness ")]
    assert len(ours) == 3
    for line in ours:
        words = line.replace("/etc/yimen-witness", str(tmp_path / "etc")).replace(
            "/var/lib/yimen-witness", str(tmp_path)
        )
        words = words.replace("'VKEY'", str(LOG.key))
        command = [sys.executable, "-m", "gateway.bootstrap.witness", *words.split()[1:]]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, timeout=60
        )
        assert done.returncode == 0, done.stderr
    assert parse_vkey(done.stdout.strip()).name == "ga.example.gov/witness"
    assert read_config(tmp_path / "etc" / "witness.conf").logs == {LOG.name: (LOG.key,)}
    assert (tmp_path / "state" / "witness").is_file()


def test_the_packages_it_names_are_enough() -> None:
    """What it loads from outside is what the guide installs, and what those bring along."""
    named = set(re.search(r"constraints.txt ((?:[a-z0-9]+ ?)+)", GUIDE)[1].split())  # type: ignore[index]
    bring = {
        "anyio",
        "click",
        "cffi",
        "_cffi_backend",
        "h11",
        "idna",
        "markupsafe",
        "sniffio",
        "typing_extensions",
        "uvloop",
    }
    script = (
        "import sys, uvicorn, gateway.bootstrap.witness_command, gateway.bootstrap.witness, gateway.web.witness, gateway.web.html, "
        "gateway.web.http_protocol, uvicorn.protocols.http.httptools_impl, uvicorn.lifespan.off, uvicorn.loops.auto\n"
        "print(*{name.partition('.')[0] for name, one in list(sys.modules.items()) "
        "if 'site-packages' in (getattr(one, '__file__', None) or '')})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    loaded = {name for name in done.stdout.split() if not name.startswith(("_distutils", "_virtualenv", "__editable"))}
    assert loaded <= named | bring
    assert named <= loaded
    constraints = (ROOT / "constraints.txt").read_text("utf-8")
    assert all(re.search(rf"^{name}==", constraints, re.MULTILINE | re.IGNORECASE) for name in named)


def test_the_unit_runs_what_there_is_where_the_guide_puts_it(tmp_path: Path) -> None:
    unit = (DEPLOY / "yimen-witness.service").read_text("utf-8")
    started = re.search(r"^ExecStart=/opt/yimen/bin/python -m gateway.bootstrap.witness (.*)$", unit, re.MULTILINE)
    assert started is not None
    for path in re.findall(r"/(?:etc|var/lib)/yimen-witness/\S+", started[1]):
        assert path in "\n".join(lines())
    import argparse

    from gateway.bootstrap.witness_arguments import fill_witness_parser

    parser = argparse.ArgumentParser()
    fill_witness_parser(parser)
    assert parser.parse_args(started[1].split()).port == 8440
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    file = tmp_path / "yimen-witness.service"
    file.write_text(unit.replace("/opt/yimen/bin/python", sys.executable), "utf-8")
    done = subprocess.run([analyze, "verify", "--man=no", str(file)], capture_output=True, text=True, timeout=30)
    assert [line for line in (done.stdout + done.stderr).splitlines() if "yimen-witness.service" in line] == []


def test_every_figure_the_guide_names_is_given_and_no_other() -> None:
    code = (ROOT / "gateway" / "web" / "witness.py").read_text("utf-8")
    assert set(re.findall(r"`(witness_\w+)`", GUIDE)) == set(re.findall(r"# TYPE (\w+)", code))
