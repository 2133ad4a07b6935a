"""What a log wrote, on a terminal: it must not command it, nor turn a line round."""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def plain(text: str) -> str:
    """Signs that are not to be seen as the escapes JSON has for them, so JSON stays the same JSON."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
