"""Passwords: argon2id under OWASP's parameters, off the event loop, two at a time, the same work for whom we do not know.

Source: OWASP Password Storage (argon2id, m = 19 MiB, t = 2, p = 1); NIST SP 800-63B 3.1.1.2 (length, list of common ones,
no rules of composition).
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import unicodedata
from functools import cache
from importlib import resources

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

LEAST, MOST = 10, 256
_AT_ONCE = 2  # 19 MiB and about 30 ms of a core each: a flood waits here, not in memory


class Passwords:
    """Hashes and compares. One for a process."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._nobodys = self._hasher.hash(secrets.token_urlsafe(32))

    async def hash(self, password: str) -> str:
        """A PHC string with parameters and salt inside."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, _normal(password))

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """False for None too, after just as much work."""
        async with self._turn:
            same = await asyncio.to_thread(self._verify, _normal(password)[: MOST * 4], password_hash or self._nobodys)
        return same and password_hash is not None

    def outdated(self, password_hash: str) -> bool:
        """Whether it was made under other parameters than ours, and is to be made anew."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password: str, password_hash: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (Argon2Error, InvalidHashError):
            return False


def fault(password: str, login: str) -> str | None:
    """Why `password` will not do: PASSWORD_SHORT, PASSWORD_LONG, PASSWORD_COMMON; None where it will."""
    text = _normal(password)
    if len(text) < LEAST:
        return "PASSWORD_SHORT"
    if len(text) > MOST:
        return "PASSWORD_LONG"
    low = text.lower()
    plain = "".join(letter for letter in low if letter.isalnum())
    core = plain.strip("0123456789")
    if low in common() or plain in common() or (login and login.lower() in low) or len(set(low)) < 5:
        return "PASSWORD_COMMON"
    return "PASSWORD_COMMON" if core in _STEMS or (not core and _runs(plain)) else None


@cache
def common() -> frozenset[str]:
    text = resources.files("gateway.services").joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


_STEMS = frozenset(
    {"password", "passwort", "admin", "administrator", "qwerty", "qwertyuiop", "woaini", "yimen", "abc", "iloveyou"}
)


def _runs(digits: str) -> bool:
    """Digits that mostly go up or down by one, or repeat: 1234567890, 1122334455."""
    steps = [int(after) - int(before) for before, after in itertools.pairwise(digits)]
    return sum(step in (-1, 0, 1) for step in steps) >= len(steps) * 0.8


def _normal(password: str) -> str:
    """What was typed on one keyboard is typed alike on another (NIST SP 800-63B: NFKC before hashing)."""
    return unicodedata.normalize("NFKC", password)
