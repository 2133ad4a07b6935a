"""XML drops, record by record: a broken record costs itself and not the file.

The file is never parsed as one document, which one stray byte would make unreadable and which would not fit in
memory. Records are cut out by their element name and each is parsed alone by `adapters.xml`. Cutting bytes is safe:
"<" is no trailing byte in GBK, GB18030 or UTF-8. What stands in comments and CDATA is no mark-up here either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, Final

from adapters.drop_options import ENCODINGS, DropOptions
from adapters.drop_parts import CHUNK, Bad, DropRefused, Part, Record, Stated
from adapters.identity import normalise_id
from adapters.source import Value
from adapters.xml import XmlRefused, element_to_dict, parse_xml

MAX_DEPTH: Final = 16
_HEAD_BYTES: Final = 64 * 1024  # the file's own statements stand before its first record, within so much
_START_TAG_BYTES: Final = 4096
_SEARCHED_BYTES: Final = 64 * 1024  # of a broken record, for its key
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_SKIPPED: Final = {b"<!--": b"-->", b"<![CDATA[": b"]]>"}


def read_xml(file: BinaryIO, options: DropOptions, columns: tuple[str, ...], codec: str) -> Iterator[Part]:
    """See `adapters.drop_reader.read_drop`. A DOCTYPE or entity declaration anywhere refuses the file."""
    return _Xml(file, options, columns, codec).parts()


class _Xml:
    def __init__(self, file: BinaryIO, options: DropOptions, columns: tuple[str, ...], codec: str) -> None:
        self._file, self._options, self._columns, self._codec = file, options, columns, codec
        name = re.escape(options.record).encode(codec)
        self._token = re.compile(
            rb"<!--|<!\[CDATA\[|<!DOCTYPE|<!ENTITY|(?P<end></"
            + name
            + rb"\s{0,64}>)|(?P<start><"
            + name
            + rb"(?=[\s/>]))"
        )
        self._overlap = len(name) + 80  # a token may lie across two chunks
        self._held = bytearray()
        self._line = 1  # the line `_held` starts in
        self._at_end = False
        self._head = bytearray()

    def parts(self) -> Iterator[Part]:
        self._more(CHUNK)
        self._check_declaration()
        records, orphan = 0, False  # orphan: the record whose end comes next was already reported
        at = 0
        while True:
            found = self._token.search(self._held, at)
            if found is None or (not self._at_end and found.end() + 2 > len(self._held)):
                at = max(at, len(self._held) - self._overlap) if found is None else found.start()
                self._drop(at, head=records == 0)
                at = 0
                if not self._more(CHUNK):
                    break
                continue
            if found["start"]:
                self._drop(found.start(), head=records == 0)
                if records == 0:
                    yield from self._stated()
                records += 1
                part, at = self._record()
                orphan = isinstance(part, Bad) and part.reason.startswith("longer")
                yield part
            elif found["end"]:
                if not orphan:
                    yield Bad(self._line_at(found.start()), "a record without its start", {})
                orphan, at = False, found.end()
            else:
                at = self._after(found, found.end(), head=records == 0)
        if records == 0:
            self._drop(len(self._held), head=True)
            yield from self._stated()

    def _record(self) -> tuple[Part, int]:
        """The record that starts at the beginning of `_held`, and where to go on there."""
        at, limit = 1, self._options.max_line_bytes
        while len(self._held) < _START_TAG_BYTES and self._more(CHUNK):
            pass
        if short := self._self_closed():
            return self._parsed(short), short
        while True:
            found = self._token.search(self._held, at)
            if found is None or (not self._at_end and found.end() + 2 > len(self._held)):
                at = max(at, len(self._held) - self._overlap) if found is None else max(1, found.start())
                if len(self._held) > limit:
                    return Bad(self._line, f"longer than {limit} bytes", self._readable(bytes(self._held[:limit]))), 1
                if not self._more(CHUNK):
                    return Bad(self._line, "a record without its end", self._readable(bytes(self._held))), 1
                continue
            if found["end"]:
                if found.end() > limit:
                    return Bad(self._line, f"longer than {limit} bytes", {}), 1
                return self._parsed(found.end()), found.end()
            if found["start"]:
                broken = bytes(self._held[: found.start()])
                return Bad(self._line, "a record without its end", self._readable(broken)), found.start()
            self._refuse_declarations(found[0])
            end = self._held.find(_SKIPPED[found[0]], found.end())
            while end < 0 and len(self._held) <= limit and self._more(CHUNK):
                end = self._held.find(_SKIPPED[found[0]], found.end())
            if end < 0:
                return Bad(self._line, "a comment or CDATA section without its end", {}), found.end()
            at = end

    def _parsed(self, end: int) -> Part:
        raw = bytes(self._held[:end])
        try:
            root = parse_xml(raw, max_bytes=self._options.max_line_bytes, encoding=self._codec, max_depth=MAX_DEPTH)
        except XmlRefused as error:
            return Bad(self._line, error.reason, self._readable(raw))
        nested = element_to_dict(root)
        picked = {name: value for name in self._columns if (value := _walk(nested, name.split("."))) is not None}
        return Record(self._line, picked)

    def _readable(self, raw: bytes) -> Mapping[str, Value]:
        """ID numbers with a right check digit that stand once, whole, in the element they belong in."""
        values: dict[str, Value] = {}
        if len(raw) > _SEARCHED_BYTES:
            return values
        for column in self._columns:
            name = re.escape(column.rpartition(".")[2]).encode(self._codec)
            found = re.findall(rb"<" + name + rb">\s{0,8}([0-9Xx]{18})\s{0,8}</" + name + rb">", raw)
            if len(found) == 1 and (number := normalise_id(found[0].decode("ascii"))) and number.checksum_ok:
                values[column] = number.value18
        return values

    def _self_closed(self) -> int:
        """The end of `<ROW/>` or `<ROW a="b"/>` at the beginning of `_held`; 0 where it is an ordinary start."""
        close = self._held.find(b">", 0, _START_TAG_BYTES)
        return close + 1 if close > 0 and self._held[close - 1 : close] == b"/" else 0

    def _after(self, found: re.Match[bytes], at: int, *, head: bool) -> int:
        """Past a comment or CDATA section outside of records; its content is dropped as it is read."""
        mark = bytes(found[0])
        self._refuse_declarations(mark)
        self._drop(at, head=head)
        while (end := self._held.find(_SKIPPED[mark])) < 0:
            self._drop(max(0, len(self._held) - 2), head=False)
            if not self._more(CHUNK):
                return len(self._held)
        return end + 3

    @staticmethod
    def _refuse_declarations(mark: bytes) -> None:
        if bytes(mark) in (b"<!DOCTYPE", b"<!ENTITY"):
            raise DropRefused("a DOCTYPE or entity declaration")

    def _check_declaration(self) -> None:
        declared = _DECLARED.match(bytes(self._held[:400]).lstrip())
        if declared and ENCODINGS.get(declared[1].decode("ascii").lower(), "") != self._codec:
            # UTF-8 read as GB18030 often decodes, into other people's names
            raise DropRefused(f"declares an encoding other than the agreed {self._codec}")

    def _stated(self) -> Iterator[Stated]:
        count, date = self._head_text(self._options.count_element), self._head_text(self._options.date_element)
        if count or date:
            yield Stated(int(count) if count.isascii() and count.isdigit() and len(count) < 12 else None, date)

    def _head_text(self, name: str) -> str:
        if not name:
            return ""
        element = re.escape(name).encode(self._codec)
        found = re.findall(rb"<" + element + rb">([^<]{0,64})</" + element + rb">", bytes(self._head))
        return found[0].decode(self._codec, errors="replace").strip() if len(found) == 1 else ""

    def _line_at(self, at: int) -> int:
        return self._line + self._held.count(b"\n", 0, at)

    def _drop(self, size: int, *, head: bool) -> None:
        if head and len(self._head) < _HEAD_BYTES:
            self._head += self._held[:size]
        self._line += self._held.count(b"\n", 0, size)
        del self._held[:size]

    def _more(self, size: int) -> bool:
        if self._at_end:
            return False
        chunk = self._file.read(size)
        self._at_end = not chunk
        self._held += chunk
        return bool(chunk)


def _walk(value: Value, path: Sequence[str]) -> Value:
    """The value at a dotted path; where an element repeats, the list of what stands below."""
    if isinstance(value, list):
        below = [found for part in value if (found := _walk(part, path)) is not None]
        return below or None
    if not path:
        return value.get("#text", "") if isinstance(value, Mapping) else value
    return _walk(value.get(path[0]), path[1:]) if isinstance(value, Mapping) else None
