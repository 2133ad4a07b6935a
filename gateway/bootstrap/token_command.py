"""`yimen token`: a token from the command line, for a client with its key or for an officer at a browser."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from adapters.clock import utc_now
from adapters.egress import Rule
from adapters.egress_http import HttpEgress
from adapters.errors import RuleInvalid
from adapters.oauth_client import OAuthClient, Registration, Token
from adapters.oauth_jose import KeyInvalid, SigningKey
from gateway.errors import RequestRefused
from gateway.services.token_client import CodeRequest, client_token, headers_for, push, redeem, sharing_detail

_LONGEST_WAIT_S = 300.0
_PAGE = "<!doctype html><meta charset=utf-8><title>yimen</title><p>可以关闭此页, 回到终端。You may close this page.".encode()


@dataclass(frozen=True, slots=True)
class TokenWish:
    """What the command line says."""

    issuer: str
    client_id: str
    key: Path
    dpop_key: Path | None = None
    scope: str = ""
    resource: str = ""
    purpose: str = ""
    case_no: str = ""
    fields: Sequence[str] = ()
    consent_id: str = ""
    details: Path | None = None
    headers: tuple[str, str] | None = None  # method and URL
    officer: str = ""
    redirect_uri: str = "http://127.0.0.1:8765/callback"


async def print_token(wish: TokenWish) -> int:
    """Prints the token as JSON, or the two header lines of one request. Raises RequestRefused in plain words."""
    issuer = wish.issuer.rstrip("/")
    urls = [issuer, *([wish.headers[1]] if wish.headers else [])]
    rule = Rule("token", frozenset(map(_host, urls)), allow_plain_http=True)  # plain http to this machine only
    egress = HttpEgress()
    try:
        channel = egress.open(rule)
        registration = _registration(wish, issuer)
        dpop = _key(wish.dpop_key) if wish.dpop_key else registration.key
        client = OAuthClient(registration, channel, utc_now, name="token", dpop_key=dpop)
        token = await (_officers_token(client, wish) if wish.officer else client_token(client))
        if wish.headers:
            method, url = wish.headers
            for name, value in (await headers_for(client, token, channel, method.upper(), url)).items():
                print(f"{name}: {value}")
        else:
            print(json.dumps(_shown(token), ensure_ascii=False, indent=2))
    except RuleInvalid as invalid:
        raise RequestRefused("INVALID_ARGUMENT", str(invalid)) from None
    finally:
        await egress.close()
    return 0


def _shown(token: Token) -> dict[str, Any]:
    shown: dict[str, Any] = {"access_token": token.value, "token_type": token.token_type}
    shown["expires_in"] = int(token.expires_in)
    return shown | {name: token.more[name] for name in ("scope", "authorization_details") if name in token.more}


def _registration(wish: TokenWish, issuer: str) -> Registration:
    resource = wish.resource or f"{issuer}/graphql"
    details: Sequence[Mapping[str, Any]] = ()
    if wish.details is not None:
        details = _details(wish.details)
    elif wish.purpose:
        details = (
            sharing_detail(
                wish.purpose,
                location=resource,
                reference=wish.case_no or None,
                consent_id=wish.consent_id or None,
                fields=wish.fields,
            ),
        )
    return Registration(issuer, wish.client_id, _key(wish.key), wish.scope, resource, details)


def _key(path: Path) -> SigningKey:
    try:
        return SigningKey.read(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestRefused("INVALID_ARGUMENT", f"{path}: {error.strerror}") from None
    except (KeyInvalid, UnicodeDecodeError) as error:
        said = str(error) if isinstance(error, KeyInvalid) else "not a text"
        raise RequestRefused("INVALID_ARGUMENT", f"{path}: {said}") from None


def _details(path: Path) -> Sequence[Mapping[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestRefused("INVALID_ARGUMENT", f"{path}: {error.strerror}") from None
    except ValueError:
        raise RequestRefused("INVALID_ARGUMENT", f"{path}: 不是 JSON / not JSON") from None
    found = [found] if isinstance(found, dict) else found
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise RequestRefused(
            "INVALID_ARGUMENT", f"{path}: 应为 authorization_details 数组 / must be an array of objects"
        )
    return found


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or parts.scheme not in ("http", "https"):
        raise RequestRefused("INVALID_ARGUMENT", "--issuer 与网址须为 http(s) / --issuer and URLs must be http(s)")
    port = port or (80 if parts.scheme == "http" else 443)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _officers_token(client: OAuthClient, wish: TokenWish) -> Token:
    """The code flow as a native application does it: a browser for the officer, a loopback port for the answer.

    Source: RFC 8252, section 7.3.
    """
    parts = urlsplit(wish.redirect_uri)
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "::1") or not parts.port:
        raise RequestRefused(
            "INVALID_ARGUMENT", "--redirect 须为 http://127.0.0.1:PORT/PATH / must be a loopback address"
        )
    answered: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            method, _, rest = head.split(b"\r\n", 1)[0].decode("ascii").partition(" ")
            target = urlsplit(rest.partition(" ")[0])
            ours = method == "GET" and target.path == parts.path
            status = b"200 OK" if ours else b"404 Not Found"
            head = b"HTTP/1.1 %s\r\ncontent-type: text/html; charset=utf-8\r\nconnection: close\r\n" % status
            writer.write(head + b"cache-control: no-store\r\ncontent-length: %d\r\n\r\n" % len(_PAGE) + _PAGE)
            await writer.drain()
            if ours and not answered.done():
                answered.set_result(dict(parse_qsl(target.query)))
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whatever else knocks on a loopback port
        finally:
            writer.close()

    try:
        server = await asyncio.start_server(hear, parts.hostname, parts.port)
    except OSError as error:
        raise RequestRefused("INVALID_ARGUMENT", f"--redirect {parts.port}: {error.strerror}") from None
    async with server:
        request: CodeRequest = await push(client, wish.redirect_uri, login_hint=wish.officer)
        _tell(request.url)
        try:
            answer = await asyncio.wait_for(answered, _LONGEST_WAIT_S)
        except TimeoutError:
            raise RequestRefused("TOKEN_REFUSED", "5 分钟内没有登录 / nobody logged in within 5 minutes") from None
    return await redeem(client, request, answer)


def _tell(url: str) -> None:
    """On the terminal, not on stdout, which is for the token."""
    print(f"请在浏览器中打开并登录 / open in a browser and log in:\n{url}", file=sys.stderr, flush=True)


def make_key(path: Path) -> int:
    """A new ES256 key as a private JWK, 0600 from its first moment, and its public half on stdout, as `jwks` to register.

    Never replaces a file. Raises RequestRefused.
    """
    private = SigningKey.new().jwk()
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(private, file)
    except OSError as error:
        raise RequestRefused("INVALID_ARGUMENT", f"{path}: {error.strerror}") from None
    public = {name: value for name, value in private.items() if name != "d"} | {"use": "sig", "alg": "ES256"}
    print(json.dumps({"keys": [public]}))
    return 0
