"""What anybody may ask of the kit and the verifier's page costs little, and is never a fault of ours."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.web.test_verifying import served

pytestmark = pytest.mark.anyio


async def test_a_query_of_many_parameters_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as (web, *_):
        many = "&".join(f"a{n}=1" for n in range(30))
        async with web.client.get(f"http://127.0.0.1:{web.port}/verify?{many}") as answer:
            assert answer.status == 400


async def test_the_kit_is_packed_once_however_many_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed, compress = [], gzip.compress

    def counting(data: Any, *args: Any, **more: Any) -> bytes:
        packed.append(len(data))
        return compress(data, *args, **more)

    async with served(tmp_path) as (web, _, __, clock):
        monkeypatch.setattr(gzip, "compress", counting)
        url = f"http://127.0.0.1:{web.port}/credentials/kit"
        kits = []
        for _ in range(3):
            async with web.client.get(url, headers={"accept-encoding": "gzip"}) as answer:
                assert answer.headers["content-encoding"] == "gzip"
                kits.append(await answer.text())
        assert len(packed) == 1
        assert len(set(kits)) == 1
        clock.at = clock.at.replace(minute=clock.at.minute + 1)
        async with web.client.get(url, headers={"accept-encoding": "gzip"}) as answer:
            assert await answer.text() != kits[0]
        assert len(packed) == 2
