"""Make strawberry types from lists of fields: what `strawberry.tools.create_type` does, for types that name one another.

`create_type` evaluates each field's type at once; ours are evaluated when the schema is built, so a person may hold
cases which hold the person.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from copy import copy
from typing import Any

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from schema.describe import both

Names = dict[str, Any]
"""Where forward references are looked up when the schema is built."""


def make_type(name: str, fields: Sequence[StrawberryField], description: str, *, is_input: bool = False) -> Any:
    """A GraphQL object (or input) type with these fields."""
    # Fields of another type are copied, and the annotation moves to the class: left on the field, strawberry would
    # evaluate it at once and forget where its names are to be looked up.
    body: dict[str, Any] = {field.python_name: copy(field) for field in fields}
    body["__annotations__"] = {field.python_name: field.type_annotation for field in fields}
    for name_, field in body.items():
        if name_ != "__annotations__":
            field.type_annotation = None
    made = types.new_class(name, (), {}, lambda namespace: namespace.update(body))
    return strawberry.type(made, name=name, is_input=is_input, description=description)


def make_field(
    name: str,
    annotation: Any,
    description: str,
    *,
    names: Names | None = None,
    arguments: Sequence[StrawberryArgument] = (),
    optional_input: bool = False,
) -> StrawberryField:
    """A field called `name` in GraphQL; `annotation` may be a string to be looked up in `names` later."""
    made: StrawberryField = (
        strawberry.field(name=name, description=description, default=strawberry.UNSET)
        if optional_input
        else strawberry.field(name=name, description=description)
    )
    made.python_name = name + "_"  # "in" and "from" are no Python names
    made.type_annotation = StrawberryAnnotation(annotation, namespace={} if names is None else names)
    if arguments:
        made.arguments = list(arguments)
    return made


def make_argument(name: str, annotation: Any, zh: str, en: str, default: Any = strawberry.UNSET) -> StrawberryArgument:
    """An argument; without a default it is required unless its type is optional."""
    return StrawberryArgument(
        python_name=name,
        graphql_name=name,
        type_annotation=StrawberryAnnotation(annotation),
        description=both(zh, en),
        default=default,
    )
