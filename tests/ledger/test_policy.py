"""Policy files: what is believed, what is refused, and why four of five."""

from __future__ import annotations

from itertools import combinations

import pytest

from ledger.checkpoint import Checkpoint
from ledger.errors import InvalidSignature, Malformed, PolicyUnsatisfied
from ledger.merkle import leaf_hash, root_of
from ledger.note import COSIGNATURE, ED25519, Note, Signer, VerifierKey, sign_note
from ledger.policy import Policy, parse_policy, require, signed_checkpoint, verify_checkpoint
from tests.ledger.published import signer

ORIGIN = "ledger.example/2026"
LOG = signer(ORIGIN, ED25519)
NAMES = ("GA", "JCY", "FY", "SFJ", "JY")
WITNESSES = {name: signer(f"{name.lower()}.example/w") for name in NAMES}
LINES = [f"log {LOG.key}", *(f"witness {name} {one.key}" for name, one in WITNESSES.items())]


def policy_of(*lines: str) -> Policy:
    return parse_policy("\n".join([*LINES, *lines]) + "\n")


FOUR = policy_of("group Q 4 GA JCY FY SFJ JY", "quorum Q")


def note_by(*names: str, log: Signer = LOG, origin: str = ORIGIN) -> Note:
    text = Checkpoint(origin, 1, root_of([leaf_hash(b"")])).text
    return sign_note(text, [log]).with_signatures(WITNESSES[name].sign(text, 1700000000) for name in names)


def test_a_checkpoint_is_a_logs_own_when_it_names_the_log_and_its_key_signed() -> None:
    note, other = note_by(), signer("ledger.example/2027", ED25519)
    assert signed_checkpoint(note, ORIGIN, [other.key, LOG.key]).size == 1
    with pytest.raises(InvalidSignature, match="another log's"):
        signed_checkpoint(note, other.name, [LOG.key])
    for not_its_own in (note_by(log=other), note_by("GA", log=other)):
        with pytest.raises(InvalidSignature, match="no known key"):
            signed_checkpoint(not_its_own, ORIGIN, [LOG.key])


def test_four_of_five_are_enough_and_three_are_not() -> None:
    for many in range(6):
        for names in combinations(NAMES, many):
            believed = verify_checkpoint(note_by(*names), FOUR)
            assert set(believed.witnesses) == set(names)
            assert believed.satisfied is (many >= 4)
            if many < 4:
                with pytest.raises(PolicyUnsatisfied, match=f"only {many} witnesses"):
                    require(believed)
            else:
                require(believed)


def test_why_four_of_five() -> None:
    """Two histories need two quorums, and whoever is in both has lied. With three of five one body is enough for that, and
    together with the log it could show two agencies two histories; with four of five it takes three bodies of five."""

    def fewest_liars(quorum: int) -> int:
        quorums = list(combinations(NAMES, quorum))
        return min(len(set(one) & set(other)) for one in quorums for other in quorums)

    assert fewest_liars(3) == 1
    assert fewest_liars(4) == 3


def test_the_policy_of_the_specification() -> None:
    policy = policy_of(
        "", "# the X are one organisation's", "\tgroup X-witnesses  2 GA JCY FY ", "group Y-witnesses any SFJ JY",
        "   # and both are needed", "group X-and-Y all X-witnesses Y-witnesses", "quorum X-and-Y",
    )  # fmt: skip
    assert policy.satisfied_by({"GA", "FY", "JY"})
    assert policy.satisfied_by(set(NAMES))
    for names in [{"GA", "SFJ", "JY"}, {"GA", "JCY", "FY"}, {"X-witnesses", "Y-witnesses"}, {"X-and-Y"}, set[str]()]:
        assert not policy.satisfied_by(names)


def test_groups_may_nest_as_deep_as_somebody_likes() -> None:
    deep = ["group g0 all GA", *(f"group g{at} any g{at - 1}" for at in range(1, 5000)), "quorum g4999"]
    assert policy_of(*deep).satisfied_by({"GA"})
    assert not policy_of(*deep).satisfied_by({"JY"})


def test_one_witness_or_none_may_be_the_quorum() -> None:
    assert policy_of("quorum FY").satisfied_by({"FY"})
    assert not policy_of("quorum FY").satisfied_by({"GA", "JCY", "SFJ", "JY"})
    assert policy_of("quorum none").satisfied_by(set())
    assert parse_policy("quorum none").logs == ()


