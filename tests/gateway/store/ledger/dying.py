"""A process that appends, sequences, signs and publishes until it is killed, over and over: `python -m` this with one JSON.

It forks before anything is opened, so that each round costs what the work costs and no start of an interpreter. What was
acknowledged, and every note that was signed, goes to a file at once: that is what the world outside remembers.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from gateway.clock import SystemClock
from gateway.services.ledger.ports import NotLeading
from gateway.settings import Settings
from gateway.store.alerts import StoredAlerts
from gateway.store.changes import record_change
from gateway.store.engine import Database, open_database
from gateway.store.errors import StoreUnavailable
from gateway.store.keys import open_keys
from gateway.store.ledger.log import StoredLog
from ledger.checkpoint import Checkpoint
from ledger.note import sign_note
from tests.gateway.store.ledger.appending import NAME, YEAR, append, waiting

STEPS = (
    "sequence/found", "sequence/entered", "sequence/taken", "sequence/grown", "sequence/committed",
    "checkpoint/signed", "checkpoint/written", "checkpoint/kept", "cosignatures/written", "cosignatures/kept",
    "checkpoint/published",
)  # fmt: skip
KILLED, OVERTAKEN = 9, 3
MASTER_KEY = bytes(range(32))


async def open_log(url: str, steps: Callable[[str], None]) -> tuple[Database, StoredLog]:
    """Without what the rest of a store needs to open."""
    database = open_database(Settings(database_url=url, master_key=MASTER_KEY, demo=True, database_pool=4))
    clock = SystemClock()
    keys = await open_keys(database, MASTER_KEY, clock)
    raise_within = StoredAlerts(database, clock).raise_within
    log = StoredLog(database, keys, clock, raise_within, record_change, longest_delay_s=60, steps=steps)
    await log.open(NAME, YEAR)
    return database, log


async def work(url: str, said: Callable[[str, str], None], steps: Callable[[str], None]) -> NoReturn:
    """As a keeper does it. Ends by being killed, or with OVERTAKEN."""
    database, log = await open_log(url, steps)
    chance = random.Random()
    while not await log.lead():
        await asyncio.sleep(0.005)
    while True:
        rows = waiting(chance.choice((1, 3, 40, 300)))
        await append(database, rows)
        said("ack", " ".join(row["id"] for row in rows))
        try:
            while await log.sequence(chance.choice((7, 256, 1000))):
                pass
            tree = await log.tree()
            note = sign_note(Checkpoint(tree.origin, tree.size, tree.root).text, await log.signers())
            said("note", bytes(note).hex())
            await log.keep_checkpoint(tree, note)
            await log.keep_cosignatures(tree.shard, tree.size, {"ga": "line"}, sealed=True)
            await log.publish(tree.shard, tree.size)
        except (NotLeading, StoreUnavailable):
            os._exit(OVERTAKEN)


def forget_what_was_torn(memory: Path) -> None:
    """Whoever is killed while saying something (the kernel cuts a write short between two pages) has not said it."""
    if memory.exists():
        said = memory.read_bytes()
        os.truncate(memory, said.rfind(b"\n") + 1)


def child(url: str, memory: Path, steps: Callable[[str], None]) -> int:
    """Its process id."""
    forget_what_was_torn(memory)
    pid = os.fork()
    if pid == 0:
        try:
            remembered = os.open(memory, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

            def said(kind: str, what: str) -> None:
                os.write(remembered, f"{kind} {what}\n".encode())

            asyncio.run(work(url, said, steps))
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(1)
    return pid


def _dies_at(step: str, count: int) -> Callable[[str], None]:
    left = [count]

    def at(name: str) -> None:
        if name == step:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(10)

    return at


def _alive(_step: str) -> None: ...


def main(given: dict[str, Any]) -> None:
    url, memory, chance = given["url"], Path(given["memory"]), random.Random(given.get("seed"))
    ended: dict[str, int] = {}
    for step, count in given.get("at", []):
        _, status = os.waitpid(child(url, memory, _dies_at(step, count)), 0)
        ended[step] = ended.get(step, 0) + (os.WIFSIGNALED(status) and os.WTERMSIG(status) == KILLED)
    longest_s = max(given["longest_s"], 2 * _first_s(url, memory)) if given.get("rounds") else 0.0
    until = time.monotonic() + given.get("most_s", 0)
    for _ in range(given.get("rounds", 0)):
        if time.monotonic() > until:
            break
        pid = child(url, memory, _alive)
        time.sleep(chance.uniform(0, longest_s))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        ended["random"] = ended.get("random", 0) + (os.WIFSIGNALED(status) and os.WTERMSIG(status) == KILLED)
    forget_what_was_torn(memory)
    if given.get("stop_at"):
        _stopped(url, memory, given["stop_at"])
    print(json.dumps(ended))


def _first_s(url: str, memory: Path) -> float:
    """How long one takes until its first record is acknowledged: on a slow machine, longer than the others would live."""
    began = time.monotonic()
    pid = child(url, memory, _alive)
    while not memory.exists() or not memory.read_bytes().startswith(b"ack"):
        if time.monotonic() - began > 60:
            raise TimeoutError("nothing was acknowledged")
        time.sleep(0.005)
    took = time.monotonic() - began
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return took


def _stopped(url: str, memory: Path, step: str) -> None:
    """A leader that stops in the middle, is told of by a line, and goes on when a line comes back."""

    def stops(name: str) -> None:
        if name == step:
            os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(0.2)  # a stop reaches another thread first: this one must not walk on into the transaction

    pid = child(url, memory, stops)
    os.waitpid(pid, os.WUNTRACED)
    print("stopped", flush=True)
    sys.stdin.readline()
    os.kill(pid, signal.SIGCONT)
    until = time.monotonic() + 20
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
        if ended and os.WIFSTOPPED(status):  # it stops at each such step: it would write once more
            os.kill(pid, signal.SIGCONT)
        elif ended or time.monotonic() > until:
            print(json.dumps(os.waitstatus_to_exitcode(status) if ended else None), flush=True)
            return
        time.sleep(0.01)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
