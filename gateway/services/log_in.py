"""Logging in with a password of ours and a second factor: counted first, looked at second, told alike whatever was wrong."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from gateway.caller import Alert, Alerts
from gateway.clock import Clock
from gateway.oauth.ports import Login
from gateway.services.identities import OfficerRecord, Officers, fold_login
from gateway.services.login_ports import Accounts, Attempts, Bucket, Passkey, Steps
from gateway.services.officer_sessions import OfficerSessions
from gateway.services.passwords import Passwords
from gateway.services.second_factor import RelyingParty, new_challenge, totp_step

FACTOR = "FACTOR"
_STEP_S = 300.0
_NOBODY = "0" * 32
_ALERT_AT = 10


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a try comes from. `network`: the visitor's, never a whole address. `device`: set by a device cookie of this login."""

    network: str = field(repr=False)
    device: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """No. `wait_s` > 0: nothing was looked at, come back then. Nothing else is said."""

    wait_s: int = 0


@dataclass(frozen=True, slots=True)
class FactorOwed:
    """The password was right; `cookie` stands for that until the second factor is shown."""

    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """`cookie` is the new session's; `device` is whom the device cookie shall know."""

    login: Login
    cookie: str = field(repr=False)
    go_on: str = field(repr=False)
    device: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FactorPage:
    """What the second page may offer. `passkey_options`: JSON, None where there is no passkey."""

    totp: bool
    passkey_options: str | None = field(repr=False)


