"""A seeded token stands for an officer in the demo, until it ends; nothing else stands for anybody."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.caller import Caller
from gateway.errors import Unauthenticated
from gateway.settings import Settings
from gateway.store import Officer, Store, TokensRefused, open_store
from gateway.store import tokens as tokens_module
from gateway.store.tables import officer_token
from tests.gateway.store.conftest import HandClock, OpenStore

OFFICER = Officer("u-1", "org-1", "CORRECTION_AGENCY", frozenset({"officer"}), frozenset({"RECEPTION"}))


async def seeded(store: Store, clock: HandClock) -> str:
    return await store.tokens.seed(OFFICER, expires_at=clock.now() + timedelta(hours=1))


@pytest.mark.anyio
async def test_a_seeded_token_is_its_officer_until_it_expires(store: Store, clock: HandClock) -> None:
    token = await seeded(store, clock)
    for header in (f"Bearer {token}", f"bearer  {token}"):
        caller = await store.tokens(header)
        assert caller == Caller(
            "u-1", "org-1", "CORRECTION_AGENCY", frozenset({"officer"}), caller.token_id,
            clock.now() + timedelta(hours=1), frozenset({"RECEPTION"}),
        )  # fmt: skip
        assert caller.token_id not in token
    clock.forward(3600)
    with pytest.raises(Unauthenticated):
        await store.tokens(f"Bearer {token}")


@pytest.mark.anyio
async def test_nothing_else_is_anybody(store: Store, clock: HandClock) -> None:
    token = await seeded(store, clock)
    wrong = [
        None, "", "Bearer", "Bearer ", token, f"Basic {token}", f"Bearer {token}x", f"Bearer {token[:-1]}", f"Bearer {token}\n",
        f"Bearer {token} {token}", "Bearer " + "a" * 43, "Bearer " + "a" * 100_000, "Bearer \ud800", "Bearer ' OR 1=1 --" + "a" * 40,
    ]  # fmt: skip
    for header in wrong:
        with pytest.raises(Unauthenticated):
            await store.tokens(header)
    assert await store.tokens(f"Bearer {token}")


@pytest.mark.anyio
async def test_a_revoked_token_ends_within_two_seconds_everywhere(
    store: Store, open_replica: OpenStore, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await open_replica()
    token = await seeded(store, clock)
    caller = await store.tokens(f"Bearer {token}")
    await other.tokens(f"Bearer {token}")
    assert await store.tokens.revoke(caller.token_id)
    assert not await store.tokens.revoke(caller.token_id)
    with pytest.raises(Unauthenticated):
        await store.tokens(f"Bearer {token}")
    assert await other.tokens(f"Bearer {token}")  # still remembered
    real = tokens_module.time.monotonic
    monkeypatch.setattr(tokens_module.time, "monotonic", lambda: real() + 2.1)
    with pytest.raises(Unauthenticated):
        await other.tokens(f"Bearer {token}")


@pytest.mark.anyio
async def test_a_remembered_token_costs_no_look_at_the_database(store: Store, clock: HandClock) -> None:
    token = await seeded(store, clock)
    await store.tokens(f"Bearer {token}")
    async with store.database.write() as connection:
        await connection.execute(sa.delete(officer_token))
    assert await store.tokens(f"Bearer {token}")


@pytest.mark.anyio
async def test_outside_the_demo_no_token_is_made_and_none_works(
    settings: Settings, store: Store, clock: HandClock
) -> None:
    token = await seeded(store, clock)
    real = await open_store(replace(settings, demo=False), clock)
    with pytest.raises(Unauthenticated):
        await real.tokens(f"Bearer {token}")
    with pytest.raises(TokensRefused):
        await seeded(real, clock)
    await real.close()


@pytest.mark.anyio
async def test_only_the_tokens_hash_is_stored(store: Store, clock: HandClock) -> None:
    token = await seeded(store, clock)
    async with store.database.read() as connection:
        (row,) = (await connection.execute(sa.select(officer_token))).all()
    assert token not in str(row)
    assert token.encode() not in row.token_hash


@pytest.mark.anyio
async def test_a_file_seeds_its_officers_and_can_be_seeded_again(
    store: Store, clock: HandClock, tmp_path: Path
) -> None:
    token = "t" * 43
    file = tmp_path / "tokens.toml"
    text = f"""
[[officers]]
token = "{token}"
user_id = "u-9"
org_id = "org-9"
org_kind = "JUSTICE_OFFICE"
roles = ["officer"]
purposes = ["RECEPTION"]
expires_at = 2027-01-01T00:00:00Z
"""
    file.write_text(text)
    file.chmod(0o644)
    with pytest.raises(TokensRefused, match="chmod"):
        await store.tokens.seed_file(file)
    file.chmod(0o600)
    for _ in range(2):
        assert await store.tokens.seed_file(file) == 1
    assert (await store.tokens(f"Bearer {token}")).user_id == "u-9"
    for bad in (
        "",
        "officers = 3",
        text.replace('"u-9"', "7"),
        text.replace("Z\n", "\n"),
        text.replace("ttt", ""),
        "\x00",
    ):
        file.write_text(bad)
        with pytest.raises(TokensRefused) as caught:
            await store.tokens.seed_file(file)
        assert token not in str(caught.value)
