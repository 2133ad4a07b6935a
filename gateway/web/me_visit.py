"""What every page of a person's stands on: who is in, forms that are our own, and refusals as pages instead of JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from starlette.types import Receive, Scope, Send

from gateway.consent.persons import SESSION_LIVES, PersonSession
from gateway.errors import GatewayError
from gateway.services.person_door import PersonDoor
from gateway.web.forms import FormInvalid, parse_form, read_form
from gateway.web.html import page
from gateway.web.problems import Reply, code_of, status_of, text
from gateway.web.session import Cookie, FormGuard, new_secret
from gateway.web.visit import see_other

_PATIENCE_S = 10.0
_WALLET_S = 600
_LARGEST_FORM = 16_384  # a thousand characters, nine bytes each as forms spell them


class Desk:
    """The door, the guard of the forms, and our four cookies: of a visit, of being in, of a device that is
    known, and of a wallet's request that waits while its person comes in."""

    def __init__(
        self, door: PersonDoor, guard: FormGuard, *, device_days: int, trusted_proxies: Sequence[str] = ()
    ) -> None:
        secure = guard.base_url.startswith("https:")
        self.door, self.guard, self.trusted_proxies = door, guard, trusted_proxies
        self.visit = Cookie("yimen-me-visit", secure)
        self.session = Cookie("yimen-me", secure, int(SESSION_LIVES.total_seconds()))
        self.wallet = Cookie("yimen-me-wallet", secure, _WALLET_S)
        self.device = Cookie("yimen-me-device", secure, device_days * 86_400)


@dataclass
class PersonVisit:
    """One request to a person's page."""

    desk: Desk
    scope: Scope
    receive: Receive = field(repr=False)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        found: list[tuple[bytes, bytes]] = self.scope["headers"]
        return found

    def part(self, name: str) -> str:
        return str(self.scope["path_params"][name])

    @cached_property
    def asked(self) -> Mapping[str, str]:
        """The query string."""
        return parse_form(self.scope["query_string"], fields=8)

    async def form(self) -> Mapping[str, str]:
        """The form that was sent, from a page of ours. Raises Refusal FORM_NOT_OURS, FormInvalid."""
        found = await read_form(self.receive, dict(self.headers), limit=_LARGEST_FORM, seconds=_PATIENCE_S, fields=16)
        self.desk.guard.check(self.headers, found, self.desk.visit.read(self.headers))
        return found

    @cached_property
    def session(self) -> str | None:
        return self.desk.session.read(self.headers)

    @cached_property
    def wallet(self) -> str | None:
        """The end of the request_uri of a wallet that waits for this browser's person."""
        return self.desk.wallet.read(self.headers)

    @cached_property
    def device(self) -> str | None:
        return self.desk.device.read(self.headers)

    async def person(self) -> PersonSession:
        """Who is in. Raises NotIn."""
        found = await self.desk.door.person(self.session)
        if found is None:
            raise NotIn
        return found

    def page(self, template: str, status: int = 200, *, form_to: Sequence[str] = (), **values: Any) -> Reply:
        """With the hidden field its forms need, and the cookie that belongs to it."""
        secret = self.desk.visit.read(self.headers)
        headers = []
        if secret is None:
            secret = new_secret()
            headers.append(self.desk.visit.set(secret))
        return page(
            template, status=status, headers=headers, form_to=form_to, csrf=self.desk.guard.token(secret), **values
        )


class NotIn(GatewayError):
    """Nobody is in, or not any more: back to the entrance."""

    code = "PERSON_NOT_IN"


Answer = Callable[[PersonVisit], Awaitable[Reply]]


class PersonPage:
    """An ASGI endpoint around a function that answers a visit."""

    def __init__(self, desk: Desk, answer: Answer) -> None:
        self._desk, self._answer = desk, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = PersonVisit(self._desk, scope, receive)
        try:
            reply = await self._answer(visit)
        except NotIn:
            reply = see_other("/me")
        except FormInvalid:
            reply = _said(visit, "FORM_INVALID", 400)
        except GatewayError as error:
            code = code_of(error)
            if status_of(code) >= 500 and code != "MESSAGES_UNAVAILABLE":
                raise  # the operator's matter, told like anywhere else
            reply = _said(visit, code, 503 if code == "MESSAGES_UNAVAILABLE" else status_of(code))
        await reply(scope, receive, send)


def _said(visit: PersonVisit, code: str, status: int) -> Reply:
    return visit.page("me_message.html", status, text=text(code))
