"""`/demo/inbox`: what the demo's phones show, newest first. There is no such page outside the demo."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.types import Receive, Scope, Send

from gateway.clock import CIVIL
from gateway.services.message_inbox import Inbox, InboxMessage
from gateway.web.html import page

_SHOWN = 50


class InboxPage:
    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages = [_shown(one) for one in await self._inbox.latest(limit=_SHOWN)]
        await page("demo_inbox.html", messages=messages)(scope, receive, send)


def _shown(message: InboxMessage) -> dict[str, str | None]:
    """The text without its link, which stands below as one."""
    link = message.link if message.link and urlsplit(message.link).scheme in ("http", "https") else None
    zh, en = message.zh, message.en
    if link is not None:
        zh, en = zh.replace(link, ""), en.replace(link, "")
    local = message.at.astimezone(CIVIL)
    return {"at": f"{local:%Y-%m-%d %H:%M:%S}", "phone": message.phone, "zh": zh, "en": en, "link": link}
