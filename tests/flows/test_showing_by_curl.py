"""The bank's engineer, from zero to a result, by the guide's own three commands: `yimen token --headers`, and HTTP."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.caller import CallerKind
from gateway.oauth.client import Client
from tests.fakes.holder import Holder
from tests.flows.house import House, house

pytestmark = pytest.mark.anyio


async def yimen(*words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.cli", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def asked(opened: House, key: Path, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """As `yimen token --headers METHOD URL | curl -H @- URL` does it."""
    url = opened.url + path
    client = ("--issuer", opened.url, "--client", "bank", "--key", str(key), "--scope", "presentation:create")
    lines = (await yimen("token", *client, "--headers", method, url)).splitlines()
    headers = dict(line.split(": ", 1) for line in lines if line)
    async with opened.session.request(method, url, json=body, headers=headers) as reply:
        return reply.status, await reply.json(content_type=None)


async def test_three_requests_from_zero_to_a_result(tmp_path: Path) -> None:
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    key = tmp_path / "client.jwk"
    public = json.loads(await yimen("token", "--new-key", str(key)))
    async with house(manifests, tmp_path) as opened:
        bank = Client(
            "bank", "惠民银行", CallerKind.PARTNER, "bank", "BANK", "440604", public,
            grant_types=frozenset({"client_credentials"}), scope=frozenset({"presentation:create"}),
            purposes=frozenset({"LOAN_SERVICE"}),
        )  # fmt: skip
        await opened.gateway.store.clients.put([bank], actor_org="operator", actor_user="operator")
        wish = {"template": "bank-account-opening", "reference": "kh-2026-118"}
        status, made = await asked(opened, key, "POST", "/openid4vp/requests", wish)
        assert status == 201, made
        assert await asked(opened, key, "GET", f"/openid4vp/results/{made['id']}") == (
            202,
            {"id": made["id"], "state": "PENDING"},
        )
        wallet = Holder()
        request = await wallet.fetch(opened.session, made["links"]["wallet"], wallet_nonce="n")
        assert request.claims["client_metadata"]["client_name"] == "惠民银行"
        assert await wallet.send(opened.session, request, None, error="access_denied") == (200, {})
        status, said = await asked(opened, key, "GET", f"/openid4vp/results/{made['id']}")
        assert (status, said["state"], said["reason"]) == (200, "REFUSED", "access_denied")
        assert (await asked(opened, key, "GET", f"/openid4vp/results/{made['id']}"))[0] == 404
