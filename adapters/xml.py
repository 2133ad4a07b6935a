"""XML from outside: bounded in size, depth and number of parts, with no DTD, no entities and no network.

The text is decoded here and not by libxml2: departments declare GBK and send the four-byte characters of GB18030,
and a refusal must name its reason in our words, never in the document's. libxml2 is loaded by the first document: a gateway
whose departments all speak JSON never needs its five MiB.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from adapters.source import Value

if TYPE_CHECKING:
    from lxml import etree

MAX_DEPTH: Final = 64
MAX_MARKS: Final = 500_000  # "<" and "=" together: an upper bound for elements and attributes, so for memory
_ENCODINGS: Final[Mapping[str, str]] = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "gb2312": "gb18030",  # its supersets decode it alike, and senders mean the largest one
    "gbk": "gb18030",
    "cp936": "gb18030",
    "gb18030": "gb18030",
    "utf-16": "utf-16",
}
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
_DECLARED = re.compile(rb"""\A<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"


class XmlRefused(ValueError):
    """The document is not one we read. `reason` is free of its content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse_xml(
    data: bytes, *, max_bytes: int, encoding: str | None = None, max_depth: int = MAX_DEPTH
) -> etree._Element:
    """The root element of a well-formed document; comments and processing instructions are left out.

    A BOM wins, then `encoding` (what the transport or the manifest says), then the document's own declaration,
    then UTF-8. Raises XmlRefused for everything else, a DOCTYPE included.
    """
    if len(data) > max_bytes:
        raise XmlRefused(f"larger than {max_bytes} bytes")
    text = _decode(data, encoding)
    if text.count("<") + text.count("=") > MAX_MARKS:
        raise XmlRefused(f"more than {MAX_MARKS} elements and attributes")
    from lxml import etree

    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=False,
    )
    try:
        root = etree.fromstring(text[_prolog_end(text) :].encode(), parser)
    except (etree.XMLSyntaxError, UnicodeEncodeError) as error:
        line = getattr(error, "lineno", None)
        # libxml2's message quotes the document, so only the place is told
        raise XmlRefused("not well-formed" + (f" near line {line}" if line else "")) from None
    _refuse_deeper_than(root, max_depth)
    return root


def element_to_dict(element: etree._Element) -> dict[str, Value]:
    """The element's content in plain values: local names, attributes as "@name", own text beside them as "#text".

    A leaf is its stripped text ("" when empty, None when xsi:nil), a repeated child is a list. Which children
    repeat depends on the document, so a reader must take one and many alike.
    """
    found: dict[str, Value] = {f"@{_local(name)}": value for name, value in element.attrib.items() if name != _NIL}
    many: dict[str, list[Value]] = {}
    for child in element:
        many.setdefault(_local(child.tag), []).append(_value(child))
    for name, values in many.items():
        found[name] = values[0] if len(values) == 1 else values
    text = (element.text or "").strip()
    if text:
        found["#text"] = text
    return found


def local_name(element: etree._Element) -> str:
    """The element's name without its namespace."""
    return _local(element.tag)


def _value(element: etree._Element) -> Value:
    if element.get(_NIL) in ("true", "1"):
        return None
    if len(element) == 0 and not element.attrib:
        return (element.text or "").strip()
    return element_to_dict(element)


def _local(name: object) -> str:
    return str(name).rpartition("}")[2]


def _decode(data: bytes, encoding: str | None) -> str:
    for bom, codec in _BOMS:
        if data.startswith(bom):
            return _strictly(data[len(bom) :], codec)
    declared = _DECLARED.match(data)
    name = encoding or (declared.group(1).decode("ascii") if declared else "utf-8")
    known = _ENCODINGS.get(name.strip().lower())
    if known is None:
        raise XmlRefused("an encoding we do not read")
    return _strictly(data, known)


def _strictly(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        raise XmlRefused(f"not {codec} at byte {error.start}") from None


def _prolog_end(text: str) -> int:
    """Where the root element starts. Refuses a DOCTYPE before libxml2 sees one."""
    at = 0
    while True:
        while at < len(text) and text[at] in " \t\r\n":
            at += 1
        if text.startswith("<?", at):
            end, mark = text.find("?>", at + 2), 2
        elif text.startswith("<!--", at):
            end, mark = text.find("-->", at + 4), 3
        elif text.startswith("<!", at):
            raise XmlRefused("a DOCTYPE is not allowed")
        else:
            return at
        if end < 0:
            raise XmlRefused("not well-formed")
        at = end + mark


def _refuse_deeper_than(root: etree._Element, limit: int) -> None:
    from lxml import etree

    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > limit:
            raise XmlRefused(f"nested deeper than {limit}")
