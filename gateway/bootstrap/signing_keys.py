"""`yimen keys list | rotate`: the keys access tokens are signed with."""

from __future__ import annotations

import getpass

from gateway.bootstrap.database import opened_store
from gateway.oauth.signing_keys import REFRESH_S
from gateway.settings import Settings


async def list_signing_keys(settings: Settings) -> str:
    lines = []
    async with opened_store(settings) as store:
        for kept in await store.signing_keys.load():
            until = f" until {kept.published_until:%Y-%m-%d %H:%M} UTC" if kept.published_until else ""
            lines.append(f"{kept.key.kid}  {kept.state:8} {kept.created_at:%Y-%m-%d %H:%M} UTC{until}")
    return "\n".join(lines)


async def rotate_signing_keys(settings: Settings, *, compromised: bool) -> str:
    async with opened_store(settings) as store:
        kid = await store.signing_keys.rotate(actor_user=f"cli:{getpass.getuser()}", compromised=compromised)
    return (
        f"现用密钥 signing key in use: {kid}\n"
        f"各进程将在 {REFRESH_S:.0f} 秒内换用 every process uses it within {REFRESH_S:.0f} seconds"
    )
