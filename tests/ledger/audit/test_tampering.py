"""Each way to tamper with what is served, and what an auditor without any memory says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.audit.findings import Fault, Outcome
from ledger.audit.run import Report
from ledger.checkpoint import Checkpoint
from ledger.note import ED25519, Signer
from ledger.tiles import encode_bundle
from tests.ledger.audit.conftest import Audit
from tests.ledger.audit.logs import AGENCIES, LOG, WITNESSES, Files, entries, entry, flip, signed


def told(report: Report) -> list[tuple[Fault, int | None, int | None]]:
    return [(one.fault, one.first, one.last) for one in report.findings]


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 1000, 65536 + 300])
def test_an_honest_log_of_any_size_is_found_right(tmp_path: Path, run: Audit, size: int) -> None:
    report = run(Files(tmp_path / "log", entries(size)).publish().path)
    assert told(report) == []
    assert report.outcome is Outcome.FINE
    assert report.read == size
    assert set(report.witnesses) == set(AGENCIES)


@pytest.mark.parametrize("at", [0, 255, 256, 300, 511, 512, 699])
def test_an_edited_entry_is_named(log: Files, run: Audit, at: int) -> None:
    log.held[at] = entry(at, actor="ZZ")
    log.write_bundles()
    assert told(run(log.path)) == [(Fault.EDITED_ENTRY, at, None)]


@pytest.mark.parametrize("at", [0, 255, 300, 512])
def test_an_entry_deleted_where_all_later_ones_move_up_is_named(log: Files, run: Audit, at: int) -> None:
    size = len(log.held)
    del log.held[at]
    for n in range(3):
        held = log.held[n * 256 : (n + 1) * 256]
        log.write(f"tile/entries/{n:03}" + ("" if n < 2 else f".p/{size - 512}"), b"".join(_framed(held)))
    found = run(log.path)
    assert found.findings[0].first == at
    assert (
        found.findings[0].fault is Fault.DELETED_ENTRY or at == 255
    )  # the last of a bundle was replaced by the next one's


@pytest.mark.parametrize("at", [0, 17, 187])
def test_an_entry_deleted_from_its_bundle_is_named(log: Files, run: Audit, at: int) -> None:
    held = log.held[512:]
    del held[at]
    log.write_bundle(2, held)
    assert told(run(log.path)) == [(Fault.DELETED_ENTRY, 512 + at, None)]


def test_an_entry_put_in_is_named(log: Files, run: Audit) -> None:
    log.write_bundle(1, [*log.held[256:300], entry(9999), *log.held[300:511]])
    assert told(run(log.path)) == [(Fault.INSERTED_ENTRY, 300, None)]


def test_two_entries_that_changed_places_are_named_by_the_first(log: Files, run: Audit) -> None:
    log.held[300], log.held[400] = log.held[400], log.held[300]
    log.write_bundles()
    assert told(run(log.path)) == [(Fault.EDITED_ENTRY, 300, None)]


def test_an_edit_with_its_hash_made_anew_is_found_by_the_tile_above(log: Files, run: Audit) -> None:
    """As when the database's rows are changed and level 0 is read from them."""
    log.held[300] = entry(300, actor="ZZ")
    log.write_bundles()
    log.write_tiles(lambda level: level == 0)
    assert told(run(log.path)) == [(Fault.EDITED_ENTRY, 256, 511)]


def test_an_edit_with_all_tiles_made_anew_is_found_by_the_signed_root(log: Files, run: Audit) -> None:
    log.held[300] = entry(300, actor="ZZ")
    log.publish(checkpoint=False)
    assert told(run(log.path)) == [(Fault.TREE_DIFFERS, None, None)]


def test_a_log_signed_by_its_key_without_its_witnesses_says_who_is_missing(log: Files, run: Audit) -> None:
    log.held[300] = entry(300, actor="ZZ")
    log.witnesses = WITNESSES[:2]
    report = run(log.publish().path)
    assert told(report) == [(Fault.MISSING_COSIGNATURES, None, None)]
    assert report.findings[0].about == "fy, sfj, jy"


def test_three_of_five_are_not_four(log: Files, run: Audit) -> None:
    log.witnesses = WITNESSES[:3]
    log.publish()
    assert run(log.path, quorum=3).outcome is Outcome.FINE
    assert run(log.path, quorum=4).outcome is Outcome.TAMPERED


@pytest.mark.parametrize("level", [0, 1])
def test_a_changed_tile_is_named_and_the_entries_are_not_blamed(log: Files, run: Audit, level: int) -> None:
    flip(log.tile(level, 0), 40)
    expected = (Fault.SWAPPED_TILE, 1, None) if level == 0 else (Fault.SWAPPED_TILE, 256, 511)
    assert told(run(log.path)) == [expected]


def test_a_tile_of_another_place_is_named(log: Files, run: Audit) -> None:
    log.tile(0, 1).write_bytes(log.tile(0, 0).read_bytes())
    assert told(run(log.path)) == [(Fault.SWAPPED_TILE, 256, None)]


def test_a_bundle_of_another_place_is_named(log: Files, run: Audit) -> None:
    log.tile(-1, 1).write_bytes(log.tile(-1, 0).read_bytes())
    assert told(run(log.path)) == [(Fault.EDITED_ENTRY, 256, None)]


