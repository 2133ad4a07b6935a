"""Random schemas, the data behind them, and questions about them.

A schema is made of object types, an interface, a union, enums and a custom scalar; every field's value stands in its
parent, or is fetched for a whole level. What is behind a field is decided by the field and the parent's own number, so both
executors are told the same; it may be null, an exception, of a wrong type or of no type.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from graphql.type import GraphQLDefaultInput

from schema.fetching import Ask, Batched, Computed, Fetching


class Wrong(Exception):
    """What a department may do instead of answering."""


def _money(value: Any) -> Any:
    if not isinstance(value, int):
        raise ValueError("no money")
    return f"{value} CNY"


MONEY = GraphQLScalarType("Money", coerce_output_value=_money, coerce_input_value=lambda value: value)
COLOUR = GraphQLEnumType("Colour", {"RED": "RED", "GREEN": "GREEN", "BLUE": 3})
FILTER = GraphQLInputObjectType(
    "Filter",
    lambda: {
        "least": GraphQLInputField(GraphQLInt, default=GraphQLDefaultInput(value=0)),
        "colours": GraphQLInputField(GraphQLList(GraphQLNonNull(COLOUR))),
        "word": GraphQLInputField(GraphQLNonNull(GraphQLString)),
    },
)
LEAVES: tuple[Any, ...] = (GraphQLString, GraphQLInt, GraphQLFloat, GraphQLBoolean, GraphQLID, MONEY, COLOUR)


@dataclass
class World:
    """One schema with what is behind it. `calls` counts each (type, field, parent, arguments) that was fetched."""

    seed: int
    wrong: float  # how often a value is not what its field promises
    schema: GraphQLSchema
    fetching: Fetching
    batched: frozenset[tuple[str, str]]
    calls: list[Any] = field(default_factory=list)


def made(seed: int, wrong: float) -> World:
    """A schema of this seed. The same seed makes the same. Of every fourth, nothing but the roots is fetched."""
    dice = random.Random(seed)
    share = 0.35 if seed % 4 else 0.0
    count = dice.randint(2, 4)
    names = [f"T{number}" for number in range(count)]
    types: dict[str, Any] = {}
    shared = {"common": _wrapped(dice, dice.choice(LEAVES)), "id": GraphQLNonNull(GraphQLInt)}
    face = GraphQLInterfaceType("Face", lambda: {name: GraphQLField(kind) for name, kind in shared.items()})
    members = [name for name in names if dice.random() < 0.7] or names[:1]
    with_face = [name for name in names if dice.random() < 0.7] or names[-1:]
    union = GraphQLUnionType("Either", lambda: [types[name] for name in members])
    plans = {name: _fields_of(dice, names) for name in [*names, "Query"]}
    batched = {(name, key) for name, own in plans.items() for key in own if name == "Query" or dice.random() < share}
    computed = {
        (name, key)
        for name, own in plans.items()
        for key, (_, arguments) in own.items()
        if arguments and (name, key) not in batched and name != "Query"
    }
    plans = {
        name: {
            key: (kind, arguments if (name, key) in batched | computed else {})
            for key, (kind, arguments) in own.items()
        }
        for name, own in plans.items()
    }

    def find(kind: Any) -> Any:
        if isinstance(kind, str):
            return {"Face": face, "Either": union, **types}[kind]
        if isinstance(kind, tuple):
            return kind[0](find(kind[1]))
        return kind

    def fields(name: str) -> dict[str, GraphQLField]:
        own = {} if name not in with_face else {key: GraphQLField(kind) for key, kind in shared.items()}
        own |= {key: GraphQLField(find(kind), args=arguments) for key, (kind, arguments) in plans[name].items()}
        return own

    picky = {name for name in names if dice.random() < 0.3}
    for name in names:
        types[name] = GraphQLObjectType(
            name,
            partial(fields, name),
            interfaces=[face] if name in with_face else [],
            is_type_of=(lambda value, _info: value.get("fits", True)) if name in picky else None,
        )
    query = GraphQLObjectType("Query", lambda: fields("Query") | {"first": GraphQLField(types[names[0]])})
    schema = GraphQLSchema(query, types=list(types.values()))
    batched |= {("Query", name) for name in query.fields}
    world = World(seed, wrong, schema, {}, frozenset(batched))
    world.fetching = {place: Batched(_fetch, (world, *place)) for place in batched} | {
        (name, key): Computed(_computed(world, name, key)) for name, key in computed
    }
    _wire(world)
    return world


def _fields_of(dice: random.Random, names: Sequence[str]) -> dict[str, tuple[Any, dict[str, Any]]]:
    found: dict[str, tuple[Any, dict[str, Any]]] = {}
    for number in range(dice.randint(2, 5)):
        kind: Any = dice.choice(LEAVES) if dice.random() < 0.5 else dice.choice([*names, "Face", "Either"])
        arguments: dict[str, Any] = {}
        if dice.random() < 0.4:
            arguments["n"] = GraphQLArgument(GraphQLInt, default=GraphQLDefaultInput(value=2))
        if dice.random() < 0.3:
            arguments["filter"] = GraphQLArgument(FILTER)
        if dice.random() < 0.2:
            arguments["must"] = GraphQLArgument(GraphQLNonNull(GraphQLString))
        found[f"f{number}"] = _wrapped(dice, kind), arguments
    return found


def _wrapped(dice: random.Random, kind: Any) -> Any:
    """The type, with lists and non-nulls around it; a pair where the inner type is a name yet."""
    wrap = (
        (lambda outer, inner: (outer, inner)) if isinstance(kind, (str, tuple)) else (lambda outer, inner: outer(inner))
    )
    if dice.random() < 0.4:
        kind = wrap(GraphQLNonNull, kind)
    for _ in range(dice.choice([0, 0, 1, 1, 2])):
        kind = wrap(GraphQLList, kind)
        if dice.random() < 0.4:
            kind = wrap(GraphQLNonNull, kind)
    return kind


def _wire(world: World) -> None:
    """graphql-core's resolvers over the same world, one parent at a time."""
    for name, kind in world.schema.type_map.items():
        if name.startswith("__") or not isinstance(kind, GraphQLObjectType):
            continue
        for key, one in kind.fields.items():
            place = name, key
            if place in world.batched:
                one.resolve = _late(world, name, key)
            elif place in world.fetching:
                how = world.fetching[place]
                assert isinstance(how, Computed)
                one.resolve = partial(_computed_or_read, how.of, key)
            else:
                one.resolve = partial(_read, key)


