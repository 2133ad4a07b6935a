"""What one gateway tells another by headers: read strictly, for it shortens answers."""

from __future__ import annotations

import pytest

from gateway.services.execute import GraphQLRequest
from gateway.web.asked_onward import VIA, WITHIN, by_gateway
from gateway.web.problems import Refusal

ASKED = GraphQLRequest("{ a }")


def test_without_them_the_request_is_as_it_was() -> None:
    assert by_gateway(ASKED, {b"accept": b"*/*"}) is ASKED


def test_the_gateways_it_came_through_and_the_time_there_is() -> None:
    read = by_gateway(ASKED, {VIA: b"a.example:8443, [::1]:8400", WITHIN: b"1500"})
    assert (read.via, read.within_s) == (("a.example:8443", "[::1]:8400"), 1.5)
    assert by_gateway(ASKED, {WITHIN: b"0"}).within_s == 0.0


@pytest.mark.parametrize(
    "headers",
    [
        {VIA: b""},
        {VIA: b"a,,b"},
        {VIA: b"a b"},
        {VIA: b"A.example"},
        {VIA: "张".encode()},
        {VIA: b",".join([b"a"] * 9)},
        {VIA: b"a" * 256},
        {WITHIN: b"-1"},
        {WITHIN: b"1e3"},
        {WITHIN: b"1234567"},
        {WITHIN: b""},
    ],
)
def test_anything_else_is_refused(headers: dict[bytes, bytes]) -> None:
    with pytest.raises(Refusal, match="INVALID_REQUEST"):
        by_gateway(ASKED, headers)
