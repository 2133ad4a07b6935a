"""What a card's SVG may be: drawing and text, with places for claims. Nothing that runs, loads or links."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from xml.parsers import expat

_SVG = "http://www.w3.org/2000/svg"
_ELEMENTS = frozenset({
    "svg", "g", "defs", "title", "desc", "rect", "circle", "ellipse", "line", "polyline", "polygon", "path", "text", "tspan",
    "linearGradient", "radialGradient", "stop", "clipPath", "mask", "pattern",
})  # fmt: skip
_PLACE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_LINKS = re.compile(r"url\s*\(\s*['\"]?(?!#)|javascript:|data:|https?:|//", re.IGNORECASE)
_ATTRIBUTES_NEVER = re.compile(r"on.*|href|src|style", re.IGNORECASE)


def card_faults(svg: str, svg_ids: Collection[str]) -> list[tuple[int, str]]:
    """(line, why) of everything in it that is not plain drawing, and of places and claims that do not meet."""
    found: list[tuple[int, str]] = []
    parser = expat.ParserCreate(namespace_separator=" ")

    def start(name: str, attributes: dict[str, str]) -> None:
        where = parser.CurrentLineNumber
        space, _, local = name.rpartition(" ")
        if space != _SVG or local not in _ELEMENTS:
            found.append((where, f"<{local[:40]}> has no place in a card"))
        for key, value in attributes.items():
            if _ATTRIBUTES_NEVER.fullmatch(key.rpartition(" ")[2]) or _LINKS.search(value) or "{{" in value:
                found.append((where, f"the attribute {key.rpartition(' ')[2][:40]} may neither run, load nor link"))

    def never(*_: object) -> None:
        found.append(
            (parser.CurrentLineNumber, "document types, entities and processing instructions have no place in a card")
        )

    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = never
    parser.ProcessingInstructionHandler = never
    try:
        parser.Parse(svg, True)
    except expat.ExpatError as error:
        found.append((error.lineno, "this is no XML"))
    found += _places(svg, svg_ids)
    return found


def _places(svg: str, svg_ids: Collection[str]) -> Iterator[tuple[int, str]]:
    named: dict[str, int] = {}
    for match in _PLACE.finditer(svg):
        named.setdefault(match[1], svg.count("\n", 0, match.start()) + 1)
    for name, line in named.items():
        if name not in svg_ids:
            yield line, f'no claim has the svg_id "{name[:60]}"'
    for name in sorted(set(svg_ids) - named.keys()):
        yield 1, f'the card has no place for "{name}"'
