"""An officer's session: opened by a login, read with the officer as of now, ended by logout, time or change."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.clock import Clock
from gateway.oauth.ports import Login
from gateway.services.identities import OfficerRecord, Officers
from gateway.services.login_ports import OpenSession, Sessions


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """Seconds: without a request, and altogether."""

    idle_s: float = 1800.0
    most_s: float = 10 * 3600.0


class OfficerSessions:
    """Cookie in, `Login` out. Roles, posts and purposes are read afresh: nothing of an old post outlives it here."""

    def __init__(self, sessions: Sessions, officers: Officers, clock: Clock, times: SessionTimes | None = None) -> None:
        self._sessions, self._officers, self._clock = sessions, officers, clock
        self._times = times or SessionTimes()

    async def open(
        self,
        cookie: str,
        officer: OfficerRecord,
        level: int,
        amr: tuple[str, ...],
        *,
        auth_time: datetime | None = None,
    ) -> Login:
        """A session under a cookie that is new with it. `auth_time`: where that was earlier, at a provider."""
        now = self._clock.now()
        session = OpenSession(secrets.token_hex(16), officer.user_id, level, amr, auth_time or now)
        idle_until = now + timedelta(seconds=min(self._times.idle_s, self._times.most_s))
        until = now + timedelta(seconds=self._times.most_s)
        await self._sessions.open(cookie, session, officer.org_id, idle_until, until)
        return _login(session, officer)

    async def find(self, cookie: str | None) -> Login | None:
        """None where there is no live session, or its officer may not act any more."""
        found = await self.look(cookie)
        return None if found is None else found[0]

    async def look(self, cookie: str | None) -> tuple[Login, OfficerRecord] | None:
        """The same with the officer's record, for a page that greets by name."""
        if cookie is None:
            return None
        session = await self._sessions.find(cookie, self._times.idle_s)
        if session is None:
            return None
        officer = await self._officers.officer(session.user_id)
        if officer is None or not officer.active:
            return None
        return _login(session, officer), officer

    async def close(self, cookie: str) -> None:
        await self._sessions.close(cookie)


def _login(session: OpenSession, officer: OfficerRecord) -> Login:
    return Login(
        user_id=officer.user_id,
        org_id=officer.org_id,
        org_kind=officer.org_kind,
        jurisdiction=officer.jurisdiction,
        roles=officer.roles,
        posts=officer.posts,
        purposes=officer.purposes,
        level=session.level,
        auth_time=session.auth_time,
        session_id=session.session_id,
        amr=session.amr,
        until=officer.until,
    )
