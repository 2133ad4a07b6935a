"""Every code that can leave has its text in both languages, and no text stands in code."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.web import problems
from gateway.web.graphql import reply_to
from gateway.web.problems import catalogue, problem, status_of, text, worded
from tests.fakes.execute import GraphQLAnswer

ROOT = Path(__file__).parents[3]
RAISED = {"RequestRefused", "Refusal", "LimitExceeded", "BadInput", "RequestErrors", "problem", "error", "_close_with"}
DECIDING = ("gateway/services/run_query.py", "gateway/federation/plan.py", "gateway/policy/entitlement.py")


def codes_in(path: Path, *, deciding: bool) -> Iterator[str]:
    """String literals that are codes: the first argument of what refuses, and `code = "..."` of an error class.

    In a `deciding` file also whatever is returned or handed on and looks like one.
    """
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        given: list[ast.expr] = []
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if deciding:
                given += node.args
            elif name in RAISED:
                given += node.args[:1]
        elif isinstance(node, ast.Return) and node.value is not None:
            given += [node.value] if deciding else []
        elif isinstance(node, ast.Assign) and any(
            isinstance(one, ast.Name) and one.id == "code" for one in node.targets
        ):
            given.append(node.value)
        for one in given:
            if isinstance(one, ast.Constant) and isinstance(one.value, str):
                yield one.value


def all_codes() -> dict[str, str]:
    found = {}
    for floor in ("gateway", "schema"):
        for path in sorted((ROOT / floor).rglob("*.py")):
            place = str(path.relative_to(ROOT))
            for code in codes_in(path, deciding=place in DECIDING):
                if len(code) > 2 and set(code) <= set(string.ascii_uppercase + string.digits + "_"):
                    found.setdefault(code, place)
    return found


def test_every_code_has_a_text() -> None:
    missing = {code: path for code, path in all_codes().items() if code not in catalogue()}
    assert missing == {}, "add these to gateway/web/messages.toml"


def test_the_search_for_codes_finds_them() -> None:
    assert {"LIMIT_DEPTH", "BODY_TOO_LARGE", "EVIDENCE_UNAVAILABLE", "PURPOSE_UNKNOWN", "BAD_ID"} <= all_codes().keys()
    assert set(problems._STATUS) <= catalogue().keys()


@pytest.mark.parametrize("code", sorted(catalogue()))
def test_a_text_is_chinese_first_then_english(code: str) -> None:
    entry = catalogue()[code]
    assert set(entry) == {"zh", "en"}
    assert any("\u4e00" <= letter <= "\u9fff" for letter in entry["zh"])
    assert entry["zh"].endswith("。")
    assert entry["en"].isascii()
    assert entry["en"].endswith(".")
    assert text(code) == f"{entry['zh']} {entry['en']}"


def test_a_code_without_a_text_still_says_something_and_is_not_remembered() -> None:
    reply = problem("MADE_UP_BY_SOMEBODY")
    assert reply.status == 400
    assert b"MADE_UP_BY_SOMEBODY" in reply.body
    assert catalogue()["FORBIDDEN"]["zh"].encode() in reply.body


def test_an_answer_that_brings_only_codes_is_given_texts() -> None:
    (said,) = worded([{"message": "LIMIT_COST", "extensions": {"code": "LIMIT_COST", "limit": 7}}], "1d")
    assert said == {"message": text("LIMIT_COST"), "extensions": {"code": "LIMIT_COST", "limit": 7}}
    (kept,) = worded([{"message": "自己的话", "extensions": {"code": "LIMIT_COST"}}], "1d")
    assert kept["message"] == "自己的话"


@pytest.mark.parametrize(("code", "status"), [("EVIDENCE_UNAVAILABLE", 503), ("FORBIDDEN", 403), ("LIMIT_COST", 400)])
def test_a_refused_answer_has_its_status_under_the_new_type(code: str, status: int) -> None:
    answer = GraphQLAnswer(executed=False, errors=({"message": code, "extensions": {"code": code}},))
    assert reply_to(answer, "application/graphql-response+json", "1d").status == status == status_of(code)
    assert reply_to(answer, "application/json", "1d").status == 200
