"""The Python code a compiled form is turned into: one function for each node, one to lay each batch into the answer.

The code knows the plain road only: values of the right type, and null where null may be. Whatever else it meets, it raises,
and `compiled_errors` goes over the same values again with paths and null propagation. Nothing of a request is written into
the code: response keys, field names, types and tables are constants `k0`, `k1`, ... handed over beside it; a `Reading` writes
field names of the schema.

`Code.source` is what was compiled, for whoever wants to read it. A function of it looks so:

    def n1(d, p):                          # a node: d its value, p the run (see `execute`)
        d_get = d.get
        v0 = d_get('admin')
        out = {k2: (v0 if v0 is None or v0.__class__ is STR else k3(v0)), k4: None}
        p[1](out); p[2](d)                 # it waits for the batch of its next level
        return out
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import CodeType
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLID,
    GraphQLInt,
    GraphQLString,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution import default_type_resolver
from graphql.pyutils import Undefined

from gateway.federation.compiled import Compiled, Field, Node
from gateway.federation.reading import Reading
from schema.fetching import Batched, Computed


class Irregular(Exception):
    """A value that is not on the plain road."""


def _no_list(_value: Any) -> Any:
    raise Irregular


_ISO = repr(operator.methodcaller("isoformat"))
_STRINGS = (GraphQLString.coerce_output_value, GraphQLID.coerce_output_value)
_BASE: Mapping[str, Any] = {
    "__builtins__": {"isinstance": isinstance, "zip": zip},
    "STR": str,
    "BOOL": bool,
    "INT": int,
    "DATE": date,
    "DATETIME": datetime,
    "LIST": list,
    "TUPLE": tuple,
    "MAP": map,
    "ERROR": Exception,
    "IRREGULAR": Irregular,
    "NO_LIST": _no_list,
}


@dataclass(frozen=True, slots=True)
class Code:
    """`root(value, run)` gives the answer's data; `fill[field](outs, values, run)` lays one batch into it."""

    source: str
    root: Callable[[Any, Any], dict[str, Any]]
    fill: Mapping[Field, Callable[[Any, Any, Any], None]]


def code_of(compiled: Compiled) -> Code:
    """Write and compile the code of a form."""
    writer = _Writer(compiled)
    for node in compiled.nodes:
        writer.node(node)
    for node in compiled.waiting:
        for one in node.batched:
            writer.filling(one)
    source = "\n".join(writer.lines) + "\n"
    space = writer.constants
    exec(_compiled(source), space)  # noqa: S102 - the source is ours, see above
    fill = {one: space[f"b{writer.number(one)}"] for node in compiled.waiting for one in node.batched}
    return Code(source, space[writer.names[compiled.root]], fill)


def reader(reading: Reading, name: str) -> Callable[[Any], Any]:
    """A function that reads one field, for the road on which speed is no matter."""
    lines = [
        "def read(d):",
        *(f"    {line}" for line in reading.prelude("d")),
        f"    return {reading.field('d', name)}",
    ]
    space = dict(_BASE)
    exec(_compiled("\n".join(lines) + "\n"), space)  # noqa: S102
    found: Callable[[Any], Any] = space["read"]
    return found


def _compiled(source: str) -> CodeType:
    return compile(source, "<plan>", "exec", dont_inherit=True)


