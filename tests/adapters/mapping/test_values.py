from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.manifest import FieldMapping
from adapters.source import Quality, Value
from adapters.texts import Doubts
from adapters.values import CLEANS, TYPES, converter, raw_converter


def made(raw: object, **mapping: Any) -> tuple[Value, list[Quality]]:
    doubts: Doubts = []
    value = converter(FieldMapping("f", "r", **mapping))(raw, doubts)
    assert all(name == "f" for name, _ in doubts)
    return value, [flag for _, flag in doubts]


CODES = {"01": "PROBATION", "1": "PAROLE", "缓刑": "PROBATION"}


@pytest.mark.parametrize(
    ("raw", "mapping", "value", "flags"),
    [
        ("  张三 ", {}, "张三", []),
        ("", {}, None, []),
        (None, {}, None, []),
        (5, {}, "5", []),
        (5.0, {}, "5", []),
        (True, {}, "true", []),
        ("a\x00b", {}, "ab", [Quality.ENCODING_REPAIRED]),
        ("a\r\nb\u3000", {}, "a  b", []),
        ("李\ue863", {}, "李\ue863", [Quality.ENCODING_REPAIRED]),
        ("李\ufffd", {}, "李\ufffd", [Quality.ENCODING_REPAIRED]),
        ({"a": 1}, {}, None, [Quality.CODE_UNMAPPED]),
        ("01", {"type": "code", "codes": CODES}, "PROBATION", []),
        (" 01 ", {"type": "code", "codes": CODES}, "PROBATION", []),
        (1, {"type": "code", "codes": CODES}, "PAROLE", []),
        ("０１", {"type": "code", "codes": CODES}, "PROBATION", []),
        ("001", {"type": "code", "codes": CODES}, "UNMAPPED", [Quality.CODE_UNMAPPED]),
        ("", {"type": "code", "codes": CODES}, None, []),
        (None, {"type": "code", "codes": CODES}, None, []),
        ([1], {"type": "code", "codes": CODES}, "UNMAPPED", [Quality.CODE_UNMAPPED]),
        ("24", {"type": "int"}, 24, []),
        ("24.0", {"type": "int"}, 24, []),
        ("1,024", {"type": "int"}, 1024, []),
        ("24.5", {"type": "int"}, None, [Quality.CODE_UNMAPPED]),
        ("1_0", {"type": "int"}, None, [Quality.CODE_UNMAPPED]),
        ("9" * 5000, {"type": "int"}, None, [Quality.CODE_UNMAPPED]),
        (10**400, {"type": "float"}, None, [Quality.CODE_UNMAPPED]),
        ("0.51", {"type": "float"}, 0.51, []),
        ("51%", {"type": "float"}, 0.51, []),
        (3, {"type": "float"}, 3.0, []),
        ("nan", {"type": "float"}, None, [Quality.CODE_UNMAPPED]),
        ("1e999", {"type": "float"}, None, [Quality.CODE_UNMAPPED]),
        (float("nan"), {"type": "float"}, None, [Quality.CODE_UNMAPPED]),
        ("是", {"type": "bool"}, True, []),
        ("0", {"type": "bool"}, False, []),
        (1, {"type": "bool"}, True, []),
        (False, {"type": "bool"}, False, []),
        ("J", {"type": "bool", "codes": {"J": "true"}}, True, []),
        ("maybe", {"type": "bool"}, None, [Quality.CODE_UNMAPPED]),
        ("2026/3/7", {"type": "date"}, date(2026, 3, 7), []),
        ("1990-02-30", {"type": "date"}, None, [Quality.DATE_BAD]),
        (20260307, {"type": "date"}, date(2026, 3, 7), []),
        (datetime(2026, 3, 6, 16, tzinfo=UTC), {"type": "date"}, date(2026, 3, 7), []),
        (date(1, 1, 1), {"type": "date"}, None, [Quality.DATE_BAD]),
        (date(9999, 12, 31), {"type": "date"}, date(9999, 12, 31), []),
        (datetime(9999, 12, 31, 20, tzinfo=UTC), {"type": "date"}, None, [Quality.DATE_BAD]),
        (datetime(9999, 12, 31, 20, tzinfo=UTC), {"type": "datetime"}, None, [Quality.DATE_BAD]),
        (date(2026, 3, 7), {"type": "datetime"}, datetime(2026, 3, 6, 16, tzinfo=UTC), [Quality.DATE_GUESSED]),
        (datetime(2026, 3, 7), {"type": "datetime"}, datetime(2026, 3, 6, 16, tzinfo=UTC), []),  # noqa: DTZ001
        ("202603", {"type": "month"}, "2026-03", []),
        (date(2026, 3, 7), {"type": "month"}, "2026-03", []),
        ("罚金、无、", {"type": "list", "separator": "、"}, ("罚金", "无"), []),
        (["a", None, " b "], {"type": "list"}, ("a", "b"), []),
        ("01,9", {"type": "list", "separator": ",", "codes": CODES}, ("PROBATION", "UNMAPPED"), [Quality.CODE_UNMAPPED]),
        ("440604650101001", {"clean": "id"}, "440604196501010010", [Quality.ID_15]),
        ("440606199003070018", {"clean": "id"}, "440606199003070018", [Quality.ID_CHECKSUM_BAD]),
        ("440604199002300017", {"clean": "id"}, "440604199002300017", [Quality.DATE_BAD]),
        ("H1234567(8)", {"clean": "id"}, "H1234567(8)", []),
        ("佛山市禅城区 祖庙路１号", {"clean": "address"}, "佛山市禅城区祖庙路1号", []),
        ("出租屋", {"clean": "address"}, "出租屋", [Quality.ADDRESS_UNPARSED]),
        ("91440604ma5text12m", {"clean": "uscc"}, "91440604MA5TEXT12M", []),
        ("91440604MA5TEXT12N", {"clean": "uscc"}, "91440604MA5TEXT12N", [Quality.ID_CHECKSUM_BAD]),
        ("张  三", {"clean": "name"}, "张三", []),
        ("Maria  Silva", {"clean": "name"}, "Maria Silva", []),
        ("张三", {"masked": True}, "张*", []),
        ("440606199003070017", {"masked": True}, "440*************17", []),
        (["张三", "李四"], {"masked": True, "type": "list"}, ("张*", "李*"), []),
    ],
)  # fmt: skip
def test_raw_values_become_canonical(raw: object, mapping: dict[str, Any], value: Value, flags: list[Quality]) -> None:
    assert made(raw, **mapping) == (value, flags)


def test_the_raw_value_of_a_masked_field_is_masked() -> None:
    convert = raw_converter(FieldMapping("landlord", "fdxm", masked=True))
    assert convert("张三", []) == "张*"


_PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.dates(), st.datetimes(),
    st.datetimes(timezones=st.just(UTC)), st.binary(max_size=5), st.decimals(),
)  # fmt: skip
_ANY = st.recursive(
    _PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


@given(_ANY, st.sampled_from(TYPES), st.sampled_from(CLEANS), st.booleans(), st.sampled_from(["", ","]))
def test_no_raw_value_breaks_a_converter(raw: object, type_: str, clean: str, masked: bool, separator: str) -> None:
    value, _ = made(raw, type=type_, clean=clean, masked=masked, separator=separator, codes={"1": "ONE"})
    kinds = {"int": int, "float": float, "bool": bool, "date": date, "datetime": datetime, "list": tuple}
    if value is not None and not masked:
        assert type(value) is kinds.get(type_, str)
    if isinstance(value, datetime):
        assert value.utcoffset() is not None