def test_a_bundle_cut_off_in_an_entry_is_named_by_that_entry(log: Files, run: Audit) -> None:
    path = log.tile(-1, 1)
    whole = sum(len(one) + 2 for one in log.held[256:356])
    path.write_bytes(path.read_bytes()[: whole + 9])
    assert told(run(log.path)) == [(Fault.BAD_BUNDLE, 356, None)]


@pytest.mark.parametrize(("level", "fault"), [(-1, Fault.LOST_ENTRIES), (0, Fault.LOST_TILE)])
def test_what_was_signed_and_is_gone_is_lost(log: Files, run: Audit, level: int, fault: Fault) -> None:
    log.tile(level, 1).unlink()
    report = run(log.path)
    assert told(report) == [(fault, 256, 511)]
    assert report.outcome is Outcome.TAMPERED


def test_the_first_lost_entry_is_named_where_shorter_bundles_are_still_served(log: Files, run: Audit) -> None:
    whole = log.tile(-1, 1)
    shorter = whole.with_name(f"{whole.name}.p")
    shorter.mkdir(exist_ok=True)
    for width in range(1, 78):
        (shorter / str(width)).write_bytes(encode_bundle(log.held[256 : 256 + width]))
    whole.unlink()
    assert told(run(log.path)) == [(Fault.LOST_ENTRIES, 256 + 77, 511)]


def test_a_lost_tile_above_is_lost_too(log: Files, run: Audit) -> None:
    log.tile(1, 0).unlink()
    assert told(run(log.path)) == [(Fault.LOST_TILE, 0, 511)]


def test_entries_that_are_none_are_named_though_the_log_signed_them(tmp_path: Path, run: Audit) -> None:
    held = [*entries(20), b'{"v":2}', *entries(5), b"", *entries(5)]
    report = run(Files(tmp_path / "log", held).publish().path)
    assert told(report) == [(Fault.BAD_ENTRY, 20, None)]
    assert report.findings[0].count == 2


def test_time_that_goes_back_for_days_is_told_and_no_fault(tmp_path: Path, run: Audit) -> None:
    held = [*entries(20, 100_000), *entries(20)]
    report = run(Files(tmp_path / "log", held).publish().path)
    assert told(report) == [(Fault.TIME_BACKWARDS, 20, None)]
    assert report.outcome is Outcome.FINE


def test_a_checkpoint_of_another_key_is_not_believed(log: Files, run: Audit) -> None:
    other = Signer(LOG.name, ED25519, bytes(32))
    log.write("checkpoint", bytes(signed(log.checkpoint(), log=other)))
    assert told(run(log.path)) == [(Fault.BAD_SIGNATURE, None, None)]


def test_a_checkpoint_of_another_log_is_not_believed(log: Files, run: Audit) -> None:
    at = log.checkpoint()
    log.write("checkpoint", bytes(signed(Checkpoint("ledger.example/other", at.size, at.root))))
    assert told(run(log.path)) == [(Fault.BAD_SIGNATURE, None, None)]


def test_a_changed_checkpoint_is_not_believed(log: Files, run: Audit) -> None:
    text = (log.path / "checkpoint").read_bytes()
    log.write("checkpoint", text.replace(b"\n700\n", b"\n600\n"))
    assert told(run(log.path)) == [(Fault.BAD_SIGNATURE, None, None)]


def test_one_false_cosignature_spoils_the_checkpoint(log: Files, run: Audit) -> None:
    note = signed(log.checkpoint(), WITNESSES[:4])
    false = WITNESSES[4].sign(Checkpoint("x", 1, bytes(32)).text, 1)
    log.write("checkpoint", bytes(note.with_signatures([false])))
    report = run(log.path)
    assert told(report) == [(Fault.BAD_SIGNATURE, None, None)]
    assert "jy.example/w" in report.findings[0].about


@pytest.mark.parametrize("data", [b"", b"\n\n", b"hello", b"\xff\xfe", b"a\n07\nb\n\n\xe2\x80\x94 a b\n"])
def test_what_is_no_checkpoint_is_said_to_be_none(log: Files, run: Audit, data: bytes) -> None:
    log.write("checkpoint", data)
    assert told(run(log.path)) == [(Fault.BAD_CHECKPOINT, None, None)]


def test_nothing_there_is_not_tampering(tmp_path: Path, run: Audit) -> None:
    report = run(tmp_path / "nowhere")
    assert told(report) == [(Fault.NO_CHECKPOINT, None, None)]
    assert report.outcome is Outcome.UNCHECKED


def test_a_partial_tile_that_a_full_one_replaced_is_cut_from_it(log: Files, run: Audit) -> None:
    """The log has grown since its checkpoint was copied."""
    before = (log.path / "checkpoint").read_bytes()
    log.tile(0, 2).unlink()
    log.tile(-1, 2).unlink()
    log.held += entries(400, 700)
    log.publish()
    log.write("checkpoint", before)
    report = run(log.path)
    assert told(report) == []
    assert report.read == 700


def _framed(held: list[bytes]) -> list[bytes]:
    return [len(one).to_bytes(2, "big") + one for one in held]
