"""What is said at the head of each request: headers that cannot change are put together once, and read the same."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from yarl import URL

from adapters.http_head import NotAllowed, Origin, request_head

HERE, THERE = Origin.of(URL("https://here.test/")), Origin.of(URL("http://there.test:8080/"))


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("body", [None, b"", b"{}"])
def test_a_head_is_the_same_whether_its_headers_can_change(method: str, body: bytes | None) -> None:
    for headers in ({}, {"accept": "application/json"}, {"Accept": "*/*", "user-agent": "me", "x-long": "a" * 40}):
        kept = MappingProxyType(headers)
        for origin, target in ((HERE, "/one"), (THERE, "/two?x=1"), (HERE, "/three")):
            expected = request_head(method, target, origin, headers, body)
            assert request_head(method, target, origin, kept, body) == expected  # put together, or kept from before
            assert expected.endswith(b"\r\n\r\n")
            assert expected.count(b"Host: ") == 1


@pytest.mark.parametrize(
    "headers", [{"a b": "c"}, {"host": "elsewhere"}, {"x": "a\r\nhost: elsewhere"}, {"x": "\ud800"}]
)
def test_what_is_not_allowed_is_not_kept_either(headers: dict[str, str]) -> None:
    kept = MappingProxyType(headers)
    for _ in range(2):
        with pytest.raises(NotAllowed):
            request_head("GET", "/", HERE, kept, None)
    with pytest.raises(NotAllowed):
        request_head("G T", "/", HERE, MappingProxyType({}), None)
    with pytest.raises(NotAllowed):
        request_head("GET", "/\u4e2d", HERE, MappingProxyType({"accept": "*/*"}), None)
