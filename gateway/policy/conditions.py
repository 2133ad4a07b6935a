"""What the conditions of a policy look at, read from Cedar's JSON form of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.policy.attributes import ATTRIBUTES, Of

_COMPARES = ("==", "!=", "contains", "containsAny", "containsAll", "in")


def mentioned(node: Any) -> frozenset[str]:
    """The attributes of `context` named anywhere below `node`. "*" where `context` is used in a way not understood."""
    return frozenset(_mentioned(node))


def _mentioned(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _mentioned(item)
    elif isinstance(node, Mapping):
        name = context_attribute(node)
        if name is not None:
            yield name
        elif node.get("Var") == "context":
            yield "*"
        else:
            for item in node.values():
                yield from _mentioned(item)


def context_attribute(node: Any) -> str | None:
    """`caseLink` for `context.caseLink`, else None."""
    access = node.get(".") if isinstance(node, Mapping) else None
    if isinstance(access, Mapping) and access.get("left") == {"Var": "context"}:
        return str(access["attr"])
    return None


def looks_at_resource(node: Any) -> bool:
    """Whether attributes of the resource are read (its groups belong to the scope of things, not to its attributes)."""
    if isinstance(node, list):
        return any(looks_at_resource(item) for item in node)
    if isinstance(node, Mapping):
        for name in (".", "has"):
            access = node.get(name)
            if isinstance(access, Mapping) and access.get("left") == {"Var": "resource"}:
                return True
        return any(looks_at_resource(item) for item in node.values())
    return False


def places(node: Any) -> frozenset[str]:
    """The ids of everything conditions name: what a resource may be asked to be, or to be in."""
    if isinstance(node, list):
        return frozenset().union(*(places(item) for item in node))
    if isinstance(node, Mapping):
        own = {str(node["id"])} if set(node) == {"type", "id"} else set()
        return frozenset(own).union(*(places(item) for item in node.values()))
    return frozenset()


def needs_person(condition: Any) -> bool:
    """Whether a condition can only be judged once it is known who it is about."""
    return any(name == "*" or ATTRIBUTES[name].of in (Of.PERSON, Of.ITEM) for name in mentioned(condition))


def requires(conditions: Sequence[Any], name: str) -> bool:
    """Whether nothing can hold unless `context.name` is true: it stands alone in a `when`, or in its outermost "and"."""
    return any(
        condition.get("kind") == "when" and any(context_attribute(part) == name for part in _and(condition["body"]))
        for condition in conditions
    )


def _and(node: Any) -> Iterator[Any]:
    sides = node.get("&&") if isinstance(node, Mapping) else None
    if isinstance(sides, Mapping):
        yield from _and(sides["left"])
        yield from _and(sides["right"])
    else:
        yield node


def strange_words(node: Any) -> Iterator[tuple[str, str]]:
    """(attribute, word) wherever an attribute is compared with a word it can never be: a rule that never holds."""
    if isinstance(node, list):
        for item in node:
            yield from strange_words(item)
    elif isinstance(node, Mapping):
        for operator in _COMPARES:
            sides = node.get(operator)
            if isinstance(sides, Mapping) and "left" in sides and "right" in sides:
                for one, other in ((sides["left"], sides["right"]), (sides["right"], sides["left"])):
                    name = context_attribute(one)
                    words = ATTRIBUTES[name].words if name is not None and name in ATTRIBUTES else frozenset()
                    if name is not None and words:
                        yield from ((name, word) for word in _words(other) if word not in words)
        for item in node.values():
            yield from strange_words(item)


def _words(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("Value"), str):
            yield node["Value"]
        elif isinstance(node.get("Set"), list):
            for item in node["Set"]:
                yield from _words(item)


def grounded(conditions: Sequence[Any]) -> bool:
    """Whether nothing but a case link lets these conditions hold: one of their `when`s is, or has as one of the parts all of
    which must hold, `context.caseLink != "NONE"`."""
    return any(condition["kind"] == "when" and _demands_a_link(condition["body"]) for condition in conditions)


def _demands_a_link(body: Any) -> bool:
    if not isinstance(body, Mapping):
        return False
    both = body.get("&&")
    if isinstance(both, Mapping):
        return _demands_a_link(both["left"]) or _demands_a_link(both["right"])
    differs = body.get("!=")
    if not isinstance(differs, Mapping):
        return False
    return context_attribute(differs["left"]) == "caseLink" and differs["right"] == {"Value": "NONE"}
