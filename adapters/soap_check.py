"""What a manifest's soap parts must say; every fault at once, nothing opened."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from typing import Any, Final

from adapters.manifest import AnswerSpec, SourceManifest
from adapters.outcomes import read_outcomes
from adapters.templates import TemplateFault, compile_text

OPTIONS: Final = ("wsdl", "address", "encoding", "wsdl_timeout_s", "wsdl_pause_s")
REQUEST: Final = ("operation", "arguments", "rows", "outcome", "faults")
_ENCODINGS: Final = ("utf-8", "gb18030", "gbk", "gb2312")


def faults_of(manifest: SourceManifest) -> list[tuple[str, str]]:
    """(dotted path, what to mend) for all that is wrong."""
    found = list(_options(manifest.options))
    for at, answer in enumerate(manifest.answers):
        found += _request(answer, f"answers.{at}.request")
    return found


def fault_table(faults: Any, at: str) -> tuple[Mapping[str, Any], list[tuple[str, str]]]:
    """The verdict for each fault code of the manifest's `faults`, and what is wrong with it."""
    if not isinstance(faults, Mapping):
        return {}, [(at, "a table of fault code = outcome")]
    wrong: list[tuple[str, str]] = []
    verdicts: dict[str, Any] = {}
    for code, word in faults.items():
        # borrowed from the outcome table, so that both know the same words
        table, unknown = read_outcomes({"path": "-", "ok": ["-"], str(word): [code]}, f"{at}.{code}")
        if word == "ok" or unknown:
            wrong.append((f"{at}.{code}", "one of absent, closed, rate_limited, refused, clock, busy"))
        else:
            verdicts[code] = table.verdicts[code]
    return verdicts, wrong


def _options(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in options:
        if name not in OPTIONS:
            yield f"source.options.{name}", f"unknown; soap knows {', '.join(OPTIONS)}"
    if not _text(options.get("wsdl")):
        yield "source.options.wsdl", "say where the WSDL stands, relative to the endpoint"
    if "address" in options and not _text(options["address"]):
        yield "source.options.address", "a path relative to the endpoint, or leave it out to use the WSDL's"
    encoding = options.get("encoding", "utf-8")
    if not isinstance(encoding, str) or _codec(encoding) not in _ENCODINGS:
        yield "source.options.encoding", f"one of {', '.join(_ENCODINGS)}"
    for name in ("wsdl_timeout_s", "wsdl_pause_s"):
        seconds = options.get(name, 1.0)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= 120:
            yield f"source.options.{name}", "seconds, more than 0 and at most 120"


def _request(answer: AnswerSpec, at: str) -> Iterator[tuple[str, str]]:
    request = answer.request
    for name in request:
        if name not in REQUEST:
            yield f"{at}.{name}", f"unknown; soap knows {', '.join(REQUEST)}"
    if not _text(request.get("operation")):
        yield f"{at}.operation", "name the WSDL's operation"
    if not isinstance(request.get("rows", ""), str):
        yield f"{at}.rows", "a dotted path of element names"
    yield from _arguments(request.get("arguments"), answer.by, f"{at}.arguments")
    outcome = request.get("outcome", {})
    if not isinstance(outcome, Mapping):
        yield f"{at}.outcome", "a table: path, and codes for ok, absent, ..."
    elif outcome:
        yield from read_outcomes(outcome, f"{at}.outcome")[1]
    yield from fault_table(request.get("faults", {}), f"{at}.faults")[1]


def _arguments(arguments: object, by: tuple[str, ...], at: str) -> Iterator[tuple[str, str]]:
    if not isinstance(arguments, Mapping) or not arguments:
        yield at, "say which key goes into which element, say { GMSFHM = '{idNo}' }"
        return
    for name, template in arguments.items():
        if not isinstance(template, str):
            yield f"{at}.{name}", "a text, with key names in braces"
            continue
        try:
            compile_text(template, by)
        except TemplateFault as fault:
            yield f"{at}.{name}", str(fault)


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ""
