"""The demo's OIDC provider as a process, what it is told, and what the gateway is told of it.

`python -m demo.identity_provider FILE` serves it and ends with whoever started it.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from demo.accounts import Account
from demo.places import Places, write_private
from demo.processes import Children, die_with_parent

NAME, CLIENT = "demo", "yimen"


def start_provider(
    places: Places, port: int, gateway: str, accounts: Sequence[Account], children: Children
) -> tuple[Path, str]:
    """The file for YIMEN_OIDC_PROVIDERS_FILE, and the provider's issuer. Its officers' passwords are those of ours."""
    keys, issuer = places.sub("keys"), f"http://127.0.0.1:{port}"
    secret = secrets.token_urlsafe(32)
    write_private(keys / "oidc_secret", secret)
    client = {
        "client_id": CLIENT,
        "secret": secret,
        "redirect_uris": [f"{gateway}/login/oidc/{NAME}/callback"],
    }
    users = [
        {"login": one.login, "password": one.password, "sub": one.login, "name": one.clerk.name, "acr": "1"}
        for one in accounts
        if one.clerk.external
    ]
    told = keys / "oidc_provider.toml"
    write_private(told, f"issuer = {json.dumps(issuer)}\n" + _tables("clients", [client]) + _tables("users", users))
    known = keys / "oidc_providers.toml"
    provider = {
        "name": NAME,
        "issuer": issuer,
        "client_id": CLIENT,
        "secret_file": "oidc_secret",
        "title_zh": "演示统一身份平台",
        "title_en": "Demo identity provider",
    }
    write_private(known, _tables("providers", [provider]))
    command = (sys.executable, "-m", "demo.identity_provider", str(told))
    children.start("oidc", command, read=False)
    return known, issuer


def _tables(name: str, entries: Sequence[Mapping[str, object]]) -> str:
    """TOML tables; a JSON text or list of texts is one of TOML too."""
    lines = []
    for entry in entries:
        lines += [f"[[{name}]]", *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items())]
    return "\n".join([*lines, ""])


def main() -> None:
    die_with_parent()
    from demo.oidc_provider import main as serve

    serve(sys.argv[1:])


if __name__ == "__main__":
    main()
