from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapters.toml_lines import Path, line_index, nearest

TRICKY = '''\
# [not.a.table]
title = """
[nor.this]
a = 1 """
"quoted.key" = 'x # no comment'   # a comment = 1
a.b . c = 1
when = 1979-05-27 07:32:00Z
many = [ # comment ]
  1,
  { x = 1, y = [2,
    3] },
  "]", """multi
line""",
]
empty = []
nothing = {}

[[answers]]
noun = "one"
[answers.fields]
regNo = "djbh"
[[answers.deep]]
k = 1
[[answers.deep]]
k = 2
[[answers]]
noun = "two"
[answers.fields]
"re\\u0067No" = { raw = "x", codes = { "01" = "A" } }
[ x . "y.z" ]
last = 1.5e3
four = """a""""
five = \'\'\'b\'\'\'
'''


def test_tricky_places() -> None:
    index = line_index(TRICKY)
    wanted: dict[Path, int] = {
        ("title",): 2,
        ("quoted.key",): 5,
        ("a", "b", "c"): 6,
        ("when",): 7,
        ("many",): 8,
        ("many", 0): 9,
        ("many", 1, "x"): 10,
        ("many", 1, "y", 0): 10,
        ("many", 1, "y", 1): 11,
        ("many", 2): 12,
        ("many", 3): 12,
        ("empty",): 15,
        ("nothing",): 16,
        ("answers", 0): 18,
        ("answers", 0, "fields", "regNo"): 21,
        ("answers", 0, "deep", 0, "k"): 23,
        ("answers", 0, "deep", 1): 24,
        ("answers", 1): 26,
        ("answers", 1, "noun"): 27,
        ("answers", 1, "fields", "regNo", "codes", "01"): 29,
        ("x", "y.z", "last"): 31,
        ("x", "y.z", "four"): 32,
        ("x", "y.z", "five"): 33,
    }
    assert {path: index.get(path) for path in wanted} == wanted
    assert line_index(TRICKY.replace("\n", "\r\n")) == index


def test_a_missing_entry_stands_where_its_parent_stands() -> None:
    index = line_index(TRICKY)
    assert nearest(index, ("answers", 1, "fields", "absent", "raw")) == 28
    assert nearest(index, ("nowhere",)) == 1


_KEY = st.one_of(st.from_regex(r"[A-Za-z0-9_-]{1,5}", fullmatch=True), st.text(max_size=4))
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
_VALUE = st.recursive(
    st.one_of(st.integers(-5, 5), st.booleans(), _TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEY, inner, max_size=3)),
    max_leaves=6,
)


def _string(text: str) -> str:
    return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in text) + '"'


class _Writer:
    """Writes TOML and remembers on which line it wrote what."""

    def __init__(self, draw: Any) -> None:
        self.text, self.index, self._draw = "", dict[Path, int](), draw

    def note(self, path: Path) -> None:
        self.index.setdefault(path, self.text.count("\n") + 1)

    def value(self, value: Any, path: Path) -> None:
        if isinstance(value, dict):
            self.text += "{ "
            for number, (key, inner) in enumerate(value.items()):
                self.text += ", " if number else ""
                self.pair((*path, key), key, inner)
            self.text += " }"
        elif isinstance(value, list):
            self.text += "["
            for number, inner in enumerate(value):
                self.text += self._draw(st.sampled_from(["", "\n", " # ] a word\n\n  "]))
                self.note((*path, number))
                self.value(inner, (*path, number))
                self.text += self._draw(st.sampled_from([",", " ,", "\n,"]))
            self.text += "]"
        else:
            self.text += _string(value) if isinstance(value, str) else str(value).lower()

    def pair(self, path: Path, key: str, value: Any) -> None:
        self.note(path)
        self.text += f"{_string(key)} = "
        self.value(value, path)


@given(
    st.data(),
    st.dictionaries(_KEY, _VALUE, max_size=4),
    st.lists(st.dictionaries(_KEY, _VALUE, max_size=3), max_size=3),
)
def test_every_entry_of_any_document_has_its_line(data: Any, top: dict[str, Any], tables: list[dict[str, Any]]) -> None:
    writer = _Writer(data.draw)
    top.pop("tables", None)
    for key, value in top.items():
        writer.pair((key,), key, value)
        writer.text += data.draw(st.sampled_from(["\n", "  # c\n", "\n\n"]))
    for number, table in enumerate(tables):
        writer.note(("tables",))
        writer.note(("tables", number))
        writer.text += "[[ tables ]]\n"
        for key, value in table.items():
            writer.pair(("tables", number, key), key, value)
            writer.text += "\n"
    assert tomllib.loads(writer.text) == (top | {"tables": tables} if tables else top)
    assert line_index(writer.text) == writer.index
