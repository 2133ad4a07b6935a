"""From a row to the record of it: what the ledger commits to. Pure; the same when it is written and years later.

A part that not every reader may see stands as its blind, HMAC-SHA256 of its canonical JSON under a salt of its own; null
stays null. All salts but the persons' marks grow from one random seed a record, which is never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from gateway.store.ids import from_us
from ledger.encoding import b64
from ledger.entry import canonical, commit
from ledger.keyed import keyed

SEED_BYTES = 32
SALT_BYTES = 32
COUNTED = "repeats"  # what an alert's detail gains after it was opened

Row = Mapping[str, Any]
Values = Mapping[str, Any]


def salt_of(seed: bytes, name: str) -> bytes:
    """Of the whole record ("record") or of one part."""
    return keyed(seed, name.encode())


def blind(salt: bytes, value: Any) -> str | None:
    """What stands in the record in a value's place."""
    return None if value is None else b64(commit(salt, written(value)))


def written(value: Any, *, plain: bool = False) -> bytes:
    """`ledger.entry.canonical`, sooner: orjson writes the same bytes but where there are floats or foreign integers.
    `plain`: it is known that there are none."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS) if plain or _plain(value) else canonical(value)
    except (TypeError, orjson.JSONEncodeError):
        return canonical(value)


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_plain, value.values()))
    if isinstance(value, list):
        return all(map(_plain, value))
    return not isinstance(value, float)


def blinds(seed: bytes, values: Values, *, plain: bool = False) -> dict[str, str | None]:
    """`plain` as of `written`."""
    return {
        name: None if value is None else b64(commit(salt_of(seed, name), written(value, plain=plain)))
        for name, value in values.items()
    }


def access_values(row: Row, *, read: Callable[[str], Any] | None = None) -> Values:
    """The parts of an access event that are blinded, in clear. `read`: what makes values of JSON.

    That the person may see it later only tells of a case nobody else may know of, so it stands with what really decided.
    """
    visible = row["visible_from_us"]
    return {
        "by": {"user": row["actor_user"], "grant": row["grant_id"]},
        "case": row["case_no"],
        "reference": row["reference"],
        "inner": {
            "rules": (read or _json)(row["inner_rule_ids"]),
            "inputs": row["inputs"],
            "visible_from": None if visible is None else time_text(visible),
        },
    }


def access_record(row: Row, seed: bytes, marks: Sequence[str], *, made: bool = False) -> dict[str, Any]:
    """`marks`: the blind of each person's pid; their order says nothing. `made`: the row was made here and now, so its JSON
    stands as canonical JSON does already, and goes in as it is: only `written` makes sense of such a record."""
    read = orjson.Fragment if made else _json
    record = {
        "v": 1, "type": "access", "id": row["id"], "at": time_text(row["at_us"]),
        "recorded_at": time_text(row["recorded_at_us"]), "org": row["actor_org"], "client": row["client_id"],
        "level": row["level"], "purpose": row["purpose"], "consent": row["consent_id"], "fields": read(row["fields"]),
        "decision": row["decision"], "rules": read(row["rule_ids"]), "basis": read(row["legal_basis"]),
        "policy": row["policy_version"], "result": b64(row["result_digest"]), "states": read(row["states"]),
        "repeats": row["repeats"], "subjects": sorted(marks), **blinds(seed, access_values(row, read=read), plain=made),
    }  # fmt: skip
    if row["upstream"] is not None:  # where no other gateway was asked, the record is as it was before there were any
        record["upstream"] = _json(row["upstream"])
    return record


def change_values(row: Row) -> Values:
    return {"by": row["actor_user"], "object": row["object_id"], "detail": _json(row["detail"])}


def change_record(row: Row, seed: bytes, mark: str | None) -> dict[str, Any]:
    """`mark`: the blind of the subject id."""
    return {
        "v": 1, "type": "change", "id": row["id"], "at": time_text(row["at_us"]), "org": row["actor_org"],
        "kind": row["kind"], "subject": mark, **blinds(seed, change_values(row)),
    }  # fmt: skip


def alert_values(row: Row) -> Values:
    detail = _json(row["detail"])
    if isinstance(detail, dict):
        detail = {name: value for name, value in detail.items() if name != COUNTED}
    return {"about_id": row["about_id"], "detail": detail}


def alert_record(row: Row, seed: bytes, mark: str | None) -> dict[str, Any]:
    """As it was opened: who acknowledged it, and how often it came again, are no part of it."""
    return {
        "v": 1, "type": "alert", "id": row["id"], "opened_at": time_text(row["opened_at_us"]), "alert": row["type"],
        "severity": row["severity"], "about": row["about"], "org": row["org_id"], "subject": mark,
        **blinds(seed, alert_values(row)),
    }  # fmt: skip


def time_text(microseconds: int) -> str:
    """RFC 3339, UTC, always six digits of a second."""
    seconds, fraction = divmod(microseconds, 1_000_000)
    return f"{second_text(seconds)}.{fraction:06d}Z"


@lru_cache(maxsize=64)  # what is recorded together happened in the same few seconds
def second_text(seconds: int) -> str:
    """The same without fraction and zone."""
    return from_us(seconds * 1_000_000).replace(tzinfo=None).isoformat(timespec="seconds")


def _json(text: str) -> Any:
    """What was edited into something else than JSON is no other record's content either."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
