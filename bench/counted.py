"""`python -m bench.counted serve`: yimen as ever, saying how much Python it ran when asked.

Counts do not depend on how fast or how busy a machine is: calls (Python's and C's, by `sys.setprofile`) and bytecode
instructions (`sys.settrace` with opcodes) of every thread together. One line on stdin is one command: `calls` or
`instructions` begin to count that, `count` answers with the number so far on stdout, which says nothing else.
`python -m bench.counted bare serve` is the same for bench.bare.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

from demo.processes import die_with_parent

_CALLS = ("call", "c_call")


class Counter:
    """`total` is written by the threads that are counted, so it may lose one where two write at once; one request at a
    time does not."""

    def __init__(self) -> None:
        self.total = 0
        self.what = ""

    def profile(self, frame: FrameType, event: str, _: Any) -> None:
        if event in _CALLS and self.what == "calls":
            self.total += 1

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if self.what != "instructions":
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._opcode

    def _opcode(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "opcode":
            self.total += 1
        return self._opcode

    def begin(self, *_: object) -> None:
        """In the main thread, which serves; other threads were told when they began."""
        sys.setprofile(self.profile if self.what == "calls" else None)
        sys.settrace(self.trace if self.what == "instructions" else None)


def _listen(counter: Counter, out: int) -> None:
    """This thread is not counted."""
    sys.setprofile(None)
    sys.settrace(None)
    for line in sys.stdin:
        word = line.strip()
        if word == "count":
            os.write(out, f"{counter.total}\n".encode())
        else:
            counter.what = word
            os.kill(os.getpid(), signal.SIGUSR1)


def main() -> int:
    die_with_parent()
    counter = Counter()
    signal.signal(signal.SIGUSR1, counter.begin)
    out = os.dup(1)
    os.dup2(2, 1)  # whatever is printed otherwise is log
    threading.Thread(target=_listen, args=(counter, out), daemon=True).start()
    threading.setprofile(counter.profile)
    threading.settrace(counter.trace)
    from gateway.cli import main as yimen

    words = sys.argv[1:]
    if words[:1] == ["bare"]:
        from bench.bare import put_together

        put_together(evidence=False)
        del words[0]
    sys.argv = ["yimen", *words]
    return int(yimen() or 0)


if __name__ == "__main__":
    raise SystemExit(main())
