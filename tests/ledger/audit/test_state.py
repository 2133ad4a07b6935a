"""What an auditor remembers, and what that lets it find."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.audit import state as states
from ledger.audit.findings import Fault, Outcome
from tests.ledger.audit.conftest import Audit
from tests.ledger.audit.logs import Files, entries, entry, flip, signed
from tests.ledger.audit.test_tampering import told

BOTH = pytest.mark.parametrize("new_only", [False, True])


def contents(state: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in state.parent.glob(f"*{state.name}*") if ".exhibit" not in one.name}


@BOTH
@pytest.mark.parametrize(
    "sizes", [(0, 1), (1, 700), (255, 256), (256, 512), (300, 300), (300, 511, 512, 513), (700, 1300)]
)
def test_a_log_that_grows_is_found_right_each_time(
    tmp_path: Path, run: Audit, state: Path, sizes: tuple[int, ...], new_only: bool
) -> None:
    for before, size in zip((None, *sizes), sizes, strict=False):
        report = run(Files(tmp_path / "log", entries(size)).publish().path, state=state, new_only=new_only)
        assert (told(report), report.before, report.kept) == ([], before, True)
        assert report.read == size - (before or 0) // 256 * 256 * new_only


@BOTH
@pytest.mark.parametrize("at", [0, 255, 256, 300, 512, 699])
@pytest.mark.parametrize("grown", [0, 400])
def test_history_rewritten_and_signed_again_is_named_by_its_first_changed_entry(
    log: Files, run: Audit, state: Path, at: int, grown: int, new_only: bool
) -> None:
    run(log.path, state=state)
    before = (log.path / "checkpoint").read_text()
    log.held[at] = entry(at, actor="ZZ")
    log.held += entries(grown, 700)
    log.publish()
    report = run(log.path, state=state, new_only=new_only)
    assert told(report) == [(Fault.REWRITTEN_HISTORY, at, None)]
    assert report.findings[0].notes == {"before": before, "now": (log.path / "checkpoint").read_text()}


@BOTH
def test_history_with_an_entry_taken_out_is_named_where_it_was(
    log: Files, run: Audit, state: Path, new_only: bool
) -> None:
    run(log.path, state=state)
    del log.held[300]
    log.held += entries(5, 700)
    report = run(log.publish().path, state=state, new_only=new_only)
    assert told(report) == [(Fault.REWRITTEN_HISTORY, 300, None)]


def test_rewritten_history_whose_tiles_were_left_is_named_too(log: Files, run: Audit, state: Path) -> None:
    run(log.path, state=state)
    log.held[300] = entry(300, actor="ZZ")
    log.write("checkpoint", bytes(signed(log.checkpoint())))
    log.write_bundles()
    found = told(run(log.path, state=state))
    assert (Fault.REWRITTEN_HISTORY, 300, None) in found
    assert (Fault.SWAPPED_TILE, 300, None) in found


@pytest.mark.parametrize("at", [0, 300, 511, 512, 699])
def test_an_edit_with_all_tiles_made_anew_is_named_from_memory(log: Files, run: Audit, state: Path, at: int) -> None:
    run(log.path, state=state)
    log.held[at] = entry(at, actor="ZZ")
    log.publish(checkpoint=False)
    assert told(run(log.path, state=state)) == [(Fault.EDITED_ENTRY, at, None)]


def test_an_edit_with_its_hash_made_anew_is_named_from_memory(log: Files, run: Audit, state: Path) -> None:
    run(log.path, state=state)
    log.held[300] = entry(300, actor="ZZ")
    log.write_bundles()
    log.write_tiles(lambda level: level == 0)
    assert told(run(log.path, state=state)) == [(Fault.EDITED_ENTRY, 300, None)]


def test_reading_only_what_is_new_does_not_see_an_old_entry_edited_where_it_lies(
    log: Files, run: Audit, state: Path
) -> None:
    """Which is why it is not the default, and is said."""
    run(log.path, state=state)
    log.held[30] = entry(30, actor="ZZ")
    log.write_bundles()
    assert run(log.path, state=state, new_only=True).outcome is Outcome.FINE
    assert told(run(log.path, state=state)) == [(Fault.EDITED_ENTRY, 30, None)]


@BOTH
@pytest.mark.parametrize("size", [0, 100, 256, 512, 600])
def test_a_log_that_shrank_was_rolled_back(log: Files, run: Audit, state: Path, size: int, new_only: bool) -> None:
    run(log.path, state=state)
    report = run(Files(log.path, entries(size)).publish().path, state=state, new_only=new_only)
    assert told(report) == [(Fault.ROLLED_BACK, size, 699)]
    assert set(report.findings[0].notes) == {"before", "now"}


def test_a_log_that_shrank_and_differs_is_both(log: Files, run: Audit, state: Path) -> None:
    run(log.path, state=state)
    held = entries(600)
    held[550] = entry(550, actor="ZZ")
    found = told(run(Files(log.path, held).publish().path, state=state))
    assert sorted(found) == [(Fault.REWRITTEN_HISTORY, 550, None), (Fault.ROLLED_BACK, 600, 699)]


def test_a_failed_audit_changes_nothing_of_the_state(log: Files, run: Audit, state: Path) -> None:
    run(log.path, state=state)
    kept = contents(state)
    log.held += entries(1000, 700)
    log.publish()
    flip(log.tile(-1, 5), 50)
    assert run(log.path, state=state).outcome is Outcome.TAMPERED
    assert contents(state) == kept
    log.publish()
    assert run(log.path, state=state, new_only=True).kept


def test_a_first_audit_that_fails_leaves_no_state(log: Files, run: Audit, state: Path) -> None:
    flip(log.tile(-1, 1), 50)
    run(log.path, state=state)
    assert contents(state) == {}


def test_an_unreachable_log_changes_nothing_of_the_state(log: Files, run: Audit, state: Path) -> None:
    run(log.path, state=state)
    kept = contents(state)
    report = run("http://127.0.0.1:9/log", state=state)
    assert (report.findings[0].fault, report.outcome) == (Fault.UNREACHABLE, Outcome.UNCHECKED)
    assert contents(state) == kept


@pytest.mark.parametrize("part", ["", ".leaves"])
@pytest.mark.parametrize("how", ["flip", "cut", "gone", "empty"])
def test_a_damaged_state_is_said_to_be_damaged_and_left(
    log: Files, run: Audit, state: Path, part: str, how: str
) -> None:
    run(log.path, state=state)
    path = state.with_name(state.name + part)
    data = path.read_bytes()
    if how == "gone" and not part:
        return  # then there is none
    for at in range(0, len(data), 97) if how == "flip" else [0]:
        if how == "flip":
            path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        elif how == "gone":
            path.unlink()
        else:
            path.write_bytes(data[: len(data) // 2] if how == "cut" else b"")
        kept = contents(state)
        if not part and how == "flip" and data[at : at + 1] in b" \n":
            continue  # between the words
        report = run(log.path, state=state)
        assert (report.findings[0].fault, report.outcome) == (Fault.STATE_DAMAGED, Outcome.UNCHECKED)
        assert contents(state) == kept


def test_what_a_run_that_died_has_left_behind_does_not_count(log: Files, run: Audit, state: Path) -> None:
    run(log.path, state=state)
    with state.with_name(state.name + ".leaves").open("ab") as file:
        file.write(b"\1" * 3333)
    log.held += entries(400, 700)
    assert run(log.publish().path, state=state).kept
    assert run(log.path, state=state).kept


def test_the_state_of_another_log_is_refused(log: Files, run: Audit, state: Path, tmp_path: Path) -> None:
    run(log.path, state=state)
    said = json.loads(state.read_text())
    assert said["origin"] == "ledger.example/2026a"
    kept = states.load(state)
    assert kept is not None
    assert kept.size == 700
    assert [len(kept.prints(n)) for n in range(4)] == [256, 256, 188, 0]
