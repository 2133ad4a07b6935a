"""Messages handed to the deployment's own sender (SMS, WeChat) by a signed HTTP request.

Signed as Standard Webhooks 1.0 lays down, so that a receiver finds a library for it: HMAC-SHA256 over
"<webhook-id>.<webhook-timestamp>.<body>", in base64, after "v1,".
"""

from __future__ import annotations

import base64
import hmac
import secrets
from urllib.parse import urlsplit

import orjson
import structlog

from adapters.egress import Channel, Egress, Rule
from adapters.errors import SourceUnavailable
from gateway.caller import Message, Messages
from gateway.clock import Clock
from gateway.errors import MessagesUnavailable
from gateway.services.message_texts import text_of
from gateway.settings import Settings

_log = structlog.get_logger("yimen.messages")
_SEND_S = 5.0
_TRIES = 2


class WebhookMessages:
    """Implements `gateway.caller.Messages`. A second try carries the same id, so a receiver can drop the double."""

    def __init__(self, channel: Channel, url: str, secret: bytes, clock: Clock) -> None:
        self._channel, self._url, self._secret, self._clock = channel, url, secret, clock

    async def send(self, message: Message) -> None:
        """See the port."""
        text = text_of(message)
        body = orjson.dumps(
            {"kind": message.kind, "phone": message.phone, "zh": text.zh, "en": text.en, "link": text.link}
        )
        message_id = f"msg_{secrets.token_hex(16)}"
        outcome = ""
        for _ in range(_TRIES):
            outcome = await self._try(message_id, body)
            if outcome == "OK":
                return
            if outcome == "REFUSED":
                break
        # The kind alone: neither whose phone nor what was said.
        _log.warning("message_not_sent", kind=message.kind, outcome=outcome)
        raise MessagesUnavailable(f"the sender of messages did not take it ({outcome})")

    async def _try(self, message_id: str, body: bytes) -> str:
        timestamp = str(int(self._clock.now().timestamp()))
        signed = b".".join((message_id.encode(), timestamp.encode(), body))
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": "v1," + base64.b64encode(hmac.digest(self._secret, signed, "sha256")).decode(),
        }
        try:
            reply = await self._channel.send("POST", self._url, headers=headers, body=body, timeout_s=_SEND_S)
        except SourceUnavailable:
            return "UNREACHABLE"
        if 200 <= reply.status < 300:
            return "OK"
        return "FAILING" if reply.status >= 500 or reply.status == 429 else "REFUSED"


def messages_of(settings: Settings, inbox: Messages, egress: Egress, clock: Clock) -> Messages:
    """The sender the settings name; without one the demo's inbox, which takes nothing outside the demo."""
    if settings.messages_url is None or settings.messages_secret is None:
        return inbox
    return WebhookMessages(
        egress.open(_rule(settings.messages_url)), settings.messages_url, settings.messages_secret, clock
    )


def _rule(url: str) -> Rule:
    parts = urlsplit(url)
    host = f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    # Phone numbers and one-time codes leave here: without TLS to this very machine only.
    return Rule("MESSAGES", frozenset({host.lower()}), connections=4, max_response_bytes=1 << 16, allow_plain_http=True)
