"""What `yimen sources check` says about the `request` of a REST answer: every fault, each with its place."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.rest import RestKind
from tests.adapters.rest_lab import REQUEST, manifest_of
from tests.adapters.test_rest_batch import BATCH
from tests.adapters.test_rest_pages import PAGES

OUTCOME = {"path": "code", "ok": ["0"]}


def places(request: dict[str, Any]) -> list[str]:
    faults = RestKind().check(manifest_of(request))
    assert all(message for _, message in faults)
    assert all(place.startswith("answers.0.request.") for place, _ in faults)
    return sorted(place.removeprefix("answers.0.request.") for place, _ in faults)


@pytest.mark.parametrize("request_", [dict(REQUEST), BATCH, PAGES, {**REQUEST, "outcome": OUTCOME}])
def test_a_good_request_has_no_fault(request_: dict[str, Any]) -> None:
    assert places(request_) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"mode": "all"}, ["mode"]),
        ({"method": "DELETE"}, ["method"]),
        ({"method": 1}, ["method"]),
        ({"path": "q"}, ["path"]),
        ({"path": "/{idno}"}, ["path"]),
        ({"path": "/{idNo"}, ["path"]),
        ({"query": {"a": "{sfzh}"}}, ["query.a"]),
        ({"query": {"a": 1}}, ["query.a"]),
        ({"query": "a=b"}, ["query"]),
        ({"body": {"a": "{idNo}"}}, ["body"]),
        ({"method": "POST", "body": {"a": ["{x}"]}}, ["body"]),
        ({"method": "POST", "body": {"a": "{keys.idNo}"}}, ["body"]),
        ({"rows": ["list"]}, ["rows"]),
        ({"qeury": {}}, ["qeury"]),
        ({"format": "yaml"}, ["format"]),
        ({"encoding": "gbk"}, ["encoding"]),
        ({"page": {"number": "p"}}, ["page"]),
        ({"absent_status": [200]}, ["absent_status"]),
        ({"absent_status": [429]}, ["absent_status"]),
        ({"absent_status": 404}, ["absent_status"]),
        ({"key_echo": {"sfzh": "sfzh"}}, ["key_echo.sfzh"]),
        ({"outcome": {}}, ["outcome.ok", "outcome.path"]),
        ({"outcome": {**OUTCOME, "okay": ["1"]}}, ["outcome.okay"]),
        ({"outcome": {**OUTCOME, "absent": "1404"}}, ["outcome.absent"]),
        ({"outcome": {**OUTCOME, "absent": [1404]}}, ["outcome.absent"]),
        ({"outcome": {**OUTCOME, "absent": ["0"]}}, ["outcome.absent"]),
        ({"outcome": {**OUTCOME, "retry_at": 5}}, ["outcome.retry_at"]),
    ],
)
def test_each_fault_has_its_place(change: dict[str, Any], expected: list[str]) -> None:
    assert places({**REQUEST, **change}) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"body": None}, ["body"]),
        ({"body": {"a": "{keys.sfzh}"}}, ["body"]),
        ({"body": {"a": "{idNo}"}}, ["body"]),
        ({"each": None}, ["body"]),
        ({"key_echo": {}}, ["key_echo"]),
        ({"key_echo": {"idNo": 5}}, ["key_echo", "key_echo.idNo"]),
        ({"query": {"a": "{idNo}"}}, ["query"]),
        ({"path": "/{idNo}"}, ["query"]),
    ],
)
def test_a_batch_must_say_whose_record_is_whose(change: dict[str, Any], expected: list[str]) -> None:
    assert places({**BATCH, **change}) == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ({}, ["page.number", "page.size"]),
        ({"number": "p", "size": "s", "rows": 0}, ["page.rows"]),
        ({"number": "p", "size": "s", "rows": True}, ["page.rows"]),
        ({"number": "p", "size": "s", "max": 1_000_000}, ["page.max"]),
        ({"number": "p", "size": "s", "frist": 1}, ["page.frist"]),
    ],
)
def test_paging_is_bounded(page: dict[str, Any], expected: list[str]) -> None:
    assert places({**PAGES, "page": page}) == expected


def test_all_faults_come_at_once() -> None:
    assert len(places({"mode": "x", "method": "y", "path": "z", "query": {"a": "{b}"}, "format": "w"})) == 5


def test_only_a_batch_shares_its_request() -> None:
    shares = {mode: RestKind().per_key(manifest_of({"mode": mode}).answers[0]) for mode in ("key", "batch", "pages")}
    assert shares == {"key": True, "batch": False, "pages": True}
    assert RestKind().per_key(manifest_of({}).answers[0])
