"""A log that follows another begins where that one ended, or the auditor says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.audit.command import main
from ledger.audit.findings import Fault, Outcome
from ledger.audit.run import Asked, Report, audit
from ledger.audit.state import load
from ledger.checkpoint import Checkpoint
from ledger.encoding import b64
from ledger.entry import Entry, canonical, commit
from ledger.merkle import Frontier, leaf_hash
from ledger.note import ED25519, Signer
from ledger.policy import parse_policy
from tests.ledger.audit.conftest import opened
from tests.ledger.audit.logs import AGENCIES, BEGAN, LOG, WITNESSES, Files, entries, policy_text, signed
from tests.ledger.audit.serving import serving

NEXT = Signer("ledger.example/2027", ED25519, b"n" * 32)
BOTH = policy_text() + f"log {NEXT.key}\n"


def begins(previous: Any) -> bytes:
    public = {"previous": previous}
    return bytes(Entry("log", "yimen", BEGAN, commit(bytes(32), canonical(public)), public))


def named(held: list[bytes], **changes: Any) -> dict[str, Any]:
    tree = Frontier().extended(map(leaf_hash, held))
    checkpoint = Checkpoint(LOG.key.name, tree.size, tree.root())
    note = bytes(signed(checkpoint)).decode()
    return {"origin": checkpoint.origin, "size": checkpoint.size, "root": b64(checkpoint.root), "note": note} | changes


def follower(path: Path, previous: Any, count: int = 40) -> Path:
    return write(path, [begins(previous), *entries(count)])


def write(path: Path, held: list[bytes]) -> Path:
    log = Files(path, held).publish(checkpoint=False)
    tree = log.checkpoint()
    log.write("checkpoint", bytes(signed(Checkpoint(NEXT.key.name, tree.size, tree.root), WITNESSES, NEXT)))
    return path


def run(where: Path | str, *previous: Path | str, state: Path | None = None, new: bool = False) -> Report:
    asked = Asked(parse_policy(BOTH), state, new, previous=[str(one) for one in previous])
    return audit(opened(str(where)), asked, opened)


def faults(report: Report) -> list[Fault]:
    return [one.fault for one in report.findings]


@pytest.fixture
def old(log: Files, tmp_path: Path) -> Path:
    """The state after an audit of the log before, which ended at 700 entries."""
    state = tmp_path / "2026.state"
    assert audit(opened(str(log.path)), Asked(parse_policy(BOTH), state), opened).outcome is Outcome.FINE
    return state


def test_it_continues_what_was_audited(log: Files, old: Path, tmp_path: Path) -> None:
    new = follower(tmp_path / "new", named(log.held))
    with serving(log.path) as served:
        for previous in (old, log.path, served.url, f"{served.url}/checkpoint"):
            report = run(new, previous)
            assert (report.outcome, faults(report), report.chain.checked) == (Outcome.FINE, [], True)


def test_what_was_not_checked_is_said(
    log: Files, old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new, state = follower(tmp_path / "new", named(log.held)), tmp_path / "2027.state"
    (tmp_path / "policy").write_text(BOTH)
    command = ["audit", str(new), "--policy", str(tmp_path / "policy"), "--state", str(state)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "it says it follows 700 entries of the log ledger.example/2026a; that was not checked" in said
    assert main([*command, "--previous", str(old)]) == 0
    assert "checked: it continues the log ledger.example/2026a after 700 entries" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0  # the state remembers it
    said = json.loads(capsys.readouterr().out)
    assert (said["previous"]["checked"], said["findings"]) == (True, [])


def test_what_the_state_knows_outlives_runs_that_do_not_look(log: Files, old: Path, tmp_path: Path) -> None:
    new, state = follower(tmp_path / "new", named(log.held), 300), tmp_path / "2027.state"
    assert run(new, old, state=state).chain.checked
    assert faults(run(new, state=state, new=True)) == []
    kept = load(state)
    assert kept is not None
    assert kept.previous.startswith("ledger.example/2026a\n700\n")
    assert run(new, old, state=state, new=True).chain.checked  # asked for, it is fetched


@pytest.mark.parametrize(
    "change",
    [
        lambda held: named(held[:-1] + entries(1, 9000)),  # another history
        lambda held: named([*held[:300], *held[301:]]),  # one entry dropped: 699
        lambda held: named(held, size=699),  # not the note's
        lambda held: named(held, root=b64(b"r" * 32)),
        lambda held: named(held, note=None),
        lambda held: named(held, note=named(held)["note"].replace("\n700\n", "\n701\n"), size=701),  # not signed
        lambda held: "nonsense",
        lambda held: named(held, origin=7),
        lambda held: None,  # no word of the log before
    ],
)
def test_a_log_that_does_not_continue_it_is_named(log: Files, old: Path, tmp_path: Path, change: Any) -> None:
    new = follower(tmp_path / "new", change(log.held))
    with serving(log.path) as served:
        for previous in (old, served.url):
            report = run(new, previous)
            if faults(report) == [
                Fault.PREVIOUS_UNCOMPARED
            ]:  # a state holds too little of a smaller tree; the log has all
                assert (previous, report.outcome) == (old, Outcome.UNCHECKED)
                continue
            assert (report.outcome, faults(report)) == (Outcome.TAMPERED, [Fault.BROKEN_CHAIN])
            assert report.findings[0].first == 0


def test_a_log_begun_anew_without_a_word_is_named(old: Path, tmp_path: Path) -> None:
    new = write(tmp_path / "new", entries(40))
    assert faults(run(new)) == []
    assert faults(run(new, old)) == [Fault.BROKEN_CHAIN]


def test_what_was_signed_of_it_need_not_be_its_end(log: Files, old: Path, tmp_path: Path) -> None:
    """The last entries before a turn may be sealed after it: they stay in the log before."""
    for size in (690, 512):  # within what a state knows whole
        assert faults(run(follower(tmp_path / f"new{size}", named(log.held[:size])), old)) == []
    new = follower(tmp_path / "new", named(log.held[:300]))
    assert faults(run(new, old)) == [Fault.PREVIOUS_UNCOMPARED]
    assert faults(run(new, log.path)) == []


def test_a_state_that_ends_before_it_says_so(log: Files, old: Path, tmp_path: Path) -> None:
    new = follower(tmp_path / "new", named([*log.held, *entries(9, 700)]))
    report = run(new, old)
    assert (report.outcome, faults(report)) == (Outcome.UNCHECKED, [Fault.PREVIOUS_UNCOMPARED])


def test_the_log_before_is_believed_by_its_own_key(log: Files, tmp_path: Path) -> None:
    new = follower(tmp_path / "new", named(log.held))
    report = audit(
        opened(str(new)),
        Asked(parse_policy(BOTH.replace(f"log {LOG.key}\n", "")), previous=[str(log.path)]),
        opened,
    )
    assert faults(report) == [Fault.OTHER_UNREADABLE]
    assert len(AGENCIES) == 5


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**52), 2**52) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["origin", "size", "root", "note"]), inner)
    ),
    max_leaves=8,
)
PLAUSIBLE = st.fixed_dictionaries(
    {"origin": SHAPES | st.just(LOG.key.name), "size": SHAPES | st.just(700), "root": SHAPES | st.just(b64(bytes(32))), "note": SHAPES}
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=SHAPES | PLAUSIBLE)
def test_whatever_the_first_entry_names_is_a_finding_and_never_an_error(said: Any, tmp_path: Path) -> None:
    report = run(follower(tmp_path / "new", said, 3))
    assert set(faults(report)) <= {Fault.BROKEN_CHAIN, Fault.PREVIOUS_UNCHECKED, Fault.BAD_ENTRY}
    assert report.chain.named is None or report.chain.named.size == 0
