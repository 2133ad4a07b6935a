"""How a person comes in: a link to the phone they were enrolled with, a one-time code to the same phone, a short session.

Nothing here tells a stranger anything: whoever asks for a link gets the same answer, whoever opens one sees a page that
asks for a code, and the code goes to the phone.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import Counter
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog

from adapters.identity import normalise_id
from gateway.caller import Message, Messages, Subjects
from gateway.clock import Clock
from gateway.consent import persons
from gateway.consent.persons import PersonAccess, PersonLink, PersonSession
from gateway.errors import GatewayError
from gateway.services.identities import EnrolledPhone, Phones

_log = structlog.get_logger(__name__)
_NO_VALUES: Mapping[str, str] = {}
_MOST_WAITING = 64  # links being sent at once; more are dropped, and the person asks again
_MOST_OF_ONE = 8  # of them for one network: whoever floods the door shuts it for nobody else


@dataclass(frozen=True, slots=True)
class Opened:
    """What a browser gets on coming in. `device` only where it is to be remembered."""

    session: str = field(repr=False)
    device: str | None = field(default=None, repr=False)
    consent_id: str | None = None


class PersonDoor:
    """One for all of a person's pages."""

    def __init__(
        self,
        access: PersonAccess,
        phones: Phones,
        messages: Messages,
        subjects: Subjects,
        clock: Clock,
        *,
        base_url: str,
        device_days: int,
    ) -> None:
        self._access, self._phones, self._messages, self._subjects = access, phones, messages, subjects
        self._clock, self._base_url, self._device_days = clock, base_url, device_days
        self._waiting: set[asyncio.Task[None]] = set()
        self._from: Counter[str] = Counter()

    def ask_for_link(self, id_no: str, phone: str, network: str = "") -> None:
        """Send a link to their own pages if this is an enrolled person and their phone. Returns at once, whoever it is:
        what is looked up is looked up afterwards, so neither answer nor time says anything.
        """
        if len(self._waiting) < _MOST_WAITING and self._from[network] < _MOST_OF_ONE:
            task = asyncio.ensure_future(self._aside(self._send_entry(id_no, phone)))
            self._waiting.add(task)
            self._from[network] += 1
            task.add_done_callback(lambda done: self._done(done, network))

    def _done(self, task: asyncio.Task[None], network: str) -> None:
        self._waiting.discard(task)
        self._from[network] -= 1
        if not self._from[network]:
            del self._from[network]

    async def settled(self) -> None:
        """Waits for what `ask_for_link` began; for closing down, and for tests."""
        await asyncio.gather(*self._waiting)

    async def send_link(
        self,
        enrolled: EnrolledPhone,
        kind: str,
        *,
        lives: timedelta,
        consent_id: str | None = None,
        values: Mapping[str, str] = _NO_VALUES,
    ) -> bool:
        """A message with a link. `kind` is one of the message catalogue's; False where too many were sent of late."""
        if consent_id is None and not await self._access.spend_message(
            enrolled.subject_id, "LINK", span_s=persons.SPAN_S, most=persons.LINKS_PER_SPAN
        ):
            return False
        link = PersonLink(enrolled.subject_id, enrolled.phone_id, consent_id, self._clock.now() + lives)
        token = await self._access.make_link(link)
        said = {**values, "link": f"{self._base_url}/me/l/{token}"}
        await self._messages.send(Message(enrolled.subject_id, enrolled.phone, kind, said))
        return True

    async def way_in(self, subject_id: str) -> str | None:
        """The token of a link that is sent to nobody: for a browser whose person is known already by a link of ours, and
        who then needs the code that goes to the enrolled phone. None where no phone is enrolled."""
        enrolled = await self._phones.phone_of(subject_id)
        if enrolled is None:
            return None
        until = self._clock.now() + persons.ENTRY_LINK_LIVES
        return await self._access.make_link(PersonLink(subject_id, enrolled.phone_id, None, until))

    async def link(self, token: str) -> PersonLink | None:
        """The link, where it is live and the phone is still the one it was sent to."""
        found = await self._access.link(token)
        return None if found is None or await self._enrolled(found) is None else found

    async def send_code(self, token: str) -> bool:
        """A fresh code to the enrolled phone; False where the link is dead or too many codes were sent of late.

        Raises MessagesUnavailable.
        """
        link = await self._access.link(token)
        enrolled = None if link is None else await self._enrolled(link)
        if enrolled is None:
            return False
        spent = await self._access.spend_message(
            enrolled.subject_id, "CODE", span_s=persons.SPAN_S, most=persons.CODES_PER_SPAN
        )
        code = f"{secrets.randbelow(10**persons.CODE_DIGITS):0{persons.CODE_DIGITS}}"
        if not spent or not await self._access.set_code(token, code, self._clock.now() + persons.CODE_LIVES):
            return False
        await self._messages.send(Message(enrolled.subject_id, enrolled.phone, "ONE_TIME_CODE", {"code": code}))
        return True

    async def open_with_code(self, token: str, code: str, *, remember: bool) -> Opened | None:
        """None for a wrong, used, late or over-tried code, and for a dead link: nobody is told which."""
        link = await self.link(token)
        if link is None or not await self._access.spend_code(token, code):
            return None
        device = None
        if remember and self._device_days > 0:
            until = self._clock.now() + timedelta(days=self._device_days)
            device = await self._access.remember_device(link.subject_id, link.enrolment_id, until)
        return Opened(await self._session(link, persons.ONE_TIME_CODE), device, link.consent_id)

    async def open_with_device(self, token: str, device: str | None) -> Opened | None:
        """Without a code, on a device that a code was entered on before, while the phone is the same."""
        link = await self.link(token)
        if link is None or not await self.knows(link, device):
            return None
        return Opened(await self._session(link, persons.DEVICE), None, link.consent_id)

    async def knows(self, link: PersonLink, device: str | None) -> bool:
        return device is not None and await self._access.knows_device(device, link.subject_id, link.enrolment_id)

    async def person(self, session: str | None) -> PersonSession | None:
        """Who is in; a new phone at the counter ends every session of the old one."""
        found = None if session is None else await self._access.session(session)
        if found is None:
            return None
        enrolled = await self._phones.phone_of(found.subject_id)
        return found if enrolled is not None and enrolled.phone_id == found.enrolment_id else None

    async def leave(self, session: str | None, device: str | None) -> None:
        """Out, and the device is forgotten."""
        if session is not None:
            await self._access.close_session(session)
        if device is not None:
            await self._access.forget_device(device)

    async def _session(self, link: PersonLink, method: str) -> str:
        until = self._clock.now() + persons.SESSION_LIVES
        return await self._access.open_session(PersonSession(link.subject_id, link.enrolment_id, method, until))

    async def _enrolled(self, link: PersonLink) -> EnrolledPhone | None:
        enrolled = await self._phones.phone_of(link.subject_id)
        return enrolled if enrolled is not None and enrolled.phone_id == link.enrolment_id else None

    async def _send_entry(self, id_no: str, phone: str) -> None:
        number = normalise_id(id_no)
        if number is None or not number.checksum_ok or not number.date_ok:
            return
        (subject_id,) = await self._subjects.recognise([number.value18])
        enrolled = await self._phones.phone_of(subject_id)
        if enrolled is None or not hmac.compare_digest(_digits(enrolled.phone).encode(), _digits(phone).encode()):
            return
        await self.send_link(enrolled, "PAGES_LINK", lives=persons.ENTRY_LINK_LIVES)

    @staticmethod
    async def _aside(work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except GatewayError as error:
            _log.warning("link_not_sent", reason=type(error).__name__)


def _digits(phone: str) -> str:
    """A number as people write it: blanks, dashes and the country's own prefix say nothing."""
    kept = "".join(one for one in phone if one.isdecimal() and one.isascii())
    return kept.removeprefix("86") if len(kept) == 13 else kept
