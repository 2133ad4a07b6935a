"""Files that may be manifests, read with bounds: size, line length, depth; whatever is wrong is said with its line."""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FILE_CAP = 1024 * 1024
_FILES_CAP = 1000
_LINE_CAP = 4096  # tomllib's time grows with the square of a dotted key's parts
_DEPTH_CAP = 32
_DEEP_KEY = re.compile(
    r"""^[ \t]*\[{0,2}(?:[ \t]*(?:[\w-]{1,80}|"[^"\n]{0,80}"|'[^'\n]{0,80}')[ \t]*\.){16}""", re.MULTILINE
)
_TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)")


class Unreadable(Exception):
    """A file, or the directory, that cannot be taken; `line` counts from 1."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.message, self.line = message, line


def manifest_files(directory: Path) -> list[Path]:
    """The *.toml files in `directory` by name, without hidden ones. Raises Unreadable."""
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == ".toml" and path.name[0] != ".")
    except OSError as error:
        raise Unreadable(f"the manifests' directory: {error.strerror or 'cannot be read'}") from None
    if len(paths) > _FILES_CAP:
        raise Unreadable(f"{len(paths)} manifests; at most {_FILES_CAP} are read")
    return paths


def read_text(directory: Path, path: Path) -> str:
    """The text of a regular UTF-8 file that lies, links resolved, in `directory`. Raises Unreadable."""
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(directory.resolve()):
            raise Unreadable("is a link to a file outside the manifests' directory")
        if not stat.S_ISREG(real.stat().st_mode):
            raise Unreadable("is not a regular file")
        with real.open("rb") as file:
            content = file.read(_FILE_CAP + 1)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise Unreadable(f"cannot be read: {getattr(error, 'strerror', None) or 'a loop of links'}") from None
    if len(content) > _FILE_CAP:
        raise Unreadable("is larger than 1 MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("is not UTF-8 text", content.count(b"\n", 0, error.start) + 1) from None
    if "\0" in text:
        raise Unreadable("holds a NUL", _line_at(text, text.index("\0")))
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > _LINE_CAP:
            raise Unreadable(f"the line is longer than {_LINE_CAP} characters", number)
    if deep := _DEEP_KEY.search(text):
        raise Unreadable("a key has more than 16 parts", _line_at(text, deep.start()))
    return text


def parse(text: str) -> Mapping[str, Any]:
    """The TOML document `text`. Raises Unreadable."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        match = _TOML_LINE.search(message)
        # tomllib gives no line for a fault at the end of the document, nor for what repeats an earlier table.
        line = int(match[1]) if match else text.count("\n") + 1
        plain = _TOML_LINE.sub("", message).replace("(at end of document)", "at the end of the file").strip()
        raise Unreadable(f"not TOML: {plain[:200]}", line) from None
    except (RecursionError, ValueError):  # ValueError: a number or a date that Python cannot hold
        raise Unreadable("not TOML that can be read: nested too deeply, or a number too large") from None
    if _deeper_than(data, _DEPTH_CAP):
        raise Unreadable(f"is nested deeper than {_DEPTH_CAP} tables and lists")
    return data


def _deeper_than(data: Any, cap: int) -> bool:
    level = [data]
    for _ in range(cap):
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True


def _line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
