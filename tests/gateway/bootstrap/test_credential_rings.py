"""The rings as a gateway opens them: by several processes at once, in a module, beside a record that remembers others."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from credentials.authority import make_leaf, make_root
from credentials.errors import ChainInvalid
from credentials.ring_changes import certificate_request, install
from credentials.x5c import ISSUER_PURPOSE, VERIFIER_PURPOSE, check_chain
from gateway.bootstrap.credential_keys import keys_folder, open_rings
from gateway.bootstrap.credential_status import key_room, warn_of_ends
from gateway.clock import SystemClock
from gateway.errors import SettingsInvalid
from gateway.settings import Settings
from gateway.settings.credentials import CredentialSettings
from gateway.store import open_store
from tests.credentials import softhsm

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[3]
CHILD = """
import asyncio, sys
from pathlib import Path
from datetime import UTC, datetime
from credentials.key_files import KeyFiles
from credentials.keys import KeyUse
from credentials.ring import FolderRing
folder = Path(sys.argv[1])
ring = FolderRing(folder, KeyFiles(folder, bytes(32)), KeyUse.ISSUER, "https://a.example", lambda: datetime.now(UTC))
sys.stdin.readline()
print(asyncio.run(ring.signer()).kid)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        database_url=f"sqlite:///{tmp_path / 'yimen.db'}", master_key=bytes(32), demo=True, state_dir=tmp_path
    )


def test_processes_that_make_the_first_key_at_the_same_moment_agree(tmp_path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path / "ring")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for _ in range(4)
    ]  # fmt: skip
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    kids = {child.communicate(timeout=60)[0].strip() for child in children}
    assert len(kids) == 1
    assert kids != {""}


async def test_opened_twice_it_is_the_same_and_each_use_has_its_own_purpose(settings: Settings) -> None:
    store = await open_store(settings, SystemClock())
    try:
        rings = [await open_rings(settings, store.keys, SystemClock()) for _ in range(2)]
        assert rings[0].anchors() == rings[1].anchors()
        now = datetime.now(UTC)
        asks = await rings[0].verifier.signer()
        check_chain(asks.x5c, rings[1].reader_anchors(), now, purpose=VERIFIER_PURPOSE)
        with pytest.raises(ChainInvalid):
            check_chain(asks.x5c, rings[1].anchors(), now, purpose=ISSUER_PURPOSE)
    finally:
        await store.close()


async def test_another_master_key_leaves_the_keys_as_they_are(settings: Settings) -> None:
    kids = []
    for now in (settings, replace(settings, master_key=bytes(31) + b"1", previous_master_key=settings.master_key)):
        store = await open_store(now, SystemClock())
        kids.append((await (await open_rings(now, store.keys, SystemClock())).issuer.signer()).kid)
        await store.close()
    assert kids[0] == kids[1]


async def test_a_folder_that_was_lost_is_said_and_one_that_cannot_be_read_stops_the_start(settings: Settings) -> None:
    store = await open_store(settings, SystemClock())
    try:
        with structlog.testing.capture_logs() as logs:
            async with key_room(settings, store, SystemClock()):
                pass
        assert "credential_keys_replaced" not in [one["event"] for one in logs]
        shutil.rmtree(keys_folder(settings))
        with structlog.testing.capture_logs() as logs:
            async with key_room(settings, store, SystemClock()):
                pass
        assert [one["use"] for one in logs if one["event"] == "credential_keys_replaced"] == ["issuer", "verifier"]
        (keys_folder(settings) / "issuer" / "ring.json").write_text("{}", "utf-8")
        with pytest.raises(SettingsInvalid, match="ring"):
            async with key_room(settings, store, SystemClock()):
                pass
    finally:
        await store.close()


async def test_the_end_of_a_bureaus_certificate_is_said_in_time_and_not_that_of_ours(settings: Settings) -> None:
    store = await open_store(settings, SystemClock())
    try:
        rings = await open_rings(settings, store.keys, SystemClock(), look_s=0.0)
        now = datetime.now(UTC)
        request = x509.load_pem_x509_csr(await certificate_request(rings.issuer, None))
        root_key = ec.generate_private_key(ec.SECP256R1())
        root = make_root(root_key, "https://ca.example", "bureau", now)
        public = request.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        leaf = make_leaf(public, root, root_key, settings.base_url, ISSUER_PURPOSE, now)
        kid = await install(rings.issuer, [leaf, root], "op")
        ends = leaf.not_valid_after_utc
        for at, said in ((ends - timedelta(days=61), []), (ends - timedelta(days=59), [kid])):
            with structlog.testing.capture_logs() as logs:
                await warn_of_ends(rings, at)
            assert [one["kid"] for one in logs] == said
    finally:
        await store.close()


async def test_keys_in_a_module_by_settings(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    reason = softhsm.missing()
    if reason is not None:
        pytest.skip(reason)
    module = softhsm.prepared(softhsm.folder(tmp_path_factory))
    given = CredentialSettings(pkcs11_module=module, pkcs11_token=softhsm.TOKEN, pkcs11_pin=softhsm.PIN)
    store = await open_store(settings, SystemClock())
    try:
        rings = await open_rings(replace(settings, credentials=given), store.keys, SystemClock())
        signers = await asyncio.gather(*(ring.signer() for ring in (rings.issuer, rings.verifier) for _ in range(4)))
        assert len({signer.kid for signer in signers}) == 2
        assert list(keys_folder(settings).rglob("*.key")) == []
        for broken in (replace(given, pkcs11_pin=None), replace(given, pkcs11_token=None)):
            with pytest.raises(SettingsInvalid):
                await open_rings(replace(settings, credentials=broken), store.keys, SystemClock())
    finally:
        await store.close()
