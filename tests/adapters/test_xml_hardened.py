"""XML from outside ends in plain values or in XmlRefused, soon and in little memory."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.xml import MAX_DEPTH, XmlRefused, element_to_dict, local_name, parse_xml

LIMIT = 1 << 20


def _refused(data: bytes, **options: str) -> str:
    with pytest.raises(XmlRefused) as caught:
        parse_xml(data, max_bytes=LIMIT, **options)  # type: ignore[arg-type]
    return caught.value.reason


@pytest.mark.parametrize("declared", ["GBK", "gb2312", "GB18030", "gb18030"])
def test_a_rare_character_survives_whatever_chinese_encoding_is_declared(declared: str) -> None:
    data = f'<?xml version="1.0" encoding="{declared}"?><P><XM>李䶮</XM></P>'.encode("gb18030")
    assert element_to_dict(parse_xml(data, max_bytes=LIMIT)) == {"XM": "李䶮"}


def test_a_bom_wins_over_what_is_declared_and_what_we_were_told() -> None:
    data = b"\xef\xbb\xbf" + '<?xml version="1.0" encoding="GBK"?><P>张三</P>'.encode()
    assert parse_xml(data, max_bytes=LIMIT, encoding="gb18030").text == "张三"


def test_what_the_transport_says_wins_over_the_declaration() -> None:
    data = '<?xml version="1.0" encoding="UTF-8"?><P>张三</P>'.encode("gbk")
    assert parse_xml(data, max_bytes=LIMIT, encoding="GBK").text == "张三"
    assert "张" not in _refused(data)


BOMB = (
    b'<!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>'
)


@pytest.mark.parametrize(
    "data",
    [
        BOMB + b"<l>&d;</l>",
        BOMB + b"<l x='&d;'/>",
        b"<!-- first --><?pi x?>\n" + BOMB + b"<l/>",
        b'<?xml version="1.0"?><!DOCTYPE l SYSTEM "http://127.0.0.1:1/x.dtd"><l/>',
        b'<!DOCTYPE l [<!ENTITY f SYSTEM "file:///etc/passwd">]><l>&f;</l>',
    ],
)
def test_no_document_brings_its_own_dtd(data: bytes) -> None:
    assert _refused(data) == "a DOCTYPE is not allowed"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"   ",
        b"<a>",
        b"<a/><b/>",
        b"<a>&unknown;</a>",
        b"<a>\x00</a>",
        b"<a>\xff</a>",
        b"<?xml",
        b"<!-- open",
        b"not xml",
        b'{"a": 1}',
        b'<?xml version="1.0" encoding="utf-7"?><a/>',
        b'<?xml version="1.0" encoding="base64"?><a/>',
    ],
)
def test_what_is_not_xml_is_refused(data: bytes) -> None:
    _refused(data)


def test_a_refusal_does_not_quote_the_document() -> None:
    assert "440606199003070017" not in _refused(b"<a><XM>440606199003070017</XN></a>")


def test_depth_size_and_number_of_parts_are_bounded() -> None:
    deep = MAX_DEPTH + 1
    assert "deeper" in _refused(b"<a>" * deep + b"</a>" * deep)
    assert parse_xml(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH, max_bytes=LIMIT) is not None
    assert "larger" in _refused(b"<a>" + b"x" * LIMIT + b"</a>")
    began = time.perf_counter()
    with pytest.raises(XmlRefused, match="more than"):
        parse_xml(b"<r>" + b"<a/>" * 600_000 + b"</r>", max_bytes=8 << 20)
    assert time.perf_counter() - began < 5.0


def test_one_and_many_attributes_text_nil_and_namespaces() -> None:
    root = parse_xml(
        b'<n:R xmlns:n="urn:x" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" v="2">'
        b'<n:A>1</n:A><n:A> 2 </n:A><B/><C xsi:nil="true"/><D k="w">t</D><E><F>3</F></E></n:R>',
        max_bytes=LIMIT,
    )
    assert local_name(root) == "R"
    assert element_to_dict(root) == {
        "@v": "2",
        "A": ["1", "2"],
        "B": "",
        "C": None,
        "D": {"@k": "w", "#text": "t"},
        "E": {"F": "3"},
    }


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for candidate in (data, b"<a>" + data + b"</a>"):
        with contextlib.suppress(XmlRefused):
            element_to_dict(parse_xml(candidate, max_bytes=LIMIT))
