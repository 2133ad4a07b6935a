"""What a witness cosigns and what it refuses, by the specification's statuses and their order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ledger.checkpoint import Checkpoint
from ledger.merkle import EMPTY_ROOT
from ledger.note import (
    COSIGNATURE,
    ED25519,
    Note,
    Signature,
    Signer,
    parse_note,
    parse_signature,
    sign_note,
    verify_note,
)
from ledger.witness.errors import BadRequest, NotAnExtension, NotOfThisLog, OtherSize, Refused, UnknownLog
from ledger.witness.memory import MemoryStates
from ledger.witness.request import write_request
from ledger.witness.witness import Witness, name_of
from tests.ledger.witness.logs import LOG, ORIGIN, Tree

SEED = bytes.fromhex("60c5590f72eef292f9545afc28bf63ca91d2016a0a288f90f9a32f89d3fffcaf")
POLICE = Signer("police.example/w", COSIGNATURE, SEED)
A, B = Tree(), Tree(fork=4, branch="b")
STRANGER = Signer(ORIGIN, ED25519, bytes(32))


class At:
    """A clock that is set."""

    def __init__(self, now: int = 1_700_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def witness(states: MemoryStates | None = None, clock: At | None = None) -> Witness:
    return Witness(POLICE, {ORIGIN: (LOG.key,)}, states or MemoryStates(), now=clock or At())


def test_the_published_cosignature() -> None:
    """The crib's vector, made with Go's note package and not with our code."""
    note = parse_note(
        """ledger.example/test
7
3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=

