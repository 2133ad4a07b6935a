"""What a full audit costs: `python -m bench.ledger_audit [--entries N]`. The log is made once, under var/bench."""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from ledger.checkpoint import Checkpoint
from ledger.encoding import b64
from ledger.merkle import Frontier, Node, leaf_hash
from ledger.note import COSIGNATURE, ED25519, Signer, sign_note
from ledger.tiles import ENTRIES, WIDTH, Tile, encode_bundle

FOLDER = Path("var/bench/ledger_audit")
ORIGIN = "bench.example/2026"
Run = dict[str, float]
"""`seconds`, and `more_mib`: at the peak above what the interpreter takes with everything imported."""
KINDS = ("query", "query", "query", "refusal", "consent", "alert")


def entry(number: int, at: datetime) -> bytes:
    """As `bytes(Entry(...))` writes it, without taking its time; the audit would refuse any other form."""
    commitment = b64(sha256(number.to_bytes(8, "big")).digest())
    when = (at + timedelta(milliseconds=300 * number)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f'{{"actor":"ORG-{number % 37}","commitment":"{commitment}","kind":"{KINDS[number % len(KINDS)]}",'
        f'"time":"{when}","v":1}}'
    ).encode()


def make(folder: Path, count: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    at, frontier = datetime(2026, 1, 1, tzinfo=UTC), Frontier()
    levels: dict[int, bytearray] = {}

    def completed(node: Node, value: bytes) -> None:
        levels.setdefault(node.height // 8, bytearray()).extend(value)

    for n in range(-(-count // WIDTH)):
        held = [entry(number, at) for number in range(n * WIDTH, min((n + 1) * WIDTH, count))]
        leaves = [leaf_hash(one) for one in held]
        frontier = frontier.extended(leaves, completed)
        _write(folder, Tile(ENTRIES, n, len(held)), encode_bundle(held))
        _write(folder, Tile(0, n, len(held)), b"".join(leaves))
    for level, hashes in levels.items():
        for n, start in enumerate(range(0, len(hashes), 32 * WIDTH)):
            part = bytes(hashes[start : start + 32 * WIDTH])
            _write(folder, Tile(level, n, len(part) // 32), part)
    log, witness = Signer(ORIGIN, ED25519, bytes(32)), Signer("bench.example/w", COSIGNATURE, bytes([1]) * 32)
    text = Checkpoint(ORIGIN, frontier.size, frontier.root()).text
    note = sign_note(text, [log]).with_signatures([witness.sign(text, 1_767_225_600)])
    (folder / "policy").write_text(f"log {log.key}\nwitness w {witness.key}\nquorum w\n")
    (folder / "checkpoint").write_bytes(bytes(note))


def made(count: int) -> Path:
    """The log of so many entries, made where it is not there yet."""
    folder = FOLDER / str(count)
    if not (folder / "checkpoint").exists():
        began = time.perf_counter()
        make(folder, count)
        print(f"made {count} entries in {time.perf_counter() - began:.1f} s under {folder}", file=sys.stderr)
    return folder


def _write(folder: Path, tile: Tile, data: bytes) -> None:
    path = folder / tile.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def measure(where: str, folder: Path, *more: str) -> Run:
    """In a process of its own."""
    program = (
        "import json, re, sys, time\n"
        "from ledger.audit.command import main\n"
        "def peak(): return int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) / 1024\n"
        "start, began = peak(), time.perf_counter()\n"
        "code = main(sys.argv[1:])\n"
        "took = time.perf_counter() - began\n"
        "print(json.dumps({'code': code, 'seconds': took, 'start_mib': start, 'more_mib': peak() - start}))\n"
    )
    run = [sys.executable, "-c", program, "audit", where, "--policy", str(folder / "policy"), "--quiet", *more]
    done = subprocess.run(run, check=True, capture_output=True, text=True)
    found: Run = json.loads(done.stdout.splitlines()[-1])
    if found["code"] != 0:
        raise SystemExit(done.stdout)
    return found


def served(folder: Path) -> Iterator[str]:
    """In a process of its own, as a log would be."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if (child := os.fork()) == 0:
        server.serve_forever()
    threading.Event().wait(0.1)
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--entries", type=int, default=1_000_000)
    asked.add_argument("--runs", type=int, default=3)
    said = asked.parse_args()
    folder = made(said.entries)
    state = folder.with_suffix(".state")
    print(
        f"{said.entries} entries, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; best and worst of {said.runs}"
    )
    print(f"{'what':34} {'best s':>8} {'worst s':>8} {'entries/s':>10} {'MiB':>6} above the start")
    for name, more in (("directory, no state", ()), ("directory, state made", ("--state", str(state)))):
        _row(name, [_anew(state, str(folder), folder, *more) for _ in range(said.runs)], said.entries)
    runs = [measure(str(folder), folder, "--state", str(state)) for _ in range(said.runs)]
    _row("directory, full against the state", runs, said.entries)
    runs = [measure(str(folder), folder, "--state", str(state), "--new") for _ in range(said.runs)]
    _row("directory, nothing new", runs, said.entries)
    for url in served(folder):
        _row("loopback HTTP", [measure(url, folder) for _ in range(said.runs)], said.entries)


def _anew(state: Path, where: str, folder: Path, *more: str) -> Run:
    state.unlink(missing_ok=True)
    return measure(where, folder, *more)


def _row(name: str, runs: list[Run], count: int) -> None:
    seconds = sorted(run["seconds"] for run in runs)
    print(
        f"{name:34} {seconds[0]:8.2f} {seconds[-1]:8.2f} {count / seconds[0]:10.0f} {max(r['more_mib'] for r in runs):6.1f}"
    )


if __name__ == "__main__":
    main()