def test_a_url_may_follow_a_key_and_may_hold_a_number_sign() -> None:
    key = VerifierKey("a#b.example", COSIGNATURE, b"\7" * 32)
    policy = parse_policy(
        f"log {LOG.key} https://ledger.example/2026/\nwitness W#1 {key} https://w.example/#x\nquorum W#1\n"
    )
    assert policy.logs[0].url == "https://ledger.example/2026/"
    assert policy.witnesses["W#1"].key == key
    assert policy.witnesses["W#1"].url == "https://w.example/#x"


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["quorum none", "quorum none"],
        ["quorum"],
        ["quorum GA JCY"],
        ["quorum nobody"],
        ["group Q 4 GA JCY FY", "quorum Q"],
        ["group Q 0 GA JCY", "quorum Q"],
        ["group Q 01 GA JCY", "quorum Q"],
        ["group Q +1 GA JCY", "quorum Q"],
        ["group Q ２ GA JCY", "quorum Q"],
        ["group Q most GA JCY", "quorum Q"],
        ["group Q " + "9" * 5000 + " GA JCY", "quorum Q"],
        ["group Q all", "quorum Q"],
        ["group Q", "quorum none"],
        ["group", "quorum none"],
        ["group Q 1 GA GA", "quorum Q"],
        ["group Q 1 GA nobody", "quorum Q"],
        ["group Q 1 none GA", "quorum Q"],
        ["group Q 1 Q", "quorum Q"],
        ["group none 1 GA", "quorum none"],
        ["group GA 1 JCY", "quorum GA"],
        ["group A 1 GA JCY", "group B 1 GA FY", "quorum B"],
        ["quorum Q", "group Q 1 GA JCY"],
        ["quorum none # not a comment"],
        ["quorum none\r"],
        ["quorum none", "\0"],
        ["quorum none", "# \x7f"],
        ["quorum none", "\u00a0"],
        ["quorum none", "# \ud800"],
        ["quorum none", "bodies 5"],
        ["Quorum none"],
        ["quorum none", f"log {signer('x.example', ED25519).key} url more"],
        ["quorum none", "log"],
        ["quorum none", "log x"],
        ["quorum none", "witness X"],
        ["quorum none", f"witness GA {signer('x.example').key}"],
        ["quorum none", f"log {LOG.key}"],
        ["quorum none", f"log {VerifierKey('other.example', ED25519, LOG.key.public)}"],
        ["quorum none", f"witness X {WITNESSES['GA'].key}"],
        ["quorum none", f"witness X {VerifierKey('x.example', COSIGNATURE, WITNESSES['GA'].key.public)}"],
        ["quorum none", f"witness X {VerifierKey('x.example', COSIGNATURE, LOG.key.public)}"],
        ["quorum none", f"witness X {VerifierKey('x.example', 0x05, b'x' * 32)}"],
    ],
    ids=lambda lines: " / ".join(lines)[:60].encode("unicode_escape").decode() or "nothing",
)  # fmt: skip
def test_what_is_not_a_policy(lines: list[str]) -> None:
    with pytest.raises(Malformed):
        policy_of(*lines)


def test_the_line_at_fault_is_named() -> None:
    with pytest.raises(Malformed, match="line 8 of the policy: the quorum was not named before"):
        policy_of("", "quorum Q")


def test_a_log_signs_under_its_own_name_only() -> None:
    """A key of one known log is no signature under another known log's origin."""
    other = signer("other.example", ED25519)
    policy = parse_policy(f"log {LOG.key}\nlog {other.key}\nquorum none\n")
    with pytest.raises(InvalidSignature):
        verify_checkpoint(note_by(log=other), policy)
    with pytest.raises(InvalidSignature, match="does not know this log"):
        verify_checkpoint(note_by(log=LOG, origin="third.example"), policy)


def test_cosignatures_alone_make_no_checkpoint() -> None:
    note = note_by(*NAMES)
    with pytest.raises(InvalidSignature):
        verify_checkpoint(Note(note.text, note.signatures[1:]), FOUR)


def test_a_cosignature_that_does_not_verify_spoils_the_note() -> None:
    """Five genuine ones beside it change nothing: the specification rejects the whole note."""
    note, other = note_by(*NAMES), WITNESSES["JY"].sign("other.example\n", 1700000000)
    with pytest.raises(InvalidSignature):
        verify_checkpoint(note.with_signatures([other]), FOUR)


def test_the_same_witness_twice_counts_once() -> None:
    note = note_by("GA", "JCY", "FY")
    again = note.with_signatures(WITNESSES["GA"].sign(note.text, at) for at in (1700000001, 1700000002))
    believed = verify_checkpoint(again, FOUR)
    assert not believed.satisfied
    assert believed.witnesses["GA"] == 1700000002


def test_a_stranger_counts_for_nothing() -> None:
    note = note_by("GA", "JCY", "FY")
    stranger = signer("ga.example/w", COSIGNATURE, 1)
    believed = verify_checkpoint(note.with_signatures([stranger.sign(note.text, 1700000000)]), FOUR)
    assert set(believed.witnesses) == {"GA", "JCY", "FY"}
    assert not believed.satisfied
