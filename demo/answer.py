"""The joined answer as a person reads it in a terminal, and whether it is what the main path expects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
TITLES = {
    "identity": "身份 identity",
    "residence": "居住 residence",
    "insurance": "社会保险 insurance",
    "business": "经营 business",
    "cases": "矫正案件 cases",
    "documents": "法律文书 documents",
    "monitoringOrders": "电子定位 monitoring orders",
    "aftercare": "安置帮教 aftercare",
    "legalAid": "法律援助 legal aid",
    "conductStatements": "表现证明 conduct statements",
}
EXPECTED = {
    "identity": "FRESH",
    "residence": "FRESH",
    "insurance": "FRESH",
    "business": "FRESH",
    "cases": "FRESH",
    "documents": "FRESH",
    "monitoringOrders": "NOT_FOUND",
    "aftercare": "NOT_FOUND",
}
"""What each part of 张三 (017) is when every department is well."""

_ENVELOPE = ("source", "asOf", "quality")


def unexpected(answer: Mapping[str, Any]) -> list[str]:
    """Why the reception answer is not the whole one; empty when it is."""
    faults = [str(error.get("message", "error")) for error in answer.get("errors") or ()]
    person = (answer.get("data") or {}).get("person")
    if not person:
        return [*faults, "没有人员 / no person in the answer"]
    for part, wanted in EXPECTED.items():
        state = (person.get(part) or {}).get("state")
        if state != wanted:
            faults.append(f"{part}: {state}, 应为 {wanted} / expected {wanted}")
    return faults


def readable(answer: Mapping[str, Any]) -> str:
    """An answer about one person, part by part; anything else as indented JSON."""
    person = (answer.get("data") or {}).get("person")
    if not person or not TITLES.keys() & person.keys():
        return json.dumps(answer, ensure_ascii=False, indent=2)
    lines = [
        *([f"pid {person['pid']}"] if "pid" in person else []),
        "时间均为北京时间 / all times are Beijing time (Asia/Shanghai)",
    ]
    for name, title in TITLES.items():
        if part := person.get(name):
            lines += _part(title, part)
    lines += [f"错误 error: {error.get('message')}" for error in answer.get("errors") or ()]
    return "\n".join([*lines, *_grounds(answer), *_receipt(answer)])


def _grounds(answer: Mapping[str, Any]) -> Iterator[str]:
    """Which rules let it out, or kept it in."""
    policy = (answer.get("extensions") or {}).get("policy") or {}
    if policy.get("rules"):
        yield "\n规则 rules: " + ", ".join(policy["rules"])
    for basis in policy.get("basis") or ():
        yield f"  依据 basis: {basis}"


def _receipt(answer: Mapping[str, Any]) -> Iterator[str]:
    """Where this very answer stands in the log."""
    receipt = (answer.get("extensions") or {}).get("receipt") or {}
    if receipt.get("id"):
        yield f"\n回执 receipt: {receipt['id']}  " + _value(receipt.get("recordedAt") or "")
        yield f"  入日志了没有, 谁见证了 / in the log yet, and who cosigned: script/demo receipt {receipt['id']}"


def _part(title: str, part: Mapping[str, Any]) -> Iterator[str]:
    said = [
        part.get("state", ""),
        *(f"{name} {_value(part[name])}" for name in ("source", "asOf", "reason", "retryAt") if part.get(name)),
    ]
    yield f"\n{title}: ".rstrip() if not any(said) else f"\n{title}: " + "  ".join(said)
    for record in part.get("records") or ():
        facts = (
            f"{name}={_value(value)}"
            for name, value in record.items()
            if name not in _ENVELOPE and value not in (None, [])
        )
        origin = f"{record.get('source', '')} {_value(record.get('asOf') or '')}".strip()
        yield (f"  [{origin}] " if origin else "  ") + " ".join(facts)
        if record.get("quality"):
            yield "    质量 quality: " + _doubts(record["quality"])
    for conflict in part.get("conflicts") or ():
        values = " | ".join(
            f"{value['source']}(rank {value['rank']}): {value['value']}" for value in conflict["values"]
        )
        yield f"  冲突 conflict {conflict['field']}: {values}"
    for source in part.get("sources") or ():
        if source["state"] not in ("FRESH", "NOT_FOUND"):
            again = _value(source.get("retryAt") or "")
            yield f"  {source['source']}: {source['state']} {source.get('reason') or ''} {again}".rstrip()
    if part.get("withheld"):
        yield "  未提供 withheld: " + ", ".join(part["withheld"])


def _value(value: object) -> str:
    """For the eye: a list in one line, an instant as the clock on the officer's wall shows it, to the second."""
    if isinstance(value, list):
        return "、".join(map(str, value))
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return datetime.fromisoformat(value).astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


def _doubts(doubts: list[Mapping[str, Any]]) -> str:
    return ", ".join(doubt["flag"] + (f"({doubt['field']})" if doubt.get("field") else "") for doubt in doubts)
