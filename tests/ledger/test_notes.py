"""Signed notes: form, keys, rotation, and the kinds of signature."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger import note as notes
from ledger.checkpoint import Checkpoint, parse_checkpoint
from ledger.encoding import b64
from ledger.errors import InvalidSignature, Malformed
from ledger.merkle import leaf_hash, root_of
from ledger.note import (
    COSIGNATURE,
    ED25519,
    MLDSA44,
    Note,
    Signature,
    Signer,
    VerifierKey,
    parse_note,
    parse_signature,
    parse_signer,
    parse_vkey,
    sign_note,
    verify_note,
    verify_signature,
)
from ledger.policy import parse_policy, verify_checkpoint
from tests.ledger.published import signer

ORIGIN = "ledger.example/2026"
OLD, NEW = signer(ORIGIN, ED25519, 1), signer(ORIGIN, ED25519, 2)
TEXT = Checkpoint(ORIGIN, 1, root_of([leaf_hash(b"")])).text


def test_the_text_ends_at_the_last_empty_line() -> None:
    text = "first\n\n\nsecond\n\n— nobody QUJDREVGRw==\n\n\n"
    note = sign_note(text, [OLD])
    read = parse_note(bytes(note))
    assert read == note
    assert read.text == text
    assert [one.key for one in verify_note(read, [OLD.key])] == [OLD.key]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        b"text\n",
        b"text\n\n",
        b"text\n\n\n",
        b"text\n\nno signature\n",
        b"text\n\n" + str(OLD.sign("text\n")).encode() + b"\n",
        b"text\n\n" + str(OLD.sign("text\n")).encode().rstrip(b"\n"),
        b"text\r\n\r\n" + str(OLD.sign("text\n")).encode(),
        b"te\txt\n\n" + str(OLD.sign("te\txt\n")).encode(),
        b"te\0xt\n\n" + str(OLD.sign("te\0xt\n")).encode(),
        b"te\xffxt\n\n" + str(OLD.sign("text\n")).encode(),
        b"te\xed\xa0\x80xt\n\n" + str(OLD.sign("text\n")).encode(),
        b"\xef\xbb\xbf",
        b"text\n\n" + str(OLD.sign("text\n")).encode().replace(b" ", b"  ", 1),
        b"text\n\n" + str(OLD.sign("text\n")).encode().replace(b"\n", b" \n"),
        "text\n\n— \u2003 QUJDREVGRw==\n".encode(),
        "text\n\n— a+b QUJDREVGRw==\n".encode(),
        "text\n\n—  QUJDREVGRw==\n".encode(),
        "text\n\n— a QUJDRA==\n".encode(),
        "text\n\n— a QUJDREVGRw\n".encode(),
        "text\n\n— a QUJDREVGRx==\n".encode(),
        "text\n\n— a\n".encode(),
    ],
)
def test_what_is_not_a_note(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_note(data)


def test_a_note_has_a_largest_size() -> None:
    for size, fits in ((notes.LARGEST_NOTE, True), (notes.LARGEST_NOTE + 1, False)):
        tail = b"\n" + str(OLD.sign("x")).encode()
        data = b"x" * (size - len(tail) - 1) + b"\n" + tail
        assert len(data) == size
        if fits:
            assert bytes(parse_note(data)) == data
        else:
            with pytest.raises(Malformed):
                parse_note(data)


def test_a_signature_may_be_of_one_byte() -> None:
    assert parse_signature("— a QUJDREU=\n") == Signature("a", b"ABCD", b"E")


def test_sixteen_signatures_are_read_and_more_than_anybody_needs_are_not() -> None:
    lines = [signer(f"w{at}.example").sign(TEXT, 1) for at in range(65)]
    for many in (16, 64):
        assert len(parse_note(bytes(Note(TEXT, tuple(lines[:many])))).signatures) == many
    with pytest.raises(Malformed):
        parse_note(bytes(Note(TEXT, tuple(lines))))


@pytest.mark.parametrize(
    "name", ["", "a b", "a\tb", "a\u00a0b", "a\u2028b", "a\x85b", "a\x1fb", "a\0", "a+b", "\ud800", "a" * 512]
)
def test_names_of_keys_that_are_none(name: str) -> None:
    with pytest.raises(Malformed):
        parse_signature(f"— {name} QUJDREVGRw==\n")
    with pytest.raises(Malformed):
        parse_vkey(f"{name}+00000000+{b64(bytes([ED25519]) + b'x' * 32)}")
    with pytest.raises(Malformed):
        parse_checkpoint(f"{name}\n1\n{b64(leaf_hash(b''))}\n")


@pytest.mark.parametrize("name", ["a", "例.example/司法局", "oid/1.2.3", "a#b", "—", "a" * 511])
def test_names_of_keys(name: str) -> None:
    key = VerifierKey(name, ED25519, b"x" * 32)
    assert parse_vkey(str(key)) == key


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "+",
        "++",
        "a++",
        "a+00000000+",
        "a+00000000",
        str(OLD.key).upper(),
        str(OLD.key) + "\n",
        str(OLD.key) + " ",
        " " + str(OLD.key),
        str(OLD.key).replace("+", "+0", 1),
        str(replace(OLD.key, public=b"x" * 31)),
        str(replace(OLD.key, public=b"x" * 33)),
        str(replace(OLD.key, public=b"")),
        str(VerifierKey("a", COSIGNATURE, b"x" * 31)),
        str(VerifierKey("a", MLDSA44, b"x" * 1311)),
        f"{ORIGIN}+{NEW.key.id.hex()}+{b64(bytes([ED25519]) + OLD.key.public)}",
    ],
)
def test_what_is_not_a_verifier_key(vkey: str) -> None:
    with pytest.raises(Malformed):
        parse_vkey(vkey)


def test_a_key_whose_base64_has_a_plus_is_read() -> None:
    key = VerifierKey("a", ED25519, b"xx" + b"\xfb\xef\xbe" * 10)
    assert str(key).count("+") > 2
    assert parse_vkey(str(key)) == key


def test_a_key_of_another_kind_may_be_of_any_length() -> None:
    key = VerifierKey("a", 0xFF, b"x")
    assert parse_vkey(str(key)) == key


def test_a_key_of_a_kind_nobody_here_can_check_is_read_and_believed_in_nothing() -> None:
    key = parse_vkey(str(VerifierKey("ct.example", 0x05, b"x" * 32)))
    line = Signature(key.name, key.id, b"x" * 64)
    with pytest.raises(InvalidSignature):
        verify_signature(TEXT, line, key)
    assert [one.key for one in verify_note(sign_note(TEXT, [OLD]).with_signatures([line]), [OLD.key])] == [OLD.key]


def test_while_a_key_is_changed_both_sign_and_either_reader_believes() -> None:
    note = parse_note(bytes(sign_note(TEXT, [OLD, NEW])))
    for known in (OLD, NEW):
        believed = verify_checkpoint(note, parse_policy(f"log {known.key}\nquorum none\n"))
        assert believed.log == known.key
    both = parse_policy(f"log {OLD.key}\nlog {NEW.key}\nquorum none\n")
    assert verify_checkpoint(note, both).log == OLD.key
    with pytest.raises(InvalidSignature):
        verify_checkpoint(sign_note(TEXT, [OLD]), parse_policy(f"log {NEW.key}\nquorum none\n"))


def test_a_known_keys_bad_signature_spoils_the_note_even_beside_a_good_one() -> None:
    good, bad = OLD.sign(TEXT), OLD.sign("another\n")
    for lines in ((good, bad), (bad, good), (NEW.sign(TEXT), bad)):
        with pytest.raises(InvalidSignature):
            verify_note(Note(TEXT, lines), [OLD.key, NEW.key])


def test_lines_that_share_only_name_or_only_id_with_a_known_key_are_passed_over() -> None:
    good = OLD.sign(TEXT)
    lines = (Signature(ORIGIN, b"\0\0\0\0", b"x" * 64), Signature("other", OLD.key.id, b"x" * 64), good)
    assert len(verify_note(Note(TEXT, lines), [OLD.key])) == 1
    with pytest.raises(InvalidSignature, match="no known key"):
        verify_note(Note(TEXT, lines[:2]), [OLD.key])


def test_two_keys_of_one_name_and_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An id is short enough to be made to collide: whoever gave us such a pair of keys meant us to believe the wrong one."""
    monkeypatch.setattr(VerifierKey, "id", property(lambda self: b"same"))
    with pytest.raises(InvalidSignature, match="one id"):
        verify_note(sign_note(TEXT, [OLD]), [OLD.key, NEW.key])
    with pytest.raises(Malformed, match="twice"):
        parse_policy(f"log {OLD.key}\nlog {NEW.key}\nquorum none\n")


