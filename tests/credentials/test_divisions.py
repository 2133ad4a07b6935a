"""Names of divisions: as they are written on paper, for every code there is, and never nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.divisions import division_name


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("440604", "广东省佛山市禅城区"),
        ("440600", "广东省佛山市"),
        ("440000", "广东省"),
        ("110105", "北京市朝阳区"),  # no 市辖区 between
        ("500235", "重庆市云阳县"),
        ("429004", "湖北省仙桃市"),  # governed by the province itself
        ("659001", "新疆维吾尔自治区石河子市"),
        ("441900", "广东省东莞市"),  # a city without counties
        ("654022", "新疆维吾尔自治区伊犁哈萨克自治州察布查尔锡伯自治县"),
        ("440602", "广东省佛山市城区"),  # no more: by its last name
        ("440699", "广东省佛山市（440699）"),  # in no table
        ("449900", "广东省（449900）"),
        ("990000", "990000"),
        ("44060", "44060"),
        ("", ""),
        ("禅城区", "禅城区"),
    ],
)
def test_a_division_is_called_by_its_whole_name(code: str, name: str) -> None:
    assert division_name(code) == name


@given(st.integers(100_000, 999_999).map(str) | st.text(max_size=8))
def test_whatever_stands_there_something_is_said(code: str) -> None:
    said = division_name(code)
    assert (said == "") == (code == "")
    assert "[" not in said or "[" in code
