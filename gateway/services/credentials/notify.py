"""What a wallet says became of a credential (OpenID4VCI 1.0, section 11). Saying it again is no error."""

from __future__ import annotations

from typing import Any

from credentials.openid4vci.refused import INVALID_NOTIFICATION_ID, Refused
from credentials.openid4vci.request import ACCEPTED, DELETED, FAILURE, read_notification
from gateway.services.credentials.ports import HolderGrant, IssuedCredentials, Offers

_LINES = {ACCEPTED: "STORED", FAILURE: "FAILED", DELETED: "DELETED"}


class Notify:
    def __init__(self, issued: IssuedCredentials, offers: Offers) -> None:
        self._issued, self._offers = issued, offers

    async def __call__(self, grant: HolderGrant, said: Any) -> None:
        """Raises Refused: invalid_notification_request, invalid_notification_id."""
        notification = read_notification(said)
        batch_id = await self._issued.notified(grant.grant_id, notification.notification_id, notification.event)
        if batch_id is None:
            raise Refused(INVALID_NOTIFICATION_ID)
        if grant.offer_id is None:
            return
        line = _LINES[notification.event]
        if line not in {moment.kind for moment in await self._offers.timeline(grant.offer_id)}:
            await self._offers.note(grant.offer_id, line)
