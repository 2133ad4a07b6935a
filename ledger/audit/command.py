"""`python -m ledger`, and `yimen-auditor.pyz`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ledger.audit import files, manual
from ledger.audit.entries import Line
from ledger.audit.exhibit import new_name, write_exhibit
from ledger.audit.findings import Fault, Finding, Outcome
from ledger.audit.http import Http
from ledger.audit.plain import plain
from ledger.audit.proving import NoSuchEntry, prove
from ledger.audit.render import Bar, as_json, finding_as_json, finding_in_words, in_words
from ledger.audit.run import Asked, Report, Watch, audit
from ledger.audit.source import Directory, Lost, NoCheckpoint, Source, Unreachable, read_checkpoint
from ledger.audit.texts import LINES, both
from ledger.checkpoint import parse_checkpoint
from ledger.encoding import b64
from ledger.errors import InvalidProof, InvalidSignature, LedgerError, Malformed, PolicyUnsatisfied, Unreadable
from ledger.note import parse_note
from ledger.policy import Policy, parse_policy, require, verify_checkpoint


class Misused(Exception):
    """`str()` is what the person reads."""


def main(argv: Sequence[str]) -> int:
    """Runs one command and returns its exit code, see `findings.Outcome`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    asked = _parser().parse_args(argv)
    try:
        return int(asked.run(asked))
    except Misused as error:
        print(plain(str(error)), file=sys.stderr)
        return int(Outcome.USAGE)
    except BrokenPipeError:  # whoever read has heard enough; nothing more can be said, at exit neither
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Outcome.UNCHECKED)
    except KeyboardInterrupt:
        print(both(LINES["stopped"]), file=sys.stderr)
        return int(Outcome.UNCHECKED)


def _audit(asked: argparse.Namespace) -> Outcome:
    policy = _policy(asked)
    if policy is None:
        raise Misused(both(LINES["needs_policy"]))
    source, bar = _source(asked.where, asked.ca), Bar() if sys.stderr.isatty() and not asked.quiet else None
    run = Asked(policy, asked.state, asked.new, asked.also, asked.previous)
    watch = Watch(bar, _print_entry if asked.entries else None)
    began = time.monotonic()
    try:
        report = audit(source, run, lambda where: _source(where, asked.ca), watch)
    finally:
        source.close()
        if bar is not None:
            bar.done()
    seconds = time.monotonic() - began
    exhibit, written = _exhibit(asked, report)
    if asked.json:
        _print_json(as_json(report, where=asked.where, seconds=seconds, exhibit=str(exhibit) if written else None))
    elif report.outcome is not Outcome.FINE or not asked.quiet:
        print(plain(in_words(report, seconds=seconds, new_only=asked.new, state=asked.state is not None)))
        if exhibit is not None:
            print(both(LINES["exhibit" if written else "exhibit_not_written"], path=exhibit))
    return report.outcome


def _exhibit(asked: argparse.Namespace, report: Report) -> tuple[Path | None, bool]:
    if not any(one.outcome is Outcome.TAMPERED or one.notes for one in report.findings):
        return None, False
    path = asked.exhibit or new_name(asked.state)
    try:
        write_exhibit(path, report, asked.where)
    except OSError:
        return path, False
    return path, True


def _prove(asked: argparse.Namespace) -> Outcome:
    policy, source = _policy(asked), _source(asked.where, asked.ca)
    try:
        proof, entry = prove(source, asked.index)
        if policy is not None:
            require(verify_checkpoint(proof.checkpoint, policy))
    except NoSuchEntry as error:
        raise Misused(both(LINES["bad_option"], option="INDEX", reason=error)) from None
    except LedgerError as error:
        return _failed(asked, error)
    finally:
        source.close()
    _write(asked.entry_out, entry)
    if asked.out is None:
        sys.stdout.write(bytes(proof).decode())
        return Outcome.FINE
    _write(asked.out, bytes(proof))
    if asked.json:
        _print_json(
            {
                "index": proof.index,
                "proof": str(asked.out),
                "entry": entry.decode(),
                "policyChecked": policy is not None,
            }
        )
    elif not asked.quiet:
        print(both(LINES["proof_written" if policy is None else "proof_verified"], index=proof.index, path=asked.out))
    return Outcome.FINE