@pytest.mark.parametrize("length", [0, 1, 63, 65, 72])
def test_a_signature_of_another_length(length: int) -> None:
    with pytest.raises(InvalidSignature):
        verify_note(Note(TEXT, (Signature(ORIGIN, OLD.key.id, b"x" * length),)), [OLD.key])


def test_lines_are_added_once_each() -> None:
    note = sign_note(TEXT, [OLD])
    line = signer("w.example").sign(TEXT, 5)
    assert note.with_signatures([line, *note.signatures, line]).signatures == (*note.signatures, line)


@pytest.mark.parametrize("at", [None, -1, 2**63])
def test_a_cosigner_says_when(at: int | None) -> None:
    with pytest.raises(ValueError, match="when"):
        signer("w.example").sign(TEXT, at)


@pytest.mark.parametrize("at", [0, 1, 2**63 - 1])
def test_the_time_of_a_cosignature_is_read_back(at: int) -> None:
    witness = signer("w.example")
    assert verify_signature(TEXT, witness.sign(TEXT, at), witness.key).at == at


def test_a_private_key_is_written_and_read_and_never_shown() -> None:
    for kind in (ED25519, COSIGNATURE):
        one = signer("w.example/1", kind)
        assert parse_signer(one.secret() + "\n") == one
        assert "seed" not in repr(one)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PRIVATE+KEY+a",
        str(OLD.key),
        OLD.secret().replace("PRIVATE", "PUBLIC"),
        OLD.secret().replace(OLD.key.id.hex(), "00000000"),
        OLD.secret()[:-4],
        Signer("a", MLDSA44, b"x" * 32).secret(),
        OLD.secret().replace(ORIGIN, "\ud800"),
    ],
)
def test_what_is_not_a_private_key_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(Malformed) as refused:
        parse_signer(text)
    assert "+" not in str(refused.value)


