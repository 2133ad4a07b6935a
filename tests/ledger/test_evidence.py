"""An evidence file proves one record and the parts of it that it discloses, and anything changed in it is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ledger.encoding import b64
from ledger.entry import parse_entry
from ledger.errors import InvalidProof, InvalidSignature, LedgerError, Malformed, PolicyUnsatisfied
from ledger.evidence import LARGEST_EVIDENCE, Disclosed, blind, parse_evidence, verify_evidence
from ledger.note import ED25519
from ledger.policy import parse_policy
from tests.ledger import evidences as made
from tests.ledger.evidences import ANSWER, POLICY, access, alert, change, evidence, salt, whole
from tests.ledger.published import signer

FILE = bytes(whole())


def test_everything_a_file_proves_is_told() -> None:
    found = verify_evidence(parse_evidence(FILE), POLICY, answer=ANSWER)
    assert (found.index, found.size, found.origin) == (made.INDEX, made.SIZE, made.ORIGIN)
    assert found.log == made.LOG.key
    assert dict(found.witnesses) == dict.fromkeys(made.WITNESSES, 1700000000)
    assert (found.entry.kind, found.entry.actor) == ("query", "gd.sfj")
    assert found.record == access()
    assert found.disclosed == {
        "by": made.BY, "case": made.CASE, "inner": made.INNER,
        "subjects/0": "p-one", "subjects/1": "p-two", "subjects/2": "p-three",
    }  # fmt: skip
    assert found.blind == ()
    assert found.answer_checked


def test_what_is_not_disclosed_stays_blind_and_proves_all_the_same() -> None:
    one = evidence(disclosed={"subjects/1": Disclosed(salt("mark p-two"), "p-two")}, result_salt=None)
    found = verify_evidence(parse_evidence(bytes(one)), POLICY)
    assert found.disclosed == {"subjects/1": "p-two"}
    assert found.blind == ("by", "case", "inner", "subjects/0", "subjects/2")
    assert not found.answer_checked
    for hidden in ("p-one", "u-1", "粤01"):
        assert hidden not in bytes(one).decode()


@pytest.mark.parametrize(
    ("record", "kind", "blinds"),
    [
        (change(), "consent", ("by", "object", "detail", "subject")),
        (change(subject=None), "policy", ("by", "object", "detail")),
        (alert(), "alert", ("about_id", "detail")),
        (access(decision="DENY", result=None, subjects=[]), "refusal", ("by", "case", "inner")),
    ],
)
def test_each_type_of_record(record: dict[str, Any], kind: str, blinds: tuple[str, ...]) -> None:
    found = verify_evidence(parse_evidence(bytes(evidence(record, kind))), POLICY)
    assert found.blind == blinds


def test_the_file_is_read_back_and_written_in_one_way() -> None:
    assert parse_evidence(FILE) == whole()
    assert bytes(parse_evidence(FILE)) == FILE
    loose = json.dumps(json.loads(FILE), indent=2).encode()
    assert parse_evidence(loose) == whole()


def test_no_salt_is_shown_by_accident() -> None:
    for secret in (salt("record"), salt("by"), made.RESULT_SALT):
        assert repr(secret)[2:-1] not in repr(whole())
    assert "p-one" not in repr(whole())


def _with(**changed: Any) -> Callable[[dict[str, Any]], None]:
    return lambda said: said.update(changed)


def _record(**changed: Any) -> Callable[[dict[str, Any]], None]:
    return lambda said: said["record"].update(changed)


def _part(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda said: said["disclosed"].__setitem__(name, value)


def _entry(before: str, after: str) -> Callable[[dict[str, Any]], None]:
    return lambda said: said.update(entry=said["entry"].replace(before, after))


def _proof(before: str, after: str) -> Callable[[dict[str, Any]], None]:
    return lambda said: said.update(proof=said["proof"].replace(before, after, 1))


SHOWN = {"salt": b64(salt("case")), "value": made.CASE}


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (_record(purpose="OTHER"), InvalidProof),
        (_record(repeats=1), InvalidProof),
        (_record(more=None), InvalidProof),
        (_record(org="gd.ga"), InvalidProof),
        (lambda said: said["record"].pop("client"), InvalidProof),
        (lambda said: said["record"]["subjects"].reverse(), InvalidProof),
        (_with(salt=b64(salt("other"))), InvalidProof),
        (_entry("gd.sfj", "gd.ga"), InvalidProof),
        (_entry('"query"', '"refusal"'), InvalidProof),
        (_entry("08:09:10", "08:09:11"), InvalidProof),
        (_entry("query", "quarry"), Malformed),
        (_proof("index 3", "index 2"), InvalidProof),
        (_proof("index 3", "index 5"), InvalidProof),
        (_proof("\n5\n", "\n6\n"), InvalidSignature),
        (_proof(made.ORIGIN, "other.example/2026"), InvalidSignature),
        (lambda said: said.update(proof="\n".join(said["proof"].split("\n")[:-3]) + "\n"), PolicyUnsatisfied),
        (_part("case", SHOWN | {"value": "another"}), InvalidProof),
        (_part("case", SHOWN | {"value": [made.CASE]}), InvalidProof),
        (_part("case", SHOWN | {"salt": b64(salt("by"))}), InvalidProof),
        (_part("case", SHOWN | {"value": None}), Malformed),
        (_part("case", SHOWN | {"more": 1}), Malformed),
        (_part("case", {"value": made.CASE}), Malformed),
        (_part("case", [b64(salt("case")), made.CASE]), Malformed),
        (_part("reference", SHOWN), InvalidProof),
        (_part("purpose", SHOWN), InvalidProof),
        (_part("subjects/3", SHOWN), InvalidProof),
        (_part("subjects/00", SHOWN), InvalidProof),
        (_part("subjects", SHOWN), InvalidProof),
        (_part("subjects/0", {"salt": b64(salt("mark p-two")), "value": "p-two"}), InvalidProof),
        (_part("result", SHOWN), Malformed),
        (_part("result", {"salt": b64(b"short")}), Malformed),
        (_with(format="yimen-evidence/v2"), Malformed),
        (_with(more=1), Malformed),
        (lambda said: said.pop("vkeys"), Malformed),
        (_with(vkeys=None), Malformed),
        (_with(entry=1), Malformed),
        (_with(record=[]), Malformed),
        (_with(salt=b64(b"\0" * 31)), Malformed),
        (_with(disclosed=None), Malformed),
        (_with(proof=""), Malformed),
        (_with(proof="\ud800"), Malformed),
        (_with(entry="\udfff"), Malformed),
        (_record(client="\ud800"), Malformed),
        (_record(repeats=1.0), Malformed),
        (_record(repeats=2**53), Malformed),
        (_record(repeats=-(2**53)), Malformed),
        (_record(名=1), Malformed),
    ],
)
def test_whatever_is_changed_is_noticed(spoil: Callable[[dict[str, Any]], Any], error: type[LedgerError]) -> None:
    said = json.loads(FILE)
    spoil(said)
    with pytest.raises(error):
        verify_evidence(parse_evidence(json.dumps(said).encode()), POLICY)


def test_a_hint_and_the_extra_of_a_proof_prove_nothing_and_change_nothing() -> None:
    said = json.loads(FILE)
    said["vkeys"] = "log somebody else's\n"
    said["proof"] = said["proof"].replace("index 3", "extra aGk=\nindex 3")
    assert verify_evidence(parse_evidence(json.dumps(said).encode()), POLICY).size == made.SIZE


def test_the_answer_may_be_given_as_it_came_over_http() -> None:
    came = ANSWER[:-1] + b',"extensions":{"receipt":{"id":"a-1"},"policy":{"rules":["R1"]}}}'
    assert verify_evidence(whole(), POLICY, answer=came).answer_checked
    for other in (came.replace("甲".encode(), "乙".encode()), came[:-1] + b',"extensions":{}}', b',"extensions":'):
        with pytest.raises(InvalidProof, match="another answer"):
            verify_evidence(whole(), POLICY, answer=other)


def test_the_answer_is_checked_where_it_is_given() -> None:
    with pytest.raises(InvalidProof, match="another answer"):
        verify_evidence(whole(), POLICY, answer=ANSWER + b" ")
    with pytest.raises(InvalidProof, match="another answer"):
        verify_evidence(whole(), POLICY, answer=b"")
    with pytest.raises(InvalidProof, match="cannot show"):
        verify_evidence(replace(whole(), result_salt=None), POLICY, answer=ANSWER)
    for record in (access(decision="DENY", result=None), access(decision="DENY", result="")):
        with pytest.raises(InvalidProof, match="cannot show"):
            verify_evidence(evidence(record, "refusal"), POLICY, answer=b"")


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (access(), "refusal"),
        (access(), "alert"),
        (access(decision="DENY"), "query"),
        (access(decision=None), "query"),
        (change(), "query"),
        (change(), "alert"),
        (change(), "refusal"),
        (alert(), "oversight"),
    ],
)
def test_an_entry_that_tells_everybody_another_kind_than_its_record(record: dict[str, Any], kind: str) -> None:
    """The commitment is genuine; whoever wrote the entry lied to all who see the log alone."""
    with pytest.raises(InvalidProof, match="another kind"):
        verify_evidence(evidence(record, kind), POLICY)


@pytest.mark.parametrize(
    "record",
    [
        access(org="bank"),
        access(recorded_at="2026-11-25T08:09:09.999999Z"),
        access(recorded_at="2026-11-25T08:09:11.000000Z"),
        change(org=""),
        change(at="2026-11-25T08:09:11.000000Z"),
        alert(org="bank"),
        alert(opened_at="2026-11-26T08:09:10.000000Z"),
    ],
)
def test_an_entry_that_tells_everybody_another_body_or_time_than_its_record(record: dict[str, Any]) -> None:
    kind = {"access": "query", "change": "consent", "alert": "alert"}[record["type"]]
    with pytest.raises(InvalidProof, match="another body or time"):
        verify_evidence(evidence(record, kind), POLICY)


@pytest.mark.parametrize(
    "record", [change(at="2026-11-24T09:00:00.000000Z"), alert(opened_at="2026-11-25T08:00:00.000000Z")]
)
def test_an_entry_may_show_later_than_what_it_is_about_was(record: dict[str, Any]) -> None:
    verify_evidence(evidence(record, "consent" if record["type"] == "change" else "alert"), POLICY)


@pytest.mark.parametrize(
    "record",
    [
        {},
        access(v=2),
        access(v="1"),
        access(v=None),
        access(type="other"),
        access(type=None),
        access(type=["access"]),
        access(by="u-1"),
        access(case=b64(b"\0" * 31)),
        access(inner={"rules": []}),
        access(subjects="p-one"),
        access(subjects=""),
        access(subjects=1),
        access(subjects={}),
        access(subjects=None),
        access(subjects={"0": "x"}),
        access(subjects=[None]),
        access(subjects=["p-one"]),
        access(by="é" * 44),
    ],
)
def test_a_record_of_another_form_is_refused_though_it_is_in_the_log(record: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        verify_evidence(parse_evidence(bytes(evidence(record))), POLICY)


def test_a_result_of_another_form() -> None:
    with pytest.raises(Malformed):
        verify_evidence(evidence(access(result=ANSWER.decode())), POLICY, answer=ANSWER)
    with pytest.raises(Malformed):
        verify_evidence(evidence(access(result=[1])), POLICY, answer=ANSWER)


def test_three_witnesses_of_five_are_provisional() -> None:
    with pytest.raises(PolicyUnsatisfied):
        verify_evidence(evidence(witnesses=("GA", "JCY", "FY")), POLICY)
    assert set(verify_evidence(evidence(witnesses=("GA", "JCY", "FY", "JY")), POLICY).witnesses) == {
        "GA", "JCY", "FY", "JY",
    }  # fmt: skip


def test_it_survives_a_new_key_of_the_log_as_long_as_the_reader_knows_one_that_signed() -> None:
    new = signer(made.ORIGIN, ED25519, 9)
    one = whole()
    note = one.proof.checkpoint
    both = replace(one, proof=replace(one.proof, checkpoint=note.with_signatures([new.sign(note.text)])))
    later = parse_policy(made.POLICY_TEXT.replace(str(made.LOG.key), str(new.key)))
    assert verify_evidence(parse_evidence(bytes(both)), later).log == new.key
    assert verify_evidence(parse_evidence(bytes(both)), POLICY).log == made.LOG.key
    with pytest.raises(InvalidSignature):
        verify_evidence(one, later)


def test_a_blind_says_nothing_without_its_salt_and_one_thing_with_it() -> None:
    assert blind(salt("a"), "x") != blind(salt("b"), "x")
    assert blind(salt("a"), {"b": 1, "a": 2}) == blind(salt("a"), {"a": 2, "b": 1})
    different = [None, True, False, 0, 1, "", "1", "true", [], {}, [1], ["1"], {"1": 1}]
    assert len({blind(salt("a"), one) for one in different}) == len(different)


@pytest.mark.parametrize(
    "data",
    [
        FILE.replace(b'"repeats":0', b'"repeats":-0'),
        FILE.replace(b'"repeats":0', b'"repeats":0.0'),
        FILE.replace(b'"repeats":0', b'"repeats":0e0'),
        FILE.replace(b'"repeats":0', b'"repeats":NaN'),
        FILE.replace(b'"repeats":0', b'"repeats":-Infinity'),
        FILE.replace(b'"repeats":0', b'"repeats":' + b"9" * 100_000),
        FILE.replace(b'"repeats":0', b'"repeats":0,"repeats":0'),
        FILE.replace(b'"format"', b'"format":"yimen-evidence/v1","format"'),
        FILE.replace(b'"repeats":0', b'"repeats":' + b"[" * 40 + b"]" * 40),
        FILE + b" {}",
        b"\xef\xbb\xbf" + FILE,
        FILE.decode().encode("utf-16"),
        FILE.decode().encode("utf-32"),
        FILE.replace("粤".encode(), b"\xff"),
        FILE.replace("粤".encode(), b"\xed\xa0\x80"),
        FILE.replace("粤".encode(), b"\n"),
        b" " * (1 << 24) + b"{}",
    ],
)
def test_json_that_could_be_read_in_two_ways_is_refused(data: bytes) -> None:
    assert data != FILE
    with pytest.raises(Malformed):
        parse_evidence(data)


def test_a_file_has_a_largest_size() -> None:
    assert parse_evidence(FILE + b" " * (LARGEST_EVIDENCE - len(FILE))) == whole()
    with pytest.raises(Malformed, match="larger"):
        parse_evidence(FILE + b" " * (LARGEST_EVIDENCE + 1 - len(FILE)))


@pytest.mark.parametrize(("length", "fits"), [(15, False), (16, True), (64, True), (65, False)])
def test_the_salt_of_an_answer_is_16_to_64_bytes(length: int, fits: bool) -> None:
    key = b"k" * length
    one = evidence(access(result=made.blind_bytes(key, ANSWER)), result_salt=key)
    if fits:
        assert verify_evidence(parse_evidence(bytes(one)), POLICY, answer=ANSWER).answer_checked
    else:
        with pytest.raises(Malformed):
            parse_evidence(bytes(one))


def test_the_entry_is_the_bytes_of_the_log() -> None:
    assert parse_entry(whole().entry).commitment
    assert whole().entry.decode() == json.loads(FILE)["entry"]
