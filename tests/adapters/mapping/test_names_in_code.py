"""What a manifest's author calls a field never becomes code: whatever name, it stays that name."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.body_writer import BodyWriter
from adapters.manifest import AnswerSpec, FieldMapping, Subject
from adapters.row_mapper import RowMapper
from adapters.source import Found, Key
from adapters.templates import compile_body
from tests.adapters.mapping.test_matching import NOW

BITS = ["'", '"', "\\", "\n", "\r", "\u2028", "{", "}", "{x}", "%s", "'''", "#", "class", "__class__", "None", "\0", "\ud800",
        "'); raise SystemExit; ('", "\\N{BULLET}", "f'{1}'", "\\\n", "字"]  # fmt: skip
NAME = st.lists(st.sampled_from(BITS), min_size=1, max_size=5).map("".join) | st.text(min_size=1, max_size=8).map(
    lambda text: text.replace(".", "_")
)
NAMES = st.lists(NAME, min_size=8, max_size=8, unique=True)


@given(NAMES)
@settings(max_examples=150, deadline=None)
def test_a_row_has_the_names_the_manifest_gives(names: list[str]) -> None:
    first, second, third, raw_id, raw_place, raw_code, owner, person = names
    spec = AnswerSpec(
        noun="residence",
        by=("idNo", "name"),
        request={},
        fields=(
            FieldMapping(first, raw_id),
            FieldMapping(second, raw_place, clean="address"),
            FieldMapping(third, raw_code, type="code", codes={"1": "A"}),
        ),
        record_id=raw_id,
        subject=Subject(owner, person),
        links={second: raw_id},
    )
    asked = frozenset((first, second, third))
    mapper = RowMapper(spec, asked)
    record: dict[str, Any] = {raw_id: "r", raw_place: "祖庙路1号", raw_code: "1", owner: "ID", person: "N"}
    row = mapper.sure(record, "ID", "N", NOW, NOW, "")
    assert row is not None
    assert row.values == {first: "r", second: "祖庙路1号", third: "A"}
    assert row.links == {second: "r"}
    assert mapper.whole is not None
    answers: list[Any] = [None]
    mapper.whole([record], {"ID": 0}, ["N"], NOW, NOW, answers)
    assert isinstance(answers[0], Found)
    assert answers[0].rows == (row,)


@given(NAMES, st.tuples(NAME, NAME))
@settings(max_examples=150, deadline=None)
def test_a_body_is_what_its_template_says(names: list[str], key: Key) -> None:
    said = [name.replace("{", "{{").replace("}", "}}") for name in names]
    shape = {
        names[0]: said[1],
        names[2]: [1, 1.5, True, None, said[3] + "{idNo}"],
        names[4]: {names[5]: "{name}" + said[6]},
    }
    template = compile_body(shape, ("idNo", "name"))
    wanted = {
        names[0]: names[1],
        names[2]: [1, 1.5, True, None, names[3] + str(key[0])],
        names[4]: {names[5]: str(key[1]) + names[6]},
    }
    assert BodyWriter(template)._shape([key]) == wanted
