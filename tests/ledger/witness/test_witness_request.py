"""The body of add-checkpoint: one form, and anything else is a BadRequest and no other exception."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.encoding import b64
from ledger.note import MOST_SIGNATURES, Note, Signature
from ledger.witness.errors import BadRequest
from ledger.witness.request import LARGEST_BODY, LONGEST_PROOF, parse_request, write_request
from tests.ledger.witness.logs import Tree

TREE = Tree()
GOOD = TREE.request(3, 7)
HASH = b64(bytes(32))


def test_a_request_is_read_as_it_was_written() -> None:
    read = parse_request(GOOD)
    assert (read.old, read.checkpoint, read.proof) == (3, TREE.checkpoint(7), TREE.proof(3, 7))
    assert write_request(read.old, read.proof, read.note) == GOOD


def changed(old: bytes, new: bytes, body: bytes = GOOD) -> bytes:
    assert old in body
    return body.replace(old, new, 1)


FIRST = b64(TREE.proof(3, 7)[0]).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"old 3",
        b"old 3\n",
        b"old 3\n\n",
        changed(b"old 3\n", b""),
        changed(b"old 3\n", b"old 8\n"),
        changed(b"old 3\n", b"old 07\n"),
        changed(b"old 3\n", b"old +3\n"),
        changed(b"old 3\n", b"old -0\n"),
        changed(b"old 3\n", b"old  3\n"),
        changed(b"old 3\n", b"old 3 \n"),
        changed(b"old 3\n", b"old 3\r\n"),
        changed(b"old 3\n", b"old\t3\n"),
        changed(b"old 3\n", b"Old 3\n"),
        changed(b"old 3\n", b"size 3\n"),
        changed(b"old 3\n", b"old \xef\xbc\x93\n"),
        changed(b"old 3\n", b"old 9223372036854775808\n"),
        changed(b"old 3\n", b"old " + b"9" * 5000 + b"\n"),
        changed(b"\n7\n", b"\n9223372036854775808\n"),
        changed(b"\n7\n", b"\n" + b"1" * 5000 + b"\n"),
        changed(b"\n7\n", b"\n07\n"),
        changed(b"\n7\n", b"\n-7\n"),
        changed(FIRST, FIRST[:-1]),
        changed(FIRST, FIRST + b"="),
        changed(FIRST, b64(bytes(31)).encode()),
        changed(FIRST, b64(bytes(33)).encode()),
        changed(FIRST, b" " + FIRST),
        changed(FIRST, b"\xff"),
        changed("—".encode(), b"-"),
        changed(b"ledger.example/test\n7", b"ledger example/test\n7"),
        changed(b"ledger.example/test\n7", b"\n7"),
        GOOD[:-1],
        GOOD + b"\n",
        GOOD + b"more",
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.replace(b"\n\n", b"\n"),
        b"\xef\xbb\xbf" + GOOD,
        bytes(TREE.note(7)),
    ],
)
def test_what_is_no_request(body: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_request(body)


def test_both_ends_of_what_is_bounded() -> None:
    note = TREE.note(7)
    longest = write_request(0, (bytes(32),) * LONGEST_PROOF, note)
    assert len(parse_request(longest).proof) == LONGEST_PROOF
    with pytest.raises(BadRequest):
        parse_request(write_request(0, (bytes(32),) * (LONGEST_PROOF + 1), note))
    most = changed(b"\n7\n", b"\n9223372036854775807\n")
    assert parse_request(most).checkpoint.size == 2**63 - 1
    lines = tuple(Signature(f"w{n}", b"1234", b"x" * 64) for n in range(MOST_SIGNATURES))
    assert len(parse_request(write_request(0, (), Note(note.text, lines))).note.signatures) == MOST_SIGNATURES
    with pytest.raises(BadRequest):
        parse_request(write_request(0, (), Note(note.text, (*lines, Signature("w", b"1234", b"x")))))
    room = LARGEST_BODY - len(write_request(0, (), Note(note.text + "\n", note.signatures)))
    exact = write_request(0, (), Note(f"{note.text}{'x' * room}\n", note.signatures))
    assert len(exact) == LARGEST_BODY
    parse_request(exact)
    with pytest.raises(BadRequest):
        parse_request(exact.replace(b"xx", b"xxx", 1))


@given(st.binary(max_size=400))
def test_bytes_of_any_kind_raise_nothing_else(body: bytes) -> None:
    with suppress(BadRequest):
        parse_request(body)


@given(st.data())
def test_a_request_with_something_changed_raises_nothing_else(data: st.DataObject) -> None:
    body = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    with suppress(BadRequest):
        read = parse_request(bytes(body))
        assert write_request(read.old, read.proof, read.note) == bytes(body), "read in one way only"
