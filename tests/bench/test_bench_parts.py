"""The bench measures what it says: right answers only, a process's own CPU clock, peers at exact versions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from bench import access, ledger, ledger_query, measure, token_endpoint, yimen
from bench.cost import cpu_s, rss_mib
from bench.people import LIST, RECORDS, expected, persons, rows
from bench.questions import questions
from bench.token_requests import new_key
from bench.upstreams import Shared, answer
from gateway.services.load_sources import read_sources

PEERS = Path(__file__).parents[2] / "bench" / "peers"


def test_only_the_expected_leaves_are_a_right_answer() -> None:
    question = questions(purpose=True)["list"]
    people = expected(LIST)
    assert question.wrong(orjson.dumps({"data": {"people": people}})) == ""
    enveloped = [{noun: {"state": "FRESH", **part} for noun, part in person.items()} for person in people]
    assert question.wrong(orjson.dumps({"data": {"people": enveloped}})) == ""
    people[3]["business"]["records"][0]["name"] = "another"
    for body in (
        orjson.dumps({"data": {"people": people}}),
        orjson.dumps({"data": {"people": expected(LIST - 1)}}),
        orjson.dumps({"data": {"people": expected(LIST)}, "errors": [{"message": "x"}]}),
        b'{"data": null}',
        b"not json",
    ):
        assert question.wrong(body) != ""


def test_peers_are_asked_in_the_same_words_but_for_the_purpose() -> None:
    ours, theirs = questions(purpose=True), questions(purpose=False)
    for name in ("list", "one"):
        text = orjson.loads(ours[name].body)["query"]
        assert re.sub(r" @purpose\(.*?\"\)", "", text) == orjson.loads(theirs[name].body)["query"]


@pytest.mark.parametrize("department", RECORDS)
def test_a_department_answers_in_the_order_asked(department: str) -> None:
    ids = [person["idNo"] for person in persons()[:3]][::-1]
    body = orjson.dumps({"keys": [{"idNo": one} for one in ids]})
    status, said = answer(Shared(), "POST", f"/{department}/batch", body)
    assert (status, [row["idNo"] for row in orjson.loads(said)["list"]]) == (200, ids)
    status, said = answer(Shared(), "POST", f"/{department}/grouped", orjson.dumps({"keys": ids}))
    assert [group["records"] for group in orjson.loads(said)] == [[rows()[department][one]] for one in ids]
    status, said = answer(Shared(), "GET", f"/{department}/one?idNo={ids[0]}", b"")
    assert [row["idNo"] for row in orjson.loads(said)["list"]] == ids[:1]
    assert answer(Shared(), "POST", f"/{department}/batch", b"no json")[0] == 400
    assert answer(Shared(), "POST", "/nobody/batch", b"{}")[0] == 404


def test_the_cpu_clock_is_the_other_process_s_own() -> None:
    busy = "import sys,time\nwhile time.process_time() < 0.3: pass\nprint('done', flush=True)\nsys.stdin.read()"
    with subprocess.Popen((sys.executable, "-c", busy), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        spent, mine = cpu_s(child.pid), cpu_s(os.getpid())
        assert 0.3 <= spent < 1.5
        assert rss_mib(child.pid) > 1
        assert child.stdin is not None
        child.stdin.close()
    assert abs(time.process_time() - mine) < 5


def test_yimen_s_manifests_are_sound(tmp_path: Path) -> None:
    prepared = yimen.prepare(tmp_path, "http://127.0.0.1:1", 8000)
    env, asker = prepared.env, prepared.asker
    found = read_sources(Path(env["YIMEN_MANIFESTS_DIR"]))
    assert {answer.noun for source in found.sources for answer in source.answers} == set(RECORDS)
    assert all(source.limits.cache_s == 0 and source.limits.rate_per_s is None for source in found.sources)
    assert env["YIMEN_RELOAD_POLL_S"] == "0"
    assert asker.headers() != asker.headers()


def test_peers_stand_at_exact_versions() -> None:
    for file in PEERS.glob("*/package.json"):
        for version in json.loads(file.read_text(encoding="utf-8"))["dependencies"].values():
            assert re.fullmatch(r"\d+\.\d+\.\d+", version)


def test_the_page_of_access_says_what_is_met_and_what_is_missed() -> None:
    on, off = (
        measure.Measured({"list": [2.0, 6.0, 4.0], "one": [1.0]}),
        measure.Measured({"list": [2.0, 3.0, 4.0], "one": [1.0]}),
    )
    lines = access.list_lines({"yimen": on, "yimen-open": off})
    assert str(lines[0]) == "| `list` with access | 4.00 ms, without 3.00: 1.00 times | <= 1.3 times | met |"
    said = "sealed / nobody          1000 each   mean ms 3.1 / 3.1   t = -3.20   t of the quicker 95 % = +0.10\n"
    assert [one.met for one in access.sealed_lines(said)] == [False]
    assert [one.met for one in access.small_lines({"alone": 0.36}, {"met before": 0.1, "nothing known": 9.0})] == [
        False,
        True,
        None,
    ]
    peer = token_endpoint.Contender("peer", 0, "", "", new_key("k"), {}, cpu_ms=[1.0])
    ours = token_endpoint.Contender(
        "ours", 0, "", "", new_key("k"), {}, database_pid=1, cpu_ms=[0.9], database_ms=[0.2]
    )
    (line,) = access.token_lines([ours, peer])
    assert line.met is False
    assert "0.90 of 1.00, and 0.20 in the database" in str(line)


def test_a_percentile_is_one_of_the_values_and_no_less_than_so_many() -> None:
    assert [ledger.percentile(list(range(1, 101)), 99), ledger.percentile([4.0, 1.0], 99), ledger.percentile([5.0], 50)] == [
        99, 4.0, 5.0
    ]  # fmt: skip


def test_the_page_of_the_ledger_compares_rounds_with_their_neighbours() -> None:
    found = ledger_query.Found({ledger_query.ON: measure.Measured(cpu_ms={"list": [5.0, 11.0, 5.0], "one": [2.0]}),
                                ledger_query.OFF: measure.Measured(cpu_ms={"list": [4.0, 10.0, 5.0], "one": [2.0]})},
                               {ledger_query.ON: 0.004, ledger_query.OFF: 0.002})  # fmt: skip
    lines = ledger.query_lines(found)
    assert (lines[0].figure, lines[0].met) == ("5.00 ms, without 5.00: 1.10 times", True)
    assert (lines[2].figure, lines[2].met) == ("0.40 % of a CPU, without a ledger 0.20", True)
