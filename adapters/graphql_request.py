"""The form of `[answers.request]` for kind "graphql", and the documents made from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, cast

from graphql import (
    FieldNode,
    GraphQLSyntaxError,
    NameNode,
    Node,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    Visitor,
    parse,
    print_ast,
    visit,
)

from adapters.errors import Reason
from adapters.manifest import AnswerSpec
from adapters.onward import Onward
from adapters.templates import BodyTemplate, TemplateFault, compile_body

_TEXTS: Final = ("rows", "state", "reason", "retry_at", "as_of")
_ALONG: Final = ("purpose", "caseNo", "reference")
"""What of `Onward` a variable of the query may be given."""
_ENTRIES: Final = frozenset(("query", "variables", "batch", "errors", "onward", "origin", *_TEXTS))
_FIELD = re.compile(r"[_A-Za-z][_0-9A-Za-z]*(?:\.[_A-Za-z][_0-9A-Za-z]*)*")
_WORDS: Final[Mapping[str, Reason]] = {
    "refused": Reason.REFUSED,
    "rate_limited": Reason.RATE_LIMITED,
    "closed": Reason.CLOSED,
    "busy": Reason.DOWN,
    "clock": Reason.CLOCK_SKEW,
}
_USUAL: Final[Mapping[str, Reason]] = {  # what servers commonly put into extensions.code
    "UNAUTHENTICATED": Reason.REFUSED,
    "UNAUTHORIZED": Reason.REFUSED,
    "FORBIDDEN": Reason.REFUSED,
    "RATE_LIMITED": Reason.RATE_LIMITED,
    "TOO_MANY_REQUESTS": Reason.RATE_LIMITED,
    "GRAPHQL_PARSE_FAILED": Reason.GARBAGE,
    "GRAPHQL_VALIDATION_FAILED": Reason.GARBAGE,
}


@dataclass(frozen=True, slots=True)
class GraphqlRequest:
    """One checked request. The paths start at the answer's `data`; empty texts mean "not given"."""

    query: str
    variables: BodyTemplate
    batch: bool
    rows: str
    state: str
    reason: str
    retry_at: str
    as_of: str
    errors: Mapping[str, Reason]
    onward: Mapping[str, str]  # of `_ALONG`, by the variable that carries it
    origin: str  # where a record names the source it comes from, on the other side

    def document(self, fields: frozenset[str], count: int) -> str:
        """The query for exactly these raw fields; with `batch`, for `count` keys side by side."""
        asked = fields | {self.origin} if self.origin else fields
        return _document(self.query, asked, count if self.batch else 0, frozenset(self.onward))

    def sent_variables(
        self, keys: Sequence[tuple[str | None, ...]], onward: Onward | None = None, purpose: str = ""
    ) -> dict[str, Any]:
        """The values for `document`; raises KeyPartMissing. `purpose` is said where nobody asks: by the live probe."""
        if not self.batch:
            sent = dict(self.variables.render(keys))
        else:
            sent = {
                f"{name}_{position}": value
                for position, key in enumerate(keys)
                for name, value in self.variables.render((key,)).items()
            }
        if self.onward:
            said = _said(onward, purpose)
            sent |= {variable: said[word] for variable, word in self.onward.items()}
        return sent


def read_request(answer: AnswerSpec, at: str) -> tuple[GraphqlRequest, list[tuple[str, str]]]:
    """The request of `answer` and every fault of it, `at` being its dotted path. Usable only without faults."""
    given, faults = answer.request, []
    for entry in sorted(set(given) - _ENTRIES):
        faults.append((f"{at}.{entry}", f"unknown entry {entry}; known are {', '.join(sorted(_ENTRIES))}"))
    texts = {name: given.get(name, "") for name in _TEXTS}
    for name, value in texts.items():
        if not isinstance(value, str):
            faults.append((f"{at}.{name}", "the place in the answer, as dotted names"))
    if not texts["rows"]:
        faults.append((f"{at}.rows", "missing: where the records stand in the answer"))
    batch = given.get("batch", False)
    if not isinstance(batch, bool):
        faults.append((f"{at}.batch", "true or false"))
    variables = given.get("variables", {})
    compiled = BodyTemplate({}, answer.by)
    try:
        if not isinstance(variables, Mapping):
            raise TemplateFault("must be a table")
        compiled = compile_body(variables, answer.by)
    except TemplateFault as fault:
        faults.append((f"{at}.variables", str(fault)))
    onward, onward_faults = _read_onward(given.get("onward", {}), at)
    faults += onward_faults
    origin = given.get("origin", "")
    if not isinstance(origin, str) or field_faults([origin]):
        faults.append((f"{at}.origin", "a field of a record"))
        origin = ""
    query = given.get("query", "")
    names = set(variables) if isinstance(variables, Mapping) else set()
    if names & set(onward):
        faults.append((f"{at}.onward", "a variable is in `variables` already"))
    names |= set(onward)
    faults += [(f"{at}.query", message) for message in _query_faults(query, names, batch is True, texts)]
    errors, error_faults = _read_errors(given.get("errors", {}), at)
    request = GraphqlRequest(
        query=str(query),
        variables=compiled,
        batch=batch is True,
        rows=str(texts["rows"]),
        state=str(texts["state"]),
        reason=str(texts["reason"]),
        retry_at=str(texts["retry_at"]),
        as_of=str(texts["as_of"]),
        errors=errors,
        onward=onward,
        origin=origin,
    )
    return request, faults + error_faults


def field_faults(names: Iterable[str]) -> list[str]:
    """The raw names that cannot stand in a query."""
    return [name for name in names if name and not _FIELD.fullmatch(name)]


