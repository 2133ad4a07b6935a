"""`yimen keys list | rotate`: the keys access tokens are signed with."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.clock import SystemClock
from gateway.oauth.signing_keys import REFRESH_S
from gateway.settings import Settings
from gateway.store import Store, open_store


async def list_signing_keys(settings: Settings) -> str:
    async def listed(store: Store) -> str:
        lines = []
        for kept in await store.signing_keys.load():
            until = f" until {kept.published_until:%Y-%m-%d %H:%M} UTC" if kept.published_until else ""
            lines.append(f"{kept.key.kid}  {kept.state:8} {kept.created_at:%Y-%m-%d %H:%M} UTC{until}")
        return "\n".join(lines)

    return await _with_store(settings, listed)


async def rotate_signing_keys(settings: Settings, *, compromised: bool) -> str:
    async def rotated(store: Store) -> str:
        return await store.signing_keys.rotate(actor_user=f"cli:{getpass.getuser()}", compromised=compromised)

    kid = await _with_store(settings, rotated)
    return (
        f"现用密钥 signing key in use: {kid}\n"
        f"各进程将在 {REFRESH_S:.0f} 秒内换用 every process uses it within {REFRESH_S:.0f} seconds"
    )


async def _with_store(settings: Settings, work: Callable[[Store], Coroutine[Any, Any, str]]) -> str:
    store = await open_store(settings, SystemClock())
    try:
        return await work(store)
    finally:
        await store.close()
