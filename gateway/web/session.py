"""Cookies of our pages, and forms that only our own pages can have sent.

The cookie is the secret (256 random bits, kept hashed on the other side); a form's token is an HMAC of it under a key of
ours, so there is nothing to store for a visitor who has not logged in, and a planted cookie brings no token along.
Source: OWASP Cross-Site Request Forgery Prevention, "signed double submit" bound to the session, with `__Host-` cookies.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gateway.web.problems import Refusal

CSRF_FIELD = "csrf"
CSRF_HEADER = b"x-csrf-token"
_LENGTHS = range(43, 129)
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")

RawHeaders = Iterable[tuple[bytes, bytes]]


def new_secret() -> str:
    """256 random bits in base64url: 43 characters."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie of ours. `secure`: our own address is https; then its name carries `__Host-` and no subdomain can set it."""

    base_name: str
    secure: bool
    max_age_s: int | None = None  # None: until the browser closes

    @property
    def name(self) -> str:
        return f"__Host-{self.base_name}" if self.secure else self.base_name

    def read(self, headers: RawHeaders) -> str | None:
        """The value, None where there is none, several, or one that we cannot have set."""
        found = []
        for header, value in headers:
            if header == b"cookie":
                for part in value.decode("latin-1").split(";"):
                    name, equals, content = part.strip().partition("=")
                    if equals and name == self.name:
                        found.append(content)
        if len(found) != 1 or len(found[0]) not in _LENGTHS or not _ALPHABET.issuperset(found[0]):
            return None
        return found[0]

    def set(self, value: str) -> tuple[bytes, bytes]:
        """The response header. Lax: the way back from a client or a provider is a navigation, and must bring it."""
        age = "" if self.max_age_s is None else f"; Max-Age={self.max_age_s}"
        return self._header(f"{self.name}={value}; Path=/; HttpOnly; SameSite=Lax{age}")

    def clear(self) -> tuple[bytes, bytes]:
        return self._header(f"{self.name}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0")

    def _header(self, text: str) -> tuple[bytes, bytes]:
        return b"set-cookie", (text + ("; Secure" if self.secure else "")).encode("ascii")


@dataclass(frozen=True, slots=True)
class FormGuard:
    """Says whether a POST comes from a page of ours. `key` is 32 bytes of one use; `base_url` our own address."""

    key: bytes = field(repr=False)
    base_url: str = ""

    def token(self, cookie: str) -> str:
        """What goes into the form's hidden field `csrf` (or the header X-CSRF-Token) beside the cookie it is bound to."""
        return csrf_token(self.key, cookie)

    def check(self, headers: RawHeaders, form: Mapping[str, str], cookie: str | None) -> None:
        """Raises Refusal FORM_NOT_OURS (403). `form` may be empty where the token comes as a header."""
        check_csrf(self.key, self.base_url, headers, form, cookie)


def csrf_token(key: bytes, cookie: str) -> str:
    digest = hmac.digest(key, b"csrf/v1\0" + cookie.encode("ascii"), "sha256")
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def check_csrf(key: bytes, base_url: str, headers: RawHeaders, form: Mapping[str, str], cookie: str | None) -> None:
    """Token and origin, both. Raises Refusal FORM_NOT_OURS.

    Our pages are sent with `no-referrer`, so a browser states their Origin as "null"; Sec-Fetch-Site says it better.
    """
    given = list(headers)
    sent = [value.decode("latin-1") for name, value in given if name == CSRF_HEADER]
    if CSRF_FIELD in form:
        sent.append(form[CSRF_FIELD])
    if cookie is None or len(sent) != 1:
        raise Refusal("FORM_NOT_OURS")
    if not hmac.compare_digest(sent[0].encode("utf-8"), csrf_token(key, cookie).encode("ascii")):
        raise Refusal("FORM_NOT_OURS")
    if not same_site(base_url, given):
        raise Refusal("FORM_NOT_OURS")


def same_site(base_url: str, headers: RawHeaders) -> bool:
    """Whether a browser's own word (Fetch Metadata, RFC 6454) says that the request comes from a page of ours."""
    sites = [value for name, value in headers if name == b"sec-fetch-site"]
    origins = [value for name, value in headers if name == b"origin"]
    if sites:
        return sites == [b"same-origin"]
    address = urlsplit(base_url)
    return all(origin in (b"null", f"{address.scheme}://{address.netloc}".encode()) for origin in origins)
