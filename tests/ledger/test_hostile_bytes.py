"""Whatever bytes come, there is an answer or a LedgerError, and soon."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.checkpoint import parse_checkpoint
from ledger.entry import Entry, parse_entry
from ledger.errors import LedgerError
from ledger.evidence import parse_evidence, verify_evidence
from ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from ledger.note import parse_note, parse_signature, parse_signer, parse_vkey, verify_note
from ledger.policy import parse_policy, verify_checkpoint
from ledger.proof import parse_proof, verify_proof
from ledger.tiles import decode_bundle, encode_bundle, parse_path, split_hashes
from tests.ledger import evidences, published
from tests.ledger.published import CHECKPOINT, ENTRIES, LEAVES, LOG, LOG_KEY, PROOF, WITNESS_KEY

EVIDENCE = bytes(evidences.whole())
POLICY_TEXT = evidences.POLICY_TEXT


def _text(data: bytes) -> str:
    """Any text Python can hold, half surrogate pairs too."""
    return data.decode("utf-8", "surrogatepass" if b"\xed" in data else "surrogateescape")


def _as_text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    def reading(data: bytes) -> object:
        try:
            text = _text(data)
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        return read(text)

    return reading


def _note(data: bytes) -> object:
    note = parse_note(data)
    assert bytes(note) == data
    verify_checkpoint(note, published.policy())
    return verify_note(note, [LOG_KEY, WITNESS_KEY])


def _proof(data: bytes) -> object:
    proof = parse_proof(data)
    assert bytes(proof) == data
    return verify_proof(proof, LEAVES[3], published.policy())


def _evidence(data: bytes) -> object:
    return verify_evidence(parse_evidence(data), evidences.POLICY, answer=evidences.ANSWER)


def _entry(data: bytes) -> object:
    entry = parse_entry(data)
    assert bytes(entry) == data
    return entry


ENTRY = parse_entry(evidences.whole().entry)
READERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "note": (_note, CHECKPOINT),
    "proof": (_proof, PROOF),
    "evidence": (_evidence, EVIDENCE),
    "entry": (_entry, bytes(ENTRY)),
    "log entry": (_entry, bytes(Entry("log", "yimen", ENTRY.time, b"\1" * 32, {"vkey": "x", "of": [1, {"a": None}]}))),
    "checkpoint": (_as_text(parse_checkpoint), CHECKPOINT.partition(b"\n\n")[0] + b"\n"),
    "signature": (_as_text(parse_signature), str(LOG.sign("text\n")).encode()),
    "vkey": (_as_text(parse_vkey), str(LOG_KEY).encode()),
    "signer": (_as_text(parse_signer), LOG.secret().encode()),
    "policy": (_as_text(parse_policy), POLICY_TEXT.encode()),
    "path": (_as_text(parse_path), b"tile/entries/x001/234.p/17"),
    "bundle": (lambda data: decode_bundle(data, 5), encode_bundle(ENTRIES)),
    "hashes": (split_hashes, b"".join(LEAVES)),
}
each_reader = pytest.mark.parametrize(("read", "genuine"), READERS.values(), ids=READERS.keys())
fuzzed = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SNIPPETS = [
    b"\0", b"\n", b"\n\n", b"\r\n", b" ", b"=", b"+", b"-", b"-0", b"0", b"9" * 30, b"9" * 5000, b"1e999", b"[", b"{",
    b"[" * 3000, b'{"a":' * 3000, b"}", b'"', b"\\ud800", b"\\u0000", b"null", b"true", b"NaN", b"1.5", b"\xff",
    b"\xed\xa0\x80", b"\xef\xbb\xbf", "—".encode(), "— a b\n".encode(), "\u2028".encode(), "\u202e".encode(),
    b"group", b"quorum none\n", b"/", b"..", b".p/", b"x" * 600, b"extra ", b"index ", b"#",
]  # fmt: skip


@st.composite
def mutations(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """One to four cuts, doublings, insertions or changed bytes, anywhere."""
    steps = draw(
        st.lists(
            st.tuples(
                st.floats(0, 1), st.integers(0, 40), st.one_of(st.sampled_from(SNIPPETS), st.binary(max_size=6)), st.booleans()
            ),
            min_size=1,
            max_size=4,
        )
    )  # fmt: skip

    def mutate(data: bytes) -> bytes:
        for place, cut, put, double in steps:
            at = int(place * len(data))
            put = data[at : at + cut] * 2 if double else put
            data = data[:at] + put + data[at + cut :]
        return data

    return mutate


@each_reader
def test_what_is_genuine_is_read(read: Callable[[bytes], object], genuine: bytes) -> None:
    read(genuine)


@each_reader
@fuzzed
@given(change=mutations())
def test_what_was_changed_is_read_or_refused(
    read: Callable[[bytes], object], genuine: bytes, change: Callable[[bytes], bytes]
) -> None:
    try:
        read(change(genuine))
    except LedgerError:
        return


@each_reader
@fuzzed
@given(data=st.binary(max_size=300) | st.lists(st.sampled_from(SNIPPETS), max_size=8).map(b"".join))
def test_what_is_anything_is_read_or_refused(read: Callable[[bytes], object], genuine: bytes, data: bytes) -> None:
    try:
        read(data)
    except LedgerError:
        return


@each_reader
def test_every_single_changed_bit_is_read_or_refused(read: Callable[[bytes], object], genuine: bytes) -> None:
    for at in range(len(genuine)):
        changed = bytearray(genuine)
        changed[at] ^= 1 << at % 8
        try:
            read(bytes(changed))
        except LedgerError:
            continue


@each_reader
@pytest.mark.parametrize(
    "filler", [b"\0", b"\n", b"[", b'{"":', b"9", b"=", b"A", b" ", "— ".encode(), b"\xff", b"\n\n"]
)
def test_a_megabyte_of_anything_is_refused_soon(read: Callable[[bytes], object], genuine: bytes, filler: bytes) -> None:
    much = filler * ((1 << 20) // len(filler))
    for data in (
        much,
        genuine + much,
        much + genuine,
        genuine[: len(genuine) // 2] + much + genuine[len(genuine) // 2 :],
    ):
        began = time.process_time()
        with suppress(LedgerError):
            read(data)
        assert time.process_time() - began < 2


@fuzzed
@given(
    st.integers(-(2**70), 2**70), st.integers(-(2**70), 2**70), st.lists(st.binary(max_size=40), max_size=80),
    st.binary(max_size=40),
)  # fmt: skip
def test_proofs_of_any_numbers_and_hashes(one: int, other: int, hashes: list[bytes], root: bytes) -> None:
    for path in (hashes, [leaf_hash(b"")] * len(hashes)):
        for call in (
            lambda path=path: verify_inclusion(root, one, other, path, root),
            lambda path=path: verify_consistency(one, other, root, leaf_hash(b""), path),
            lambda path=path: verify_inclusion(leaf_hash(b""), one, other, path, leaf_hash(b"")),
        ):
            try:
                call()
            except LedgerError:
                continue


def test_a_million_hashes_of_path_are_refused_soon() -> None:
    hashes = [leaf_hash(b"")] * 1_000_000
    began = time.process_time()
    for call in (
        lambda: verify_inclusion(hashes[0], 2**62, 2**63 - 1, hashes, hashes[0]),
        lambda: verify_consistency(2**62 - 1, 2**63 - 1, hashes[0], hashes[0], hashes),
    ):
        with pytest.raises(LedgerError):
            call()
    assert time.process_time() - began < 2


@pytest.mark.parametrize("depth", [900, 5000, 1_000_000])
def test_json_nested_without_end(depth: int) -> None:
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    for read, data in (
        (parse_evidence, EVIDENCE.replace(b'"repeats":0', b'"repeats":' + deep)),
        (parse_entry, READERS["log entry"][1].replace(b"null", deep)),
    ):
        with pytest.raises(LedgerError):
            read(data)
