"""The last line of defence, shape by shape."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog

from gateway.web.logs import REDACTED, clean


@pytest.mark.parametrize(
    "shape",
    [
        "44060419900307123X", "44060419900307123x", "440604199003071234", "440604900307123", "13812345678",
        "Bearer abc", "bearer a.b.c", "DPoP proof", "Basic dTpw", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.sig",
        "yGhe8s9Dkd03KdkslKs09sdkKSDk29sddkkfkd92",
    ],
)  # fmt: skip
def test_what_looks_like_a_person_or_a_secret_is_dropped(shape: str) -> None:
    for text in (shape, f"x {shape} y", f"身份证{shape},"):
        assert shape.split()[-1] not in clean(text)


@pytest.mark.parametrize(
    "harmless", ["2026-11-23T15:57:29.484424Z", "1795449449484", "a" * 64, "/graphql", "127.0.0.1:8000", "440604", "FS2025-0001"]
)  # fmt: skip
def test_what_operators_need_stays(harmless: str) -> None:
    assert clean(f"x {harmless} y") == f"x {harmless} y"


def test_every_way_into_the_log_is_cleaned(logs: io.StringIO) -> None:
    number = "44060419900307123X"
    log = structlog.get_logger()
    log.info(
        f"event {number}",
        at=[number, {"deep": {number: number}}],
        token="short",
        id_no="short",
        whole=440604199003071234,
    )
    log.warning(
        "bytes", raw=number.encode(), error=ValueError(number), odd=type("Odd", (), {"__str__": lambda _: number})()
    )
    try:
        try:
            raise KeyError(number)
        except KeyError as error:
            raise ValueError(number) from error
    except ValueError:
        log.exception("failed")
        logging.getLogger("some.library").exception("failed for %s", number)
        logging.getLogger("asyncio").error("never retrieved", exc_info=True)
    text = logs.getvalue()
    assert number not in text
    assert "440604199003071234" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) == 5
    assert (lines[0]["token"], lines[0]["id_no"]) == (REDACTED, REDACTED)
    for line in lines[2:]:
        assert line["exception"] == ["builtins.ValueError", "builtins.KeyError"]
        assert line["at"][-1].split(":")[0].endswith("test_logs.py")


def test_libraries_do_not_chatter(logs: io.StringIO) -> None:
    for name in (
        "uvicorn.error",
        "uvicorn.access",
        "websockets.server",
        "aiohttp.access",
        "sqlalchemy.engine",
        "asyncio",
    ):
        logging.getLogger(name).info("GET /graphql?idNo=1")
        logging.getLogger(name).debug("SELECT 1")
    assert logs.getvalue() == ""
