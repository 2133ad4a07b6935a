"""Accounts of the demo's officers: made up once, kept for nobody else to read, and shown on the demo's card."""

from __future__ import annotations

import json
import secrets
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyotp

from demo.bodies import Clerk, clerks
from demo.places import write_private


@dataclass(frozen=True, slots=True)
class Account:
    login: str
    password: str = field(repr=False)
    totp: str = field(repr=False)  # base32
    clerk: Clerk

    def code(self) -> str:
        """The six digits of this half minute (RFC 6238)."""
        return pyotp.TOTP(self.totp).now()


def accounts(path: Path, oidc_issuer: str | None = None) -> Sequence[Account]:
    """Every officer's account; what stands in `path` already is kept, so that a restart changes nobody's password."""
    held: dict[str, dict[str, str]] = {}
    if path.exists():
        held = {entry["login"]: entry for entry in tomllib.loads(path.read_text(encoding="utf-8"))["accounts"]}
    found = []
    lines: list[str] = []
    for clerk in clerks():
        entry = held.get(clerk.login, {})
        password = entry.get("password") or f"demo-{secrets.token_urlsafe(9)}"
        account = Account(clerk.login, password, entry.get("totp") or pyotp.random_base32(), clerk)
        found.append(account)
        words = {"login": account.login, "password": account.password, "totp": account.totp}
        lines += ["[[accounts]]", *(f"{name} = {json.dumps(value)}" for name, value in words.items())]
        if clerk.external and oidc_issuer is not None:
            lines.append(f"external = {{ issuer = {json.dumps(oidc_issuer)}, subject = {json.dumps(clerk.login)} }}")
    write_private(path, "\n".join([*lines, ""]))
    return found
