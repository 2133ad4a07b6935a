"""What an egress rule means for one URL: decided on the very object the socket is then opened by."""

from __future__ import annotations

import re
import ssl
from functools import lru_cache
from ipaddress import ip_address

from yarl import URL

from adapters.egress import Rule, Tls
from adapters.errors import Reason, RuleInvalid, SourceUnavailable

_ASCII_URL = re.compile(r"[!#-;=?-\[\]_a-z~]+").fullmatch  # no space, control character, quote, backslash, <>^`{|}
_HOST_PORT = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[^\s/@:?#\[\]]+):(?P<port>\d{1,5})").fullmatch
_URL_CAP = 16_384


class Gate:
    """One rule, prepared: which URLs may leave, and with which TLS.

    Raises RuleInvalid where the rule itself cannot be kept.
    """

    def __init__(self, rule: Rule) -> None:
        self._name = rule.name
        self._hosts = frozenset(_canonical(host) for host in rule.hosts)
        self._plain = (
            frozenset(_canonical(host) for host in rule.plain_http_hosts) if rule.allow_plain_http else frozenset()
        )
        self._plain_on_loopback = rule.allow_plain_http
        self.tls = tls_context(rule.tls)

    def admit(self, url: str) -> URL:
        """The parsed URL, if the rule allows it. Raises SourceUnavailable(BLOCKED) before any socket opens."""
        return self._checked(self._parsed(url), of="")

    def admit_redirect(self, base: URL, location: str) -> URL:
        """The same for a `Location`; never from TLS down to plain text. The text names no foreign host."""
        try:
            target = base.join(self._parsed(location))
        except ValueError:
            raise self._blocked("it redirects to a malformed address") from None
        if base.scheme == "https" and target.scheme != "https":
            raise self._blocked("it redirects away from TLS")
        return self._checked(target, of="it redirects to an address: ")

    def _parsed(self, url: str) -> URL:
        if 0 < len(url) <= _URL_CAP:
            try:
                if _ASCII_URL(url):
                    return URL(url, encoded=True)  # exactly as given: a signature may cover it
                if url.isprintable() and "\\" not in url and " " not in url:
                    return URL(url)  # international host or path: quoted and IDNA-encoded
            except ValueError:
                pass
        raise self._blocked("the address is malformed")

    def _checked(self, url: URL, *, of: str) -> URL:
        try:
            host, port = url.raw_host, url.port  # yarl splits lazily: a bad port shows only here
        except ValueError:
            raise self._blocked(of + "the address is malformed") from None
        if not host or port is None or url.scheme not in ("https", "http"):
            raise self._blocked(of + "not an absolute http(s) address")
        if "@" in url.raw_authority:
            raise self._blocked(of + "user information in the address")
        pair = f"[{host.lower()}]:{port}" if ":" in host else f"{host.lower()}:{port}"
        if pair not in self._hosts:
            raise self._blocked((of or f"{pair}: ") + "not on the allow-list")
        if url.scheme == "http" and pair not in self._plain and not (self._plain_on_loopback and is_loopback(host)):
            raise self._blocked(of + "plain http is not allowed there")
        return url

    def _blocked(self, detail: str) -> SourceUnavailable:
        return SourceUnavailable(self._name, Reason.BLOCKED, detail)


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Whether `host` is 127.0.0.0/8, ::1 or `localhost` itself; no other name is trusted to stay there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def tls_context(tls: Tls) -> ssl.SSLContext:
    """A verifying client context; with `ca_file`, nothing else is trusted. Raises RuleInvalid."""
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise RuleInvalid(f"TLS files cannot be loaded: {type(error).__name__}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _canonical(entry: str) -> str:
    match = _HOST_PORT(entry.lower())
    if match is None or not 0 < int(match["port"]) < 65_536:
        raise RuleInvalid(f"{entry!r} is not a host:port")
    try:
        host = URL(f"https://{match['host']}/").raw_host
    except ValueError:
        host = None
    if not host:
        raise RuleInvalid(f"{entry!r} is not a host:port")
    return f"[{host}]:{match['port']}" if ":" in host else f"{host}:{match['port']}"