class _Writer:
    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled
        self.lines: list[str] = []
        self.constants: dict[str, Any] = dict(_BASE)
        self.names: dict[Node, str] = {}
        self._known: dict[int, str] = {}
        self._numbers: dict[Field, int] = {}
        self._leaves: dict[Any, str] = {}
        self._with_run: set[str] = set()  # functions that take the run
        self._uses_run = False  # whether what is being written needs it
        self._helpers = 0

    def number(self, one: Field) -> int:
        return self._numbers.setdefault(one, len(self._numbers))

    def constant(self, value: Any) -> str:
        name = self._known.get(id(value))
        if name is None:
            name = self._known[id(value)] = f"k{len(self._known)}"
            self.constants[name] = value  # which keeps it, and so its id
        return name

    def node(self, node: Node) -> None:
        """The function of one node. It takes the run only where something in it needs the run."""
        body: list[str] = []
        shown: list[str] = []
        read: list[str] = []
        self._uses_run = bool(node.batched) or node is self._compiled.root
        for one in node.fields:
            key = self.constant(one.key)
            if one.type is None:
                shown.append(f"{key}: {self.constant(node.type.name)}")
            elif isinstance(one.how, Batched):
                shown.append(f"{key}: None")
            else:
                value = f"v{len(read)}"
                if isinstance(one.how, Computed):
                    self._uses_run = True
                    given = f"p[{self._argument(one)}]"
                    read.append(
                        f"    {value} = {given}(d)"
                        if one.kept
                        else f"    {value} = {self.constant(one.how.of)}(d, {given})"
                    )
                else:
                    read.append(f"    {value} = {_read(node.reading, one)}")
                shown.append(f"{key}: {self.completed(one.type, value, one)}")
        sure = read and node.reading.sure
        if not sure and node is not self._compiled.root:
            body.append("    if d is None or isinstance(d, ERROR): raise IRREGULAR")
        body += [f"    {line}" for line in node.reading.prelude("d")] if read else []
        body += read
        out = "{" + ", ".join(shown) + "}"
        if node.batched:
            body += [
                f"    out = {out}",
                f"    p[{1 + 2 * node.place}](out); p[{2 + 2 * node.place}](d)",
                "    return out",
            ]
        else:
            body.append(f"    return {out}")
        name = self.names[node] = f"n{len(self.names)}"
        if self._uses_run:
            self._with_run.add(name)
        self.lines += [f"def {name}(d, p):" if self._uses_run else f"def {name}(d):", *body]

    def filling(self, one: Field) -> None:
        """Lay the values of a batched field into the objects that wait for it."""
        shown = self.completed(one.type, "v", one)
        self.lines += [
            f"def b{self.number(one)}(outs, values, p):",
            *self._alike(one),
            "    for out, v in zip(outs, values):",
            f"        out[{self.constant(one.key)}] = {shown}",
        ]

    def _alike(self, one: Field) -> Sequence[str]:
        """The same for values that are alike: one loop, and no call and no object of ours for each. Nothing where that is
        not all that is read."""
        kind = one.type.of_type if is_non_null_type(one.type) else one.type
        node = one.children.get(getattr(kind, "name", ""))
        alike = None if node is None or node.type.is_type_of is not None else node.reading.alike
        if node is None or alike is None:
            return ()
        before: list[str] = []
        shown: list[str] = []
        inner: list[str] = []
        for field in node.fields:
            key = self.constant(field.key)
            if field.type is None:
                shown.append(f"{key}: {self.constant(node.type.name)}")
            elif field.how is None and field.name in alike.same and is_leaf_type(get_named_type(field.type)):
                value = f"s{len(before)}"
                before.append(f"        {value} = values.{alike.same[field.name]}")
                before.append(f"        {value} = {self.completed(field.type, value, field)}")
                shown.append(f"{key}: {value}")
            elif field.how is None and field.name == alike.listed and (row := _only_own(field, alike.own)) is not None:
                made = self._row(row, f"r{len(inner)}_")
                inner += made[:-1]
                shown.append(f"{key}: [{made[-1]}]")
            else:
                return ()
        if not inner:
            return ()
        return [
            f"    if values.__class__ is {self.constant(alike.kind)}:",
            *before,
            f"        for out, d in zip(outs, values.{alike.items}):",
            *(f"            {line}" for line in inner),
            f"            out[{self.constant(one.key)}] = {{{', '.join(shown)}}}",
            "        return",
        ]

    def _row(self, node: Node, mark: str) -> list[str]:
        """Statements that read what is shown of `d`, an object of `node` that hangs on no other; last, what it is shown as."""
        lines = list(node.reading.prelude("d"))
        shown: list[str] = []
        for field in node.fields:
            key = self.constant(field.key)
            if field.type is None:
                shown.append(f"{key}: {self.constant(node.type.name)}")
                continue
            value = f"{mark}{len(shown)}"
            lines.append(f"{value} = {_read(node.reading, field)}")
            shown.append(f"{key}: {self.completed(field.type, value, field)}")
        return [*lines, "{" + ", ".join(shown) + "}"]

    def completed(self, kind: Any, value: str, one: Field, depth: int = 0) -> str:
        """An expression for `value` as the answer shows it."""
        if is_non_null_type(kind):
            return self._shown(kind.of_type, value, one, depth, nullable=False)
        return self._shown(kind, value, one, depth, nullable=True)

    def _shown(self, kind: Any, value: str, one: Field, depth: int, *, nullable: bool) -> str:
        if is_leaf_type(kind):
            return self._leaf(kind, value, nullable=nullable)
        if is_list_type(kind):
            listed = self._list(kind.of_type, value, one, depth)
        else:
            listed = self._call(self._object(kind, one), value)
        return f"(None if {value} is None else {listed})" if nullable else listed

    def _list(self, kind: Any, value: str, one: Field, depth: int) -> str:
        items = f"({value} if {value}.__class__ is LIST or {value}.__class__ is TUPLE else NO_LIST({value}))"
        if is_non_null_type(kind) and not is_leaf_type(kind.of_type) and not is_list_type(kind.of_type):
            function = self._object(kind.of_type, one)
            if function not in self._with_run:
                return f"LIST(MAP({function}, {items}))"
        item = f"{value}_{depth}"
        return f"[{self.completed(kind, item, one, depth + 1)} for {item} in {items}]"

    def _call(self, function: str, value: str) -> str:
        if function not in self._with_run:
            return f"{function}({value})"
        self._uses_run = True
        return f"{function}({value}, p)"

    def _leaf(self, kind: Any, value: str, *, nullable: bool) -> str:
        other = f"{self._judged(kind, nullable=nullable)}({value})"
        null = f" or {value} is None" if nullable else ""
        method = kind.coerce_output_value
        if isinstance(kind, GraphQLEnumType):
            table = frozenset(name for name in kind.values if _is_itself(kind, name))
            return f"({value} if ({value}.__class__ is STR and {value} in {self.constant(table)}){null} else {other})"
        if method in _STRINGS:
            return f"({value} if {value}.__class__ is STR{null} else {other})"
        if method == GraphQLBoolean.coerce_output_value:
            return f"({value} if {value}.__class__ is BOOL{null} else {other})"
        if method == GraphQLInt.coerce_output_value:
            fits = f"({value}.__class__ is INT and -2147483648 <= {value} <= 2147483647)"
            return f"({value} if {fits}{null} else {other})"
        if isinstance(method, operator.methodcaller) and repr(method) == _ISO:
            exact = f"{value}.isoformat() if {value}.__class__ is DATETIME or {value}.__class__ is DATE else {other}"
            return f"(None if {value} is None else {exact})" if nullable else f"({exact})"
        return other

    def _judged(self, kind: Any, *, nullable: bool) -> str:
        """A function that completes any value of a leaf type, or raises."""
        name = self._leaves.get((kind, nullable))
        if name is None:
            name = self._leaves[kind, nullable] = self.constant(_leaf(kind.coerce_output_value, nullable=nullable))
        return name

    def _object(self, kind: Any, one: Field) -> str:
        """The name of a function for values of an object or abstract type."""
        if is_abstract_type(kind):
            return self._abstract(kind, one)
        return self._typed(one.children[kind.name], one)

    def _typed(self, node: Node, one: Field) -> str:
        """An object type may say itself whether a value is one of its own."""
        says = node.type.is_type_of
        if says is None:
            return self.names[node]
        return self._helper(
            f"    if isinstance(v, ERROR) or not {self.constant(says)}(v, p[0]({self.constant(one)})): raise IRREGULAR",
            f"    return {self._call(self.names[node], 'v')}",
        )

    def _abstract(self, kind: Any, one: Field) -> str:
        resolve = self.constant(kind.resolve_type or default_type_resolver)
        return self._helper(
            "    if isinstance(v, ERROR): raise IRREGULAR",
            f"    t = {resolve}(v, p[0]({self.constant(one)}), {self.constant(kind)})",
            *(
                f"    if t == {self.constant(name)}: return {self._call(self._typed(node, one), 'v')}"
                for name, node in one.children.items()
            ),
            "    raise IRREGULAR",
        )

    def _helper(self, *body: str) -> str:
        self._helpers += 1
        name = f"h{self._helpers}"
        self._with_run.add(name)
        self.lines += [f"def {name}(v, p):", *body]
        return name

    def _argument(self, one: Field) -> int:
        return 1 + 2 * len(self._compiled.waiting) + one.place


