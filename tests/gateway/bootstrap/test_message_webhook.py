"""Messages by webhook: signed as Standard Webhooks says, tried once more with the same id, silent about whom and what."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import orjson
import pytest
from structlog.testing import capture_logs

from adapters.egress import Reply
from adapters.errors import Reason, SourceUnavailable
from gateway.bootstrap.message_webhook import WebhookMessages
from gateway.caller import Message
from gateway.errors import MessagesUnavailable

pytestmark = pytest.mark.anyio
SECRET = bytes(range(32))
MESSAGE = Message("s", "13800138000", "ONE_TIME_CODE", {"code": "424242"})


class Receiver:
    """Implements `adapters.egress.Channel`: answers what it was told to, in order."""

    def __init__(self, *answers: int) -> None:
        self._answers = list(answers)
        self.received: list[tuple[dict, bytes]] = []

    async def send(self, method, url, *, headers=None, body=None, timeout_s) -> Reply:
        assert (method, url) == ("POST", "https://sms.example/send")
        self.received.append((dict(headers), body))
        status = self._answers.pop(0)
        if status == 0:
            raise SourceUnavailable("MESSAGES", Reason.TIMEOUT, "")
        return Reply(status, {}, b"")

    async def close(self) -> None: ...


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 11, 25, tzinfo=UTC)


def sender(receiver: Receiver) -> WebhookMessages:
    return WebhookMessages(receiver, "https://sms.example/send", SECRET, Clock())


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The specification's own example: secret, id, timestamp and body give this signature."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'
    digest = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest())
    assert digest == b"g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_what_is_sent_can_be_checked_by_the_receiver() -> None:
    receiver = Receiver(204)
    await sender(receiver).send(MESSAGE)
    ((headers, body),) = receiver.received
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == expected
    assert headers["webhook-timestamp"] == "1795564800"
    said = orjson.loads(body)
    assert (said["phone"], said["kind"]) == ("13800138000", "ONE_TIME_CODE")
    assert "424242" in said["zh"]
    assert "424242" in said["en"]


@pytest.mark.parametrize("first", [500, 503, 429, 0])
async def test_a_sender_that_stumbles_is_asked_once_more_with_the_same_id(first: int) -> None:
    receiver = Receiver(first, 200)
    await sender(receiver).send(MESSAGE)
    one, two = receiver.received
    assert one[0]["webhook-id"] == two[0]["webhook-id"]
    assert one[1] == two[1]


@pytest.mark.parametrize(("answers", "tries"), [((400,), 1), ((302,), 1), ((500, 500), 2), ((0, 0), 2)])
async def test_what_is_not_taken_is_told_without_a_word_of_it(answers: tuple[int, ...], tries: int) -> None:
    receiver = Receiver(*answers)
    with capture_logs() as logs, pytest.raises(MessagesUnavailable) as caught:
        await sender(receiver).send(MESSAGE)
    assert len(receiver.received) == tries
    said = str(logs) + str(caught.value) + repr(MESSAGE)
    assert "13800138000" not in said
    assert "424242" not in said
    assert "sms.example" not in said
