"""What the login pages stand on, and what they do alike."""

from __future__ import annotations

import hmac
import os
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.services.identities import fold_login
from gateway.services.log_in import LoggedIn, LogIn, Refused, Visitor
from gateway.services.officer_sessions import OfficerSessions
from gateway.services.oidc_login import OidcLogin
from gateway.services.set_up_login import SetUpLogin
from gateway.web.network import network_of
from gateway.web.problems import Reply
from gateway.web.session import Cookie, FormGuard
from gateway.web.visit import Visit, see_other

_DEVICE_DAYS = 180
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class DeviceCookies:
    """Cookies that say "a login succeeded from this browser before", for one login each; nothing is stored for them.

    Value: base64url of day (4 bytes), nonce (16), HMAC (32). Source: OWASP, "Device Cookies".
    """

    key: bytes = field(repr=False)
    cookie: Cookie

    def issue(self, login: str) -> tuple[bytes, bytes]:
        head = int(time.time() // _DAY_S).to_bytes(4, "big") + os.urandom(16)
        return self.cookie.set(_encoded(head + self._mac(head, login)))

    def known(self, visit: Visit, login: str) -> str | None:
        """The device's id where the cookie was made for this login, else None: then it is a stranger's try."""
        value = visit.cookie(self.cookie)
        try:
            raw = urlsafe_b64decode((value or "") + "==")
        except ValueError:
            return None
        head, mac = raw[:20], raw[20:]
        if len(raw) != 52 or not hmac.compare_digest(mac, self._mac(head, login)):
            return None
        age = int(time.time() // _DAY_S) - int.from_bytes(head[:4], "big")
        return head[4:].hex() if 0 <= age <= _DEVICE_DAYS else None

    def _mac(self, head: bytes, login: str) -> bytes:
        return hmac.digest(self.key, head + fold_login(login).encode("utf-8", "surrogatepass"), "sha256")


@dataclass(frozen=True, slots=True)
class LoginParts:
    """Everything behind /login and /oauth/authorize."""

    base_url: str
    log_in: LogIn
    set_up: SetUpLogin
    oidc: OidcLogin
    sessions: OfficerSessions
    guard: FormGuard
    devices: DeviceCookies
    session_cookie: Cookie
    step_cookie: Cookie
    trusted_proxies: Sequence[str] = ()

    def visitor(self, visit: Visit, login: str) -> Visitor:
        return Visitor(network_of(visit.scope, self.trusted_proxies), self.devices.known(visit, login))

    async def enter(self, visit: Visit, logged_in: LoggedIn) -> Reply:
        """On to where the officer wanted, under a new session; an older one of this browser ends."""
        if (old := visit.cookie(self.session_cookie)) is not None:
            await self.sessions.close(old)
        cookies = [
            self.session_cookie.set(logged_in.cookie),
            self.step_cookie.clear(),
            self.devices.issue(logged_in.device),
        ]
        return see_other(logged_in.go_on, cookies)


def login_parts(
    *,
    base_url: str,
    csrf_key: bytes,
    device_key: bytes,
    log_in: LogIn,
    set_up: SetUpLogin,
    oidc: OidcLogin,
    sessions: OfficerSessions,
    trusted_proxies: Sequence[str] = (),
) -> LoginParts:
    """Cookies are `__Host-` ones wherever our address is https; without it only a demo on loopback works at all."""
    secure = base_url.startswith("https://")
    device = Cookie("yimen-device", secure, max_age_s=_DEVICE_DAYS * _DAY_S)
    return LoginParts(
        base_url=base_url,
        log_in=log_in,
        set_up=set_up,
        oidc=oidc,
        sessions=sessions,
        guard=FormGuard(csrf_key, base_url),
        devices=DeviceCookies(device_key, device),
        session_cookie=Cookie("yimen", secure),
        step_cookie=Cookie("yimen-step", secure),
        trusted_proxies=trusted_proxies,
    )


def refusal_notice(refused: Refused) -> tuple[int, str, list[tuple[bytes, bytes]]]:
    """(status, message key, headers): the same page whatever was wrong."""
    if refused.wait_s:
        return 429, "LOGIN_WAIT", [(b"retry-after", b"%d" % refused.wait_s)]
    return 403, "LOGIN_REFUSED", []


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
