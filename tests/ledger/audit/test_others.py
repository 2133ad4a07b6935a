"""What other agencies were shown, against what we are shown."""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from ledger.audit.findings import Fault, Outcome
from tests.ledger.audit.conftest import Audit
from tests.ledger.audit.logs import ORIGIN, Files, entries, entry, flip, signed
from tests.ledger.audit.serving import serving
from tests.ledger.audit.test_tampering import told


def other(log: Files, name: str, size: int, *, changed: int | None = None) -> Files:
    held = entries(size)
    if changed is not None:
        held[changed] = entry(changed, actor="ZZ")
    return Files(log.path.parent / name, held).publish()


@pytest.mark.parametrize("size", [0, 1, 256, 300, 512, 699, 700])
def test_an_earlier_or_equal_checkpoint_of_the_same_history_agrees(log: Files, run: Audit, size: int) -> None:
    report = run(log.path, also=[str(other(log, "b", size).path / "checkpoint")])
    assert (told(report), report.others) == ([], 1)


@pytest.mark.parametrize(
    ("size", "changed"), [(1, 0), (256, 3), (300, 299), (512, 300), (699, 0), (700, 699), (700, 0)]
)
def test_another_history_shown_to_somebody_else_is_a_split_view(
    log: Files, run: Audit, size: int, changed: int
) -> None:
    elsewhere = str(other(log, "b", size, changed=changed).path)
    report = run(log.path, also=[elsewhere])
    assert [one.fault for one in report.findings] == [Fault.SPLIT_VIEW]
    assert report.outcome is Outcome.TAMPERED
    assert report.findings[0].notes == {
        "ours": (log.path / "checkpoint").read_text(),
        elsewhere: Path(elsewhere, "checkpoint").read_text(),
    }


@pytest.mark.parametrize(("size", "changed"), [(300, 299), (700, 0), (700, 520), (1000, 300), (1000, 690)])
def test_another_auditors_state_names_the_entry_in_which_they_part(
    log: Files, run: Audit, state: Path, size: int, changed: int
) -> None:
    run(other(log, "b", size, changed=changed).path, state=state)
    if size > 700:
        log.held += entries(size - 700, 700)
        log.publish()
    report = run(log.path, also=[str(state)])
    assert told(report) == [(Fault.SPLIT_VIEW, changed, None)]


def test_another_auditors_state_of_the_same_history_agrees(log: Files, run: Audit, state: Path) -> None:
    run(log.path, state=state)
    log.held += entries(400, 700)
    assert told(run(log.publish().path, also=[str(state)])) == []


def test_somebody_who_saw_more_cannot_be_compared_with_a_copy_that_lags(log: Files, run: Audit) -> None:
    report = run(log.path, also=[str(other(log, "b", 1000).path)])
    assert told(report) == [(Fault.OTHER_UNCOMPARED, 1000, None)]
    assert report.outcome is Outcome.UNCHECKED


def test_a_log_that_has_grown_meanwhile_shows_what_somebody_else_saw(log: Files, run: Audit) -> None:
    """Its checkpoint is an old copy, its tiles are not."""
    before = (log.path / "checkpoint").read_bytes()
    log.held += entries(300, 700)
    log.publish()
    log.write("checkpoint", before)
    assert told(run(log.path, also=[str(other(log, "b", 1000).path)])) == []
    assert told(run(log.path, also=[str(other(log, "c", 1000, changed=3).path)]))[0][0] is Fault.SPLIT_VIEW


def test_a_damaged_tile_is_no_split_view(log: Files, run: Audit) -> None:
    flip(log.tile(0, 0), 9)
    assert [one.fault for one in run(log.path, also=[str(other(log, "b", 300).path)]).findings] == [Fault.SWAPPED_TILE]


def test_an_edited_entry_and_others_who_saw_the_same_is_no_split_view(log: Files, run: Audit) -> None:
    log.held[3] = entry(3, actor="ZZ")
    log.write_bundles()
    found = run(log.path, also=[str(other(log, "b", 300).path)]).findings
    assert [one.fault for one in found] == [Fault.EDITED_ENTRY]


def test_where_tiles_are_false_too_nobody_is_accused_of_a_split_view(log: Files, run: Audit) -> None:
    """The proof that would show it goes through the false tile."""
    log.held[400] = entry(400, actor="ZZ")
    log.write_bundles()
    log.write_tiles(lambda level: level == 0)
    found = run(log.path, also=[str(other(log, "b", 300).path)])
    assert told(found) == [(Fault.EDITED_ENTRY, 256, 511), (Fault.OTHER_UNCOMPARED, None, None)]
    assert found.outcome is Outcome.TAMPERED


def test_a_witness_is_asked_as_witnesses_are_asked(log: Files, run: Audit, tmp_path: Path) -> None:
    folder = tmp_path / "witness" / sha256(ORIGIN.encode()).hexdigest()
    folder.mkdir(parents=True)
    shutil.copy(log.path / "checkpoint", folder)
    with serving(tmp_path / "witness") as served:
        assert run(log.path, also=[served.url]).others == 1
        (folder / "checkpoint").write_bytes(bytes(signed(other(log, "b", 700, changed=5).checkpoint())))
        assert told(run(log.path, also=[served.url]))[0][0] is Fault.SPLIT_VIEW
    with serving(log.path) as served:
        assert run(log.path, also=[served.url, f"{served.url}/checkpoint"]).others == 2


@pytest.mark.parametrize("data", [b"", b"{}", b"garbage", b"\xff" * 2_000_000])
def test_what_is_no_checkpoint_of_this_log_is_told_and_not_believed(
    log: Files, run: Audit, tmp_path: Path, data: bytes
) -> None:
    (tmp_path / "x").write_bytes(data)
    report = run(log.path, also=[str(tmp_path / "x"), str(tmp_path / "none")])
    assert [one.fault for one in report.findings] == [Fault.OTHER_UNREADABLE] * 2
    assert report.outcome is Outcome.UNCHECKED


def test_a_checkpoint_the_log_did_not_sign_proves_nothing(log: Files, run: Audit, tmp_path: Path) -> None:
    text = other(log, "b", 700, changed=5).checkpoint().text
    (tmp_path / "x").write_text(f"{text}\n{(log.path / 'checkpoint').read_text().partition(chr(10) * 2)[2]}")
    assert told(run(log.path, also=[str(tmp_path / "x")])) == [(Fault.OTHER_UNREADABLE, None, None)]
