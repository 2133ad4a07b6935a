"""Messages kept instead of sent, sealed, for the demo's inbox page."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import sqlalchemy as sa

from gateway.caller import Message
from gateway.clock import Clock
from gateway.errors import GatewayError, MessagesUnavailable
from gateway.services.message_inbox import InboxMessage, masked_phone
from gateway.services.message_texts import text_of
from gateway.store.encryption import Place
from gateway.store.engine import Database
from gateway.store.ids import OrderedIds, from_us, to_us
from gateway.store.keys import Keys, Sealed
from gateway.store.tables.identities import demo_message

_KEPT = 500


class StoredInbox:
    """Implements `gateway.caller.Messages` and `gateway.services.message_inbox.Inbox`; outside the demo it takes none."""

    def __init__(self, database: Database, keys: Keys, clock: Clock, *, demo: bool) -> None:
        self._database, self._keys, self._clock, self._demo = database, keys, clock, demo
        self._new_id = OrderedIds()

    async def send(self, message: Message) -> None:
        """See the port."""
        if not self._demo:
            raise MessagesUnavailable("the inbox is for the demo only; set messages_url")
        text = text_of(message)
        at_us = to_us(self._clock.now())
        row_id = self._new_id(at_us)
        said = orjson.dumps({"phone": message.phone, "zh": text.zh, "en": text.en, "link": text.link})
        try:
            (sealed,) = await self._keys.seal((_place(row_id), said))
            row = {
                "id": row_id, "at_us": at_us, "kind": message.kind, "text_ct": sealed.ciphertext,
                "key_id": sealed.key_id, "alg_id": sealed.alg_id,
            }  # fmt: skip
            oldest = sa.select(demo_message.c.id).order_by(demo_message.c.id.desc()).offset(_KEPT).limit(1)
            async with self._database.write() as connection:
                await connection.execute(sa.insert(demo_message).values(row))
                await connection.execute(sa.delete(demo_message).where(demo_message.c.id <= oldest.scalar_subquery()))
        except GatewayError as error:
            raise MessagesUnavailable(error.code) from None

    async def latest(self, *, limit: int = 50, phone: str | None = None) -> Sequence[InboxMessage]:
        """See the port."""
        if not self._demo:
            return []
        most = _KEPT if phone is not None else limit
        async with self._database.read() as connection:
            query = sa.select(demo_message).order_by(demo_message.c.id.desc()).limit(most)
            rows = (await connection.execute(query)).all()
        found = []
        for row in rows:
            sealed = Sealed(row.text_ct, row.key_id, row.alg_id)
            said = orjson.loads(await self._keys.unseal(_place(row.id), sealed))
            if phone is None or said["phone"] == phone:
                shown = masked_phone(said["phone"])
                found.append(InboxMessage(from_us(row.at_us), row.kind, shown, said["zh"], said["en"], said["link"]))
        return found[:limit]


def _place(row_id: str) -> Place:
    return Place("demo_message", "text_ct", row_id)
