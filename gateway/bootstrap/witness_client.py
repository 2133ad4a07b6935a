"""How a witness is reached: by HTTP, on the way out that everything takes. Source: C2SP tlog-witness."""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import urlsplit

from adapters.egress import Channel, Egress, Rule
from adapters.errors import Reason, SourceUnavailable
from gateway.services.ledger.asking import Said, WitnessUnreachable
from ledger.policy import KnownWitness

_ASK_S = 3.0
_LARGEST = 1 << 16


class WitnessRoad:
    """Implements `gateway.services.ledger.asking.Road`. The witness's URL is its submission and monitoring prefix."""

    def __init__(self, channel: Channel, url: str, *, timeout_s: float = _ASK_S) -> None:
        self._channel, self._url, self._timeout_s = channel, url.rstrip("/"), timeout_s

    async def add_checkpoint(self, body: bytes) -> Said:
        return await self._send("POST", "/add-checkpoint", body)

    async def checkpoint(self, origin: str) -> Said:
        return await self._send("GET", f"/{sha256(origin.encode()).hexdigest()}/checkpoint", None)

    async def _send(self, method: str, path: str, body: bytes | None) -> Said:
        headers = None if body is None else {"content-type": "text/plain; charset=utf-8"}
        try:
            reply = await self._channel.send(
                method, self._url + path, headers=headers, body=body, timeout_s=self._timeout_s
            )
        except SourceUnavailable as error:
            raise WitnessUnreachable(error.reason.value, too_large=error.reason is Reason.TOO_LARGE) from None
        return Said(reply.status, reply.headers.get("content-type", ""), reply.body)


def road_to(witness: KnownWitness, egress: Egress, *, timeout_s: float = _ASK_S) -> WitnessRoad:
    """The policy must say where it is. Raises RuleInvalid."""
    url = witness.url or ""
    parts = urlsplit(url)
    host = f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}".lower()
    hosts = frozenset({f"[{parts.hostname}]:{host.rpartition(':')[2]}" if ":" in (parts.hostname or "") else host})
    # What is said there is signed and public, so a witness inside the agencies' own network may go without TLS: its key in
    # the policy is what we believe.
    rule = Rule(
        f"WITNESS {witness.name}", hosts, connections=2, max_response_bytes=_LARGEST, allow_plain_http=True,
        plain_http_hosts=hosts, redirects=0,
    )  # fmt: skip
    return WitnessRoad(egress.open(rule), url, timeout_s=timeout_s)