def _verify(asked: argparse.Namespace) -> Outcome:
    try:
        data, answer = files.read_file(asked.file), asked.answer and files.read_file(asked.answer)
        entry, kept = _entry(asked.entry), asked.receipt and files.read_file(asked.receipt)
    except LedgerError as error:
        raise Misused(str(error)) from None
    verdict = files.verify(data, _policy(asked), entry=entry, answer=answer, kept=kept)
    if asked.json:
        _print_json({"outcome": verdict.outcome.name, "exit": int(verdict.outcome)} | verdict.facts)
    elif verdict.outcome is not Outcome.FINE or not asked.quiet:
        print(plain("\n".join(verdict.lines)))
    return verdict.outcome


def _checkpoint(asked: argparse.Namespace) -> Outcome:
    policy, source = _policy(asked), _source(asked.where, asked.ca)
    try:
        note = parse_note(read_checkpoint(source))
        checkpoint = parse_checkpoint(note.text)
        believed = verify_checkpoint(note, policy) if policy is not None else None
        if believed is not None:
            require(believed)
    except LedgerError as error:
        return _failed(asked, error)
    finally:
        source.close()
    known = {"origin": checkpoint.origin, "size": checkpoint.size, "root": b64(checkpoint.root)}
    names = [one.name for one in note.signatures]
    if asked.json:
        witnesses = dict(believed.witnesses) if believed else None
        _print_json(known | {"signatures": names, "witnesses": witnesses, "note": bytes(note).decode()})
    elif not asked.quiet:
        print(plain(both(LINES["checkpoint"], **known)))
        print(plain(both(LINES["signed_by"], names=", ".join(names))))
        print(both(LINES["satisfied" if believed else "unverified"]))
    return Outcome.FINE


def _failed(asked: argparse.Namespace, error: LedgerError) -> Outcome:
    faults = {
        NoCheckpoint: Fault.NO_CHECKPOINT, Lost: Fault.LOST_TILE, Unreachable: Fault.UNREACHABLE,
        InvalidProof: Fault.NOT_PROVEN, InvalidSignature: Fault.BAD_SIGNATURE,
        PolicyUnsatisfied: Fault.MISSING_COSIGNATURES,
    }  # fmt: skip
    fault = next((one for kind, one in faults.items() if isinstance(error, kind)), Fault.BAD_CHECKPOINT)
    finding = Finding(fault, about=str(error), count=0)
    if asked.json:
        _print_json(
            {"outcome": finding.outcome.name, "exit": int(finding.outcome), "findings": [finding_as_json(finding)]}
        )
    else:
        print(plain(finding_in_words(finding)), file=sys.stderr)
    return finding.outcome


def _policy(asked: argparse.Namespace) -> Policy | None:
    """From a file, or from keys alone. Raises Misused."""
    if asked.policy is None and not asked.log_vkey:
        return None
    try:
        if asked.policy is not None:
            return parse_policy(files.read_file(asked.policy).decode())
        return parse_policy(_policy_text(asked.log_vkey, asked.witness_vkey, asked.quorum))
    except (Malformed, Unreadable, UnicodeDecodeError) as error:
        option = "--policy" if asked.policy is not None else "--log-vkey, --witness-vkey, --quorum"
        raise Misused(both(LINES["bad_option"], option=option, reason=error)) from None


def _policy_text(logs: Sequence[str], witnesses: Sequence[str], quorum: int | None) -> str:
    """A witness is called by its key's name; where two have the same, parsing refuses them."""
    lines = [f"log {vkey}" for vkey in logs]
    names = [vkey.partition("+")[0] for vkey in witnesses]
    lines += [f"witness {name} {vkey}" for name, vkey in zip(names, witnesses, strict=True)]
    if names:
        lines.append(f"group Q {len(names) if quorum is None else quorum} {' '.join(names)}")
    lines.append("quorum Q" if names else "quorum none")
    return "\n".join(lines)


