"""Several processes behind one port: started, replaced when they die, drained together, and none left behind."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import structlog

_log = structlog.get_logger("yimen.workers")
_GRACE_S = 15.0  # beyond the drain: closing sources, the last traces, the database
_LONGEST_PAUSE_S = 30.0
_READY = b"ready"

Work = Callable[[int, Callable[[], None]], int]
"""A worker's whole life: takes its number, and what to call once it can answer; returns the exit code. Picklable.

Numbers run from 0; two workers never have the same at the same time, and what takes a dead one's place takes its number.
While workers are replaced there is one more, so one more number. SIGUSR2 asks a worker to retire (`DrainingServer.retire`).
"""


@dataclass(slots=True, eq=False)
class _Worker:
    slot: int
    process: BaseProcess
    line: Connection  # its end tells the worker that we are gone
    ready: bool = False
    replaces: _Worker | None = None  # who retires once this one is ready
    retiring: bool = False


class Workers:
    """`run()` ends when every worker has ended: after SIGTERM or SIGINT, or when the first ones cannot start at all.

    `first_ready` is called once, when the first of them takes requests. A second SIGTERM is handed on and cuts the drain
    short. SIGHUP is handed on. What is not gone `drain_s` and a grace after the first is killed, and the exit code is 1.

    SIGUSR2 replaces them one by one: a new one starts, and once it takes requests the old one retires. One that does not
    start ends the replacing, and the old ones stay.
    """

    def __init__(
        self, work: Work, count: int, listener: socket.socket, *, drain_s: float, first_ready: Callable[[], None]
    ) -> None:
        self._work, self._count, self._listener, self._drain_s = work, count, listener, drain_s
        self._first_ready = first_ready
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._to_replace: deque[_Worker] = deque()
        self._due: list[tuple[float, int]] = []  # when to start which replacement, on the monotonic clock
        self._signals: deque[int] = deque()
        self._kill_at: float | None = None
        self._lived = False
        self._deaths = self._code = 0

    def run(self) -> int:
        awake, wake = socket.socketpair()
        awake.setblocking(False)
        wake.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
            signal.signal(number, lambda number, _frame: self._signals.append(number))
        try:
            for slot in range(self._count):
                self._start(slot)
            while self._workers or self._kill_at is None:
                self._turn(awake)
        finally:
            signal.set_wakeup_fd(-1)
            for worker in self._workers:
                worker.process.kill()
        return self._code

    def _start(self, slot: int, replaces: _Worker | None = None) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_live, args=(self._work, slot, theirs, self._drain_s + _GRACE_S))
        process.start()
        theirs.close()
        self._workers.append(_Worker(slot, process, ours, replaces=replaces))

    def _replace_next(self) -> None:
        """Start what takes the next one's place; nothing where one is being replaced, or none is left to be."""
        if self._kill_at is not None or any(one.retiring or one.replaces is not None for one in self._workers):
            return
        while self._to_replace:
            old = self._to_replace.popleft()
            if old in self._workers:
                taken = {one.slot for one in self._workers} | {slot for _, slot in self._due}
                self._start(next(slot for slot in range(self._count + len(taken) + 1) if slot not in taken), old)
                return
        _log.info("workers_replaced")

    def _turn(self, awake: socket.socket) -> None:
        """Wait for whatever comes next, and see to all of it."""
        times = [*(at for at, _ in self._due), *([self._kill_at] if self._kill_at is not None else [])]
        timeout = max(0.0, min(times) - time.monotonic()) if times else None
        lines = [worker.line for worker in self._workers if not worker.ready]
        connection.wait([awake, *lines, *(worker.process.sentinel for worker in self._workers)], timeout)
        with contextlib.suppress(BlockingIOError):
            awake.recv(4096)
        while self._signals:
            self._signalled(self._signals.popleft())
        for worker in list(self._workers):
            self._look_at(worker)
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            self._start(self._due.pop(0)[1])
        if self._kill_at is not None and now >= self._kill_at:
            self._code = 1
            for worker in self._workers:
                worker.process.kill()

    def _signalled(self, number: int) -> None:
        if number == signal.SIGHUP:
            for worker in self._workers:
                if worker.ready:  # one that starts reads everything anew anyway, and does not yet know the signal
                    _send(worker, signal.SIGHUP)
        elif number == signal.SIGUSR2:
            if self._lived and not self._to_replace:
                self._to_replace.extend(self._workers)
                self._replace_next()
        else:
            self._stop()

    def _stop(self) -> None:
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._drain_s + _GRACE_S
            self._due.clear()
            self._to_replace.clear()
            self._listener.close()  # ours would keep the port open after the last worker has closed its own
        for worker in self._workers:
            _send(worker, signal.SIGTERM)

    def _look_at(self, worker: _Worker) -> None:
        with contextlib.suppress(EOFError, OSError):
            if not worker.ready and worker.line.poll() and worker.line.recv_bytes() == _READY:
                if not self._lived:
                    self._first_ready()
                worker.ready = self._lived = True
                if worker.replaces in self._workers:
                    worker.replaces.retiring = True
                    _send(worker.replaces, signal.SIGUSR2)
                elif worker.replaces is not None:  # it died in the meantime
                    worker.replaces = None
                    self._replace_next()
        if worker.process.is_alive():
            return
        self._workers.remove(worker)
        worker.line.close()
        if self._kill_at is not None:
            return
        heir = next((one for one in self._workers if one.replaces is worker), None)
        if heir is not None:  # retired, or died while its successor started
            if heir.ready:
                heir.replaces = None
                self._replace_next()
            return
        _log.error("worker_died", worker=worker.slot, exit_code=worker.process.exitcode, was_ready=worker.ready)
        if worker.replaces is not None and not worker.ready:
            _log.error("replacing_given_up", worker=worker.slot)
            self._to_replace.clear()
            return
        if not self._lived:
            self._code = 1
            self._stop()
            return
        # The first is replaced at once; where they keep dying, something else is wrong and haste would add to it.
        self._deaths = 0 if worker.ready else self._deaths + 1
        pause = min(_LONGEST_PAUSE_S, 2.0**self._deaths) if self._deaths else 0.0
        self._due = sorted([*self._due, (time.monotonic() + pause, worker.slot)])


def _send(worker: _Worker, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        if worker.process.pid is not None and worker.process.is_alive():
            os.kill(worker.process.pid, number)


def _live(work: Work, slot: int, line: Connection, patience_s: float) -> None:
    """A worker, from its first line to its exit."""
    os.setpgid(0, 0)  # Ctrl-C reaches the parent alone: a signal from each would count as two and cut the drain short
    for early in (signal.SIGHUP, signal.SIGUSR2):
        signal.signal(early, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, args=(line, patience_s), daemon=True).start()
    raise SystemExit(work(slot, lambda: line.send_bytes(_READY)))


def _end_with_the_parent(line: Connection, patience_s: float) -> None:
    """The line ends when the parent does, however that comes about; nobody would replace, drain or stop us then."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            line.recv_bytes()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(patience_s)
    os._exit(1)
