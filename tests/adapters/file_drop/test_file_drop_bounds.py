"""Any bytes in: no exception out, bounded memory and time."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.drop_file import is_complete
from adapters.drop_lines import lines_of
from adapters.drop_options import DropOptions
from adapters.drop_parts import Bad, DropRefused, Part, Record, Stated
from adapters.drop_reader import read_drop
from tests.adapters.file_drop.lab import (
    CSV,
    LI_MEI,
    TRAILER,
    XML,
    ZHANG,
    Lab,
    ask,
    csv_file,
    numbers,
    row,
    xml_file,
    xml_row,
)

MIB = 1024 * 1024
CSV_OPTIONS = DropOptions(pattern="*", format="csv", end_marker=TRAILER, max_line_bytes=2048)
XML_OPTIONS = DropOptions(
    pattern="*",
    format="xml",
    encoding="gbk",
    record="ROW",
    end_marker="</BODY>",
    count_element="JLS",
    max_line_bytes=2048,
)
CSV_COLUMNS = ("sfzh", "xm")
XML_COLUMNS = ("A.sfzh", "A.xm")

# Words that matter to the readers, so that chance builds near misses and not just noise
CSV_WORDS = [b"sfzh,xm\n", b"sfzh,xm,bz\r\n", b",", b'"', b'""', b"\n", b"\r\n", b"\0", b"#END,1", b"#END,", b"\xef\xbb\xbf", b"\xff",
             b"440606199003070017,", "张三".encode(), "李䶮".encode("gb18030"), b"\x81", b"x" * 3000]  # fmt: skip
XML_WORDS = [b"<ROW>", b"</ROW>", b"<ROW/>", b"<ROW a='", b"<A>", b"</A>", b"<sfzh>", b"440606199003070017", b"</sfzh>", b"<!--", b"-->",
             b"<![CDATA[", b"]]>", b"<!DOCTYPE x>", b"<?xml version='1.0' encoding='UTF-8'?>", b"&amp;", b"&x;", b"\0", b"\xff", b"\n",
             "李䶮".encode("gb18030"), b"</BODY>", b"<JLS>3</JLS>", b"\x84\x31\x95\x33", b"y" * 3000]  # fmt: skip


def parts_of(content: bytes, options: DropOptions, columns: tuple[str, ...]) -> list[Part] | None:
    file = io.BytesIO(content)
    is_complete(file, options)
    try:
        return list(read_drop(file, options, columns))
    except DropRefused as refusal:
        return None if len(refusal.reason) < 200 else pytest.fail("a reason quotes the file")


def mixed(words: list[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(st.one_of(st.sampled_from(words), st.binary(max_size=40)), max_size=60).map(b"".join)


def honest(parts: list[Part] | None, content: bytes) -> None:
    for part in parts or []:
        assert isinstance(part, Record | Bad | Stated)
        if not isinstance(part, Stated):
            assert 1 <= part.line <= content.count(b"\n") + 1
        if isinstance(part, Record):
            assert set(part.values) <= {*CSV_COLUMNS, *XML_COLUMNS}


@settings(max_examples=300, deadline=2000)
@given(mixed(CSV_WORDS))
@example(b"")
@example(b'sfzh,xm\n"' * 50)
def test_any_bytes_are_some_csv(content: bytes) -> None:
    honest(parts_of(content, CSV_OPTIONS, CSV_COLUMNS), content)


@settings(max_examples=300, deadline=2000)
@given(mixed(XML_WORDS))
@example(b"")
@example(b"<ROW><!--" * 50)
def test_any_bytes_are_some_xml(content: bytes) -> None:
    honest(parts_of(content, XML_OPTIONS, XML_COLUMNS), content)


@settings(max_examples=200, deadline=2000)
@given(st.binary(max_size=600), st.integers(1, 64))
def test_lines_are_what_a_plain_split_gives(content: bytes, cap: int) -> None:
    expected = content.split(b"\n")
    if not expected[-1]:
        expected.pop()
    got = list(lines_of(io.BytesIO(content), cap))
    assert [number for number, _ in got] == list(range(1, len(expected) + 1))
    for (_, line), plain in zip(got, expected, strict=True):
        assert line == (None if len(plain) > cap else plain.removesuffix(b"\r"))


@settings(max_examples=60, deadline=2000)
@given(
    st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8), max_size=6), st.integers(0, 70_000)
)
def test_records_are_found_wherever_the_chunks_are_cut(texts: list[str], padding: int) -> None:
    rows = [xml_row(str(n), ZHANG, "<![CDATA[" + text.replace("]]>", "") + "]]>") for n, text in enumerate(texts)]
    content = xml_file("<!--" + "x" * padding + "-->", *rows)
    parts = parts_of(content, DropOptions(pattern="*", format="xml", encoding="gbk", record="ROW"), ("A.bh",))
    assert [part.values["A.bh"] for part in parts or [] if isinstance(part, Record)] == [
        str(n) for n in range(len(texts))
    ]


class _Endless(io.RawIOBase):
    """A file of `size` bytes that never exists as a whole: `head`, then `unit` again and again, then `tail`."""

    def __init__(self, head: bytes, unit: bytes, tail: bytes, size: int) -> None:
        self._head, self._unit, self._tail, self._size, self._at = head, unit * (65536 // len(unit)), tail, size, 0

    def seek(self, offset: int, whence: int = 0) -> int:
        assert whence == 0
        self._at = offset
        return offset

    def read(self, size: int = -1) -> bytes:
        end = len(self._head) + self._size
        if self._at < len(self._head):
            chunk = self._head[self._at : self._at + size]
        elif self._at < end:
            chunk = self._unit[: min(size, end - self._at)]
        else:
            chunk = self._tail[self._at - end :][:size]
        self._at += len(chunk)
        return chunk


@pytest.mark.parametrize(
    ("options", "columns", "head", "unit", "tail", "found"),
    [
        (CSV_OPTIONS, CSV_COLUMNS, b"sfzh,xm\n", b"x", b"\n1,2\n", 1),
        (CSV_OPTIONS, CSV_COLUMNS, b'sfzh,xm\n1,"', b"x\n", b"\n1,2\n", 1),
        (XML_OPTIONS, XML_COLUMNS, b"<P><ROW><A>", b"x", b"</A></ROW><ROW><A><sfzh>1</sfzh></A></ROW></P>", 1),
        (XML_OPTIONS, XML_COLUMNS, b"<P>", b"x", b"<ROW><A><sfzh>1</sfzh></A></ROW></P>", 1),
        (XML_OPTIONS, XML_COLUMNS, b"<P><!--", b"<ROW>", b"--><ROW><A><sfzh>1</sfzh></A></ROW></P>", 1),
        (XML_OPTIONS, XML_COLUMNS, b"<P><ROW ", b"a", b"/><ROW><A><sfzh>1</sfzh></A></ROW></P>", 1),
    ],
    ids=["csv-line", "csv-quote", "xml-record", "xml-nothing", "xml-comment", "xml-tag"],
)
def test_a_hundred_megabytes_in_one_piece_take_no_memory(
    options: DropOptions, columns: tuple[str, ...], head: bytes, unit: bytes, tail: bytes, found: int
) -> None:
    size = 100 * MIB if unit == b"x" else MIB // 4
    file: Any = _Endless(head, unit, tail, size)
    tracemalloc.start()
    records = sum(isinstance(part, Record) for part in read_drop(file, options, columns))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert records == found
    assert peak < 8 * MIB


@pytest.mark.anyio
async def test_a_gigantic_line_in_a_real_file_costs_one_line(lab: Lab) -> None:
    path = lab.inbox / ".big.csv"
    with path.open("wb") as file:
        file.write(csv_file(row("1", ZHANG)).replace(b"#END,1\r\n", b""))
        for _ in range(100):
            file.write(b"9" * MIB)
        file.write(b"\r\n" + ",".join(row("2", LI_MEI)).encode() + b"\r\n#END,3\r\n")
    path.rename(lab.inbox / "big.csv")
    source = lab.open(CSV)
    zhang, mei = await ask(source, ZHANG, LI_MEI)
    assert [numbers(zhang), numbers(mei)] == [["1"], ["2"]]
    assert [entry.line for entry in source.quarantine()] == [3]


@pytest.mark.anyio
async def test_a_file_larger_than_allowed_is_refused_unread(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG)))
    source = lab.open({**CSV, "max_file_bytes": 20})
    await ask(source, ZHANG)
    assert [entry.reason for entry in source.quarantine()] == ["larger than 20 bytes"]


@pytest.mark.anyio
async def test_a_flood_of_bad_lines_is_listed_in_short_and_then_refused(lab: Lab) -> None:
    lab.put("a.csv", csv_file(row("1", ZHANG), *(("x",) for _ in range(5_000))))
    source = lab.open({**CSV, "max_quarantine": 500})
    assert numbers((await ask(source, ZHANG))[0]) == ["1"]
    assert source.health().bad == 5_000
    assert 0 < len(source.quarantine()) <= 500
    assert len((lab.state / "T.quarantine.jsonl").read_text().splitlines()) <= 500


@pytest.mark.anyio
@settings(max_examples=15, deadline=None)
@given(contents=st.lists(st.one_of(mixed(CSV_WORDS), mixed(XML_WORDS)), min_size=1, max_size=3))
async def test_whatever_lies_there_the_source_answers(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    home: Path = tmp_path_factory.mktemp("any")
    lab = Lab(home)
    for number, content in enumerate(contents):
        lab.put(f"{number}.csv", content)
        lab.put(f"{number}.xml", content)
    for options, prefix in ((CSV, ""), (XML, "A.")):
        source = lab.open(options, prefix=prefix)
        assert len(await ask(source, ZHANG, (None, None), prefix=prefix)) == 2
        assert not any("taking it failed" in reason for _, reason in source.health().not_taken)
        await source.close()
