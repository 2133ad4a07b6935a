"""CSV as departments write it: quoted newlines, embedded commas, ragged lines, NULs, stray quotes, a trailer line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final

from adapters.drop_lines import Lines, lines_of
from adapters.drop_options import DropOptions
from adapters.drop_parts import Bad, DropRefused, Part, Record, Stated
from adapters.identity import normalise_id

MAX_CONTINUED: Final = 64  # physical lines one quoted field may span
MAX_COLUMNS: Final = 2048
_TRAILER_BYTES: Final = 512


def read_csv(file: BinaryIO, options: DropOptions, columns: tuple[str, ...], codec: str) -> Iterator[Part]:
    """See `adapters.drop_reader.read_drop`. Source: RFC 4180, leniently for what is certain."""
    return _Csv(file, options, columns, codec).parts()


class _Csv:
    def __init__(self, file: BinaryIO, options: DropOptions, columns: tuple[str, ...], codec: str) -> None:
        self._lines = Lines(lines_of(file, options.max_line_bytes))
        self._max_bytes, self._delimiter, self._codec = options.max_line_bytes, options.delimiter, codec
        self._trailer = re.compile(options.end_marker) if options.end_marker else None
        self._wanted, self._given = columns, options.columns
        self._names: tuple[str, ...] = ()
        self._at: Mapping[str, int] = {}

    def parts(self) -> Iterator[Part]:
        ended = False
        if self._given:
            self._take_header(list(self._given))
        while (line := self._lines.next()) is not None:
            number, raw = line
            if raw is not None and not raw.strip():
                continue
            if ended:
                yield Bad(number, "a line after the trailer", {})
            elif (stated := self._stated(raw)) is not None:
                ended = True
                yield stated
            elif not self._names:
                self._take_header(self._header(raw))
            else:
                yield self._part(number, raw)
        if not self._names:
            raise DropRefused("no header line")

    def _part(self, number: int, raw: bytes | None) -> Part:
        if raw is None:
            return Bad(number, f"a line longer than {self._max_bytes} bytes", {})
        if b"\0" in raw:
            return Bad(number, "a NUL byte", self._certain(raw.replace(b"\0", "\ufffd".encode(self._codec))))
        text = self._decoded(raw)
        if text is None:
            return Bad(number, f"bytes that are not {self._codec}", self._certain(raw))
        fields = _split(text, self._delimiter)
        if fields is None:
            text, further = self._continued(text)
            fields = _split(text, self._delimiter) if further else None
            if fields is None:
                return Bad(number, "a quote that never closes, or text behind a closing quote", {})
            self._lines.skip(further)
        while len(fields) > len(self._names) and not fields[-1].strip():
            fields.pop()
        if len(fields) != len(self._names):
            reason = f"{len(fields)} fields where the header has {len(self._names)}"
            return Bad(number, reason, self._ids_only(fields))
        return Record(number, {name: fields[at] for name, at in self._at.items()})

    def _continued(self, text: str) -> tuple[str, int]:
        """`text` with the lines that a quoted line end joins to it, and how many those are (0: there is no end)."""
        whole, quotes, size = [text], text.count('"'), len(text)
        for ahead in range(MAX_CONTINUED):
            line = self._lines.peek(ahead)
            if line is None or line[1] is None or b"\0" in line[1] or self._stated(line[1]) is not None:
                break
            more = self._decoded(line[1])
            if more is None or (size := size + len(more)) > self._max_bytes:
                break
            whole.append(more)
            quotes += more.count('"')
            if quotes % 2 == 0:
                return "\n".join(whole), ahead + 1
        return text, 0

    def _stated(self, raw: bytes | None) -> Stated | None:
        if self._trailer is None or raw is None or len(raw) > _TRAILER_BYTES:
            return None
        found = self._trailer.fullmatch(raw.decode(self._codec, errors="replace").strip())
        if found is None:
            return None
        groups = found.groupdict()
        count = groups.get("count") or ""
        return Stated(
            int(count) if count.isascii() and count.isdigit() and len(count) < 12 else None, groups.get("date") or ""
        )

    def _header(self, raw: bytes | None) -> list[str]:
        text = self._decoded(raw) if raw is not None else None
        fields = _split(text, self._delimiter) if text is not None else None
        if fields is None:
            raise DropRefused("the header line cannot be read")
        while fields and not fields[-1].strip():
            fields.pop()
        return fields

    def _take_header(self, header: list[str]) -> None:
        names = tuple(name.strip() for name in header)
        if len(names) > MAX_COLUMNS:
            raise DropRefused(f"more than {MAX_COLUMNS} columns")
        for wanted in self._wanted:
            # A column by two names could be either; a column by none was renamed: both are a changed format.
            if names.count(wanted) != 1:
                raise DropRefused(f"the header names column {wanted} {names.count(wanted)} times")
        self._names, self._at = names, {wanted: names.index(wanted) for wanted in self._wanted}

    def _decoded(self, raw: bytes) -> str | None:
        try:
            return raw.decode(self._codec)
        except UnicodeDecodeError:
            return None

    def _certain(self, raw: bytes) -> Mapping[str, str]:
        """The columns of a partly unreadable line that are whole, if it still has the right number of fields."""
        fields = _split(raw.decode(self._codec, errors="replace"), self._delimiter)
        if fields is None or len(fields) != len(self._names):
            return {}
        return {name: fields[at] for name, at in self._at.items() if "\ufffd" not in fields[at]}

    def _ids_only(self, fields: list[str]) -> Mapping[str, str]:
        """In a ragged line a column may have moved; an ID number with its right check digit has not."""
        return {name: fields[at] for name, at in self._at.items() if at < len(fields) and _is_id(fields[at])}


def _is_id(text: str) -> bool:
    number = normalise_id(text)
    return number is not None and not number.was15 and number.checksum_ok


def _split(text: str, delimiter: str) -> list[str] | None:
    """The fields of one record; None where its quoting is broken or not closed."""
    if '"' not in text:
        return text.split(delimiter, MAX_COLUMNS + 1)
    if len(text) >= csv.field_size_limit():
        return None
    try:
        # One logical record a call: what is left open is an error, not a reason to read on.
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None
