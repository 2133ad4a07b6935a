"""bench/CREDENTIALS.md: one section a part. A part that was not measured this time stays as it was."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.machine import commit, machine

FILE = Path(__file__).parents[1] / "CREDENTIALS.md"
_HEAD = """\
# What credentials cost

`script/bench --credentials [PART]` measures and writes this file, a part at a time. All contenders of a part take turns in
one run on one machine, block by block; figures are medians over the blocks, and ranges are the smallest and largest block.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """`title` names the section; `text` is its Markdown. `missed`: targets of the issue that were not reached."""

    title: str
    text: str
    missed: tuple[str, ...] = ()


def write(parts: list[Part]) -> str:
    """The file with these parts new; what it says now."""
    sections = _sections(FILE.read_text("utf-8")) if FILE.exists() else {}
    for part in parts:
        when = f"Measured {datetime.now(UTC):%Y-%m-%d} at {commit()} on {machine()}."
        sections[part.title] = f"{when}\n\n{part.text.strip()}\n"
    text = _HEAD + "".join(f"\n## {title}\n\n{body}" for title, body in sections.items())
    FILE.write_text(text, "utf-8")
    return text


def _sections(text: str) -> dict[str, str]:
    found = re.split(r"^## (.+)\n\n", text, flags=re.MULTILINE)[1:]
    return {title: body.rstrip("\n") + "\n" for title, body in zip(found[::2], found[1::2], strict=True)}
