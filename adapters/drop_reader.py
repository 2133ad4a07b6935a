"""What is in a dropped file, one record at a time and in bounded memory, whatever its bytes.

A record that cannot be read is a `Bad` with its line, and the rest is used; a file that cannot be read at all
raises DropRefused. Nothing else is ever raised but OSError, when the file goes away.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO, Final

from adapters.drop_csv import read_csv
from adapters.drop_options import DropOptions
from adapters.drop_parts import DropRefused, Part
from adapters.drop_xml import read_xml

_BOMS: Final = ((codecs.BOM_UTF8, "utf-8"), (b"\x84\x31\x95\x33", "gb18030"))
_REFUSED_BOMS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_drop(file: BinaryIO, options: DropOptions, columns: tuple[str, ...]) -> Iterator[Part]:
    """The parts of the file from its start, in its order. `columns` are the raw names that are wanted.

    A BOM wins over the agreed encoding.
    """
    file.seek(0)
    start = file.read(4)
    if start[:2] in _REFUSED_BOMS:
        raise DropRefused("UTF-16 is not read")
    codec, skip = next(((codec, len(bom)) for bom, codec in _BOMS if start.startswith(bom)), (options.codec, 0))
    file.seek(skip)
    read = read_xml if options.format == "xml" else read_csv
    return read(file, options, columns, codec)
