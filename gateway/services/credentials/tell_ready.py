"""A person is told that what had to wait is there now. What it is stays in the wallet: a message says too much too easily."""

from __future__ import annotations

from gateway.caller import Message, Messages
from gateway.errors import MessagesUnavailable
from gateway.services.identities import Phones

KIND = "CREDENTIAL_READY"
"""Of the message, in the catalogue of texts."""


class TellReadyByPhone:
    """Implements `deferred_credential.TellReady`."""

    def __init__(self, phones: Phones, messages: Messages, base_url: str) -> None:
        self._phones, self._messages, self._base_url = phones, messages, base_url

    async def __call__(self, subject_id: str, configuration_id: str) -> None:
        """See the port. Nobody enrolled, or a message that does not get out: the wallet finds it by asking again."""
        enrolled = await self._phones.phone_of(subject_id)
        if enrolled is None:
            return
        try:
            await self._messages.send(Message(subject_id, enrolled.phone, KIND, {"link": f"{self._base_url}/wallet"}))
        except MessagesUnavailable:
            return
