"""An invited officer sets a password and one second factor. Nothing stands before both are there; the link works once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from gateway.clock import Clock
from gateway.errors import RequestRefused
from gateway.oauth.ports import Revoker
from gateway.services.identities import OfficerRecord, Officers
from gateway.services.login_ports import Enrolment, Invitations, Passkey, Steps
from gateway.services.passwords import Passwords, fault
from gateway.services.second_factor import RelyingParty, new_challenge, new_totp_secret, totp_step, totp_uri

ENROL = "ENROL"
_STEP_S = 900.0
INVITATION_S = 72 * 3600.0


@dataclass(frozen=True, slots=True)
class SetUpPage:
    """What the second page shows: a secret for a phone's app, and what a passkey needs."""

    login: str
    totp_secret: str = field(repr=False)
    totp_uri: str = field(repr=False)
    passkey_options: str = field(repr=False)


class SetUpLogin:
    def __init__(
        self,
        *,
        officers: Officers,
        invitations: Invitations,
        steps: Steps,
        clock: Clock,
        party: RelyingParty,
        passwords: Passwords,
        revoker: Revoker,
    ) -> None:
        self._officers, self._invitations, self._steps, self._clock = officers, invitations, steps, clock
        self._party, self._passwords, self._revoker = party, passwords, revoker

    async def invite(self, login: str) -> str:
        """The link for the officer of this login, to be handed over in person; earlier ones end.

        Raises RequestRefused OFFICER_UNKNOWN.
        """
        officer = await self._officers.officer_by_login(login)
        if officer is None or not officer.active:
            raise RequestRefused("OFFICER_UNKNOWN", "there is no active officer of this login")
        token = secrets.token_urlsafe(32)
        until = self._clock.now() + timedelta(seconds=INVITATION_S)
        await self._invitations.invite(officer.user_id, officer.org_id, token, until)
        return f"{self._party.base_url}/login/invitation?code={token}"

    async def invited(self, token: str) -> str | None:
        """The login an invitation is for, None where it is spent, over or never was."""
        officer = await self._invited(token)
        return None if officer is None else officer.login

    async def password(self, token: str, password: str) -> tuple[str | None, str]:
        """(cookie of the next step, "") or (None, why not): INVITATION_OVER, PASSWORD_SHORT, _LONG, _COMMON."""
        officer = await self._invited(token)
        if officer is None:
            return None, "INVITATION_OVER"
        if (why := fault(password, officer.login)) is not None:
            return None, why
        cookie = secrets.token_urlsafe(32)
        data = {
            "user_id": officer.user_id,
            "login": officer.login,
            "token": token,
            "hash": await self._passwords.hash(password),
            "secret": new_totp_secret(),
            "challenge": new_challenge().hex(),
        }
        await self._steps.begin(cookie, ENROL, data, self._clock.now() + timedelta(seconds=_STEP_S))
        return cookie, ""

    async def page(self, cookie: str) -> SetUpPage | None:
        data = await self._steps.look(cookie, ENROL)
        if data is None:
            return None
        options = self._party.registration_options(data["user_id"], data["login"], bytes.fromhex(data["challenge"]))
        return SetUpPage(data["login"], data["secret"], totp_uri(data["secret"], data["login"]), options)

    async def code(self, cookie: str, code: str) -> bool | None:
        """True: all stands. False: not the code of the secret shown. None: begin again with a new link."""
        data = await self._steps.look(cookie, ENROL)
        if data is None:
            return None
        step = totp_step(data["secret"], code, self._clock.now())
        if step is None:
            return False
        return await self._redeem(cookie, data, totp_secret=data["secret"], totp_step=step)

    async def passkey(self, cookie: str, response: str) -> bool | None:
        """Like `code`, with a new passkey."""
        data = await self._steps.look(cookie, ENROL)
        if data is None:
            return None
        key: Passkey | None = self._party.registered(response, bytes.fromhex(data["challenge"]))
        return False if key is None else await self._redeem(cookie, data, passkey=key)

    async def _redeem(self, cookie: str, data: dict[str, Any], **factor: Any) -> bool | None:
        officer = await self._officers.officer(data["user_id"])
        if officer is None or not officer.active or await self._steps.take(cookie, ENROL) is None:
            return None
        enrolment = Enrolment(officer.user_id, officer.org_id, data["hash"], **factor)
        if not await self._invitations.redeem(data["token"], enrolment):
            return None
        await self._revoker.revoke_user(officer.user_id)  # the old password may have been in other hands
        return True

    async def _invited(self, token: str) -> OfficerRecord | None:
        user_id = await self._invitations.invited(token)
        officer = None if user_id is None else await self._officers.officer(user_id)
        return officer if officer is not None and officer.active else None
