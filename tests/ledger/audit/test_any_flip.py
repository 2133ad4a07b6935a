"""Whatever byte of whatever file is changed: it is found."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.audit.findings import Outcome
from ledger.audit.run import Asked, audit
from ledger.audit.source import Directory
from tests.ledger.audit.logs import Files, entries, flip, policy

SIZES = (1, 5, 256, 300)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Files]]:
    folder = tmp_path_factory.mktemp("flips")
    yield {size: Files(folder / str(size), entries(size)).publish() for size in SIZES}
    shutil.rmtree(folder)


def outcome(folder: Path, **asked: object) -> Outcome:
    """All five must have cosigned: of a sixth signature, that of an unknown key, nobody takes notice."""
    return audit(Directory(folder), Asked(policy(5), **asked), lambda where: Directory(Path(where))).outcome  # type: ignore[arg-type]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.sampled_from(SIZES), data=st.data())
def test_a_flip_anywhere_is_found(logs: dict[int, Files], size: int, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(logs[size].all_files()))
    before = path.read_bytes()
    try:
        flip(path, data.draw(st.integers(0, len(before) - 1)), data.draw(st.integers(1, 255)))
        assert outcome(logs[size].path) is Outcome.TAMPERED
    finally:
        path.write_bytes(before)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.sampled_from(SIZES), data=st.data())
def test_a_cut_or_an_addition_anywhere_is_found(logs: dict[int, Files], size: int, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(logs[size].all_files()))
    before = path.read_bytes()
    at = data.draw(st.integers(0, len(before) - 1))
    more = data.draw(st.binary(min_size=1, max_size=40))
    try:
        path.write_bytes(data.draw(st.sampled_from([before[:at], before + more, more + before])))
        assert outcome(logs[size].path) is Outcome.TAMPERED
    finally:
        path.write_bytes(before)


def test_every_byte_of_a_log_of_one_entry(logs: dict[int, Files]) -> None:
    log = logs[1]
    for path in log.all_files():
        before = path.read_bytes()
        for at in range(len(before)):
            flip(path, at)
            assert outcome(log.path) is Outcome.TAMPERED, (path.name, at)
            path.write_bytes(before)
    assert outcome(log.path) is Outcome.FINE


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), at=st.integers(0, 299))
def test_any_edit_of_any_entry_names_that_entry(logs: dict[int, Files], data: st.DataObject, at: int) -> None:
    log = logs[300]
    n = at // 256
    held = log.held[n * 256 : (n + 1) * 256]
    held[at % 256] = data.draw(st.binary(max_size=300).filter(lambda one: one != log.held[at]))
    try:
        log.write_bundle(n, held)
        findings = audit(Directory(log.path), Asked(policy(5)), lambda where: Directory(Path(where))).findings
        assert [(one.fault.value, one.first, one.last) for one in findings] == [("EDITED_ENTRY", at, None)]
    finally:
        log.write_bundle(n, log.held[n * 256 : (n + 1) * 256])