def root_of(path: str) -> tuple[str, str]:
    """The first name of a dotted path, and the rest."""
    first, _, rest = path.partition(".")
    return first, rest


def _query_faults(query: object, given: set[str], batch: bool, texts: Mapping[str, Any]) -> list[str]:
    if not isinstance(query, str) or not query:
        return ["missing: the query, with {fields} where the granted fields go"]
    if query.count("{fields}") != 1:
        return ["must hold {fields} exactly once"]
    try:
        document = parse(_with_fields(query, frozenset()), max_tokens=5000)
    except GraphQLSyntaxError as error:
        line = error.locations[0].line if error.locations else 1
        return [f"not GraphQL near line {line} of the query"]
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].operation is not OperationType.QUERY:
        return ["must be one query; a source only reads"]
    operation = operations[0]
    faults = []
    declared = {definition.variable.name.value for definition in operation.variable_definitions or ()}
    if declared != given:
        faults.append(f"its variables ({', '.join(sorted(declared))}) are not those of `variables`")
    roots = [node for node in operation.selection_set.selections if isinstance(node, FieldNode)]
    for name, path in texts.items():
        if isinstance(path, str) and path and not _asks_for(operation.selection_set, path.split(".")):
            faults.append(f"does not ask for what `{name}` names")
    if batch and (len(document.definitions) != 1 or len(operation.selection_set.selections) != 1 or not roots):
        faults.append("with batch = true it must be one root field, without fragments beside it")
    return faults


def _asks_for(selection: SelectionSetNode | None, path: Sequence[str]) -> bool:
    """Whether `path` is selected; True where a fragment hides the answer."""
    if not path:
        return True
    for node in selection.selections if selection is not None else ():
        if not isinstance(node, FieldNode):
            return True
        if (node.alias or node.name).value == path[0]:
            return _asks_for(node.selection_set, path[1:])
    return False


def _read_onward(config: object, at: str) -> tuple[Mapping[str, str], list[tuple[str, str]]]:
    """By variable; in the manifest it is the other way round: `purpose = "code"`."""
    if not isinstance(config, Mapping) or not all(isinstance(one, str) and one for one in config.values()):
        return {}, [(f"{at}.onward", f"a table: {', '.join(_ALONG)} -> the variable that carries it")]
    faults = [(f"{at}.onward.{word}", f"one of {', '.join(_ALONG)}") for word in config if word not in _ALONG]
    known = {variable: word for word, variable in config.items() if word in _ALONG}
    if len(set(config.values())) != len(config):
        faults.append((f"{at}.onward", "one variable carries one thing"))
    return known, faults


def _said(onward: Onward | None, purpose: str) -> Mapping[str, str | None]:
    if onward is None:
        return {"purpose": purpose, "caseNo": None, "reference": None}
    return {"purpose": onward.purpose, "caseNo": onward.case_no, "reference": onward.on_behalf}


def _read_errors(config: object, at: str) -> tuple[Mapping[str, Reason], list[tuple[str, str]]]:
    if not isinstance(config, Mapping):
        return _USUAL, [(f"{at}.errors", "a table: extensions.code -> what it means")]
    faults = [
        (f"{at}.errors.{code}", f"one of {', '.join(_WORDS)}") for code, word in config.items() if word not in _WORDS
    ]
    return {**_USUAL, **{code: _WORDS[word] for code, word in config.items() if word in _WORDS}}, faults


def _with_fields(query: str, fields: frozenset[str]) -> str:
    return query.replace("{fields}", _selection(fields) or "__typename")


def _selection(fields: Iterable[str]) -> str:
    """`a.b` and `a.c` as `a { b c }`; sorted, so that the same question is always the same text."""
    tree: dict[str, list[str]] = {}
    for name in sorted(fields):
        if not _FIELD.fullmatch(name):  # `check` has refused the manifest already; nothing is ever pasted
            continue
        first, rest = root_of(name)
        tree.setdefault(first, [])
        if rest:
            tree[first].append(rest)
    return " ".join(f"{name} {{ {_selection(inner)} }}" if inner else name for name, inner in tree.items())


@lru_cache(maxsize=256)
def _document(query: str, fields: frozenset[str], count: int, shared: frozenset[str]) -> str:
    text = _with_fields(query, fields)
    if count == 0:
        return text
    (operation,) = parse(text, no_location=True).definitions
    copies = [_numbered(operation, position, shared) for position in range(count)]
    selections = tuple(node for copy in copies for node in copy.selection_set.selections)
    whole = replace(
        copies[0],
        variable_definitions=tuple(
            node
            for copy in copies
            for node in copy.variable_definitions or ()
            if copy is copies[0] or node.variable.name.value not in shared
        ),
        selection_set=replace(copies[0].selection_set, selections=selections),
    )
    return print_ast(whole)


def _numbered(operation: Node, position: int, shared: frozenset[str]) -> OperationDefinitionNode:
    """The operation for key number `position`: its variables but the shared ones end in `_position`, its root field is
    `kposition`."""
    copy = visit(operation, _Renamed(f"_{position}", shared))
    (root,) = copy.selection_set.selections
    alias = replace(root, alias=NameNode(value=f"k{position}"))
    return cast(OperationDefinitionNode, replace(copy, selection_set=replace(copy.selection_set, selections=(alias,))))


class _Renamed(Visitor):
    """Every variable that is not `shared`, where it is declared and where it is used, with `suffix` behind its name."""

    def __init__(self, suffix: str, shared: frozenset[str]) -> None:
        super().__init__()
        self._suffix, self._shared = suffix, shared

    def leave_variable(self, node: VariableNode, *_: Any) -> VariableNode | None:
        if node.name.value in self._shared:
            return None
        return VariableNode(name=NameNode(value=node.name.value + self._suffix))