def _read(key: str, parent: Any, _info: Any) -> Any:
    return parent.get(key)


def _computed_or_read(of: Any, key: str, parent: Any, info: Any, **given: Any) -> Any:
    return of(parent, given) if info.field_nodes[0].arguments else parent.get(key)


def _late(world: World, name: str, key: str) -> Any:
    async def resolve(parent: Any, _info: Any, **given: Any) -> Any:
        await asyncio.sleep(0)
        return _told(world, name, key, parent, given)

    return resolve


async def _fetch(_context: Any, asks: Sequence[Ask]) -> Sequence[Sequence[Any]]:
    await asyncio.sleep(0)
    return [[_caught(ask.what, parent, ask.arguments) for parent in ask.parents] for ask in asks]


def _caught(what: tuple[World, str, str], parent: Any, given: Mapping[str, Any]) -> Any:
    try:
        return _told(*what, parent, given)
    except Wrong as error:
        return error


def _told(world: World, name: str, key: str, parent: Any, given: Mapping[str, Any]) -> Any:
    number = 0 if parent is None else parent["number"]
    world.calls.append((name, key, number, repr(sorted(given.items()))))
    dice = random.Random(f"{world.seed}{name}{key}{number}{sorted(given.items())}")
    if dice.random() < world.wrong / 3:
        raise Wrong(f"{name}.{key}")
    kind = world.schema.get_type(name).fields[key].type  # type: ignore[union-attr]
    return value_of(world, dice, kind, 0 if parent is None else parent["depth"])


def _computed(world: World, name: str, key: str) -> Any:
    def of(parent: Any, given: Mapping[str, Any]) -> Any:
        dice = random.Random(f"{world.seed}{name}{key}{parent['number']}{sorted(given.items())}c")
        if dice.random() < world.wrong / 3:
            raise Wrong(f"{name}.{key}")
        return value_of(world, dice, world.schema.get_type(name).fields[key].type, parent["depth"])  # type: ignore[union-attr]

    return of


def value_of(world: World, dice: random.Random, kind: Any, depth: int) -> Any:
    """A value for a field of this type; sometimes none that fits."""
    if dice.random() < world.wrong:
        return dice.choice([None, None, Wrong("told so"), 17, "word", 2.5, True, [], {}, object, float("nan"), 2**40])
    if is_non_null_type(kind):
        return value_of(world, dice, kind.of_type, depth)
    if dice.random() < 0.1:
        return None if world.wrong else value_of(world, dice, kind, depth)
    if is_list_type(kind):
        items = [value_of(world, dice, kind.of_type, depth) for _ in range(dice.randint(0, 2))]
        return dice.choice([list, tuple])(items)
    if is_leaf_type(kind):
        return _leaf(dice, kind)
    return _object(world, dice, kind, depth)


def _leaf(dice: random.Random, kind: Any) -> Any:
    return {
        "String": dice.choice(["甲", "x", ""]),
        "ID": dice.choice(["7", "id"]),
        "Int": dice.randint(-3, 9),
        "Float": dice.choice([1.5, 2, -0.25]),
        "Boolean": dice.random() < 0.5,
        "Money": dice.randint(0, 99),
        "Colour": dice.choice(["RED", "GREEN", 3]),
    }[get_named_type(kind).name]


def _object(world: World, dice: random.Random, kind: Any, depth: int) -> Any:
    named = get_named_type(kind)
    kinds = world.schema.get_possible_types(named) if is_abstract_type(named) else [named]
    own = dice.choice(list(kinds))
    value: dict[str, Any] = {"number": dice.randrange(10**9), "depth": depth + 1}
    if is_abstract_type(named):
        value["__typename"] = own.name
        if dice.random() < world.wrong:
            value["__typename"] = dice.choice(["Nobody", "Query", "Colour", 7, None, *world.schema.type_map][:12])
    if dice.random() < world.wrong:
        value["fits"] = False
    for key, one in own.fields.items():
        if (own.name, key) in world.batched:
            continue
        if depth >= 3 and not is_leaf_type(get_named_type(one.type)):
            value[key] = [] if is_list_type(getattr(one.type, "of_type", one.type)) or is_list_type(one.type) else None
        else:
            value[key] = value_of(world, dice, one.type, depth + 1)
    return value
