"""The gate: what may leave is decided before any socket opens."""

from __future__ import annotations

import pytest

from adapters.egress import Rule, Tls
from adapters.egress_rules import Gate
from adapters.errors import Reason, RuleInvalid, SourceUnavailable

HOSTS = frozenset({"lgb.test:443", "lgb.test:9101", "127.0.0.1:9101", "10.0.0.5:80", "[::1]:9102", "例子.test:443"})


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate(Rule("LGB", HOSTS, allow_plain_http=True))


@pytest.mark.parametrize(
    "url",
    [
        "https://lgb.test/api?a=%20%2F",
        "https://LGB.test:9101/api",
        "http://127.0.0.1:9101/",
        "http://[::1]:9102/",
        "https://例子.test/查询",
        "https://xn--fsqu00a.test/",
    ],
)
def test_what_the_rule_names_may_leave(gate: Gate, url: str) -> None:
    gate.admit(url)


def test_a_query_leaves_exactly_as_it_was_signed(gate: Gate) -> None:
    assert gate.admit("https://lgb.test/a%2Fb?x=%20%2F%7e+&y=~").raw_path_qs == "/a%2Fb?x=%20%2F%7e+&y=~"


@pytest.mark.parametrize(
    "url",
    [
        "https://lgb.test:444/",
        "https://lgb.test.:443/",
        "https://lgb.test.evil.test/",
        "https://evil.test/",
        "https://evil.test:9101/?x=lgb.test:9101",
        "https://lgb.test@evil.test/",
        "https://lgb.test:443@evil.test/",
        "https://user@lgb.test/",
        "https://user:pass@lgb.test/",
        "https://@lgb.test/",
        "https://lgb.test\\@evil.test/",
        "https://evil.test\\.lgb.test/",
        "https://lgb.test%2eevil.test/",
        "https://127.1:9101/",
        "https://0x7f000001:9101/",
        "https://2130706433:9101/",
        "http://127.0.0.2:9101/",
        "https://[::ffff:127.0.0.1]:9101/",
        "http://lgb.test:443/",
        "http://10.0.0.5/",
        "ftp://lgb.test:443/",
        "file:///etc/passwd",
        "//lgb.test/",
        "/relative",
        "",
        "https://",
        "https:///lgb.test/",
        "https://lgb.test:99999/",
        "https://lgb.test:port/",
        "https://[lgb.test/",
        "https://lgb.test/\r\nX: y",
        "https://lgb.test/\x00",
        " https://lgb.test/",
        "https://lgb.test/" + "a" * 20_000,
    ],
)
def test_anything_else_is_blocked(gate: Gate, url: str) -> None:
    with pytest.raises(SourceUnavailable) as raised:
        gate.admit(url)
    assert raised.value.reason is Reason.BLOCKED


def test_userinfo_is_refused_even_where_the_host_is_allowed_and_is_not_repeated(gate: Gate) -> None:
    with pytest.raises(SourceUnavailable, match="user information") as raised:
        gate.admit("https://token-s3cret@lgb.test/")
    assert "s3cret" not in str(raised.value)


def test_plain_http_needs_the_switch_and_beyond_loopback_the_very_host() -> None:
    hosts = frozenset({"127.0.0.1:9101", "bridge:9101", "other:9101", "localhost:9101"})
    closed = Gate(Rule("A", hosts, plain_http_hosts=frozenset({"bridge:9101"})))
    for host in hosts:
        with pytest.raises(SourceUnavailable):
            closed.admit(f"http://{host}/")
    stated = Gate(Rule("A", hosts, allow_plain_http=True, plain_http_hosts=frozenset({"bridge:9101"})))
    for host in ("127.0.0.1:9101", "bridge:9101", "localhost:9101"):
        stated.admit(f"http://{host}/")
    with pytest.raises(SourceUnavailable):
        stated.admit("http://other:9101/")


@pytest.mark.parametrize("location", ["/next?k=1", "next", "https://lgb.test:9101/x", "//lgb.test/x"])
def test_a_redirect_may_stay_on_the_list(gate: Gate, location: str) -> None:
    gate.admit_redirect(gate.admit("https://lgb.test/a"), location)


@pytest.mark.parametrize(
    "location",
    [
        "https://440606199003070017.evil.test/",
        "//evil.test/",
        "http://127.0.0.1:9101/",
        "file:///etc/passwd",
        "",
        "/a b",
    ],
)
def test_a_redirect_off_the_list_or_off_tls_is_blocked_without_naming_the_target(gate: Gate, location: str) -> None:
    with pytest.raises(SourceUnavailable) as raised:
        gate.admit_redirect(gate.admit("https://lgb.test/a"), location)
    assert raised.value.reason is Reason.BLOCKED
    assert "4406" not in str(raised.value)


@pytest.mark.parametrize(
    "host", ["lgb.test", "lgb.test:0", "lgb.test:70000", "user@lgb.test:1", "a b:1", ":1", "*:443/x"]
)
def test_a_rule_that_is_no_host_and_port_is_refused_at_once(host: str) -> None:
    with pytest.raises(RuleInvalid):
        Gate(Rule("LGB", frozenset({host})))


def test_tls_files_that_do_not_load_are_refused_at_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("tls") / "empty.pem"
    empty.write_text("not a certificate")
    for tls in (Tls(ca_file="/nowhere.pem"), Tls(ca_file=str(empty)), Tls(cert_file=str(empty))):
        with pytest.raises(RuleInvalid):
            Gate(Rule("LGB", frozenset({"lgb.test:443"}), tls=tls))
