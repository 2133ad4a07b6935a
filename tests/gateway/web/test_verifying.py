"""The kit and the verifier's page over real HTTP, from a real ring, real types and a list."""

from __future__ import annotations

import gzip
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from credentials import sd_jwt
from credentials.errors import KeysUnavailable
from credentials.key_files import KeyFiles
from credentials.keys import KeyUse
from credentials.kit import read_kit
from credentials.ring import FolderRing
from credentials.ring_changes import compromise
from credentials.status_list import make_token, pack
from credentials.type_files import load_types
from credentials.verifying import verify
from gateway.services.credentials.offline_kit import OfflineKit
from gateway.web.verifying import verifying_routes
from tests.gateway.web.conftest import Running, running

pytestmark = pytest.mark.anyio
GOV = "https://sj.example.gov.cn/gov"
LIST = f"{GOV}/credentials/status/a"


@dataclass
class Clock:
    at: datetime = datetime(2026, 11, 26, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


class Lists:
    """Implements `StatusLists` as far as a kit asks."""

    def __init__(self, ring: FolderRing, clock: Clock) -> None:
        self._ring, self._clock, self.made = ring, clock, 0

    async def lists(self) -> list[str]:
        return ["a", "gone"]

    async def token(self, list_id: str) -> tuple[str, str] | None:
        if list_id != "a":
            return None
        self.made += 1
        now = self._clock.now()
        day = timedelta(days=1)
        return make_token(
            await self._ring.signer(), LIST, pack(8, {}), issued_at=now, expires_at=now + day, ttl_s=30
        ), "tag"


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[Running, FolderRing, Lists, Clock]]:
    clock = Clock()
    ring = FolderRing(folder, KeyFiles(folder, bytes(32)), KeyUse.ISSUER, GOV, clock.now, look_s=0.0)
    await ring.keys()
    lists: Any = Lists(ring, clock)
    kit = OfflineKit(
        GOV, ring, lambda: ring.roots, lists, lambda one: f"{GOV}/credentials/status/{one}", load_types([]), clock,
        fresh=timedelta(seconds=30),
    )  # fmt: skip
    async with running(pages=[*verifying_routes(kit, 30)]) as web:
        yield web, ring, lists, clock


async def _credential(ring: FolderRing, at: datetime) -> str:
    signer = await ring.signer()
    ctype = load_types([])["residence"]
    claims = {
        "iss": GOV, "iat": int(at.timestamp()), "exp": int(at.timestamp()) + 600, "vct": ctype.vct(GOV),
        "status": {"status_list": {"idx": 3, "uri": LIST}},
    }  # fmt: skip
    return sd_jwt.issue(signer, claims, {"name": "李*"}, header={"kid": signer.kid, "x5c": list(signer.x5c)})


async def test_the_kit_alone_verifies_what_the_ring_signed(tmp_path: Path) -> None:
    async with served(tmp_path) as (web, ring, _, clock):
        async with web.client.get(f"http://127.0.0.1:{web.port}/credentials/kit") as answer:
            assert answer.status == 200
            assert answer.headers["content-disposition"] == 'attachment; filename="yimen-kit.jwt"'
            assert answer.headers["x-content-type-options"] == "nosniff"
            text, tag = await answer.text(), answer.headers["etag"]
        async with web.client.get(
            f"http://127.0.0.1:{web.port}/credentials/kit", headers={"if-none-match": tag}
        ) as answer:
            assert answer.status == 304
        credential = await _credential(ring, clock.at)
    kit = read_kit(text)
    assert (kit.issuer, kit.made_at, kit.audience) == (GOV, clock.at, f"{GOV}/verify")
    checked = verify(credential, trust=kit.trust, now=clock.at, status=kit.statuses)
    assert checked.verdict.value == "GOOD", checked.reasons
    assert "<svg" in kit.cards[checked.vct or ""]


async def test_it_is_made_once_while_it_is_fresh_and_tells_of_a_compromised_key(tmp_path: Path) -> None:
    async with served(tmp_path) as (web, ring, lists, clock):
        old = await _credential(ring, clock.at)
        for _ in range(3):
            async with web.client.get(f"http://127.0.0.1:{web.port}/credentials/kit") as answer:
                first = read_kit(await answer.text())
        assert lists.made == 1
        await compromise(ring, (await ring.signer()).kid, clock.at, "test")
        clock.at += timedelta(seconds=31)
        async with web.client.get(f"http://127.0.0.1:{web.port}/credentials/kit") as answer:
            later = read_kit(await answer.text(), before=None)
        assert lists.made == 2
    assert verify(old, trust=first.trust, now=clock.at, status=first.statuses).sound
    assert verify(old, trust=later.trust, now=clock.at).reasons == ("issuer_key:compromised",)


async def test_the_page_runs_its_own_script_and_nothing_else_and_may_carry_the_kit(tmp_path: Path) -> None:
    async with served(tmp_path) as (web, _, __, ___):
        async with web.client.get(f"http://127.0.0.1:{web.port}/verify") as answer:
            page, headers = await answer.text(), answer.headers
        async with web.client.get(f"http://127.0.0.1:{web.port}/verify?kit=with") as answer:
            carried = await answer.text()
            assert answer.headers["content-disposition"] == 'attachment; filename="yimen-verify.html"'
        async with web.client.post(f"http://127.0.0.1:{web.port}/verify") as answer:
            assert answer.status == 405
    policy = headers["content-security-policy"]
    assert "connect-src" not in policy
    assert policy.startswith("default-src 'none'; ")
    assert policy.removesuffix("; frame-ancestors 'none'") in page
    script = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert [f"sha256-{b64encode(sha256(one.encode()).digest()).decode()}" in policy for one in script] == [True]
    assert "{{" not in re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert 'id="carried"></script>' in page
    found = re.search(r'id="carried">([\w.-]+)</script>', carried)
    assert found is not None
    assert read_kit(found[1]).issuer == GOV
    assert len(gzip.compress(page.encode())) < 40_000


async def test_without_keys_it_says_that_it_is_not_ready() -> None:
    async def kit() -> str:
        raise KeysUnavailable("folder")

    async with running(pages=[*verifying_routes(kit, 30)]) as web:
        for url in ("/credentials/kit", "/verify?kit=with"):
            async with web.client.get(f"http://127.0.0.1:{web.port}{url}") as answer:
                assert answer.status == 503
