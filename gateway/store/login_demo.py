"""Accounts of the demo's officers, from a file; outside the demo there are none."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.errors import SettingsInvalid
from gateway.services.identities import Officers
from gateway.services.login_ports import Enrolment
from gateway.services.passwords import Passwords
from gateway.store.engine import Database
from gateway.store.login_accounts import StoredAccounts

_WANTED = "each [[accounts]] needs login and password, and may have totp (base32) and external = { issuer, subject }"


@dataclass(frozen=True, slots=True)
class DemoAccount:
    login: str
    password: str = field(repr=False)
    totp: str | None = field(default=None, repr=False)
    external: tuple[str, str] | None = None  # issuer, subject


async def seed_demo_accounts(
    path: Path, database: Database, accounts: StoredAccounts, officers: Officers, passwords: Passwords, *, demo: bool
) -> int:
    """How many stand. One that stands already is left alone, and its sessions with it.

    Raises SettingsInvalid outside the demo, for a file that is not that or that others may read, for a login that is no
    officer's, and for an officer who has a password of their own.
    """
    if not demo:
        raise SettingsInvalid(("demo accounts are for the demo only",))
    entries = _accounts(path)
    for entry in entries:
        officer = await officers.officer_by_login(entry.login)
        if officer is None:
            raise SettingsInvalid((f"{path}: there is no officer {entry.login!r}",))
        known = await accounts.account(officer.user_id)
        if known is not None and not known.demo:
            raise SettingsInvalid((f"{path}: officer {entry.login!r} has a password of their own",))
        same = known is not None and await passwords.matches(entry.password, known.password_hash)
        if not same or await accounts.totp_secret(officer.user_id) != entry.totp:
            hashed = await passwords.hash(entry.password)
            made = Enrolment(officer.user_id, officer.org_id, hashed, totp_secret=entry.totp)
            async with database.write() as connection:
                await accounts.put(connection, made, demo=True)
        if entry.external is not None and await accounts.external_user(*entry.external) != officer.user_id:
            await accounts.link_external(officer.user_id, officer.org_id, *entry.external, actor="operator")
    return len(entries)


def _accounts(path: Path) -> list[DemoAccount]:
    try:
        if path.stat().st_mode & 0o077:
            raise SettingsInvalid((f"{path} can be read by others; chmod 600 it",))
        return [_account(entry) for entry in tomllib.loads(path.read_text("utf-8"))["accounts"]]
    except (OSError, KeyError, TypeError, ValueError):
        raise SettingsInvalid((f"{path} is not a file of demo accounts: {_WANTED}",)) from None


def _account(entry: Any) -> DemoAccount:
    if not {"login", "password"} <= entry.keys() <= {"login", "password", "totp", "external"}:
        raise ValueError
    external = entry.get("external")
    pair = None if external is None else (external["issuer"], external["subject"])
    texts = [entry["login"], entry["password"], *(pair or ()), *([entry["totp"]] if "totp" in entry else [])]
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError
    return DemoAccount(entry["login"], entry["password"], entry.get("totp"), pair)
