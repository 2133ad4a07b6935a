"""Another gateway's receipt is kept exactly or not at all, and never in the way of its answer."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.egress import Reply
from adapters.graphql_receipt import read_receipt
from adapters.onward import UpstreamReceipt

NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
URL = "https://yimen.shunde.example/graphql"
ID = "01a21686-1258-77a5-ab80-ea2ffb8bae44"
LEAF = base64.b64encode(bytes(range(32))).decode()
RECEIPT = {
    "id": ID,
    "recordedAt": NOW.isoformat(),
    "leafHash": LEAF,
    "level": "DURABLE",
    "proof": f"/ledger/receipts/{ID}",
}
POLICY = {"rules": ["purpose:CC_TRANSFER", "person-case-link", "art-29"], "basis": ["x"], "version": "ef52c6d3a806b438"}


def read(receipt: Any = RECEIPT, policy: Any = POLICY, **more: Any) -> UpstreamReceipt:
    body = {"data": None, "extensions": {"receipt": receipt, "policy": policy, **more}}
    return read_receipt(Reply(200, {}, json.dumps(body).encode()), "SD", URL, NOW)


def test_a_receipt_is_kept_as_it_was_given() -> None:
    kept = read()
    assert kept.told() == {
        "source": "SD",
        "id": ID,
        "recordedAt": NOW.isoformat(),
        "leafHash": LEAF,
        "level": "DURABLE",
        "proof": f"https://yimen.shunde.example/ledger/receipts/{ID}",
        "rules": ["purpose:CC_TRANSFER", "person-case-link", "art-29"],
        "policy": "ef52c6d3a806b438",
    }


def test_a_refusal_has_a_receipt_and_no_policy() -> None:
    assert read(policy=None).id == ID


@pytest.mark.parametrize(
    "spoiled",
    [
        {"id": "440606199003070017"},
        {"id": ID.replace("-7", "-4")},
        {"id": ID + "\n"},
        {"id": 7},
        {"leafHash": LEAF[:-4]},
        {"leafHash": "*" * 44},
        {"leafHash": base64.b64encode(bytes(33)).decode()},
        {"leafHash": LEAF[:-2] + "9="},  # the same bytes, as no proof writes them
        {"level": "GUARANTEED"},
        {"recordedAt": "yesterday"},
        {"recordedAt": "2026-11-26T06:00:00"},
        {"recordedAt": NOW.isoformat() + " " * 40},
        {"proof": "https://elsewhere.example/ledger/receipts/" + ID},
        {"proof": "/ledger/receipts/" + ID + "/../x"},
        {"proof": None},
    ],
)
def test_what_is_no_receipt_is_not_kept_as_one(spoiled: dict[str, Any]) -> None:
    assert read({**RECEIPT, **spoiled}).told() == {"source": "SD", "note": "MALFORMED"}


@pytest.mark.parametrize(
    "policy",
    [
        {**POLICY, "rules": ["张三 440606199003070017"]},
        {**POLICY, "rules": ["id-440606199003070017"]},
        {**POLICY, "rules": ["purpose:440606199003070017"]},
        {**POLICY, "rules": ["a" * 65]},
        {**POLICY, "rules": ["ok"] * 33},
        {**POLICY, "rules": "ok"},
        {**POLICY, "version": "latest"},
        [],
    ],
)
def test_nothing_personal_comes_in_by_the_rules(policy: Any) -> None:
    assert read(policy=policy).note == "MALFORMED"


@pytest.mark.parametrize("apart", [timedelta(minutes=6), timedelta(days=-1)])
def test_an_old_receipt_does_not_pass_for_a_new_one(apart: timedelta) -> None:
    assert read({**RECEIPT, "recordedAt": (NOW + apart).isoformat()}).note == "TIME"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b'{"extensions": null}', b'{"extensions": []}', b'{"extensions": {"receipt": null}}'],
)
def test_no_receipt_is_noted(body: bytes) -> None:
    assert read_receipt(Reply(200, {}, body), "SD", URL, NOW) == UpstreamReceipt("SD", note="MISSING")


def test_a_receipt_of_another_form_is_noted() -> None:
    assert read([]).note == read("x").note == read({}).note == "MALFORMED"
