"""Random questions over a schema: variables, aliases, fragments of both kinds, @skip and @include, repeated keys."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
)
from hypothesis import strategies as st

DECLARED = {
    "yes": "Boolean!",
    "no": "Boolean!",
    "n": "Int = 4",
    "filter": "Filter",
    "word": "String!",
}


@dataclass
class _Asking:
    draw: Any
    schema: GraphQLSchema
    fragments: dict[str, tuple[Any, str, set[str]]] = field(default_factory=dict)  # type, text, spreads
    spread: set[str] = field(default_factory=set)

    def of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def directive(self) -> str:
        found: str = self.of(
            "", "", "", "", " @include(if: true)", " @skip(if: false)", " @skip(if: true)",
            " @include(if: $yes)", " @skip(if: $yes)", " @include(if: $no)", " @skip(if: $no)",
        )  # fmt: skip
        return found

    def arguments(self, one: Any) -> tuple[str, str]:
        """(what is written, what tells it from others in an alias)."""
        parts = []
        for name in one.args:
            choices: dict[str, tuple[str, ...]] = {
                "n": ("", "n: 3", "n: $n", "n: null"),
                "filter": (
                    "",
                    'filter: {word: "a", colours: [RED]}',
                    "filter: $filter",
                    "filter: {word: $word, least: $n}",
                ),
                "must": ('must: "m"', "must: $word"),
            }
            parts.append(self.of(*choices[name]))
        text = ", ".join(part for part in parts if part)
        mark = "".join(char if char.isalnum() else "_" for char in text)
        return (f"({text})" if text else ""), mark

    def selections(self, kind: Any, depth: int) -> str:
        parts = [self.one(kind, depth) for _ in range(self.draw(st.integers(1, 4)))]
        return " ".join(parts)

    def one(self, kind: Any, depth: int) -> str:
        what = self.of("field", "field", "field", "field", "typename", "inline", "inline", "spread")
        if what == "field" and isinstance(kind, (GraphQLObjectType, GraphQLInterfaceType)):
            return self.field(kind, depth)
        if what == "inline" and depth > 0:
            inner = self.of(*self._within(kind), None)
            condition = "" if inner is None else f" on {inner.name}"
            return f"...{condition}{self.directive()} {{ {self.selections(inner or kind, depth - 1)} }}"
        fitting = [name for name, (on, *_) in self.fragments.items() if on in self._within(kind)]
        if what == "spread" and fitting:
            name = self.of(*fitting)
            self.spread.add(name)
            return f"...{name}{self.directive()}"
        return str(self.of("__typename", "kind: __typename"))

    def field(self, kind: Any, depth: int) -> str:
        name = self.of(*kind.fields)
        one = kind.fields[name]
        written, mark = self.arguments(one)
        # What has one key must be one field everywhere, or the question is not valid.
        key = f"{kind.name if isinstance(kind, GraphQLObjectType) else 'Face'}_{name}{mark}"
        text = f"{key}: {name}{written}{self.directive()}"
        named = get_named_type(one.type)
        if is_leaf_type(named):
            return text
        if depth <= 0:
            return "__typename"
        return f"{text} {{ {self.selections(named, depth - 1)} }}"

    def _within(self, kind: Any) -> list[Any]:
        """Types a fragment may name where `kind` is."""
        named = [
            one for one in self.schema.type_map.values() if isinstance(one, GraphQLObjectType) and one.name[0] == "T"
        ]
        if is_abstract_type(kind):
            possible = self.schema.get_possible_types(kind)
            return [one for one in named if one in possible] + [kind]
        around = [
            one
            for one in self.schema.type_map.values()
            if is_abstract_type(one) and kind in self.schema.get_possible_types(one)
        ]
        return [kind, *around]


@st.composite
def questions(draw: st.DrawFn, schema: GraphQLSchema) -> tuple[str, dict[str, Any]]:
    """A question and its variables."""
    asking = _Asking(draw, schema)
    kinds = [one for name, one in schema.type_map.items() if name[0] == "T" or name in ("Face", "Either")]
    for number in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(kinds))
        asking.spread = set()
        text = asking.selections(kind, 2)
        asking.fragments[f"F{number}"] = kind, text, asking.spread
    asking.spread = set()
    query = schema.query_type
    body = " ".join(asking.field(query, 4) for _ in range(draw(st.integers(1, 4))))
    needed: set[str] = set()
    waiting = list(asking.spread)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += asking.fragments[name][2]
    texts = [
        f"fragment {name} on {asking.fragments[name][0].name} {{ {asking.fragments[name][1]} }}"
        for name in sorted(needed)
    ]
    written = set(re.findall(r"\$(\w+)", " ".join([body, *texts])))
    used = [name for name in DECLARED if name in written]
    declared = ", ".join(f"${name}: {kind}" for name, kind in DECLARED.items() if name in used)
    variables: dict[str, Any] = {"yes": True, "no": False, "word": draw(st.sampled_from(["w", ""]))}
    variables |= draw(st.sampled_from([{}, {"n": 5}, {"n": None}]))
    variables |= draw(st.sampled_from([{}, {"filter": None}, {"filter": {"word": "z", "colours": ["BLUE"]}}]))
    variables = {name: value for name, value in variables.items() if name in used}
    head = f"query ({declared}) " if declared else "query "
    return " ".join([f"{head}{{ {body} }}", *texts]), variables
