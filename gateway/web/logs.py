"""Logs as JSON lines, and the last line of defence: what looks like a person's number or a token never gets into one."""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from types import TracebackType
from typing import Any, TextIO

import orjson
import structlog

REDACTED = "[redacted]"
# Keys whose value is never for a log, whatever it looks like. Names of people cannot be told by their looks.
_SECRET_KEYS = frozenset(
    {
        "authorization", "cookie", "token", "access_token", "refresh_token", "password", "secret", "api_key", "query_string",
        "query", "variables", "body", "id_no", "idno", "name", "phone", "address", "birth_date", "photo",
    }
)  # fmt: skip
_LOOKS_PERSONAL = re.compile(
    r"(?<![0-9A-Za-z])[0-9]{17}[0-9Xx](?![0-9A-Za-z])"  # citizen identity number
    r"|(?<![0-9A-Za-z])[0-9]{15}(?![0-9A-Za-z])"  # its old form
    r"|(?<![0-9])1[3-9][0-9]{9}(?![0-9])"  # mobile number
    r"|(?<![A-Za-z])(?i:Bearer|DPoP|Basic)\s+\S+"
    r"|(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)*"  # JSON Web Token
    r"|(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]*[A-Z])(?=[A-Za-z0-9_-]*[a-z])(?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{32,}"  # a secret
)
_OURS = ("yimen", "gateway", "schema", "adapters", "credentials", "ledger")
_FRAMES = 20
_DEEPEST = 6


def clean(text: str) -> str:
    """`text` without anything that looks like an identity number, a telephone number or a token."""
    return _LOOKS_PERSONAL.sub(REDACTED, text)


_ELEVEN_DIGITS = re.compile(r"[0-9]{11}")


def looks_personal(text: str) -> bool:
    """Whether `clean` would change `text`, a word of letters and digits below 32 of them."""
    return _ELEVEN_DIGITS.search(text) is not None and clean(text) != text


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: every value cleaned, and those of telling keys dropped."""
    for key, value in event.items():
        event[key] = REDACTED if key.lower() in _SECRET_KEYS else _cleaned(value, 0)
    return event


def _cleaned(value: Any, level: int) -> Any:
    if isinstance(value, str):
        return clean(value) if len(value) > 8 else value
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return REDACTED if value >= 10**10 and clean(str(value)) == REDACTED else value
    if level >= _DEEPEST:
        return REDACTED
    if isinstance(value, Mapping):
        return {
            clean(str(key)): REDACTED if str(key).lower() in _SECRET_KEYS else _cleaned(one, level + 1)
            for key, one in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_cleaned(one, level + 1) for one in value]
    return type(value).__name__ if isinstance(value, (bytes, BaseException)) else clean(str(value))


def where(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: an exception becomes its type and its places, without its message, which may quote a person."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["exception"] = _chain(error)
        event["at"] = _places(error.__traceback__)
    event.pop("exc_text", None)
    event.pop("stack", None)
    return event


def _chain(error: BaseException) -> list[str]:
    found: list[str] = []
    current: BaseException | None = error
    while current is not None and len(found) < _FRAMES:
        found.append(f"{type(current).__module__}.{type(current).__qualname__}")
        current = current.__cause__ or current.__context__
    return found


def _places(at: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(at)[-_FRAMES:]
    return [f"{frame.filename}:{frame.lineno}:{frame.name}" for frame in frames]


def _line(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    return orjson.dumps(
        dict(event), default=lambda value: type(value).__name__, option=orjson.OPT_NON_STR_KEYS
    ).decode()


_at_once: tuple[list[Any], Callable[[str], None]] | None = None


def lines_at_once() -> Callable[[str], None] | None:
    """Writes a finished line as the configuration in force would; None where that is not JSON, or says less than INFO."""
    if _at_once is None:
        return None
    processors, write = _at_once
    return write if structlog.get_config()["processors"] is processors and processors[-1] is _line else None


def opening(**event: str | int) -> str:
    """How the line of such an event begins, up to where more may be said of it."""
    return _line(None, "", redact(None, "", event))[:-1] + ","


def configure_logging(*, level: str = "INFO", stream: TextIO | None = None, console: bool = False) -> None:
    """Everything that logs, ours and the libraries', goes through the same processors to `stream` (stderr).

    `console` is for people who look on: text in place of JSON lines, cleaned alike.
    """
    line: Any = structlog.dev.ConsoleRenderer(colors=False) if console else _line
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        where,
        redact,
        structlog.processors.TimeStamper(fmt="iso", utc=True),  # after it: our own time needs no look
    ]
    processors = [*shared, line]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    global _at_once
    told = not console and logging.getLevelNamesMapping()[level] <= logging.INFO
    _at_once = (processors, _writing(stream or sys.stderr)) if told else None
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, line],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # INFO and DEBUG lines of libraries quote URLs with query strings, frames, statements and their parameters.
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    for name in _OURS:
        logging.getLogger(name).setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "websockets", "aiohttp", "sqlalchemy", "asyncio"):
        library = logging.getLogger(name)
        library.handlers[:] = []
        library.propagate = True
        library.setLevel(logging.NOTSET)


def _writing(stream: TextIO) -> Callable[[str], None]:
    put, flush = stream.write, stream.flush

    def write(line: str) -> None:
        put(line)
        flush()

    return write