def _read(reading: Reading, one: Field) -> str:
    child = _plain_items(one)
    if child is None:
        return reading.field("d", one.name)
    return reading.listed("d", one.name, _names(child))


def _plain_items(one: Field) -> Node | None:
    """What is shown of each item of a list, where all of it stands in the item."""
    kind = one.type.of_type if is_non_null_type(one.type) else one.type
    if is_list_type(kind) and len(one.children) == 1:
        (child,) = one.children.values()
        if all(inner.how is None for inner in child.fields) and child.type.is_type_of is None:
            return child
    return None


def _only_own(one: Field, own: frozenset[str]) -> Node | None:
    """What is shown of the items of a plain list of objects, where it is some of `own`; None otherwise."""
    node = _plain_items(one)
    if node is None or not node.reading.sure or not any(inner.type is not None for inner in node.fields):
        return None
    kind = one.type.of_type if is_non_null_type(one.type) else one.type
    item = kind.of_type.of_type if is_non_null_type(kind.of_type) else kind.of_type
    return node if item is node.type and _names(node) <= own else None


def _names(node: Node) -> frozenset[str]:
    return frozenset(inner.name for inner in node.fields if inner.type is not None)


def _is_itself(kind: GraphQLEnumType, name: str) -> bool:
    """Whether the enum shows this text as it stands."""
    try:
        return bool(kind.coerce_output_value(name) == name)
    except Exception:
        return False


def _leaf(method: Callable[[Any], Any], *, nullable: bool) -> Callable[[Any], Any]:
    def complete(value: Any) -> Any:
        if isinstance(value, Exception):
            raise Irregular
        if value is None or value is Undefined:
            if nullable:
                return None
            raise Irregular
        found = method(value)
        if found is None or found is Undefined:
            raise Irregular
        return found

    return complete
