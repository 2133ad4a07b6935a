"""What an operator sees of the settings in force: secrets as set or not set, never their values."""

from __future__ import annotations

from typing import Any

from gateway.settings.described import printed
from gateway.settings.settings import CREDENTIAL, LIMIT, Settings, describe


def shown(settings: Settings) -> dict[str, str]:
    """Name -> the value in force, fit for an operator's screen: secrets as `(set)` or `(not set)`."""
    values = {}
    for known in describe():
        value = _value(settings, known.name)
        hidden = "(set)" if value is not None else "(not set)"
        values[known.name] = hidden if known.secret else printed(value)
    if settings.sqlite:
        values["database_url"] = settings.database_url
    return values


def _value(settings: Settings, name: str) -> Any:
    for prefix, home in ((LIMIT, settings.limits), (CREDENTIAL, settings.credentials)):
        if name.startswith(prefix):
            return getattr(home, name.removeprefix(prefix))
    return getattr(settings, name)
