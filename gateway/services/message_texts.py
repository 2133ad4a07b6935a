"""The texts of messages, in two languages, from the catalogue file beside this one."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from gateway.caller import Message
from gateway.errors import MessagesUnavailable

_LONGEST = 2048
LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Text:
    """A message in words; `link` is among them, and by itself for those who can make it clickable."""

    zh: str = field(repr=False)
    en: str = field(repr=False)
    link: str | None = field(repr=False)


def text_of(message: Message) -> Text:
    """A value may be given per language as `name_zh` and `name_en`, or once for both as `name`.

    Raises MessagesUnavailable for a kind without a text, a value the text needs and nobody gave, and one that would
    break the text (over several lines, or endless). The error names codes only.
    """
    entry = catalogue().get(message.kind)
    if entry is None:
        raise MessagesUnavailable("there is no text for this kind of message")
    zh, en = (_filled(entry[language], language, message) for language in LANGUAGES)
    return Text(zh, en, message.values.get("link"))


def _filled(template: str, language: str, message: Message) -> str:
    said: dict[str, str] = {}
    for name in needs(template):
        value = message.values.get(f"{name}_{language}") or message.values.get(name) or _otherwise(name, language)
        if value is None:
            raise MessagesUnavailable(f"the message {message.kind} needs a {name}")
        if len(value) > _LONGEST or any(not letter.isprintable() for letter in value):
            raise MessagesUnavailable(f"the {name} of a message cannot be sent")
        said[name] = value
    return template.format_map(said)


def needs(template: str) -> frozenset[str]:
    """The values a text has braces for."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """The texts by kind: `zh` and `en`."""
    return {kind: entry for kind, entry in _file().items() if kind != "otherwise"}


def _otherwise(name: str, language: str) -> str | None:
    found: str | None = _file()["otherwise"].get(name, {}).get(language)
    return found


@cache
def _file() -> Mapping[str, Any]:
    return tomllib.loads(resources.files("gateway.services").joinpath("message_texts.toml").read_text("utf-8"))
