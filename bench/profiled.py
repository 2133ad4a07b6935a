"""`python -m bench.profiled FILE [bare] serve`: yimen as ever, with samples of where its CPU time goes written to FILE at the end.

A timer of CPU time (ITIMER_PROF) asks for the stack, so nothing is slowed as a tracing profiler would slow it; a call
into C is booked on the Python line that made it. Sampling starts at SIGUSR1.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from demo.processes import die_with_parent

_EVERY_S = 0.001
_OURS = ("gateway", "schema", "adapters")


class Samples:
    """Counts by line, by function (with everything it called) and by place."""

    def __init__(self) -> None:
        self.total = 0
        self.lines: Counter[str] = Counter()
        self.inside: Counter[str] = Counter()
        self.places: Counter[str] = Counter()

    def start(self, *_: object) -> None:
        signal.signal(signal.SIGPROF, self._take)
        signal.setitimer(signal.ITIMER_PROF, _EVERY_S, _EVERY_S)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _take(self, _: int, frame: FrameType | None) -> None:
        if frame is None:
            return
        self.total += 1
        self.lines[f"{_short(frame.f_code.co_filename)}:{frame.f_lineno} {frame.f_code.co_name}"] += 1
        self.places[_place(frame)] += 1
        seen: set[str] = set()
        here: FrameType | None = frame
        while here is not None:
            seen.add(f"{_short(here.f_code.co_filename)}:{here.f_code.co_firstlineno} {here.f_code.co_name}")
            here = here.f_back
        self.inside.update(seen)

    def write(self, path: Path) -> None:
        kept = {"total": self.total, "places": dict(self.places)}
        tops = {"lines": dict(self.lines.most_common(60)), "inside": dict(self.inside.most_common(600))}
        path.write_text(json.dumps(kept | tops, ensure_ascii=False, indent=1), encoding="utf-8")


def _place(frame: FrameType) -> str:
    """The package a sample belongs to; the standard library's and small helpers' time is their caller's."""
    here: FrameType | None = frame
    while here is not None:
        name = str(here.f_globals.get("__name__", ""))
        top, *rest = name.split(".")
        if top in _OURS:
            return ".".join([top, *rest[:1]])
        if top in ("graphql", "aiohttp", "uvicorn", "starlette", "sqlalchemy", "aiosqlite", "httptools"):
            return top
        here = here.f_back
    return "other (event loop)"


def _short(path: str) -> str:
    return path.rpartition("site-packages/")[2] if "site-packages/" in path else "/".join(path.split("/")[-3:])


def main() -> int:
    die_with_parent()
    samples = Samples()
    signal.signal(signal.SIGUSR1, samples.start)
    from gateway.cli import main as yimen

    out, words = Path(sys.argv[1]), sys.argv[2:]
    if words[:1] == ["bare"]:
        from bench.bare import put_together

        put_together(evidence=False)
        del words[0]
    sys.argv = ["yimen", *words]
    try:
        return int(yimen() or 0)
    finally:
        samples.stop()
        samples.write(out)


if __name__ == "__main__":
    raise SystemExit(main())
