"""From the text of a setting to its value; a fault never repeats the value, which may be a secret."""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

Parse = Callable[[Any], Any]
"""Takes a string from the environment, or whatever TOML holds; raises Fault."""


class Fault(ValueError):
    """A value that cannot be used."""


def text(pattern: str = r".+", what: str = "a text") -> Parse:
    def parse(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise Fault(f"must be {what}")
        return value

    return parse


def number(kind: type[int] | type[float], low: float, high: float) -> Parse:
    def parse(value: Any) -> int | float:
        numeral: int | float | None = None
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                numeral = kind(value)
        elif isinstance(value, int) or (kind is float and isinstance(value, float)):
            numeral = None if isinstance(value, bool) else value
        if numeral is None or not low <= numeral <= high:
            raise Fault(f"must be {'a whole number' if kind is int else 'a number'} from {low:g} to {high:g}")
        return kind(numeral)

    return parse


AUTO = 0
"""As many worker processes as there are cores for us."""


def workers(value: Any) -> int:
    """A number of processes, or AUTO for "auto"."""
    if value == "auto":
        return AUTO
    try:
        return int(number(int, 1, 64)(value))
    except Fault:
        raise Fault("must be auto or a whole number from 1 to 64") from None


def boolean(value: Any) -> bool:
    known = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in known:
        return known[value.lower()]
    raise Fault("must be true or false")


def path(value: Any) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise Fault("must be a path")
    return Path(value)


def choice(*choices: str) -> Parse:
    return text("|".join(map(re.escape, choices)), "one of " + ", ".join(choices))


def key(value: Any) -> bytes:
    """32 bytes, base64 or base64url, padding optional."""
    try:
        text = str(value).strip().rstrip("=").translate(str.maketrans("-_", "+/"))
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32 or len(set(key)) < 8:
        raise Fault("must be 32 random bytes in base64; make one with: openssl rand -base64 32")
    return key


def database(value: Any) -> str:
    """`sqlite:///relative` or `sqlite:////absolute`, or `postgresql+psycopg://user@host/database`."""
    if isinstance(value, str):
        if re.fullmatch(r"sqlite:///[^?#:]+", value):
            return value
        if re.match(r"postgres(ql)?(\+psycopg)?://", value):
            return re.sub(r"^postgres(ql)?(\+psycopg)?:", "postgresql+psycopg:", value)
    raise Fault("must be sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE (never in memory)")


url = text(r"https?://[^\s/?#@]+(/[^\s?#]*)?", "an http or https URL without query or password")


def is_network(text: str) -> bool:
    """Whether `text` is an address or a network in CIDR form."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
