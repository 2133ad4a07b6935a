"""The child process that reads a WSDL with zeep: `python -m adapters.wsdl_reader`, a question on stdin, an answer on stdout.

A process of its own because a hostile schema can cost any amount of time and memory inside zeep, and a thread can not
be stopped; this one has limits and is killed at its deadline. The gateway itself never imports zeep.

It has no network: every document it may read came through the egress channel and stands in the question,
`{"root": url, "documents": {url: text}, "operations": [{"name", "arguments": {dotted name: mark}}]}`. The answer is
`{"operations": [{"address", "action", "soap12", "envelope"} | {"fault"}]}` or `{"fault"}`: the envelope is the request as
zeep writes it, with the marks where a call's values go.

Source: WSDL 1.1, section 3; SOAP 1.1, sections 4 and 6.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import warnings
from collections.abc import Mapping
from typing import Any, Final

MEMORY_BYTES: Final = 768 * 1024 * 1024
MAX_ANSWER_CHARS: Final = 512 * 1024
LOADS_PER_DOCUMENT: Final = 4  # zeep reads a circular import anew; honest ones are read once or twice
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")


class Unreadable(Exception):
    """The WSDL can not serve; the message names what is wrong in our words."""


class Documents:
    """zeep's transport: what the channel brought, and nothing else."""

    def __init__(self, documents: Mapping[str, str]) -> None:
        self._documents = documents
        self._loads_left = LOADS_PER_DOCUMENT * len(documents)

    def load(self, url: str) -> bytes:
        self._loads_left -= 1
        if self._loads_left < 0:
            raise Unreadable("its imports never end")
        if url not in self._documents:
            raise Unreadable("it needs a document that no import names: " + _plain(url))
        return self._documents[url].encode()


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """What can be said of the operations asked for; a fault, never an exception, for whatever is in the documents."""
    from zeep.settings import Settings
    from zeep.wsdl import Document

    settings = Settings(strict=True, forbid_dtd=True, forbid_entities=True, force_https=False, xml_huge_tree=False)
    try:
        transport: Any = Documents(question["documents"])  # all that zeep asks of one while it reads
        document = Document(question["root"], transport, settings=settings)
    except Exception as error:
        return {"fault": _fault(error)}
    found: list[dict[str, Any]] = []
    for wanted in question["operations"]:
        try:
            found.append(_operation(document, wanted["name"], wanted["arguments"]))
        except Exception as error:
            found.append({"fault": _fault(error)})
    return {"operations": found}


def _operation(document: Any, name: str, arguments: Mapping[str, str]) -> dict[str, Any]:
    port, operation = _find(document, name)
    if operation.input is None:
        raise Unreadable(f"operation {name} takes no message")
    message = operation.create(**_nested(arguments))
    from lxml import etree

    envelope = etree.tostring(message.content, encoding="unicode")
    for argument, mark in arguments.items():
        if envelope.count(mark) != 1 or not _is_text(operation.input.body.type, argument.split(".")):
            raise Unreadable(f"operation {name} does not take {argument} as a text")
    return {
        "address": str(port.binding_options.get("address") or ""),
        "action": str(operation.soapaction or ""),
        "soap12": "soap/envelope" not in operation.nsmap["soap-env"],
        "envelope": envelope,
    }


def _is_text(type_: Any, path: list[str]) -> bool:
    """Whether the element at `path` holds a text; zeep itself would write one into a structure as well."""
    from zeep.xsd import ComplexType

    for name in path:
        if not isinstance(type_, ComplexType):
            return False
        type_ = next((element.type for known, element in type_.elements if known == name), None)
    return type_ is not None and not (isinstance(type_, ComplexType) and type_.elements)


def _find(document: Any, name: str) -> tuple[Any, Any]:
    """The port and operation of that name; a SOAP 1.1 port before a SOAP 1.2 one, an HTTP one never."""
    from zeep.wsdl.bindings import Soap11Binding, Soap12Binding

    for binding in (Soap11Binding, Soap12Binding):
        for service in document.services.values():
            for port in service.ports.values():
                operations: Mapping[str, Any] = port.binding._operations
                if isinstance(port.binding, binding) and name in operations:
                    return port, operations[name]
    raise Unreadable(f"it has no SOAP operation {name}")


def _nested(arguments: Mapping[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for dotted, mark in arguments.items():
        *parents, last = dotted.split(".")
        place = made
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = mark
    return made


def _fault(error: Exception) -> str:
    if isinstance(error, Unreadable):
        return str(error)
    if isinstance(error, MemoryError | RecursionError):
        return "it is too large or goes round in circles"
    return f"{type(error).__name__}: {_plain(str(error))}"


def _plain(text: str) -> str:
    return _UNPRINTABLE.sub("?", text)[:200]


def _limit_self(seconds: int) -> None:
    try:
        import resource
    except ImportError:  # no such limits on Windows; the parent's deadline remains
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def main() -> int:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    question = json.load(sys.stdin.buffer)
    _limit_self(int(question.get("seconds", 10)) + 1)
    made = json.dumps(answer(question))
    if len(made) > MAX_ANSWER_CHARS:
        made = json.dumps({"fault": "its messages are too large"})
    sys.stdout.write(made)
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
