"""`c_nonce`: ours, in time, once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.services.credentials.nonces import LIVES_S, CredentialNonces
from tests.gateway.store.conftest import HandClock

pytestmark = pytest.mark.anyio


@dataclass
class Spent:
    kept: dict[str, datetime] = field(default_factory=dict)

    async def spend(self, kind: str, key: str, until: datetime) -> bool:
        assert len(kind) <= 16
        assert len(key) <= 64
        return self.kept.setdefault(key, until) is until


def of(clock: HandClock, secret: bytes = b"s" * 32, spent: Spent | None = None) -> CredentialNonces:
    return CredentialNonces(secret, spent or Spent(), clock)


async def test_it_is_good_in_every_replica_until_it_is_spent() -> None:
    clock, spent = HandClock(), Spent()
    here, there = of(clock, spent=spent), of(clock, spent=spent)
    nonce = here.make()
    assert there.good(nonce)
    assert await there.spend(nonce)
    assert not await here.spend(nonce)
    (until,) = spent.kept.values()
    assert (until - clock.now()).total_seconds() > LIVES_S, "remembered for as long as it could be shown"
    assert nonce not in spent.kept


async def test_it_has_its_time() -> None:
    clock = HandClock()
    nonces = of(clock)
    nonce = nonces.make()
    clock.forward(LIVES_S - 1)
    assert nonces.good(nonce)
    clock.forward(1)
    assert not nonces.good(nonce)
    assert not await nonces.spend(nonce)


def test_no_two_are_alike_and_another_secrets_is_none_of_ours() -> None:
    clock = HandClock()
    made = {of(clock).make() for _ in range(1000)}
    assert len(made) == 1000
    assert not of(clock, b"t" * 32).good(made.pop())


@given(st.text(max_size=60))
def test_nothing_else_is_good(text: str) -> None:
    assert not of(HandClock()).good(text)


@given(st.integers(min_value=0, max_value=43), st.sampled_from("ABCDabcd0123-_=+/ "))
def test_nor_one_that_was_changed(place: int, letter: str) -> None:
    nonces = of(HandClock())
    nonce = nonces.make()
    spoilt = nonce[:place] + letter + nonce[place + 1 :]
    assert nonces.good(spoilt) is (spoilt == nonce)
