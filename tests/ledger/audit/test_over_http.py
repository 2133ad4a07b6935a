"""The same over real HTTP, from servers that break off, redirect, pack, lie and never end."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest

from ledger.audit.findings import Fault, Outcome
from ledger.audit.http import Http
from ledger.audit.source import Lost, Unreachable
from ledger.errors import Malformed
from tests.ledger.audit.conftest import Audit
from tests.ledger.audit.logs import Files, entry, flip
from tests.ledger.audit.serving import Served, serving
from tests.ledger.audit.test_tampering import told


@pytest.fixture
def served(log: Files) -> Iterator[Served]:
    with serving(log.path) as served:
        yield served


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_a_log_is_read_over_a_few_connections_that_are_kept(
    served: Served, run: Audit, packed: bool, chunked: bool
) -> None:
    served.packed, served.chunked = packed, chunked
    report = run(served.url)
    assert (told(report), report.read) == ([], 700)
    assert served.connections <= 7
    assert len(served.asked) == len(set(served.asked)) + 1  # the partial tile of level 0, once for the root


def test_an_edited_entry_is_named_over_http(log: Files, served: Served, run: Audit) -> None:
    log.held[300] = entry(300, actor="ZZ")
    log.write_bundles()
    assert told(run(served.url)) == [(Fault.EDITED_ENTRY, 300, None)]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("path", ["checkpoint", "tile/entries/001", "tile/0/001", "tile/1/000.p/2"])
def test_an_answer_that_breaks_off_is_asked_for_again(served: Served, run: Audit, path: str, chunked: bool) -> None:
    served.broken[path], served.chunked = 2, chunked
    assert told(run(served.url)) == []


@pytest.mark.parametrize("path", ["checkpoint", "tile/entries/001", "tile/0/001", "tile/1/000.p/2"])
def test_an_answer_that_always_breaks_off_is_no_tampering(served: Served, run: Audit, path: str) -> None:
    served.broken[path] = 99
    report = run(served.url)
    assert ([one.fault for one in report.findings], report.outcome) == ([Fault.UNREACHABLE], Outcome.UNCHECKED)


@pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 500, 503])
def test_whatever_is_no_answer_is_unreachable(served: Served, run: Audit, status: int) -> None:
    """Redirects above all: an auditor reads from whom it was told to read."""
    served.status["tile/entries/001"] = status
    report = run(served.url)
    assert ([one.fault for one in report.findings], report.outcome) == ([Fault.UNREACHABLE], Outcome.UNCHECKED)
    assert str(status) in report.findings[0].about


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize(("path", "fault"), [("entries", Fault.LOST_ENTRIES), ("0", Fault.LOST_TILE)])
def test_what_is_gone_is_lost(served: Served, run: Audit, status: int, path: str, fault: Fault) -> None:
    served.status[f"tile/{path}/001"] = status
    assert told(run(served.url)) == [(fault, 256, 511)]


def test_answers_without_an_end_are_left(served: Served, run: Audit) -> None:
    served.endless |= {"tile/entries/001", "tile/0/000"}
    assert [one.fault for one in run(served.url).findings] == [Fault.SWAPPED_TILE, Fault.BAD_BUNDLE]
    served.endless = {"checkpoint"}
    assert told(run(served.url)) == [(Fault.BAD_CHECKPOINT, None, None)]


def test_a_small_answer_that_unpacks_to_a_huge_one_is_left(served: Served, run: Audit) -> None:
    served.bodies["tile/0/000"] = gzip.compress(bytes(100_000_000))
    served.encodings["tile/0/000"] = "gzip"
    assert told(run(served.url)) == [(Fault.SWAPPED_TILE, 0, 255)]


@pytest.mark.parametrize(
    "data", [gzip.compress(bytes(11)), gzip.compress(bytes(10)) + b"x", gzip.compress(bytes(10))[:-1]]
)
def test_packed_answers_are_as_large_as_they_may_be_and_nothing_after(served: Served, data: bytes) -> None:
    source = Http(served.url)
    served.bodies["x"], served.encodings["x"] = gzip.compress(bytes(10)), "gzip"
    assert source.read("x", 10) == bytes(10)
    served.bodies["x"] = data
    with pytest.raises(Malformed):
        source.read("x", 10)
    source.close()


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_what_cannot_be_unpacked_is_a_bad_file(served: Served, run: Audit, encoding: str) -> None:
    served.encodings["tile/entries/001"] = encoding
    assert [(one.fault, one.first) for one in run(served.url).findings] == [(Fault.BAD_BUNDLE, 256)]


def test_a_bundle_shortened_on_the_way_is_a_bad_bundle(log: Files, served: Served, run: Audit) -> None:
    data = log.tile(-1, 1).read_bytes()
    served.bodies["tile/entries/001"] = data[: len(data) - 5]
    assert told(run(served.url)) == [(Fault.BAD_BUNDLE, 511, None)]


def test_a_flip_in_a_packed_answer_is_seen(log: Files, served: Served, run: Audit) -> None:
    served.packed = True
    flip(log.tile(-1, 0), 1000)
    assert run(served.url).outcome is Outcome.TAMPERED


@pytest.mark.parametrize(
    "url", ["ftp://a/b", "http://", "http://a:b/", "http://u@a/", "http://a/?x", "http://a/#x", "//a"]
)
def test_what_is_no_address_of_a_log_is_refused(url: str) -> None:
    with pytest.raises(Malformed):
        Http(url)


def test_nobody_there() -> None:
    with pytest.raises(Unreachable):
        Http("http://127.0.0.1:9").read("checkpoint", 100)


def test_lost_is_not_unreachable(served: Served) -> None:
    source = Http(served.url)
    with pytest.raises(Lost):
        source.read("nothing", 100)
    assert source.read("checkpoint", 10_000)
    source.close()
