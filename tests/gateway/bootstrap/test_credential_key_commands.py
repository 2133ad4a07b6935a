"""`yimen credentials keys`, as an operator types it, beside what a running gateway sees."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography import x509

from credentials import ring_changes
from gateway import cli
from gateway.bootstrap import credential_key_command
from gateway.bootstrap.credential_keys import open_rings
from gateway.bootstrap.credential_status import key_room
from gateway.clock import SystemClock
from gateway.services.credentials.ports import Acting, CredentialState, Issued
from gateway.settings import Settings
from gateway.store import open_store
from gateway.store.credentials.flips import flip
from gateway.store.credentials.issued import StoredIssued
from gateway.store.subject_keys.columns import PersonalColumns
from gateway.store.tables import change_event

ZHANG = "440606199003070017"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("YIMEN_DEMO", "true")
    monkeypatch.setenv("YIMEN_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("YIMEN_DATABASE_URL", f"sqlite:///{tmp_path / 'yimen.db'}")
    monkeypatch.setattr(credential_key_command, "LOOK_S", 0.0)
    return Settings.from_process()


def kids(out: str, use: str = "issuer") -> dict[str, str]:
    return {line.split()[1]: line.split()[3] for line in out.splitlines() if line.startswith(use)}


def typed(*words: str) -> int:
    return cli.main(["credentials", "keys", *words])


def test_the_manual_is_printed_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        typed("--help")
    out = capsys.readouterr().out
    assert "凭证签名密钥" in out
    assert "docs/guides/credential-keys.md" in out


def test_keys_are_listed_rotated_and_every_change_is_on_record(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert typed("list") == 0
    before = kids(capsys.readouterr().out)
    assert set(before) == {"CURRENT", "NEXT"}
    assert typed("rotate") == 1
    assert "15" in capsys.readouterr().err
    monkeypatch.setattr(ring_changes, "PUBLISHED_AHEAD", timedelta(0))
    assert typed("rotate") == 0
    assert before["NEXT"] in capsys.readouterr().out
    assert typed("list") == 0
    after = kids(capsys.readouterr().out)
    assert (after["CURRENT"], after["RETIRED"]) == (before["NEXT"], before["CURRENT"])
    assert asyncio.run(recorded(settings)) == {"SIGNING_KEY_MADE": 4, "SIGNING_KEY_ROTATED": 1}


async def recorded(settings: Settings) -> dict[str, int]:
    store = await open_store(settings, SystemClock())
    try:
        async with store.database.read() as connection:
            counted = sa.select(change_event.c.kind, sa.func.count()).group_by(change_event.c.kind)
            rows = (await connection.execute(counted)).all()
    finally:
        await store.close()
    return {row[0]: row[1] for row in rows if row[0].startswith("SIGNING_KEY_")}


def test_a_request_goes_out_and_a_chain_that_is_none_does_not_come_in(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("csr") == 0
    assert x509.load_pem_x509_csr(capsys.readouterr().out.encode()).is_signature_valid
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "utf-8")
    for file in (broken, tmp_path / "none.pem"):
        assert typed("install", str(file)) == 1
        assert file.name in capsys.readouterr().err
    assert typed("csr", "--kid", "nobody") == 1


def test_what_a_stolen_key_signed_from_then_on_is_revoked_and_what_it_signed_before_is_not(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = SystemClock().now()
    stolen, batches = asyncio.run(issue(settings, now))
    monkeypatch.setattr("sys.stdin.readline", lambda: "no\n", raising=False)
    since = (now - timedelta(minutes=30)).isoformat()
    assert typed("compromised", stolen, "--since", since, "--yes") == 0
    assert "1" in capsys.readouterr().out
    assert asyncio.run(standing(settings, batches)) == [CredentialState.VALID, CredentialState.REVOKED]
    assert typed("compromised", stolen, "--yes") == 1
    with pytest.raises(SystemExit):
        typed("compromised", stolen, "--since", "2026-11-26T08:00")  # in no zone


async def issue(settings: Settings, now: datetime) -> tuple[str, list[str]]:
    """One batch of an hour ago and one of ten minutes ago, by the key that signs now."""
    store, clock = await open_store(settings, SystemClock()), SystemClock()
    try:
        async with key_room(settings, store, clock) as room:
            kid = (await room.rings.issuer.signer()).kid
            issued = StoredIssued(store.database, PersonalColumns(store.keys, store.subject_keys.ring), clock, flip)
            (who,) = await store.subjects.intern([ZHANG])
            batches = []
            for minutes in (60, 10):
                (place,) = await room.lists.allot(1)
                one = a_credential(who, kid, place, now - timedelta(minutes=minutes))
                batches.append(one.batch_id)
                await issued.add([one], notification_id=one.batch_id, next_check_at=now)
            return kid, batches
    finally:
        await store.close()


def a_credential(who: str, kid: str, place: Any, at: datetime) -> Issued:
    number = f"{place.index:032x}"
    acting = Acting("SFJ-SHUNDE", "CORRECTION_AGENCY", "440606")
    return Issued(
        number, number, who, "residence", "residence", acting, "g", None, kid, place, "j", at, at + timedelta(days=9),
        b"{}", b"d",
    )  # fmt: skip


async def standing(settings: Settings, batches: list[str]) -> list[CredentialState]:
    store, clock = await open_store(settings, SystemClock()), SystemClock()
    try:
        issued = StoredIssued(store.database, PersonalColumns(store.keys, store.subject_keys.ring), clock, flip)
        rings = await open_rings(settings, store.keys, clock)
        assert len(rings.anchors()) == 1
        return [(await issued.batch(one))[0].state for one in batches]
    finally:
        await store.close()
