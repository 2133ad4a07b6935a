"""What `yimen witness` does, on an agency's own machine: no settings, no database, no master key of the gateway."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

from gateway.errors import GatewayError
from ledger.encoding import is_key_name
from ledger.errors import LedgerError
from ledger.note import COSIGNATURE, Signer
from ledger.witness.config import WitnessConfig, log_key, read_config, read_key
from ledger.witness.files import FileStates, count_splits, create_directory, read_states
from ledger.witness.witness import Witness

_log = logging.getLogger("yimen.witness")


class WitnessRefused(GatewayError):
    """The command cannot be done; the message says what to put right."""

    code = "WITNESS_REFUSED"


def new_key(name: str, file: Path) -> str:
    """Make a key of its own for a witness; its vkey. Never replaces a file."""
    if not is_key_name(name):
        raise WitnessRefused("a name has no spaces and no plus; take one like ga.example.gov/witness")
    signer = Signer(name, COSIGNATURE, os.urandom(32))
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(signer.secret() + "\n")
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise WitnessRefused(f"{file}: {error.strerror}") from None
    return str(signer.key)


def show_key(file: Path) -> str:
    try:
        return str(read_key(file).key)
    except LedgerError as error:
        raise WitnessRefused(str(error)) from None


def initialize(directory: Path, config: Path) -> str:
    """An empty memory for the key of `config`; once in that key's life, which a file beside the key remembers."""
    try:
        file = read_config(config).key_file
        key, used = read_key(file).key, file.with_name(f"{file.name}.used")
        if used.exists():
            raise WitnessRefused(
                f"{file} has a memory already, in {used.read_text(encoding='utf-8').strip()}; without it the key is done"
            )
        create_directory(directory, key)
        used.write_text(f"{directory.resolve()}\n", encoding="utf-8")
    except (LedgerError, OSError) as error:
        raise WitnessRefused(str(error)) from None
    return str(key)


def add_log(vkey: str, config: Path) -> list[str]:
    """Watch one more log, or one more key of a log; the vkeys there are now. A witness that serves reads it on SIGHUP."""
    try:
        known = read_config(config)
        key = log_key(vkey)
        if key not in known.logs.get(key.name, ()):
            text = config.read_text(encoding="utf-8")
            gap = "" if text.endswith("\n") else "\n"
            draft = config.with_name(f".{config.name}.new")
            draft.write_text(f"{text}{gap}log {vkey}\n", encoding="utf-8")
            draft.chmod(config.stat().st_mode)
            draft.replace(config)
        return list_logs(config)
    except (LedgerError, OSError) as error:
        raise WitnessRefused(str(error)) from None


def list_logs(config: Path) -> list[str]:
    try:
        return [str(key) for keys in read_config(config).logs.values() for key in keys]
    except LedgerError as error:
        raise WitnessRefused(str(error)) from None


def status(directory: Path, config: Path) -> list[str]:
    """What is remembered, read from the files; the witness may be serving meanwhile."""
    from datetime import UTC, datetime

    try:
        known = read_config(config)
        key = read_key(known.key_file).key
        states = read_states(directory, key)
    except LedgerError as error:
        raise WitnessRefused(str(error)) from None
    lines = [str(key)]
    for origin in sorted({*known.logs, *states}):
        last = states.get(origin)
        seen = "尚未见过 nothing seen yet"
        if last is not None:
            when = datetime.fromtimestamp(min(last.at, 253402300799), UTC)
            seen = f"{last.checkpoint.size} 条 entries, {when:%Y-%m-%dT%H:%M:%SZ}"
        lines.append(f"{origin}  {seen}" + ("" if origin in known.logs else "  (未登记 not registered any more)"))
    if splits := count_splits(directory):
        lines.append(f"!! 同一条数两个摘要 two roots for one size: {splits}, {directory / 'splits'}")
    return lines


def serve(directory: Path, config: Path, host: str, port: int) -> int:
    """Until SIGTERM or SIGINT; SIGHUP reads the logs of `config` anew. Raises WitnessRefused before anything is served."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # one that comes too early must not end what is starting
    try:
        known = read_config(config)
        signer = read_key(known.key_file)
        states = FileStates(directory, signer.key)
    except LedgerError as error:
        raise WitnessRefused(str(error)) from None
    try:
        witness = Witness(signer, known.logs, states)
        with _listening(host, port) as listener:
            asyncio.run(_serve(witness, states, directory, config, listener))
    finally:
        states.close()
    return 0


async def _serve(witness: Witness, states: FileStates, directory: Path, config: Path, listener: socket.socket) -> None:
    import uvicorn

    from gateway.web.http_protocol import bounded
    from gateway.web.settings import WebSettings
    from gateway.web.witness import Look, witness_app
    from ledger.witness.request import LARGEST_BODY

    class Server(uvicorn.Server):
        """Ends with 0 when it is asked to; uvicorn's own would die of the signal."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            host, port = listener.getsockname()[:2]
            print(f"yimen witness: http://{host}:{port}  {witness.key}", file=sys.stderr, flush=True)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            self.force_exit = self.should_exit
            self.should_exit = True

    bounds = WebSettings(body_bytes=LARGEST_BODY, connections=256, keep_alive_s=75)
    app = witness_app(witness, Look(states.last, lambda: count_splits(directory)))
    server = Server(
        uvicorn.Config(
            app, http=bounded(bounds), ws="none", lifespan="off", log_config=None, log_level="warning", access_log=False,
            proxy_headers=False, server_header=False, timeout_keep_alive=bounds.keep_alive_s, timeout_graceful_shutdown=5,
        )
    )  # fmt: skip
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _reload, witness, config)
    await server.serve(sockets=[listener])


def _reload(witness: Witness, config: Path) -> None:
    """The key stays: another key is another witness, with a memory of its own."""
    try:
        known: WitnessConfig = read_config(config)
        if read_key(known.key_file).key != witness.key:
            raise WitnessRefused("the key changed; that takes a new directory and a restart")
    except (LedgerError, WitnessRefused) as error:
        _log.error("not read anew, the logs stay as they were: %s", error)
        return
    witness.logs = known.logs
    _log.info("read anew: %d logs", len(known.logs))


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio sets no TCP_NODELAY
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise WitnessRefused(f"{host}, port {port}: {error.strerror}") from None
    return listener
