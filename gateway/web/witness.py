"""A witness's HTTP face: C2SP tlog-witness, and a page in words for the agency that runs it.

Nothing here or below knows of a database, of GraphQL or of a person: `yimen witness serve` runs on an agency's own machine.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.web.body import ClientGone, read_body
from gateway.web.problems import Refusal, Reply, status_of
from ledger.encoding import b64
from ledger.note import VerifierKey
from ledger.witness.deciding import Cosigned
from ledger.witness.errors import NotAnExtension, NotKept, OtherSize, Refused
from ledger.witness.request import LARGEST_BODY, SIZE_TYPE
from ledger.witness.witness import Witness

TEXT = b"text/plain; charset=utf-8"
_FRESH = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_BODY_S = 10.0
_BEIJING = timezone(timedelta(hours=8))
_log = logging.getLogger("yimen.witness")


@dataclass(frozen=True, slots=True)
class Look:
    """What the page and the figures show; `last` and `splits` read what is remembered."""

    last: Callable[[str], Cosigned | None]
    splits: Callable[[], int]


class AddCheckpoint:
    """POST /add-checkpoint. Deciding and keeping take a disk's time, so they run on a thread."""

    def __init__(self, witness: Witness, answered: Counter[int]) -> None:
        self._witness, self._answered = witness, answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive, dict(scope["headers"]), limit=LARGEST_BODY, seconds=_BODY_S)
        except ClientGone:
            return
        reply = await run_sync(self._answer, body)
        self._answered[reply.status] += 1
        await reply(scope, receive, send)

    def _answer(self, body: bytes) -> Reply:
        try:
            return _text(200, self._witness.add_checkpoint(body))
        except OtherSize as error:
            return Reply(409, b"%d\n" % error.size, SIZE_TYPE.encode(), _FRESH)
        except NotAnExtension as error:
            _log.error("refused what a known log signed: %s%s", error, "; kept as evidence" if error.split else "")
            return _text(error.status, f"{error}\n".encode())
        except Refused as error:
            return _text(error.status, f"{error}\n".encode())
        except NotKept as error:
            _log.error("nothing cosigned: %s", error)
            return _text(503, b"the state could not be kept, nothing was cosigned\n")


class Newest:
    """GET /{hex SHA-256 of the origin}/checkpoint."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        newest = self._witness.newest(scope["path_params"]["name"])
        reply = _text(404, b"nothing was cosigned under this name\n") if newest is None else _text(200, newest)
        await reply(scope, receive, send)


class Figures:
    """GET /metrics, in Prometheus' text form."""

    def __init__(self, witness: Witness, look: Look, answered: Counter[int]) -> None:
        self._witness, self._look, self._answered = witness, look, answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lines = ["# TYPE witness_requests_total counter"]
        lines += [f'witness_requests_total{{status="{code}"}} {n}' for code, n in sorted(self._answered.items())]
        lines += ["# TYPE witness_splits gauge", f"witness_splits {self._look.splits()}"]
        lines += ["# TYPE witness_log_keys gauge", f"witness_log_keys {sum(map(len, self._witness.logs.values()))}"]
        known = [(origin, self._look.last(origin)) for origin in self._witness.logs]
        seen = [(origin.replace("\\", r"\\").replace('"', r"\""), last) for origin, last in known if last]
        lines += ["# TYPE witness_tree_size gauge"]
        lines += [f'witness_tree_size{{origin="{origin}"}} {last.checkpoint.size}' for origin, last in seen]
        lines += ["# TYPE witness_cosigned_timestamp_seconds gauge"]
        lines += [f'witness_cosigned_timestamp_seconds{{origin="{origin}"}} {last.at}' for origin, last in seen]
        await _text(200, "".join(f"{line}\n" for line in lines).encode())(scope, receive, send)


def witness_app(witness: Witness, look: Look) -> Starlette:
    """Everything at the root; a proxy may put it under a prefix of its own, except the page."""
    answered: Counter[int] = Counter()

    async def page_in_words(request: Request) -> Reply:
        return _page(witness.key, {origin: look.last(origin) for origin in witness.logs}, look.splits())

    async def alive(request: Request) -> Response:
        return PlainTextResponse("alive\n")

    routes = [
        Route("/add-checkpoint", AddCheckpoint(witness, answered), methods=["POST"]),
        Route("/{name}/checkpoint", Newest(witness), methods=["GET", "HEAD"]),
        Route("/", page_in_words, methods=["GET"]),
        Route("/static/{file}", _Static(), methods=["GET"]),
        Route("/livez", alive, methods=["GET"]),
        Route("/metrics", Figures(witness, look, answered), methods=["GET"]),
    ]
    return Starlette(routes=routes, exception_handlers={Refusal: _refused})


class _Static:
    """The page's style sheet; loaded, as the page itself, once somebody looks at it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from gateway.web.html import PageFiles

        await PageFiles()(scope, receive, send)


def _page(key: VerifierKey, known: Mapping[str, Cosigned | None], splits: int) -> Reply:
    from gateway.web.html import page  # the templates' machinery takes 6 MB that most witnesses never need

    return page("witness.html", name=key.name, vkey=str(key), logs=_shown(known), splits=splits)


def _shown(known: Mapping[str, Cosigned | None]) -> Sequence[Mapping[str, str | int | None]]:
    return [
        {
            "origin": origin,
            "size": last.checkpoint.size if last else None,
            "root": b64(last.checkpoint.root) if last else None,
            "at": _moment(last.at) if last else None,
        }
        for origin, last in sorted(known.items())
    ]


def _moment(at: int) -> str:
    """In Beijing's time, as whoever reads it in the agency knows it; the numeral where a clock was beyond all dates."""
    try:
        return datetime.fromtimestamp(at, UTC).astimezone(_BEIJING).strftime("%Y-%m-%d %H:%M:%S +08:00")
    except (OverflowError, ValueError, OSError):
        return str(at)


def _text(status: int, body: bytes) -> Reply:
    return Reply(status, body, TEXT, _FRESH)


async def _refused(request: Request, error: Exception) -> Response:
    code = error.code if isinstance(error, Refusal) else "INTERNAL"
    return PlainTextResponse(f"{code}\n", status_of(code))
