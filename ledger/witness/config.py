"""What an agency tells its witness: where its key is, and which logs to watch.

# anything after a # is a remark
key ga.key                    a file; relative to this one
log <vkey> [url]              as in a policy file; several with one name while a log changes its key
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ledger.errors import Malformed, Unreadable
from ledger.note import COSIGNATURE, ED25519, MLDSA44, Signer, VerifierKey, parse_signer, parse_vkey


@dataclass(frozen=True, slots=True)
class WitnessConfig:
    """`logs`: origin -> keys that sign for it."""

    key_file: Path
    logs: dict[str, tuple[VerifierKey, ...]]


def read_config(path: Path) -> WitnessConfig:
    """Raises Unreadable, or Malformed with the line that is at fault."""
    key_file: Path | None = None
    logs: dict[str, tuple[VerifierKey, ...]] = {}
    for number, line in enumerate(_text(path).split("\n"), 1):
        words = line.partition("#")[0].split()
        try:
            match words:
                case []:
                    pass
                case ["key", name] if key_file is None:
                    key_file = path.parent / name
                case ["log", vkey] | ["log", vkey, _]:
                    key = log_key(vkey)
                    if key in logs.get(key.name, ()):
                        raise Malformed("the same key twice")
                    logs[key.name] = (*logs.get(key.name, ()), key)
                case _:
                    raise Malformed("neither `key FILE`, once, nor `log VKEY`")
        except Malformed as error:
            raise Malformed(f"{path}, line {number}: {error}") from None
    if key_file is None:
        raise Malformed(f"{path}: there is no line `key FILE`")
    return WitnessConfig(key_file, logs)


def log_key(vkey: str) -> VerifierKey:
    """Raises Malformed, also for a key that signs no checkpoints."""
    key = parse_vkey(vkey)
    if key.type not in (ED25519, MLDSA44):
        raise Malformed("not a key logs sign with")
    return key


def read_key(path: Path) -> Signer:
    """Raises Unreadable, also where everybody on the machine could read it, and Malformed."""
    signer = parse_signer(_text(path))
    if path.stat().st_mode & 0o007:
        raise Unreadable(f"{path} is open to everybody on this machine: chmod 600 {path}")
    if signer.type != COSIGNATURE:
        raise Malformed(f"{path} holds a log's key; a witness has one of its own kind")
    return signer


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Unreadable(f"{path}: {reason}") from None