def _mldsa(name: str, text: str, at: int) -> tuple[VerifierKey, Signature]:
    """What another implementation's ML-DSA-44 cosigner makes, the message written out field by field."""
    private = MLDSA44PrivateKey.from_seed_bytes(b"\5" * 32)
    key = VerifierKey(name, MLDSA44, private.public_key().public_bytes_raw())
    checkpoint = parse_checkpoint(text)
    origin = checkpoint.origin.encode()
    message = b"subtree/v1\n\x00" + len(name.encode()).to_bytes(1, "big") + name.encode() + at.to_bytes(8, "big")
    message += len(origin).to_bytes(1, "big") + origin + bytes(8) + checkpoint.size.to_bytes(8, "big") + checkpoint.root
    return key, Signature(name, key.id, at.to_bytes(8, "big") + private.sign(message))


def test_an_mldsa_cosignature_verifies_and_counts_as_a_witness() -> None:
    key, line = _mldsa("w.example/pq", TEXT, 1700000000)
    assert parse_vkey(str(key)) == key
    assert verify_signature(TEXT, line, key).at == 1700000000
    policy = parse_policy(f"log {OLD.key}\nwitness W {key}\nquorum W\n")
    note = parse_note(bytes(sign_note(TEXT, [OLD]).with_signatures([line])))
    assert dict(verify_checkpoint(note, policy).witnesses) == {"W": 1700000000}


def test_an_mldsa_cosignature_covers_name_time_origin_size_and_root() -> None:
    key, line = _mldsa("w.example/pq", TEXT, 1700000000)
    root = root_of([leaf_hash(b"")])
    for text in (
        Checkpoint("ledger.example/2027", 1, root).text,
        Checkpoint(ORIGIN, 2, root).text,
        Checkpoint(ORIGIN, 1, leaf_hash(b"x")).text,
    ):
        with pytest.raises(InvalidSignature):
            verify_signature(text, line, key)
    later = replace(line, value=(1700000001).to_bytes(8, "big") + line.value[8:])
    for wrong in (later, replace(line, value=line.value[:-1]), replace(line, value=line.value[:-1] + b"\0")):
        with pytest.raises(InvalidSignature):
            verify_signature(TEXT, wrong, key)
    renamed = replace(key, name="v.example/pq")
    with pytest.raises(InvalidSignature):
        verify_signature(TEXT, replace(line, name=renamed.name), renamed)
    for named in (replace(key, name="w" * 256), replace(key, name="字" * 86)):
        with pytest.raises(InvalidSignature, match="too long"):
            verify_signature(TEXT, line, named)


def test_an_mldsa_cosignature_of_what_is_no_checkpoint_is_refused() -> None:
    key, line = _mldsa("w.example/pq", TEXT, 1700000000)
    with pytest.raises(Malformed):
        verify_signature("just words\n", line, key)


def test_a_machine_without_mldsa_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    key, line = _mldsa("w.example/pq", TEXT, 1700000000)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.mldsa", None)
    with pytest.raises(InvalidSignature, match="cannot verify"):
        verify_signature(TEXT, line, key)
    assert notes.MLDSA44 == MLDSA44
