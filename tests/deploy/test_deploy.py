"""What deploy/ hands to an operator can be read by what it is for, and names only settings that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.manifest_reader import read_manifests
from adapters.registry import KINDS
from gateway.services.load_sources import known_nouns
from gateway.settings import Settings, describe
from gateway.web.serve import BACKLOG

DEPLOY = Path(__file__).parents[2] / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
VARIABLES = {known.variable for known in describe()} | {"YIMEN_SETTINGS"}
GRACE_S = 15


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_variable_is_a_setting(path: Path) -> None:
    named = set(re.findall(r"\bYIMEN_[A-Z_]+", path.read_text("utf-8")))
    assert {name for name in named if name not in VARIABLES and name.removesuffix("_FILE") not in VARIABLES} == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_names_a_download_host_or_holds_a_secret(path: Path) -> None:
    text = path.read_text("utf-8")
    hosts = set(re.findall(r"https?://([^/:\s'\"]+)", text))
    assert hosts <= {"127.0.0.1", "localhost", "yimen.example.gov"}
    assert not re.search(r"[A-Za-z0-9+/]{40,}={0,2}", text)


def test_the_environment_is_one_the_gateway_starts_with() -> None:
    given = compose()["services"]["gateway"]["environment"]
    environ = {name: str(value) for name, value in given.items() if not name.endswith("_FILE")}
    secrets = {
        "YIMEN_MASTER_KEY": "A" * 4 + "bcdefghijklmnopqrstuvwxyz0123456789ABCD=",
        "YIMEN_DATABASE_URL": "postgresql://yimen@database/yimen",
        "YIMEN_SUBJECT_KEYS_URL": "postgresql://yimen@keys-database/yimen",
    }
    assert set(secrets) == {name.removesuffix("_FILE") for name in given if name.endswith("_FILE")}
    settings = Settings.load(environ | secrets, None)
    assert not settings.sqlite
    assert not settings.demo


def test_what_cannot_be_made_anew_outlives_a_container_and_is_every_replicas() -> None:
    """The state folder of a container is memory: keys of persons and of credentials must not lie there."""
    gateway = compose()["services"]["gateway"]
    folder = gateway["environment"]["YIMEN_CREDENTIAL_KEYS_DIR"]
    named = {place: source for source, place in (one.split(":")[:2] for one in gateway["volumes"])}
    assert named[folder] in compose()["volumes"]
    assert f"install -d -o 10001 -m 700 {folder}" in (DEPLOY / "Dockerfile").read_text("utf-8")
    assert "YIMEN_SUBJECT_KEYS_URL_FILE" in gateway["environment"]
    stores = [one["volumes"] for one in compose()["services"].values() if one.get("image", "").startswith("postgres")]
    assert len(stores) == 2
    assert stores[0] != stores[1]


def test_every_secret_and_folder_that_is_named_is_there() -> None:
    found = compose()
    for service in found["services"].values():
        for secret in service.get("secrets", ()):
            assert secret in found["secrets"]
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in found["volumes"] or (DEPLOY / source).exists()
    assert (DEPLOY / found["services"]["gateway"]["build"]["context"] / "deploy" / "Dockerfile").is_file()
    mounted = {f"/run/secrets/{name}" for name in found["services"]["gateway"]["secrets"]}
    for name, value in found["services"]["gateway"]["environment"].items():
        if name.endswith("_FILE"):
            assert value in mounted
    assert found["services"]["gateway"]["deploy"]["replicas"] == 2


def test_there_is_time_to_drain() -> None:
    gateway = compose()["services"]["gateway"]
    assert (
        int(gateway["stop_grace_period"].removesuffix("s"))
        > float(gateway["environment"]["YIMEN_DRAIN_S"])
        + float(gateway["environment"]["YIMEN_DRAIN_ANNOUNCE_S"])
        + GRACE_S
    )
    unit = (DEPLOY / "yimen.service").read_text("utf-8")
    stop, drain = re.search(r"TimeoutStopSec=(\d+)", unit), re.search(r"YIMEN_DRAIN_S=(\d+)", unit)
    assert stop is not None
    assert drain is not None
    assert int(stop[1]) > int(drain[1]) + GRACE_S


def test_the_socket_is_where_the_service_listens() -> None:
    service, socket = ((DEPLOY / f"yimen.{kind}").read_text("utf-8") for kind in ("service", "socket"))
    host, port = re.search(r"YIMEN_HOST=(\S+)", service), re.search(r"YIMEN_PORT=(\d+)", service)
    assert host is not None
    assert port is not None
    assert f"ListenStream={host[1]}:{port[1]}\n" in socket
    assert f"Backlog={BACKLOG}\n" in socket, "as many as the gateway asks for itself"


def test_systemd_can_read_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "yimen.service"
    # The program stands where it will be installed, not here.
    unit.write_text(
        (DEPLOY / "yimen.service")
        .read_text("utf-8")
        .replace("/opt/yimen/bin/yimen", shutil.which("true") or "/bin/true"),
        "utf-8",
    )
    done = subprocess.run([analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=30)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "yimen.service" in line]
    assert ours == []


def test_the_example_manifest_is_sound() -> None:
    read = read_manifests(DEPLOY / "manifests", known_nouns(), KINDS)
    assert [source.code for source in read.sources] == ["LGB"]
    token = read.sources[0].auth["token"].removeprefix("file:")
    assert token in {f"/run/secrets/{name}" for name in compose()["services"]["gateway"]["secrets"]}


def test_the_image_holds_what_the_wheel_is_made_of() -> None:
    copied = set(re.findall(r"^COPY (.+) \S+$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE))
    names = {name for line in copied for name in line.split()}
    assert names == {
        "pyproject.toml",
        "constraints.txt",
        "README.md",
        "adapters",
        "credentials",
        "gateway",
        "ledger",
        "schema",
    }
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == names
