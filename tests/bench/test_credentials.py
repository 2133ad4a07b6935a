"""`script/bench --credentials`: the contenders do the same work, and one part's figures leave the others where they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.credentials import issuer, parts, sdjwt, status, table
from bench.credentials.issuing import Cost, Issuer
from bench.credentials.table import Part


def test_contenders_issue_and_verify_the_same_credential() -> None:
    given = sdjwt._given()
    for operations in (sdjwt._ours(given), sdjwt._pypi(given)):
        assert operations.keys() == set(sdjwt._OPERATIONS)
        assert all(block(2) > 0 for block in operations.values())
    given.issued = given.issued[:-3] + "x~"
    for contender in (sdjwt._ours, sdjwt._pypi):
        with pytest.raises(Exception):  # noqa: B017  (each has its own)
            contender(given)


def test_a_target_that_is_missed_is_said() -> None:
    given = sdjwt._given()
    given.times = {(op, name): [100.0, 300.0, 100.0] for op in sdjwt._OPERATIONS for name in ("ours", "pypi")}
    given.times["issue", "pypi"] = [250.0]
    part = sdjwt._part(given, ["ours", "pypi"])
    assert "issue: 2.50 times PyPI" in part.text
    assert part.missed == ("verify 1.00 < 2 times pypi", "verify_kb 1.00 < 2 times pypi")


def test_a_part_measured_again_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "FILE", tmp_path / "CREDENTIALS.md")
    table.write([Part("One", "old one"), Part("Two", "two stays")])
    text = table.write([Part("One", "new one")])
    assert "old one" not in text
    assert text.index("new one") < text.index("two stays")
    assert text == (tmp_path / "CREDENTIALS.md").read_text("utf-8")
    assert text.count("Measured ") == 2


def test_every_part_has_a_name_for_the_command_line() -> None:
    assert {"sdjwt", "issuer", "status", "verify"} <= parts.PARTS.keys()


def test_an_issuer_is_compared_with_its_neighbours_in_time() -> None:
    def contender(title: str, *cpu_ms: float, ours: bool = False, database: int | None = None) -> issuer.Contender:
        running = Issuer(0, "", "", [], database_pid=database)
        return issuer.Contender(title, running, ours=ours, costs=[Cost(one, 0, 0.2) for one in cpu_ms])

    ours, peer = contender("ours", 1.0, 4.0, 1.0, ours=True, database=7), contender("peer", 1.6, 6.0, 1.4)
    said = issuer.part([ours, peer, contender("lean", 1.0, 1.0, 1.0)])
    assert "| ours | 1.00 (1.00 to 4.00) | 1,000 | 1.50 | 0.20 |" in said.text
    assert said.missed == ()
    assert issuer.part([contender("slow", 2.0, 2.0, 2.0, ours=True), peer]).missed == ("slow: 0.80 < 1.5 times peer",)
    assert issuer.part([ours]).missed == ()


def test_a_status_token_that_takes_too_long_is_said() -> None:
    said = status.part([(0.0, 1.0, 2.0, 3.0, 2000), (0.1, 40.0, 70.0, 110.0, 9000)], 4.0)
    assert "| 10.0% | 40.0 | 70.0 | 110.0 | 9 |" in said.text
    assert said.missed == ("status token 110 ms at 10.0%",)