— ledger.example/test QhAx86Maq1bDG1F+vm/jhIHYj8t1t0c6xRHgRjskHl49zzJJzkamd6McufkoAZzqD9f5/dnzzIw5nPTLlQK/sqrk4wo=
""".encode()
    )
    line = witness().add_checkpoint(write_request(0, (), note)).decode()
    assert line == (
        "— police.example/w CKrIoQAAAABlU/EApYk5TlJkEwKIQD2a/ciNIlEzlVBgoYWwTgW4P2+0wbIML5iSmCaMajjqIy7iBPyHayHPTwJXvIKi"
        "IPOwuNlGCg==\n"
    )


@pytest.mark.parametrize(
    "steps", [(1, 2, 3, 4, 5, 6, 7, 8), (1, 8), (3, 7), (4, 7), (6, 8), (7, 8), (0, 5), (5, 5, 5), (64, 80)]
)
def test_a_growing_tree_is_cosigned_step_by_step(steps: tuple[int, ...]) -> None:
    one, old = witness(), 0
    for size in steps:
        line = parse_signature(one.add_checkpoint(A.request(old, size)).decode())
        signed = verify_note(A.note(size).with_signatures([line]), [LOG.key, POLICE.key])
        assert {each.key for each in signed} == {LOG.key, POLICE.key}
        newest = one.newest(name_of(ORIGIN))
        assert newest == bytes(A.note(size).with_signatures([line]))
        old = size


def refused(one: Witness, body: bytes) -> type[Refused]:
    with pytest.raises(Refused) as found:
        one.add_checkpoint(body)
    return found.type


def test_the_statuses_are_the_specifications() -> None:
    kinds = {BadRequest: 400, UnknownLog: 404, NotOfThisLog: 403, OtherSize: 409, NotAnExtension: 422}
    assert {kind: kind.status for kind in kinds} == kinds


def test_each_refusal_and_which_comes_first() -> None:
    one = witness()
    one.add_checkpoint(A.request(0, 5))
    elsewhere = Signer("other.example/log", ED25519, bytes(32))
    unknown = Tree(origin="other.example/log", signers=(elsewhere,))
    unsigned = Tree(signers=(STRANGER,))
    wrong_proof = (bytes(32),)
    cases = [
        (write_request(9, (), unknown.note(7)), BadRequest),  # old above the size, though the log is unknown
        (write_request(9, (), unsigned.note(7)), BadRequest),
        (unknown.request(4, 7), UnknownLog),  # though no key is known and the size is another
        (write_request(4, wrong_proof, unsigned.note(7)), NotOfThisLog),  # though size and proof are wrong
        (write_request(4, wrong_proof, A.note(7)), OtherSize),  # though the proof is wrong
        (write_request(0, (), A.note(7)), OtherSize),
        (write_request(6, A.proof(6, 7), A.note(7)), OtherSize),
        (write_request(3, A.proof(3, 4), A.note(4)), OtherSize),
        (write_request(5, wrong_proof, A.note(7)), NotAnExtension),
        (write_request(5, (), A.note(7)), NotAnExtension),
        (write_request(5, A.proof(5, 7)[:-1], A.note(7)), NotAnExtension),
        (write_request(5, (*A.proof(5, 7), bytes(32)), A.note(7)), NotAnExtension),
        (write_request(5, A.proof(5, 7)[::-1], A.note(7)), NotAnExtension),
        (B.request(5, 7), NotAnExtension),
        (write_request(5, (), B.note(5)), NotAnExtension),
        (write_request(5, wrong_proof, A.note(5)), NotAnExtension),
    ]
    before = one.newest(name_of(ORIGIN))
    for body, kind in cases:
        assert refused(one, body) is kind
    assert one.newest(name_of(ORIGIN)) == before
    one.add_checkpoint(A.request(5, 7))


def test_where_it_stands_is_said_with_the_409() -> None:
    one = witness()
    with pytest.raises(OtherSize) as none_yet:
        one.add_checkpoint(A.request(3, 5))
    one.add_checkpoint(A.request(0, 5))
    with pytest.raises(OtherSize) as five:
        one.add_checkpoint(A.request(6, 7))
    assert (none_yet.value.size, five.value.size) == (0, 5)


def test_beginnings() -> None:
    one = witness()
    assert refused(one, write_request(0, (bytes(32),), A.note(5))) is NotAnExtension, "a proof where there is none"
    wrong = sign_note(Checkpoint(ORIGIN, 0, bytes(32)).text, [LOG])
    with pytest.raises(NotAnExtension) as found:
        one.add_checkpoint(write_request(0, (), wrong))
    assert not found.value.split, "an empty tree has one root, but this is not a second one of two"
    assert (
        refused(one, write_request(0, (), sign_note(Checkpoint(ORIGIN, 0, bytes(32)).text, [STRANGER]))) is NotOfThisLog
    )
    one.add_checkpoint(write_request(0, (), sign_note(Checkpoint(ORIGIN, 0, EMPTY_ROOT).text, [LOG])))
    assert refused(one, write_request(0, (), wrong)) is NotAnExtension
    one.add_checkpoint(A.request(0, 5))


def test_a_bad_signature_of_a_known_key_spoils_a_good_one() -> None:
    note = A.note(5)
    spoiled = replace(note.signatures[0], value=bytes(64))
    assert refused(witness(), write_request(0, (), Note(note.text, (note.signatures[0], spoiled)))) is NotOfThisLog
    assert refused(witness(), write_request(0, (), Note(note.text, (spoiled,)))) is NotOfThisLog


def test_strangers_lines_are_passed_over_and_not_kept() -> None:
    one, note = witness(), A.note(5)
    junk = [Signature("junk.example", b"1234", b"x" * 2000), STRANGER.sign(note.text)]
    one.add_checkpoint(write_request(0, (), note.with_signatures(junk)))
    newest = one.newest(name_of(ORIGIN))
    assert newest is not None
    assert [line.name for line in parse_note(newest).signatures] == [ORIGIN, "police.example/w"]


def test_either_key_of_a_log_will_do_while_it_changes_them() -> None:
    new = Signer(ORIGIN, ED25519, b"n" * 32)
    one = witness()
    one.logs = {ORIGIN: (LOG.key, new.key)}
    for old, size, signers in ((0, 3, (LOG,)), (3, 5, (LOG, new)), (5, 7, (new,))):
        one.add_checkpoint(Tree(signers=signers).request(old, size))
    one.logs = {ORIGIN: (new.key,)}
    assert refused(one, A.request(7, 8)) is NotOfThisLog
    one.add_checkpoint(Tree(signers=(LOG, new)).request(7, 8))


def test_the_same_again_is_cosigned_afresh() -> None:
    clock = At(1000)
    one = witness(clock=clock)
    first = one.add_checkpoint(A.request(0, 5))
    clock.now = 2000
    again = one.add_checkpoint(A.request(5, 5))
    assert again != first
    assert time_of(again) == 2000


def time_of(line: bytes) -> int:
    return int.from_bytes(parse_signature(line.decode()).value[:8], "big")


def test_a_clock_that_is_put_back_is_not_followed() -> None:
    clock = At(5000)
    one = witness(clock=clock)
    one.add_checkpoint(A.request(0, 5))
    for now, expected in ((4000, 5000), (-5, 5000), (5001, 5001)):
        clock.now = now
        size = A.checkpoint(5).size
        assert time_of(one.add_checkpoint(A.request(size, size))) == expected


def test_two_roots_for_one_size_are_kept_as_evidence() -> None:
    states = MemoryStates()
    one = witness(states)
    one.add_checkpoint(A.request(0, 5))
    assert refused(one, write_request(5, (), B.note(5))) is NotAnExtension
    ((ours, theirs),) = states.splits
    assert (ours.checkpoint, theirs) == (A.checkpoint(5), B.note(5))
    refused(one, write_request(5, A.proof(3, 5), B.note(7)))
    refused(one, write_request(5, (), Tree(fork=4, branch="b", signers=(STRANGER,)).note(5)))
    assert len(states.splits) == 1, "a proof that fails proves nothing; what a stranger signs even less"


def test_a_witness_signs_with_a_witnesss_key() -> None:
    with pytest.raises(ValueError):
        Witness(LOG, {}, MemoryStates())


class Dishonest(RuleBasedStateMachine):
    """A log and its friends send whatever they like; what was cosigned is always one history."""

    trees = (A, B, Tree(fork=9, branch="c"), Tree(fork=0, branch="d"))

    @initialize()
    def begin(self) -> None:
        self.states, self.clock = MemoryStates(), At()
        self.witness = witness(self.states, self.clock)
        self.cosigned: list[tuple[int, Tree, int]] = []

    @rule(
        tree=st.sampled_from(trees), old=st.integers(0, 24), new=st.integers(0, 24), proof_of=st.sampled_from(trees),
        spoil=st.sampled_from(["", "", "", "drop", "swap", "add", "empty", "zero"]), now=st.integers(0, 2**40),
        claimed=st.one_of(st.none(), st.integers(0, 24)),
    )  # fmt: skip
    def ask(self, tree: Tree, old: int, new: int, proof_of: Tree, spoil: str, now: int, claimed: int | None) -> None:
        self.clock.now = now
        last = self.states.last(ORIGIN)
        start = last.checkpoint.size if last and claimed is None else old
        proof = list(proof_of.proof(min(start, new), new))
        match spoil:
            case "drop":
                del proof[:1]
            case "swap":
                proof.reverse()
            case "add":
                proof.append(bytes(32))
            case "empty":
                proof = []
            case "zero":
                proof = [bytes(32)] * len(proof)
        note = tree.note(new)
        try:
            line = self.witness.add_checkpoint(write_request(start, tuple(proof), note))
        except Refused:
            after = self.states.last(ORIGIN)
            assert after is last
        else:
            self.cosigned.append((new, tree, time_of(line)))

    @rule(size=st.integers(1, 24))
    def honest(self, size: int) -> None:
        last = self.states.last(ORIGIN)
        old = last.checkpoint.size if last else 0
        if size >= old and (last is None or A.checkpoint(old) == last.checkpoint):
            line = self.witness.add_checkpoint(A.request(old, size))
            self.cosigned.append((size, A, time_of(line)))

    @invariant()
    def one_history(self) -> None:
        if self.cosigned:
            newest = self.cosigned[-1][1]
            for size, tree, _ in self.cosigned:
                assert tree.root(0, size) == newest.root(0, size)
            sizes, times = [size for size, _, _ in self.cosigned], [at for _, _, at in self.cosigned]
            assert sizes == sorted(sizes)
            assert times == sorted(times)


TestDishonest = Dishonest.TestCase
TestDishonest.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
