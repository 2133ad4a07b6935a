"""The door of /graphql on real sockets: challenge, nonce, proofs, revocation of what is open, and nobody's word for our
own address."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from gateway.clock import SystemClock
from gateway.oauth.access_token import AccessTokens
from gateway.oauth.authenticator import TokenAuthenticator
from gateway.oauth.dpop import DpopProofs
from gateway.oauth.mtls import ClientCertificates
from gateway.oauth.nonce import Nonces
from gateway.oauth.ports import Grant
from gateway.oauth.signing_keys import SigningKeys
from gateway.web.protected_resource import metadata_url
from gateway.web.settings import WebSettings
from tests.gateway.oauth.conftest import BASE, KEY
from tests.gateway.oauth.conftest import proof as made_proof
from tests.gateway.oauth.test_access_token import CLAIMS, RESOURCE, Kept
from tests.gateway.oauth.test_authenticator import FakeDoor
from tests.gateway.web.conftest import Running, running
from tests.gateway.web.test_sockets import told

pytestmark = pytest.mark.anyio
HELLO = {"query": "{ hello }"}
METADATA = f'resource_metadata="{BASE}/.well-known/oauth-protected-resource/graphql"'


class Door:
    """A running web floor with the real authenticator in front of the toy schema."""

    def __init__(self, web: Running, tokens: AccessTokens, store: FakeDoor, nonces: Nonces | None) -> None:
        self.web, self.tokens, self.store, self.nonces = web, tokens, store, nonces
        self.token, self.proofs = "", 0

    async def log_in(self, scope: str = "graphql") -> None:
        grant = Grant("g-1", "desk", "u-1", frozenset(scope.split()), (), CLAIMS)
        self.token = (await self.tokens.issue(grant, audience=RESOURCE, cnf={"jkt": KEY.public.thumbprint})).token

    def proof(self, **claims: Any) -> str:
        self.proofs += 1
        return made_proof(SystemClock(), token=self.token, **{"jti": f"j-{self.proofs}", **claims})  # type: ignore[arg-type]

    def headers(self, **claims: Any) -> dict[str, str]:
        return {"authorization": f"DPoP {self.token}", "dpop": self.proof(**claims)}

    async def post(self, headers: Any) -> aiohttp.ClientResponse:
        response = await self.web.client.post(self.web.url, json=HELLO, headers=headers)
        await response.read()
        return response


@asynccontextmanager
async def door(*, nonces: bool = False, certificates: str | None = None, **settings: Any) -> AsyncIterator[Door]:
    clock, store = SystemClock(), FakeDoor()
    made = Nonces(b"n" * 32, clock) if nonces else None
    tokens = AccessTokens(BASE, SigningKeys(Kept(), clock), clock)
    authenticate = TokenAuthenticator(
        tokens, DpopProofs(BASE, made, clock), store, clock, resource=RESOURCE,
        certificates=ClientCertificates(certificates, clock),
    )  # fmt: skip
    given = WebSettings(base_url=BASE, stream_check_s=0.1, client_certificate_header=certificates, **settings)
    async with running(given, authenticate=authenticate) as web:
        opened = Door(web, tokens, store, made)
        await opened.log_in()
        yield opened


def challenge(response: aiohttp.ClientResponse) -> str:
    said = response.headers["www-authenticate"]
    assert said.startswith('DPoP realm="yimen", algs="ES256 PS256 EdDSA Ed25519", ')
    assert METADATA in said
    return said.partition(METADATA)[2].removeprefix(", ")


async def test_who_shows_nothing_is_told_how_and_not_that_anything_was_wrong() -> None:
    async with door() as it:
        response = await it.post({})
        assert (response.status, challenge(response)) == (401, "")
        assert "dpop-nonce" not in response.headers


async def test_token_and_proof_open_and_the_same_again_do_not() -> None:
    async with door() as it:
        headers = it.headers()
        assert (await it.post(headers)).status == 200
        again = await it.post(headers)
        assert (again.status, challenge(again)) == (401, 'error="invalid_dpop_proof"')
        assert (await it.post(it.headers())).status == 200


async def test_the_error_is_the_standards() -> None:
    async with door() as it:
        for headers, error in (
            ({"authorization": f"Bearer {it.token}"}, "invalid_token"),
            ({"authorization": f"DPoP {it.token}"}, "invalid_dpop_proof"),
            ({"authorization": "DPoP x.y.z", "dpop": it.proof()}, "invalid_token"),
            (it.headers(htm="GET"), "invalid_dpop_proof"),
        ):
            response = await it.post(headers)
            assert (response.status, challenge(response)) == (401, f'error="{error}"')
        await it.log_in("consent:request")
        response = await it.post(it.headers())
        assert (response.status, challenge(response)) == (403, 'error="insufficient_scope"')


async def test_a_nonce_is_asked_for_used_and_renewed_with_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with door(nonces=True) as it:
        assert it.nonces is not None
        first = await it.post(it.headers())
        assert (first.status, challenge(first)) == (401, 'error="use_dpop_nonce"')
        nonce = first.headers["dpop-nonce"]
        good = await it.post(it.headers(nonce=nonce))
        assert good.status == 200
        assert "dpop-nonce" not in good.headers
        monkeypatch.setattr(it.nonces, "_period_s", 10**12)  # another period
        assert (await it.post(it.headers(nonce=nonce))).headers["dpop-nonce"] == it.nonces.current() != nonce
        monkeypatch.setattr(it.nonces, "good", lambda _: True)
        assert (await it.post(it.headers(nonce=nonce))).headers["dpop-nonce"] == it.nonces.current()


async def test_two_headers_of_one_name_make_both_unusable() -> None:
    async with door() as it:
        for name in ("authorization", "dpop"):
            headers = it.headers()
            lines = [(key, value) for key, value in headers.items()] + [(name, headers[name])]
            head = "".join(f"{key}: {value}\r\n" for key, value in lines)
            said = await it.web.talk(
                f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}"
                "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}".encode()
            )
            assert said.startswith(b"HTTP/1.1 401"), name
        assert it.store.spent == set()


@pytest.mark.parametrize(
    "poison",
    [{"x-forwarded-host": "evil.example"}, {"x-forwarded-proto": "http"}, {"forwarded": "host=evil.example"},
     {"x-original-url": "/oauth/token"}, {"x-http-method-override": "GET"}],
)  # fmt: skip
async def test_our_address_is_configured_and_nobody_can_say_otherwise(poison: dict[str, str]) -> None:
    async with door() as it:
        response = await it.post(it.headers() | poison)
        assert response.status == 200
        for htu in ("https://evil.example/graphql", f"http://127.0.0.1:{it.web.port}/graphql", f"{BASE}/oauth/token"):
            assert (await it.post(it.headers(htu=htu) | poison)).status == 401
        assert METADATA in (await it.post(poison)).headers["www-authenticate"]


async def test_a_certificate_in_a_header_is_nothing_where_mtls_is_off() -> None:
    async with door() as it:
        for name in ("client-cert", "x-client-cert", "ssl-client-cert"):
            headers = {"authorization": f"Bearer {it.token}", name: ":AAAA:"}
            assert (await it.post(headers)).status == 401


async def test_the_metadata_stand_where_the_challenge_says() -> None:
    async with door() as it:
        response = await it.web.client.get(
            f"http://127.0.0.1:{it.web.port}/.well-known/oauth-protected-resource/graphql"
        )
        told_there = await response.json()
        assert response.status == 200
        assert (told_there["resource"], told_there["authorization_servers"]) == (f"{BASE}/graphql", [BASE])
        assert told_there["dpop_bound_access_tokens_required"] is True
        assert told_there["bearer_methods_supported"] == ["header"]
        assert "ES256" in told_there["dpop_signing_alg_values_supported"]


def test_below_a_path_the_well_known_part_goes_before_it() -> None:
    assert metadata_url("https://gov.example/yimen") == (
        "https://gov.example/.well-known/oauth-protected-resource/yimen/graphql"
    )


async def test_pages_of_allowed_origins_may_read_nonce_and_challenge() -> None:
    async with door(cors_origins=("https://desk.example",)) as it:
        response = await it.post({"origin": "https://desk.example"})
        exposed = response.headers["access-control-expose-headers"].lower()
        assert {"dpop-nonce", "www-authenticate"} <= {one.strip() for one in exposed.split(",")}


@asynccontextmanager
async def socket(it: Door, *said: Any, **options: Any) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with it.web.client.ws_connect(it.web.url, protocols=("graphql-transport-ws",), **options) as ws:
        for one in said:
            await ws.send_json(one)
        yield ws


def init(payload: dict[str, Any]) -> dict[str, Any]:
    return {"type": "connection_init", "payload": payload}


FOREVER = {"id": "1", "type": "subscribe", "payload": {"query": "subscription { forever }"}}
ASK = {"id": "2", "type": "subscribe", "payload": HELLO}


async def test_a_socket_opens_by_its_first_message_or_by_the_headers_it_came_with() -> None:
    async with door() as it:
        shown = it.headers(htm="GET")
        async with socket(it, init({"Authorization": shown["authorization"], "DPoP": shown["dpop"]}), ASK) as ws:
            assert await told(ws) == {"type": "connection_ack"}
            assert (await told(ws))["payload"] == {"data": {"hello": "你好"}}
        async with socket(it, init({}), ASK, headers=it.headers(htm="GET")) as ws:
            assert await told(ws) == {"type": "connection_ack"}
        async with socket(it, {"type": "connection_init"}, headers=it.headers(htm="GET")) as ws:
            assert await told(ws) == {"type": "connection_ack"}


async def test_a_socket_is_refused_what_a_request_is_refused() -> None:
    async with door() as it:
        good = it.headers(htm="GET")
        async with socket(it, init(good)) as ws:
            assert await told(ws) == {"type": "connection_ack"}
        refused: list[tuple[dict[str, Any], dict[str, str]]] = [
            (good, {}),  # the same proof again
            ({}, {}),
            (it.headers(), {}),  # of a POST
            ({"authorization": f"Bearer {it.token}"}, {}),
            (it.headers(htm="GET"), {"authorization": f"DPoP {it.token}"}),  # said twice
            (it.headers(htm="GET"), {"dpop": it.proof(htm="GET")}),
            (it.headers(htm="GET") | {"DPoP": it.proof(htm="GET")}, {}),
            (it.headers(htm="GET") | {"dpop": [it.proof(htm="GET")]}, {}),
            (it.headers(htm="GET", htu="wss://gw.example/graphql"), {}),
            (it.headers(htm="GET") | {"dpop": None}, {}),
        ]
        for payload, headers in refused:
            async with socket(it, init(payload), headers=headers) as ws:
                assert await told(ws) == 4403, payload


async def test_a_socket_that_lacks_a_nonce_is_told_one_as_it_closes() -> None:
    async with door(nonces=True) as it:
        assert it.nonces is not None
        async with socket(it, init(it.headers(htm="GET"))) as ws:
            message = await ws.receive(timeout=5)
            assert (ws.close_code, message.extra) == (4403, f"use_dpop_nonce {it.nonces.current()}")
        async with socket(it, init(it.headers(htm="GET", nonce=it.nonces.current()))) as ws:
            assert await told(ws) == {"type": "connection_ack"}


async def test_a_revoked_token_ends_its_sockets_within_two_seconds() -> None:
    async with door() as it:
        async with socket(it, init(it.headers(htm="GET")), FOREVER) as ws:
            assert await told(ws) == {"type": "connection_ack"}
            assert (await told(ws))["payload"] == {"data": {"forever": 0}}
            began = time.monotonic()
            it.store.revoked.add("g-1")
            assert await told(ws) == 4403
            assert time.monotonic() - began < 2
        assert it.web.execute.closed == 1


async def test_the_next_operation_on_a_revoked_tokens_socket_is_not_begun() -> None:
    async with door() as it:
        async with socket(it, init(it.headers(htm="GET"))) as ws:
            assert await told(ws) == {"type": "connection_ack"}
            it.store.revoked.add("u-1")
            await ws.send_json(ASK)
            assert await told(ws) == 4403
        assert it.web.execute.requests == []


async def test_a_revoked_token_ends_its_event_streams_within_two_seconds() -> None:
    async with door() as it:
        headers = it.headers() | {"accept": "text/event-stream"}
        async with it.web.client.post(it.web.url, json=FOREVER["payload"], headers=headers) as response:
            assert response.status == 200
            await response.content.readuntil(b"\n\n")
            began = time.monotonic()
            it.store.revoked.add("g-1")
            async with asyncio.timeout(5):
                assert b"event: complete" in await response.content.read()
            assert time.monotonic() - began < 2


async def test_a_stream_does_not_outlive_a_store_that_cannot_say_whether_it_may() -> None:
    async with door() as it, socket(it, init(it.headers(htm="GET")), FOREVER) as ws:
        await told(ws)
        await told(ws)
        it.store.down = True
        assert await told(ws) == 4403


async def test_a_moment_without_the_store_ends_nothing() -> None:
    async with door() as it, socket(it, init(it.headers(htm="GET")), FOREVER) as ws:
        await told(ws)
        await told(ws)
        it.store.down = True
        await asyncio.sleep(0.15)
        it.store.down = False
        await ws.send_json(ASK)
        assert (await told(ws))["payload"] == {"data": {"hello": "你好"}}
