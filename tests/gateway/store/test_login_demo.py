"""Demo accounts: from a file, in the demo, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import SettingsInvalid
from gateway.services.identity_rows import from_files
from gateway.services.import_identities import ImportIdentities
from gateway.services.login_ports import Enrolment
from gateway.services.passwords import Passwords
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.login_demo import seed_demo_accounts
from tests.gateway.services.identity_examples import Revocations, district
from tests.gateway.store.conftest import HandClock

pytestmark = pytest.mark.anyio
FILE = """
[[accounts]]
login = "cc0001"
password = "demo-password"
totp = "JBSWY3DPEHPK3PXP"
external = { issuer = "http://127.0.0.1:9", subject = "zk" }
[[accounts]]
login = "sw0001"
password = "demo-password"
"""


@pytest.fixture
async def peopled(store: Store, clock: HandClock) -> Store:
    importing = ImportIdentities(store.identity_changes, store.subjects, Revocations(), clock)
    await importing(from_files(district()), actor_org="OPERATOR", actor_user="operator")
    return store


async def seed(store: Store, folder: Path, text: str = FILE, *, demo: bool = True, mode: int = 0o600) -> int:
    path = folder / "accounts.toml"
    path.write_text(text)
    path.chmod(mode)
    return await seed_demo_accounts(
        path, store.database, store.login.accounts, store.identities, Passwords(), demo=demo
    )


async def test_accounts_are_made_once_and_marked(peopled: Store, tmp_path: Path) -> None:
    assert await seed(peopled, tmp_path) == 2
    officer = await peopled.identities.officer_by_login("cc0001")
    assert officer is not None
    first = await peopled.login.accounts.account(officer.user_id)
    assert first is not None
    assert first.demo
    assert await peopled.login.accounts.totp_secret(officer.user_id) == "JBSWY3DPEHPK3PXP"
    assert await peopled.login.accounts.external_user("http://127.0.0.1:9", "zk") == officer.user_id
    assert await seed(peopled, tmp_path) == 2
    assert await peopled.login.accounts.account(officer.user_id) == first  # left alone at the next start
    await seed(peopled, tmp_path, FILE.replace("demo-password", "another password"))
    changed = await peopled.login.accounts.account(officer.user_id)
    assert changed is not None
    assert changed.password_hash != first.password_hash


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("cc0001", "nobody"), "nobody"),
        (("password =", "passwort ="), "not a file of demo accounts"),
        (('"demo-password"', "7"), "not a file of demo accounts"),
        (("[[accounts]]", "[[accounts"), "not a file of demo accounts"),
    ],
)
async def test_a_file_at_fault_is_refused_without_repeating_it(
    peopled: Store, tmp_path: Path, change: tuple[str, str], fault: str
) -> None:
    with pytest.raises(SettingsInvalid, match=fault) as caught:
        await seed(peopled, tmp_path, FILE.replace(*change))
    assert "demo-password" not in str(caught.value)


async def test_neither_outside_the_demo_nor_readable_by_others_nor_over_a_real_account(
    peopled: Store, tmp_path: Path
) -> None:
    with pytest.raises(SettingsInvalid, match="demo only"):
        await seed(peopled, tmp_path, demo=False)
    with pytest.raises(SettingsInvalid, match="chmod 600"):
        await seed(peopled, tmp_path, mode=0o644)
    officer = await peopled.identities.officer_by_login("cc0001")
    assert officer is not None
    async with peopled.database.write() as connection:
        await peopled.login.accounts.put(connection, Enrolment(officer.user_id, "CC-JUSTICE", "hash"), demo=False)
    with pytest.raises(SettingsInvalid, match="a password of their own"):
        await seed(peopled, tmp_path)
    account = await peopled.login.accounts.account(officer.user_id)
    assert account is not None
    assert (account.password_hash, account.demo) == ("hash", False)


def test_settings_refuse_the_file_outside_the_demo(tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text(FILE)
    key = {"YIMEN_MASTER_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}
    given = {**key, "YIMEN_DEMO_ACCOUNTS_FILE": str(tmp_path / "accounts.toml")}
    with pytest.raises(SettingsInvalid, match="demo_accounts_file: demo accounts are for the demo only"):
        Settings.load(given, None)
    assert Settings.load({**given, "YIMEN_DEMO": "true"}, None).demo_accounts_file is not None
    for name, value in (
        ("YIMEN_TRUSTED_PROXIES", "10.0.0.0/99"),
        ("YIMEN_OIDC_PROVIDERS_FILE", str(tmp_path / "nowhere")),
        ("YIMEN_SESSION_IDLE_S", "86400"),
    ):
        with pytest.raises(SettingsInvalid, match=name[6:].lower()):
            Settings.load({**key, name: value}, None)
