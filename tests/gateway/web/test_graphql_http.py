"""GraphQL over HTTP: every good request answered, every bad one refused by its right name."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import pytest

from gateway.web.settings import WebSettings
from tests.fakes.execute import TOKEN
from tests.gateway.web.conftest import Running, Start

pytestmark = pytest.mark.anyio
HELLO = {"query": "{ hello }"}
NEW = "application/graphql-response+json"
OLD = "application/json"


async def refusal(response: Any) -> tuple[int, str]:
    body = await response.json(content_type=None)
    assert set(body) == {"errors"}
    (error,) = body["errors"]
    assert set(error) == {"message", "extensions"}
    assert any("\u4e00" <= letter <= "\u9fff" for letter in error["message"][:12])
    return response.status, error["extensions"]["code"]


async def test_a_question_is_answered(web: Running) -> None:
    response = await web.post(HELLO)
    assert (response.status, await response.json()) == (200, {"data": {"hello": "你好"}})
    assert response.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", OLD),
        ("*/*", OLD),
        ("application/*", OLD),
        (NEW, NEW),
        (f"{NEW}, {OLD};q=0.9", NEW),
        (f"{OLD};q=0.5, {NEW}", NEW),
        (f"{OLD}, {NEW}", OLD),
        (f"{NEW};q=0, */*;q=0.1", OLD),
        ("Application/GraphQL-Response+JSON; charset=utf-8", NEW),
    ],
)
async def test_the_type_is_the_one_the_client_likes_best(web: Running, accept: str, expected: str) -> None:
    response = await web.post(HELLO, accept=accept)
    assert response.headers["content-type"] == f"{expected}; charset=utf-8"
    assert response.status == 200


@pytest.mark.parametrize("accept", ["text/html", "image/png, text/plain", "application/json;q=0", "nonsense"])
async def test_no_type_of_ours_is_406(web: Running, accept: str) -> None:
    assert await refusal(await web.post(HELLO, accept=accept)) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize(
    ("query", "code"), [("{", "GRAPHQL_PARSE_FAILED"), ("{ nothing }", "GRAPHQL_VALIDATION_FAILED")]
)
async def test_a_refused_question_is_200_under_the_old_type_and_400_under_the_new(
    web: Running, query: str, code: str
) -> None:
    for accept, status in ((OLD, 200), (NEW, 400)):
        response = await web.post({"query": query}, accept=accept)
        body = await response.json(content_type=None)
        assert (response.status, body["errors"][0]["extensions"]["code"]) == (status, code)
        assert "data" not in body


async def test_an_executed_question_with_errors_keeps_its_data_entry(web: Running) -> None:
    response = await web.post({"query": "{ fail }"}, accept=NEW)
    body = await response.json(content_type=None)
    assert response.status == 200
    assert body["data"] is None
    assert body["errors"][0]["path"] == ["fail"]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "INVALID_JSON"),
        (b"{", "INVALID_JSON"),
        (b'{"query":"{ hello }"} {}', "INVALID_JSON"),
        (b'{"query":"{ hello }","variables":{"a":NaN}}', "INVALID_JSON"),
        (b'{"query":"{ hello }","variables":{"a":-Infinity}}', "INVALID_JSON"),
        (b'{"query":"{ hello }","variables":{"a":1e999}}', "INVALID_JSON"),
        (b'{"query":"\\ud800"}', "INVALID_JSON"),
        (b"\xef\xbb\xbf" + b'{"query":"{ hello }"}', "INVALID_JSON"),
        ('{"query":"{ hello } # 你好"}'.encode("gb18030"), "INVALID_UTF8"),
        (b'{"query":"\xff"}', "INVALID_UTF8"),
        ('{"query":"{ hello }"}'.encode("utf-16"), "INVALID_UTF8"),
        (b'{"query":"{ hello }","query":"{ fail }"}', "DUPLICATE_KEY"),
        (b'{"query":"{ hello }","variables":{"a":1,"\\u0061":2}}', "DUPLICATE_KEY"),
        (b'{"query":"{ hello }","variables":{"a":' + b"[" * 40 + b"]" * 40 + b"}}", "JSON_TOO_DEEP"),
        (b"[" * 500_000, "JSON_TOO_DEEP"),
        (b'{"a":' * 100_000, "JSON_TOO_DEEP"),
        (b"[]", "BATCH_REFUSED"),
        (b'[{"query":"{ hello }"}]', "BATCH_REFUSED"),
        (b"null", "NOT_AN_OBJECT"),
        (b'"{ hello }"', "NOT_AN_OBJECT"),
        (b"17", "NOT_AN_OBJECT"),
        (b"{}", "QUERY_MISSING"),
        (b'{"query":null}', "QUERY_MISSING"),
        (b'{"query":""}', "QUERY_MISSING"),
        *[(json.dumps({"query": value}).encode(), "INVALID_REQUEST") for value in ({}, 1, False, [])],
        *[
            (json.dumps({"query": "{ hello }", name: value}).encode(), "INVALID_REQUEST")
            for name, values in {
                "operationName": ({}, 1, False, []),
                "variables": ("x", 1, False, []),
                "extensions": ("x", 1, False, []),
                "documentId": ({}, 1, False, []),
            }.items()
            for value in values
        ],
        (b'{"documentId":"sha256:44060419900307123X"}', "DOCUMENT_ID_INVALID"),
        (b'{"extensions":{"persistedQuery":7}}', "INVALID_REQUEST"),
    ],
)
async def test_a_bad_body_is_400_by_its_name(web: Running, raw: bytes, code: str) -> None:
    for accept in (OLD, NEW):
        assert await refusal(await web.post(raw=raw, accept=accept)) == (400, code)
    assert web.execute.requests == []


async def test_brackets_and_escapes_inside_strings_are_no_depth(web: Running) -> None:
    text = '{ hello(name: "' + '[{\\\\\\"' * 100 + '") }'
    response = await web.post(raw=json.dumps({"query": text}).encode())
    assert response.status == 200, await response.text()


async def test_nulls_stand_for_nothing(web: Running) -> None:
    response = await web.post(
        {**HELLO, "operationName": None, "variables": None, "extensions": None, "documentId": None}
    )
    assert response.status == 200
    assert web.execute.requests[0].variables == {}


@pytest.mark.parametrize(
    "content_type",
    [
        "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/graphql",
        "application/json; charset=gbk", "application/json; charset=utf-16", "application/jsonp",
    ],
)  # fmt: skip
async def test_only_json_in_utf8_is_read(web: Running, content_type: str) -> None:
    assert await refusal(await web.post(raw=b'{"query":"{ hello }"}', content_type=content_type)) == (
        415,
        "UNSUPPORTED_MEDIA_TYPE",
    )


@pytest.mark.parametrize("content_type", ["application/json; charset=UTF-8", 'Application/JSON;charset="utf-8"'])
async def test_json_may_say_that_it_is_utf8(web: Running, content_type: str) -> None:
    assert (await web.post(raw=b'{"query":"{ hello }"}', content_type=content_type)).status == 200


async def test_a_packed_body_is_refused(web: Running) -> None:
    response = await web.post(raw=b"\x1f\x8b", content_encoding="gzip")
    assert await refusal(response) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("given", ["", "Bearer wrong", "Basic abc", f"bearer{TOKEN}", f"Bearer {TOKEN} "])
async def test_without_a_live_token_there_is_nothing(web: Running, given: str) -> None:
    for response in (await web.post(HELLO, authorization=given), await web.get(authorization=given)):
        if given.strip() == f"Bearer {TOKEN}":
            continue  # a trailing blank is no part of a header's value
        assert await refusal(response) == (401, "UNAUTHENTICATED")
        assert response.headers["www-authenticate"].startswith("DPoP ")
    if given.strip() != f"Bearer {TOKEN}":
        assert web.execute.requests == []


async def test_two_tokens_are_no_token(web: Running) -> None:
    answer = await web.talk(
        b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer " + TOKEN.encode() + b"\r\nAuthorization: Bearer x\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_a_query_may_travel_by_get(web: Running) -> None:
    query = "query Q($name: String) { hello(name: $name) }"
    params = {"query": query, "operationName": "Q", "variables": '{"name":"x"}', "extensions": "{}"}
    response = await web.get(params=params)
    assert (response.status, await response.json()) == (200, {"data": {"hello": "你好"}})
    assert web.execute.requests[0].method == "GET"
    assert web.execute.requests[0].variables == {"name": "x"}


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"query": "mutation { note }"}, 405, "MUTATION_IN_GET"),
        ({"query": "{ hello }", "variables": '{"idNo":"1","personal":1}'}, 405, "PERSONAL_VARIABLES_IN_GET"),
        ({}, 400, "QUERY_MISSING"),
        ({"query": "{ hello }", "variables": "{"}, 400, "INVALID_JSON"),
        ({"query": "{ hello }", "variables": "[]"}, 400, "INVALID_REQUEST"),
        ({"query": "{ hello }", "extensions": "7"}, 400, "INVALID_REQUEST"),
        ({f"p{n}": "x" for n in range(30)}, 400, "INVALID_REQUEST"),
    ],
)
async def test_what_get_may_not_carry(web: Running, params: dict[str, str], status: int, code: str) -> None:
    for accept in (OLD, NEW):
        response = await web.get(params=params, accept=accept)
        assert await refusal(response) == (status, code)
        if status == 405:
            assert response.headers["allow"] == "POST"


async def test_get_refuses_what_is_said_twice_and_what_is_no_utf8(web: Running) -> None:
    assert await refusal(await web.get("/graphql?query=%7Bhello%7D&query=%7Bfail%7D")) == (400, "DUPLICATE_KEY")
    head = b"GET /graphql?query=%ff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Requested-With: x\r\n"
    answer = await web.talk(head + b"Authorization: Bearer " + TOKEN.encode() + b"\r\n\r\n")
    assert b"400 Bad Request" in answer
    assert b"INVALID_UTF8" in answer


async def test_a_page_of_another_site_cannot_send_a_get(web: Running) -> None:
    response = await web.get(params=HELLO, graphql_require_preflight="")
    assert await refusal(response) == (403, "PREFLIGHT_REQUIRED")
    for header in ("apollo_require_preflight", "x_requested_with"):
        response = await web.get(params=HELLO, graphql_require_preflight="", **{header: "1"})
        assert response.status == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD"])
async def test_other_methods_are_405(web: Running, method: str) -> None:
    response = await web.client.request(method, web.url, headers={"authorization": f"Bearer {TOKEN}"})
    assert response.status == 405
    assert response.headers["allow"] == "GET, POST, OPTIONS"
    if method != "HEAD":
        assert await refusal(response) == (405, "METHOD_NOT_ALLOWED")


async def test_options_names_the_methods(web: Running) -> None:
    response = await web.client.options(web.url)
    assert (response.status, response.headers["allow"]) == (204, "GET, POST, OPTIONS")
    assert "access-control-allow-origin" not in response.headers


async def test_only_named_origins_may_read_answers(start: Start) -> None:
    async with start(WebSettings(cors_origins=("https://desk.example",))) as web:
        for origin, allowed in (("https://desk.example", True), ("https://evil.example", False)):
            response = await web.post(HELLO, origin=origin)
            assert ("access-control-allow-origin" in response.headers) is allowed
            asked = {"origin": origin, "access-control-request-method": "POST"}
            response = await web.client.options(web.url, headers=asked)
            assert ("access-control-allow-origin" in response.headers) is allowed


async def test_trusted_documents_by_either_name(web: Running) -> None:
    digest = hashlib.sha256(HELLO["query"].encode()).hexdigest()
    for body in (
        {"documentId": f"sha256:{digest}"},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest.upper()}}},
    ):
        response = await web.post(body)
        assert (await response.json())["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
        assert (web.execute.requests[-1].document_id, web.execute.requests[-1].query) == (f"sha256:{digest}", None)
    assert (await web.post({**HELLO, "documentId": f"sha256:{digest}"})).status == 200
    response = await web.post({"query": "{ fail }", "documentId": f"sha256:{digest}"})
    assert await refusal(response) == (400, "DOCUMENT_ID_MISMATCH")


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [("Boom", 500, "INTERNAL"), ("NoEvidence", 503, "EVIDENCE_UNAVAILABLE"), ("Denied", 403, "FORBIDDEN")],
)
async def test_a_failure_inside_says_its_code_and_nothing_else(web: Running, name: str, status: int, code: str) -> None:
    response = await web.post({"query": f"query {name} {{ hello }}", "operationName": name, "variables": {"idNo": "7"}})
    assert await refusal(response) == (status, code)
    assert ("retry-after" in response.headers) is (status == 503)


async def test_who_reports_a_failure_can_quote_it(web: Running, logs: io.StringIO) -> None:
    """Our own id, also beside data; never one the client made up, and not where nobody is asked to quote it."""
    sent = {"query": "query Boom { hello }", "operationName": "Boom"}
    for body in (sent, {"query": "query Slip { hello }", "operationName": "Slip"}):
        response = await web.post(body, x_request_id="44060419900307123X")
        (error,) = (await response.json())["errors"]
        assert error["extensions"] == {"code": "INTERNAL", "requestId": response.headers["x-request-id"]}
        assert f'"request_id":"{response.headers["x-request-id"]}"' in logs.getvalue()
        assert "44060419900307123X" not in await response.text()
    denied = await web.post({"query": "query Denied { hello }", "operationName": "Denied"})
    assert (await denied.json())["errors"][0]["extensions"] == {"code": "FORBIDDEN"}


async def test_a_failing_authenticator_lets_nobody_in(web: Running) -> None:
    assert await refusal(await web.post(HELLO, authorization="Bearer raise")) == (500, "INTERNAL")


async def test_unknown_addresses_and_slashes_are_404_without_a_redirect(web: Running) -> None:
    for path in ("/", "/graphql/", "/livez/?idNo=1", "/graphiql/app.js", "/../etc/passwd", "/%00"):
        response = await web.client.get(f"http://127.0.0.1:{web.port}{path}", allow_redirects=False)
        assert await refusal(response) == (404, "NOT_FOUND")


async def test_every_answer_has_the_headers_that_keep_it_private(web: Running) -> None:
    ids = set()
    for response in (await web.post(HELLO), await web.post(HELLO, authorization=""), await web.get("/nowhere")):
        headers = response.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "server" not in headers
        ids.add(headers["x-request-id"])
    assert len(ids) == 3


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "localhost:80:80"])
async def test_a_foreign_host_name_is_refused(web: Running, host: str) -> None:
    answer = await web.talk(f"GET /livez HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 421 ")
    answer = await web.talk(b"GET /livez HTTP/1.1\r\nHost: localhost:8000\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
