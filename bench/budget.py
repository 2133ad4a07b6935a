"""`python -m bench.budget [--write]`: how much Python one request runs, beside what it may. See bench.counted.

Counts, not times: they are the same on a slow and on a busy machine, and grow with every call and every field somebody
adds to the road of a request. The smallest of several requests counts, so that what runs beside them (the ledger's keeper,
floods, alarms) does not. Beside whole requests stands what one more person and one more leaf adds to a list: a single await
a leaf is a few percent of a request, and half as much again of a leaf. `--write` makes what is measured now the budget of this
Python version, in bench/budget.json.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import yimen
from bench.people import LIST, RECORDS
from bench.questions import Question, questions
from demo.ports import free_port

FILE = Path(__file__).parent / "budget.json"
PYTHON = (
    f"{sys.version_info.major}.{sys.version_info.minor}"  # another one compiles the same source to other instructions
)
TOLERANCE = {"list": 0.10, "one": 0.10, "person": 0.10, "leaf": 0.20}  # a leaf takes about four calls
# Where columns are worked out as a whole one more costs next to nothing, or less. Of a leaf as much as lets a machine that is
# busy elsewhere pass (a hundred calls of a list) and one call more a leaf not.
_LEAST = {"person": 1.0, "leaf": 1.4}
KINDS: Mapping[str, tuple[str, ...]] = {"everything on": (), "bare": ("bare",)}
# Python 3.12 tells a tracer of no instruction unless its frames were marked before tracing began.
WHAT = ("calls",) if sys.version_info[:2] == (3, 12) else ("calls", "instructions")
_PORTS = range(19_400, 31_000)  # anywhere in it, for several of these may run at a time
_WARM_UP = 4
_COUNTED = {"calls": 14, "instructions": 6}
_READY_S, _ANSWER_S, _SETTLE_S = 90.0, 60.0, 0.03

Counts = Mapping[str, Mapping[str, Mapping[str, int]]]
"""Kind -> question -> calls | instructions -> of one request. `narrow` is the list with one leaf of each record."""


class NotCounted(Exception):
    """A gateway did not start or answered wrongly; the message says what."""


class _Counted:
    """A gateway that counts, and one connection to it."""

    def __init__(self, home: Path, words: Sequence[str], upstream: str, port: int) -> None:
        prepared = yimen.prepare(home, upstream, port)
        self._headers: Callable[[], Mapping[str, str]] = (
            dict if words else prepared.asker.headers
        )  # bare asks for none: with a door it would not answer
        self._log = home / "log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                (sys.executable, "-m", "bench.counted", *words, "serve"), env=dict(prepared.env), text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)

    def begin(self, what: str) -> None:
        """From the next request on."""
        self._tell(what)

    def total(self) -> int:
        self._tell("count")
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def until_ready(self) -> None:
        until = time.monotonic() + _READY_S
        while True:
            try:
                return self._connection.connect()
            except OSError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise NotCounted(f"it does not start: {self._log.read_text(errors='replace')[-600:]}") from None
                time.sleep(0.1)

    def ask(self, question: Question) -> None:
        """Raises NotCounted for anything but a right answer."""
        headers = {**self._headers(), "content-type": "application/json"}
        self._connection.request("POST", "/graphql", question.body, headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200 or (wrong := question.wrong(body)):
            raise NotCounted(f"{question.name}: {answer.status} {wrong if answer.status == 200 else body[:300]!r}")

    def close(self) -> None:
        self._connection.close()
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _tell(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()


def counted(home: Path) -> Counts:
    """Both kinds at once, each a process of its own. Raises NotCounted."""
    taken: set[int] = set()
    ports = [free_port(random.choice(_PORTS), taken, lambda _: None, "budget") for _ in range(1 + len(KINDS))]
    upstream = subprocess.Popen((sys.executable, "-m", "bench.upstreams", "--port", str(ports[0])))
    gateways: dict[str, _Counted] = {}
    try:
        for (kind, words), port in zip(KINDS.items(), ports[1:], strict=True):
            place = home / kind.replace(" ", "-")
            place.mkdir(parents=True, exist_ok=True)
            gateways[kind] = _Counted(place, words, f"http://127.0.0.1:{ports[0]}", port)
        with ThreadPoolExecutor(len(gateways)) as pool:
            return dict(zip(gateways, pool.map(_counts, gateways.values()), strict=True))
    finally:
        for gateway in gateways.values():
            gateway.close()
        upstream.terminate()
        upstream.wait()


def _counts(gateway: _Counted) -> Mapping[str, Mapping[str, int]]:
    asked = {**questions(purpose=True), "narrow": questions(purpose=True, leaves=1)["list"]}
    found: dict[str, dict[str, int]] = {name: {} for name in asked}
    gateway.until_ready()
    for question in asked.values():
        for _ in range(_WARM_UP):
            gateway.ask(question)
    for what in WHAT:
        gateway.begin(what)
        for name, question in asked.items():
            if name == "narrow" and what != "calls":
                continue
            gateway.ask(question)
            found[name][what] = min(_each(gateway, question, _COUNTED[what]))
    return found


def _each(gateway: _Counted, question: Question, requests: int) -> list[int]:
    """What each of some requests added, with what was done for it after its answer had left."""
    counts = []
    time.sleep(_SETTLE_S)
    before = gateway.total()
    for _ in range(requests):
        gateway.ask(question)
        time.sleep(_SETTLE_S)
        counts.append((now := gateway.total()) - before)
        before = now
    return counts


def figures(counts: Mapping[str, Mapping[str, int]]) -> Mapping[str, Mapping[str, float]]:
    """What has a budget: both questions, and how many calls one more person and one more leaf adds to the list."""
    wide, narrow, one = (counts[name]["calls"] for name in ("list", "narrow", "one"))
    leaves = LIST * (sum(map(len, RECORDS.values())) - len(RECORDS))  # those `narrow` does without
    return {
        "list": counts["list"],
        "one": counts["one"],
        "person": {"calls": round((wide - one) / (LIST - 1), 1)},
        "leaf": {"calls": round((wide - narrow) / leaves, 2)},
    }


def over(found: Counts, budget: Counts) -> list[str]:
    """What runs more than it may, said so that somebody can act on it."""
    said = []
    for kind, allowed in budget.items():
        now_by = figures(found[kind])
        for name, by_what in figures(allowed).items():
            for what, may in by_what.items():
                now = now_by[name][what]
                most = max(may, _LEAST.get(name, 0)) * (1 + TOLERANCE[name])
                if now > most:
                    said.append(f"{kind}, {name}: {now:,} {what}, budget {may:,} (at most {most:,.4g})")
    return said


def least(one: Counts, other: Counts) -> Counts:
    """The smaller of both, each for itself."""
    return {
        kind: {
            question: {what: min(count, other[kind][question][what]) for what, count in by_what.items()}
            for question, by_what in by_question.items()
        }
        for kind, by_question in one.items()
    }


def budget() -> Counts | None:
    """Of this Python version; None where nobody has counted on it yet."""
    return _budgets().get(PYTHON)


def _budgets() -> dict[str, Counts]:
    kept: dict[str, Counts] = json.loads(FILE.read_text("utf-8"))
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.budget", description="how much Python one request runs")
    parser.add_argument("--write", action="store_true", help=f"what is measured now becomes {FILE.name}")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yimen-budget-") as home:
        found = counted(Path(home))
    for kind, counts in found.items():
        for name, by_what in figures(counts).items():
            print(f"{kind:14} {name:6}", *(f"{what} {count:,}" for what, count in by_what.items()))
    if given.write:
        FILE.write_text(json.dumps({**_budgets(), PYTHON: found}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return 0
    if (may := budget()) is None:
        print(f"no budget was counted on Python {PYTHON} yet: --write", file=sys.stderr)
        return 1
    too_much = over(found, may)
    print("\n".join(too_much) or "within budget")
    return 1 if too_much else 0


if __name__ == "__main__":
    raise SystemExit(main())
