"""Asks once more before what has no way back."""

from __future__ import annotations

import sys


def is_sure(words: str, answer: str) -> bool:
    """Whether the operator typed `answer`. Asks on stderr, so that what a script reads stays clean."""
    print(words, file=sys.stderr)
    if sys.stdin.readline().strip() == answer:
        return True
    print("未执行 nothing was done", file=sys.stderr)
    return False
