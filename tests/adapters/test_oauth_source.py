"""A source that wants an OAuth token, against a real authorization server that checks everything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters.egress import Rule
from adapters.egress_http import HttpEgress
from adapters.errors import AdapterError, Reason
from adapters.kind import Opening
from adapters.manifest_reader import read_manifests
from adapters.oauth_manifest import hosts_of
from adapters.registry import KINDS, rule_of
from adapters.rest import RestKind
from adapters.secrets import Secrets
from adapters.signing import check_auth
from adapters.source import Absent, Answer, Failed, Lookup, Source
from demo.places import TEMPLATES
from demo.serving import serving_app
from tests.adapters.oauth_lab import CLIENT, Server, new_key
from tests.adapters.rest_lab import FIELDS, REQUEST, ZHANG, manifest_of
from tests.demo.opened import known_nouns

pytestmark = pytest.mark.anyio

DETAIL = {"type": "urn:yimen:data-sharing:v1", "actions": ("read",), "purpose": {"code": "CC_RECEPTION"}}


@dataclass
class Clock:
    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Room:
    source: Source
    server: Server
    clock: Clock

    async def ask(self, timeout_s: float = 5.0) -> Answer:
        (answer,) = await self.source.fetch(
            Lookup("residence", ("idNo", "name"), (ZHANG,), FIELDS), timeout_s=timeout_s
        )
        return answer


@asynccontextmanager
async def room(auth: Mapping[str, Any] | None = None, key: str = "", **switches: Any) -> AsyncIterator[Room]:
    jwk, public = new_key()
    server, clock, egress = Server(public, **switches), Clock(), HttpEgress()
    async with serving_app(server.app()) as url:
        server.url = url
        given = {"style": "oauth", "issuer": url, "client_id": CLIENT, "key": "file:k.jwk", **(auth or {})}
        manifest = manifest_of(REQUEST, auth=given)
        assert RestKind().check(manifest) == []
        rule = Rule("LAB", frozenset({urlsplit(url).netloc}), allow_plain_http=True)
        held = {"file:k.jwk": key or json.dumps(jwk)}
        opening = Opening(manifest, egress.open(rule), url, held.__getitem__, clock, Path(), Path())
        source = RestKind().open(opening)
        try:
            yield Room(source, server, clock)
            assert server.faults == [], "the server found fault with what we sent"
        finally:
            await source.close()
            await egress.close()


async def test_a_token_is_fetched_once_and_used_again() -> None:
    async with room({"scope": "graphql", "authorization_details": (DETAIL,)}) as lab:
        for _ in range(3):
            assert isinstance(await lab.ask(), Absent)
        (form,) = lab.server.forms
        assert form["grant_type"] == "client_credentials"
        assert form["scope"] == "graphql"
        assert form["resource"] == lab.server.url + "/"
        assert json.loads(form["authorization_details"]) == [{**DETAIL, "actions": ["read"]}]
        assert (lab.server.metadata_reads, lab.server.resource_calls) == (1, 3)


async def test_all_who_wait_share_one_request_for_a_token() -> None:
    async with room(pause_s=0.1) as lab:
        answers = await asyncio.gather(*(lab.ask() for _ in range(10)))
        assert all(isinstance(answer, Absent) for answer in answers)
        assert len(lab.server.forms) == 1


async def test_who_gives_up_waiting_does_not_take_the_token_from_the_next() -> None:
    async with room(pause_s=0.3) as lab:
        impatient = await lab.ask(timeout_s=0.05)
        assert isinstance(impatient, Failed)
        assert impatient.reason is Reason.TIMEOUT
        assert isinstance(await lab.ask(), Absent)
        assert len(lab.server.forms) == 1


async def test_a_token_is_renewed_shortly_before_it_ends() -> None:
    async with room(lives_s=300) as lab:
        await lab.ask()
        lab.clock.ahead = timedelta(seconds=40)  # within what servers forgive in iat
        await lab.ask()
        assert len(lab.server.forms) == 1
    async with room(lives_s=60) as lab:
        await lab.ask()
        lab.clock.ahead = timedelta(seconds=46)
        await lab.ask()
        assert len(lab.server.forms) == 2


async def test_a_nonce_is_obeyed_at_both_doors_and_kept() -> None:
    async with room(as_nonce="as-1", rs_nonce="rs-1") as lab:
        assert isinstance(await lab.ask(), Absent)
        assert (len(lab.server.forms), lab.server.resource_calls) == (2, 2)
        assert isinstance(await lab.ask(), Absent)
        assert lab.server.resource_calls == 3
        lab.server.rs_nonce = "rs-2"
        assert isinstance(await lab.ask(), Absent)
        assert lab.server.resource_calls == 5


async def test_a_revoked_token_is_dropped_and_tried_once_more() -> None:
    async with room() as lab:
        await lab.ask()
        lab.server.live.clear()
        assert isinstance(await lab.ask(), Absent)
        assert (len(lab.server.forms), lab.server.resource_calls) == (2, 3)


async def test_a_resource_that_refuses_every_token_is_asked_twice_and_no_more() -> None:
    async with room() as lab:
        lab.server.admit = lambda request: lab.server._challenge("invalid_token")  # type: ignore[method-assign]
        answer = await lab.ask()
        assert isinstance(answer, Failed)
        assert answer.reason is Reason.REFUSED
        assert len(lab.server.forms) == 2


async def test_endless_nonces_end() -> None:
    async with room() as lab:
        calls = 0

        def ever_another(request: object) -> Any:
            nonlocal calls
            calls += 1
            return lab.server._challenge("use_dpop_nonce", f"n{calls}")

        lab.server.admit = ever_another  # type: ignore[method-assign]
        answer = await lab.ask()
        assert isinstance(answer, Failed)
        assert answer.reason is Reason.REFUSED
        assert calls == 2


@pytest.mark.parametrize(
    ("switches", "reason", "said"),
    [
        ({"token_error": (401, "invalid_client")}, Reason.REFUSED, "invalid_client"),
        ({"token_error": (400, "invalid_authorization_details")}, Reason.REFUSED, "invalid_authorization_details"),
        ({"token_error": (400, "SECRET")}, Reason.REFUSED, "HTTP 400"),
        ({"token_error": (503, "temporarily_unavailable")}, Reason.DOWN, "HTTP 503"),
        ({"token_error": (429, "")}, Reason.RATE_LIMITED, "HTTP 429"),
        ({"token_body": {"token_type": "Bearer"}}, Reason.GARBAGE, "not bound"),
        ({"token_body": {"access_token": "a\r\nb"}}, Reason.GARBAGE, "no token"),
        ({"token_body": {"access_token": None}}, Reason.GARBAGE, "no token"),
        ({"metadata": {"issuer": "https://other"}}, Reason.GARBAGE, "another issuer"),
        ({"metadata": {"token_endpoint": None}}, Reason.GARBAGE, "no token_endpoint"),
        ({"metadata": {"token_endpoint": "https://elsewhere/token"}}, Reason.BLOCKED, "allow-list"),
    ],
)
async def test_what_the_authorization_server_does_is_a_reason_and_tells_nothing(
    switches: dict[str, Any], reason: Reason, said: str
) -> None:
    async with room(**switches) as lab:
        answer = await lab.ask()
        assert isinstance(answer, Failed)
        assert answer.reason is reason
        assert said in answer.detail
        assert "SECRET" not in answer.detail
        assert lab.server.resource_calls == 0


async def test_a_refusal_that_brings_a_nonce_along_is_a_refusal_all_the_same() -> None:
    async with room(token_error=(401, "invalid_client"), as_nonce="n") as lab:
        assert isinstance(await lab.ask(), Failed)
        assert len(lab.server.forms) == 1


async def test_a_failure_is_not_kept() -> None:
    async with room(token_error=(503, "server_error")) as lab:
        assert isinstance(await lab.ask(), Failed)
        lab.server.token_error = None
        assert isinstance(await lab.ask(), Absent)


async def test_a_key_that_is_none_is_said_when_the_source_opens() -> None:
    with pytest.raises(AdapterError, match=r"file:k\.jwk: the key is neither"):
        async with room(key="SECRET"):
            pass


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"issuer": None}, "source.auth.issuer"),
        ({"issuer": "https://a b"}, "source.auth.issuer"),
        ({"issuer": "https://as?x=1"}, "source.auth.issuer"),
        ({"issuer": "ftp://as"}, "source.auth.issuer"),
        ({"client_id": ""}, "source.auth.client_id"),
        ({"key": "inline"}, "source.auth.key"),
        ({"scpe": "x"}, "source.auth.scpe"),
        ({"resource": "none"}, "source.auth.resource"),
        ({"authorization_details": ({},)}, "source.auth.authorization_details"),
        ({"authorization_details": "x"}, "source.auth.authorization_details"),
    ],
)
def test_faults_are_told_with_their_place(change: dict[str, Any], place: str) -> None:
    sound = {"style": "oauth", "issuer": "https://as", "client_id": "c", "key": "file:k"}
    assert check_auth(sound) == []
    auth = {name: value for name, value in {**sound, **change}.items() if value is not None}
    assert [where for where, _ in check_auth(auth)] == [place]


def test_a_manifest_with_details_is_read_and_its_channel_may_reach_both_servers(tmp_path: Path) -> None:
    """The demo's own manifest of the neighbour, its authorization server elsewhere."""
    text = Template((TEMPLATES / "sd.toml.in").read_text(encoding="utf-8"))
    values = {"SD_URL": "http://127.0.0.1:1", "SD_POLICY": "/tmp/none", "SECRETS": str(tmp_path)}
    manifest = text.substitute(values).replace('issuer = "http://127.0.0.1:1"', 'issuer = "https://as.example/x"')
    (tmp_path / "sd.toml").write_text(manifest, encoding="utf-8")
    (source,) = read_manifests(tmp_path, known_nouns(), KINDS).sources
    assert source.auth["authorization_details"][0]["purpose"]["code"] == "CC_RECEPTION"
    rule = rule_of(source, source.endpoint, Secrets({}, tmp_path))
    assert rule.hosts == {"127.0.0.1:1", "as.example:443"}


def test_the_channel_may_reach_the_server_the_manifest_names() -> None:
    assert hosts_of({"style": "oauth", "issuer": "https://as/x"}) == {"as:443"}
    assert hosts_of({"style": "bearer", "issuer": "https://as/x"}) == frozenset()
