"""A clock that moves by hand, a client's key, and proofs and assertions made well or badly on purpose."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.caller import CallerKind
from gateway.oauth.client import Client
from gateway.oauth.jose import PrivateKey, access_token_hash
from gateway.settings import Settings
from gateway.store import open_store
from tests.fakes.authorization import Desk

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
BASE = "https://gw.example"


@dataclass
class HandClock:
    at: datetime = START

    def now(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@dataclass
class SpentOnce:
    """A `ReplaySet` in memory."""

    spent: set[tuple[str, str]] = field(default_factory=set)

    async def spend(self, kind: str, key: str, until: datetime) -> bool:
        new = (kind, key) not in self.spent
        self.spent.add((kind, key))
        return new


KEY = PrivateKey.generate()
OTHER_KEY = PrivateKey.generate()


def proof(
    clock: HandClock,
    *,
    key: PrivateKey = KEY,
    token: str | None = None,
    header: Mapping[str, Any] | None = None,
    without: str = "",
    **claims: Any,
) -> str:
    """A DPoP proof that holds, but for what is said otherwise."""
    told: dict[str, Any] = {
        "htm": "POST", "htu": f"{BASE}/graphql", "iat": int(clock.now().timestamp()), "jti": "j-1", **claims,
    }  # fmt: skip
    if token is not None:
        told.setdefault("ath", access_token_hash(token))
    told.pop(without, None)
    public = {name: key.public_jwk()[name] for name in ("kty", "crv", "x", "y")}
    head = {"typ": "dpop+jwt", "jwk": public, **(header or {})}
    return key.sign({name: value for name, value in head.items() if value is not None}, told)


def client(client_id: str = "bank-1", key: PrivateKey = KEY, **changes: Any) -> Client:
    given: dict[str, Any] = {
        "client_id": client_id, "client_name": "某银行", "kind": CallerKind.PARTNER, "org_id": "bank", "org_kind": "BANK",
        "jurisdiction": "4406", "jwks": {"keys": [key.public_jwk()]}, "scope": frozenset({"graphql"}),
    }  # fmt: skip
    return Client(**(given | changes))


@pytest.fixture
async def desk(tmp_path: Path, clock: HandClock) -> AsyncIterator[Desk]:
    """An authorization server with its clients, on a database of its own."""
    settings = Settings(database_url=f"sqlite:///{tmp_path}/y.db", master_key=bytes(range(32)), demo=True)
    store = await open_store(settings, clock)
    found = Desk(store, clock)
    await found.register_all()
    yield found
    await store.close()
