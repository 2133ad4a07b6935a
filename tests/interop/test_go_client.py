"""An implementation that is not ours reads our notes, tiles, bundles and proofs: Go's sumdb/note and sumdb/tlog."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.note import COSIGNATURE, ED25519, Signature
from ledger.proof import TlogProof
from ledger.witness.request import write_request
from tests.interop.go_client import GoClient, Refused
from tests.interop.static_log import StaticLog, served
from tests.ledger.published import signer

ORIGIN = "ledger.example/2026"
LOG, NEW = signer(ORIGIN, ED25519), signer(ORIGIN, ED25519, 1)
WITNESSES = [signer(f"{name}.example/w", COSIGNATURE) for name in ("ga", "jcy", "fy", "sfj", "jy")]
KEYS = [one.key for one in WITNESSES]


def entries(start: int, end: int) -> list[bytes]:
    return [b'{"n":%d}' % number * (number % 3) for number in range(start, end)]


@pytest.fixture
def log(tmp_path: Path) -> StaticLog:
    return StaticLog(tmp_path / "log", ORIGIN, [LOG], WITNESSES)


@pytest.fixture
def url(log: StaticLog) -> Iterator[str]:
    log.directory.mkdir()
    with served(log.directory) as found:
        yield found


@pytest.mark.parametrize(
    ("size", "tiles", "bundles"),
    [(1, 1, 1), (2, 1, 1), (255, 1, 1), (256, 2, 1), (257, 3, 2), (600, 4, 3), (65536, 258, 256), (70000, 277, 274)],
)
def test_go_reads_a_log_of_any_size(
    go: GoClient, log: StaticLog, url: str, tmp_path: Path, size: int, tiles: int, bundles: int
) -> None:
    log.append(entries(0, size))
    proofs, requests = [], []
    for index in sorted({0, size // 3, size // 2, size - 1}):
        proofs.append(tmp_path / f"{index}.tlog-proof")
        proofs[-1].write_bytes(bytes(log.proof(index)))
    for old in sorted({1, size // 3 or 1, size // 2 or 1, size - 1 or 1, size}):
        requests.append(tmp_path / f"{old}.request")
        requests[-1].write_bytes(write_request(old, log.consistency(old), log.note()))
    found = go(url, [LOG.key], KEYS, quorum=5, proofs=proofs, requests=requests)
    assert (found["origin"], found["size"], found["logs"]) == (ORIGIN, size, 1)
    assert sorted(found["witnesses"]) == sorted(key.name for key in KEYS)
    assert (found["tiles"], found["bundles"]) == (tiles, bundles)
    assert found["inclusion"] >= min(size, 900) + len(proofs)
    assert found["consistency"] >= min(size, 900) + len(requests)


def test_go_follows_a_log_that_grows(go: GoClient, log: StaticLog, url: str, tmp_path: Path) -> None:
    kept, before = [], 0
    for size in (1, 200, 256, 300, 1000):
        note = log.append(entries(before, size))
        found = go(url, [LOG.key], KEYS, quorum=4, old=kept)
        assert found["size"] == size
        kept.append(tmp_path / f"{size}.checkpoint")
        kept[-1].write_bytes(bytes(note))
        before = size


def test_go_believes_either_key_while_one_replaces_the_other(go: GoClient, tmp_path: Path) -> None:
    log = StaticLog(tmp_path / "log", ORIGIN, [LOG, NEW], WITNESSES)
    log.append(entries(0, 10))
    with served(log.directory) as url:
        for known, many in (([LOG.key], 1), ([NEW.key], 1), ([LOG.key, NEW.key], 2)):
            assert go(url, known, KEYS, quorum=4)["logs"] == many
        with pytest.raises(Refused, match="no verifiable signatures"):
            go(url, [signer(ORIGIN, ED25519, 2).key])


def _flip(path: str, at: int = 0) -> Callable[[StaticLog], None]:
    def spoil(log: StaticLog) -> None:
        file = log.directory / path
        data = bytearray(file.read_bytes())
        data[at] ^= 1
        file.write_bytes(bytes(data))

    return spoil


def _swap(log: StaticLog) -> None:
    first, second = (log.directory / "tile/0" / name for name in ("000", "001"))
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


def _short(log: StaticLog) -> None:
    file = log.directory / "tile/0/002.p/88"
    file.write_bytes(file.read_bytes()[:-32])


def _write(change: Callable[[StaticLog], bytes]) -> Callable[[StaticLog], object]:
    return lambda log: (log.directory / "checkpoint").write_bytes(change(log))


def _later(log: StaticLog) -> bytes:
    note = log.note()
    lines = list(note.signatures)
    value = (log.at + 1).to_bytes(8, "big") + lines[1].value[8:]
    lines[1] = replace(lines[1], value=value)
    return bytes(replace(note, signatures=tuple(lines)))


def _forged(log: StaticLog) -> bytes:
    note = log.note()
    lines = (Signature(ORIGIN, LOG.key.id, NEW.sign(note.text).value), *note.signatures[1:])
    return bytes(replace(note, signatures=lines))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_flip("tile/0/000"), "inconsistent tile"),
        (_flip("tile/0/001", 8191), "inconsistent tile"),
        (_flip("tile/0/002.p/88"), "inconsistent tile"),
        (_flip("tile/1/000.p/2", 40), "inconsistent tile"),
        (_swap, "inconsistent tile"),
        (_short, "bad result slice"),
        (_flip("tile/entries/001", 3), "tile/entries/001: entry 0"),
        (_flip("tile/entries/002.p/88", 1), "tile/entries/002.p/88"),
        (lambda log: (log.directory / "tile/0/001").unlink(), "status 404"),
        (_write(lambda log: bytes(log.note()).replace(b"\n600\n", b"\n599\n")), "invalid signature"),
        (_write(lambda log: bytes(log.note()).replace(ORIGIN.encode(), b"other.example", 1)), "invalid signature"),
        (_write(_later), "invalid signature for key ga.example/w"),
        (_write(_forged), f"invalid signature for key {ORIGIN}"),
        (_write(lambda log: bytes(replace(log.note(), signatures=log.note().signatures[:4]))), "3 witnesses of 4"),
        (_write(lambda log: bytes(replace(log.note(), signatures=log.note().signatures[1:]))), "not signed by the log"),
    ],
)
def test_go_refuses_what_was_tampered_with(
    go: GoClient, log: StaticLog, url: str, spoil: Callable[[StaticLog], object], said: str
) -> None:
    log.append(entries(0, 600))
    assert go(url, [LOG.key], KEYS, quorum=4)["size"] == 600
    spoil(log)
    with pytest.raises(Refused, match=said):
        go(url, [LOG.key], KEYS, quorum=4)


def test_go_refuses_another_history_under_the_same_keys(go: GoClient, log: StaticLog, url: str, tmp_path: Path) -> None:
    log.append(entries(0, 600))
    kept = tmp_path / "kept"
    kept.write_bytes(
        bytes(StaticLog(tmp_path / "other", ORIGIN, [LOG], WITNESSES).append([b"another", *entries(1, 500)]))
    )
    with pytest.raises(Refused, match="kept: "):
        go(url, [LOG.key], KEYS, quorum=4, old=[kept])


def test_go_refuses_a_proof_that_was_changed(go: GoClient, log: StaticLog, url: str, tmp_path: Path) -> None:
    log.append(entries(0, 600))
    genuine, file = log.proof(77), tmp_path / "file"
    for wrong in (
        TlogProof(78, genuine.path, genuine.checkpoint),
        TlogProof(77, genuine.path[:-1], genuine.checkpoint),
        TlogProof(77, genuine.path[::-1], genuine.checkpoint),
        TlogProof(77, (*genuine.path, genuine.path[0]), genuine.checkpoint),
    ):
        file.write_bytes(bytes(wrong))
        with pytest.raises(Refused, match="file: "):
            go(url, [LOG.key], KEYS, proofs=[file])
    proof = log.consistency(300)
    for other in (proof[:-1], proof[::-1], (*proof, proof[0])):
        file.write_bytes(write_request(300, other, log.note()))
        with pytest.raises(Refused, match="file: "):
            go(url, [LOG.key], KEYS, requests=[file])
