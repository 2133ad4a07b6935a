"""How large a question may be, decided on its syntax tree before validation and before anything runs.

One pass over each selection set and each fragment, remembered per fragment, so that a diamond of fragments costs what its
text costs and not what it expands to. Validation comes after: some of its rules are quadratic in what is bounded here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError, GraphQLSchema, Source, parse, validate
from graphql.language import DocumentNode, FragmentDefinitionNode, OperationDefinitionNode, SelectionSetNode

from schema.expansion import LimitExceeded, Limits, Ruler, Sizes, Sum, check_repeats

__all__ = ["LimitExceeded", "Limits", "Measured", "measure", "parse_bounded", "validate_bounded"]


@dataclass(frozen=True, slots=True)
class Measured:
    """What one operation amounts to once its fragments are written out."""

    depth: int
    aliases: int
    root_fields: int
    fields: int
    directives: int
    cost: int


def parse_bounded(text: str, limits: Limits) -> DocumentNode:
    """The document of `text`.

    Raises LimitExceeded (LIMIT_LENGTH, LIMIT_TOKENS, LIMIT_DEPTH) or graphql-core's GraphQLError for what is no GraphQL.
    """
    if len(text) > limits.characters:
        raise LimitExceeded("LIMIT_LENGTH", limits.characters)
    try:
        return parse(
            Source(text),
            max_lexical_tokens=limits.tokens,
            max_comments=limits.tokens,
            max_source_length=limits.characters,
        )
    except GraphQLError as error:
        # graphql-core has one error class for all of these; a test holds it to these words.
        if "Document contains more than" in error.message:
            raise LimitExceeded("LIMIT_TOKENS", limits.tokens) from None
        if "nested too deeply" in error.message:
            raise LimitExceeded("LIMIT_DEPTH", limits.depth) from None
        raise
    except RecursionError:  # pragma: no cover - graphql-core catches its own
        raise LimitExceeded("LIMIT_DEPTH", limits.depth) from None


def validate_bounded(schema: GraphQLSchema, document: DocumentNode, limits: Limits) -> list[GraphQLError]:
    """graphql-core's validation, stopped after `limits.validation_errors`, without hints at what the schema holds."""
    return validate(schema, document, max_errors=limits.validation_errors, hide_suggestions=True)


def measure(
    document: DocumentNode, operation: str | None, variables: Mapping[str, Any] | None, limits: Limits
) -> Measured:
    """What the operation named `operation` (or the only one) amounts to; list arguments are counted from `variables`.

    Every operation and every fragment of the document must keep within the limits, for validation reads them all.
    Raises LimitExceeded, whose code is LIMIT_DEPTH, LIMIT_ALIASES, LIMIT_ROOT_FIELDS, LIMIT_FIELDS, LIMIT_REPEATS,
    LIMIT_DIRECTIVES, LIMIT_COST, LIMIT_OPERATIONS, LIMIT_INTROSPECTION or FRAGMENT_CYCLE.
    """
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    if len(operations) > limits.operations:
        raise LimitExceeded("LIMIT_OPERATIONS", limits.operations)
    chosen = Measured(0, 0, 0, 0, 0, 0)
    steps = 0
    walks: list[SelectionSetNode] = []
    met: set[str] = set()
    for node in operations:
        ruler = Ruler(fragments, Sizes(node, variables or {}, limits), limits)
        total = ruler.selections(node.selection_set, 1)
        total.directives += len(node.directives or ()) + sum(
            len(one.directives or ()) for one in node.variable_definitions or ()
        )
        found = _check(total, limits, root=True)
        steps += total.steps
        walks.append(node.selection_set)
        met |= ruler.known.keys()
        if operation is None or (node.name is not None and node.name.value == operation):
            chosen = found
    loose = Ruler(fragments, Sizes(None, {}, limits), limits)
    for name, fragment in fragments.items():
        if name not in met:  # validation will say it is unused, but reads it first
            total = loose.fragment(name, 1)
            _check(total, limits, root=False)
            steps += total.steps
            walks.append(fragment.selection_set)
    if steps > 2 * limits.fields:
        raise LimitExceeded("LIMIT_FIELDS", limits.fields)
    for selection_set in walks:
        check_repeats(selection_set, fragments, limits)
    return chosen


def _check(total: Sum, limits: Limits, *, root: bool) -> Measured:
    depth = total.depth if root else min(total.depth, limits.depth)  # a loose fragment may be one on __Type
    for code, value, limit in (
        ("LIMIT_DEPTH", depth, limits.depth),
        ("LIMIT_DEPTH", total.meta_depth, limits.introspection_depth),
        ("LIMIT_DEPTH", total.nesting, limits.nesting),
        ("LIMIT_INTROSPECTION", total.meta_cost, limits.introspection_cost),
        ("LIMIT_ROOT_FIELDS", total.width if root else 0, limits.root_fields),
        ("LIMIT_ALIASES", total.aliases, limits.aliases),
        ("LIMIT_DIRECTIVES", total.directives, limits.directives),
        ("LIMIT_FIELDS", total.fields, limits.fields),
        ("LIMIT_FIELDS", total.steps, 2 * limits.fields),
        ("LIMIT_COST", total.cost, limits.cost),
    ):
        if value > limit:
            raise LimitExceeded(code, limit)
    return Measured(total.depth, total.aliases, total.width, total.fields, total.directives, total.cost)