def _source(where: str, ca_file: str | None) -> Source:
    """Raises Misused."""
    if "://" not in where:
        return Directory(Path(where))
    try:
        return Http(where, ca_file=ca_file)
    except (Malformed, OSError) as error:
        raise Misused(both(LINES["bad_option"], option="URL", reason=error)) from None


def _entry(given: str | None) -> bytes | None:
    if given is None or given.lstrip().startswith("{"):
        return None if given is None else given.encode()
    return files.read_file(Path(given))


def _write(path: Path | None, data: bytes) -> None:
    if path is not None:
        try:
            path.write_bytes(data)
        except OSError as error:
            raise Misused(f"{path}: {error.strerror}") from None


def _print_json(said: dict[str, Any]) -> None:
    print(plain(json.dumps(said, ensure_ascii=False, indent=1)))


def _print_entry(line: Line) -> None:
    index, at, kind, actor = line
    print(f"{index}\t{at.decode()}\t{kind.decode()}\t{actor.decode()}")


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    says = manual.OPTIONS
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--policy", type=Path, metavar="FILE", help=says["policy"])
    common.add_argument("--log-vkey", action="append", default=[], metavar="VKEY", help=says["log_vkey"])
    common.add_argument("--witness-vkey", action="append", default=[], metavar="VKEY", help=says["witness_vkey"])
    common.add_argument("--quorum", type=int, metavar="N", help=says["quorum"])
    common.add_argument("--ca", metavar="FILE", help=says["ca"])
    common.add_argument("--json", action="store_true", help=says["json"])
    common.add_argument("--quiet", action="store_true", help=says["quiet"])
    name = Path(sys.argv[0]).name if sys.argv[0].endswith(".pyz") else "python -m ledger"
    whole = argparse.ArgumentParser(prog=name, description=manual.COMMANDS[""], formatter_class=form)
    commands = whole.add_subparsers(required=True, metavar="audit | prove | verify | checkpoint")

    def command(name: str, run: object) -> argparse.ArgumentParser:
        made = commands.add_parser(name, parents=[common], description=manual.COMMANDS[name], formatter_class=form)
        made.set_defaults(run=run)
        return made

    one = command("audit", _audit)
    one.add_argument("where", metavar="URL|DIR", help=says["where"])
    one.add_argument("--state", type=Path, metavar="FILE", help=says["state"])
    how = one.add_mutually_exclusive_group()
    how.add_argument("--full", action="store_true", help=says["full"])
    how.add_argument("--new", action="store_true", help=says["new"])
    one.add_argument("--also", action="extend", nargs="+", default=[], metavar="URL|FILE", help=says["also"])
    one.add_argument("--previous", action="extend", nargs="+", default=[], metavar="URL|FILE", help=says["previous"])
    one.add_argument("--exhibit", type=Path, metavar="FILE", help=says["exhibit"])
    one.add_argument("--entries", action="store_true", help=says["entries"])
    one = command("prove", _prove)
    one.add_argument("where", metavar="URL|DIR", help=says["where"])
    one.add_argument("index", type=int, metavar="INDEX", help=says["index"])
    one.add_argument("--out", type=Path, metavar="FILE", help=says["out"])
    one.add_argument("--entry-out", type=Path, metavar="FILE", help=says["entry_out"])
    one = command("verify", _verify)
    one.add_argument("file", type=Path, metavar="FILE", help=says["file"])
    one.add_argument("--entry", metavar="FILE|TEXT", help=says["entry"])
    one.add_argument("--receipt", type=Path, metavar="FILE", help=says["receipt"])
    one.add_argument("--answer", type=Path, metavar="FILE", help=says["answer"])
    one = command("checkpoint", _checkpoint)
    one.add_argument("where", metavar="URL|DIR", help=says["where"])
    return whole