class LogIn:
    """Two steps for every local officer; one only for a demo account without a second factor."""

    def __init__(
        self,
        *,
        officers: Officers,
        accounts: Accounts,
        steps: Steps,
        attempts: Attempts,
        sessions: OfficerSessions,
        alerts: Alerts,
        clock: Clock,
        party: RelyingParty,
        passwords: Passwords | None = None,
        demo: bool = False,
        floor_s: float = 0.25,
    ) -> None:
        """`floor_s`: no answer to a password comes sooner, so that small differences of work do not show."""
        self._officers, self._accounts, self._steps, self._attempts = officers, accounts, steps, attempts
        self._sessions, self._alerts, self._clock, self._party = sessions, alerts, clock, party
        self._passwords = passwords or Passwords()
        self._demo, self._floor_s = demo, floor_s

    async def password(
        self, login: str, password: str, visitor: Visitor, go_on: str
    ) -> FactorOwed | LoggedIn | Refused:
        """The first step. Unknown, disabled, without a password, wrong: one answer, one amount of work."""
        began = time.monotonic()
        try:
            return await self._password(fold_login(login), password, visitor, go_on)
        finally:
            await asyncio.sleep(max(0.0, began + self._floor_s - time.monotonic()))

    async def _password(
        self, login: str, password: str, visitor: Visitor, go_on: str
    ) -> FactorOwed | LoggedIn | Refused:
        own, shared = _password_buckets(login, visitor)
        tries = await self._attempts.begin([*own, *shared])
        if tries.wait_s:
            return Refused(tries.wait_s)
        officer = await self._officers.officer_by_login(login)
        account = await self._accounts.account(officer.user_id if officer else _NOBODY)
        usable = officer is not None and officer.active and account is not None and (self._demo or not account.demo)
        right = await self._passwords.matches(password, account.password_hash if usable and account else None)
        if not right or officer is None or account is None:
            await self._failed(officer, "PASSWORD", tries.failures[0])
            return Refused()
        await self._attempts.succeeded(own, shared)
        if self._passwords.outdated(account.password_hash):
            renewed = await self._passwords.hash(password)
            await self._accounts.rehash(officer.user_id, account.password_hash, renewed)
        if not await self._has_factor(officer.user_id):
            # Nobody is enrolled without a factor: only the demo's file may say so.
            return await self._open(officer, 1, ("pwd",), go_on) if account.demo else Refused()
        cookie = secrets.token_urlsafe(32)
        data = {"user_id": officer.user_id, "login": login, "challenge": new_challenge().hex(), "go_on": go_on}
        await self._steps.begin(cookie, FACTOR, data, self._clock.now() + timedelta(seconds=_STEP_S))
        return FactorOwed(cookie)

    async def factor_page(self, cookie: str) -> FactorPage | None:
        """None where no second factor is owed: begin again."""
        data = await self._steps.look(cookie, FACTOR)
        if data is None:
            return None
        keys = await self._accounts.passkeys(data["user_id"])
        options = self._party.authentication_options(bytes.fromhex(data["challenge"]), keys) if keys else None
        return FactorPage(await self._accounts.totp_secret(data["user_id"]) is not None, options)

    async def login_of(self, cookie: str) -> str | None:
        """Whose second factor is owed; for the device cookie."""
        data = await self._steps.look(cookie, FACTOR)
        return None if data is None else str(data["login"])

    async def code(self, cookie: str, code: str, visitor: Visitor) -> LoggedIn | Refused | None:
        """The second step by a time-based code, which works once. None: begin again."""

        async def right(data: dict[str, Any]) -> bool:
            secret = await self._accounts.totp_secret(data["user_id"])
            step = None if secret is None else totp_step(secret, code, self._clock.now())
            return step is not None and await self._accounts.spend_totp(data["user_id"], step)

        return await self._factor(cookie, visitor, right, 2, ("pwd", "otp"))

    async def passkey(self, cookie: str, response: str, visitor: Visitor) -> LoggedIn | Refused | None:
        """The second step by a passkey with user verification: level 3. None: begin again."""

        async def right(data: dict[str, Any]) -> bool:
            keys = await self._accounts.passkeys(data["user_id"])
            used: Passkey | None = self._party.authenticated(response, bytes.fromhex(data["challenge"]), keys)
            return used is not None and await self._accounts.use_passkey(used.credential_id, used.sign_count)

        return await self._factor(cookie, visitor, right, 3, ("pwd", "hwk", "user"))

    async def _factor(
        self, cookie: str, visitor: Visitor, right: Any, level: int, amr: tuple[str, ...]
    ) -> LoggedIn | Refused | None:
        data = await self._steps.look(cookie, FACTOR)
        if data is None:
            return None
        buckets = _factor_buckets(data["user_id"], visitor)
        tries = await self._attempts.begin(buckets)
        if tries.wait_s:
            return Refused(tries.wait_s)
        officer = await self._officers.officer(data["user_id"])
        if not await right(data) or officer is None or not officer.active:
            await self._failed(officer, "SECOND_FACTOR", tries.failures[0])
            return Refused()
        if await self._steps.take(cookie, FACTOR) is None:
            return None  # somebody else has just gone through this door
        await self._attempts.succeeded(buckets, ())
        return await self._open(officer, level, amr, data["go_on"])

    async def _has_factor(self, user_id: str) -> bool:
        return bool(await self._accounts.passkeys(user_id)) or await self._accounts.totp_secret(user_id) is not None

    async def _open(self, officer: OfficerRecord, level: int, amr: tuple[str, ...], go_on: str) -> LoggedIn:
        cookie = secrets.token_urlsafe(32)
        login = await self._sessions.open(cookie, officer, level, amr)
        return LoggedIn(login, cookie, go_on, officer.login)

    async def _failed(self, officer: OfficerRecord | None, stage: str, failures: int) -> None:
        """On record, and at the tenth in a row somebody is told; the same work for an officer who does not exist."""
        user_id, org_id = (officer.user_id, officer.org_id) if officer else (None, "")
        await self._attempts.failed(user_id, org_id, stage, failures)
        if failures == _ALERT_AT:
            about = ("OFFICER", user_id) if user_id else ("SYSTEM", "login")
            detail = {"what": "GUESSING", "stage": stage}
            await self._alerts.raise_alert(
                Alert("A14_KEY_EVENT", "S2", about[0], about[1] or "", org_id, detail=detail)
            )


def _password_buckets(login: str, visitor: Visitor) -> tuple[list[Bucket], list[Bucket]]:
    """(this try's own, shared with others). A known device has a count of its own: what happens elsewhere cannot lock it out.

    The count of a login over all networks only counts: a wait there could be used to lock its officer out.
    """
    if visitor.device is not None:
        return [Bucket(f"device/{visitor.device}/{login}", 5, 300)], []
    own = [Bucket(f"login/{login}/{visitor.network}", 5, 300)]
    return own, [Bucket(f"network/{visitor.network}", 100, 30), Bucket(f"login/{login}", 0, 0)]


def _factor_buckets(user_id: str, visitor: Visitor) -> list[Bucket]:
    """Whoever comes here knew the password, so the officer's count over all strange devices may make them wait long."""
    if visitor.device is not None:
        return [Bucket(f"factor/device/{visitor.device}/{user_id}", 5, 300)]
    return [Bucket(f"factor/{user_id}/{visitor.network}", 5, 300), Bucket(f"factor/{user_id}", 20, 3600)]
