"""The command line of `yimen token`; what it does is in `token_command`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

_MANUAL = """\
从授权服务器取一枚令牌 / a token from an authorization server, printed as JSON: access_token, token_type, expires_in.

机构客户端, 凭自己的密钥 / a client that acts for itself, with its key (client_credentials):
  yimen token --issuer URL --client ID --key FILE --purpose CC_TRANSFER --case '(2026)粤0604刑初123号'
  yimen token --issuer URL --client ID --key FILE --purpose CREDIT_CHECK --consent ID --fields residence.status
  yimen token --issuer URL --client ID --key FILE --details authorization_details.json

经办人, 在浏览器中登录 / an officer, who logs in at a browser (authorization_code, PAR, PKCE):
  yimen token --issuer URL --client ID --key FILE --officer LOGIN --purpose CC_RECEPTION --case NO
  打印要打开的网址, 并在本机 --redirect 处等待 / prints the address to open and waits at --redirect on this machine.
  口令与动态码只在网页上输入 / passwords and codes are typed into the page only, never here.

直接查询 / to ask at once, header lines for curl (a proof is good for one request):
  yimen token ... --headers POST URL/graphql | curl -H @- -H 'content-type: application/json' -d @query.json URL/graphql

令牌绑定在 --dpop-key 上, 未给出时绑定在 --key 上 / the token is bound to --dpop-key, or to --key where there is none.
密钥: EC P-256, JWK 或 PEM 文件 / keys: EC P-256, a JWK or a PEM file. --new-key FILE 新建一把 / makes one.
明文 http 只用于本机 / plain http is for this machine only.
"""


def add_token_command(commands: Any) -> None:
    token = commands.add_parser(
        "token",
        help="a token for a client with its key, or for an officer at a browser",
        description=_MANUAL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="yimen token --issuer URL --client ID --key FILE [...]  |  yimen token --new-key FILE",
    )
    who = token.add_argument_group("谁 / who asks")
    who.add_argument("--issuer", metavar="URL", help="网关地址 / the gateway's base URL, which is its issuer")
    who.add_argument("--client", metavar="ID", help="客户端号 / client_id, as it was registered")
    who.add_argument("--key", type=Path, metavar="FILE", help="客户端私钥 / the client's private key")
    who.add_argument("--dpop-key", type=Path, metavar="FILE", help="令牌绑定的私钥 / the key the token is bound to")
    who.add_argument("--officer", metavar="LOGIN", default="", help="经办人登录名 / an officer logs in at a browser")
    who.add_argument(
        "--redirect",
        metavar="URI",
        default="http://127.0.0.1:8765/callback",
        help="本机回调地址, 须已登记 / where the browser comes back to, as registered; default %(default)s",
    )
    what = token.add_argument_group("要什么 / what for")
    what.add_argument("--purpose", metavar="CODE", default="", help="用途 / a code of the purpose register")
    what.add_argument(
        "--case", metavar="NO", default="", help="案号或业务编号 / case number, or the partner's own mark"
    )
    what.add_argument("--consent", metavar="ID", default="", help="同意编号 / the consent it rests on (partners)")
    what.add_argument(
        "--fields", metavar="NOUN.FIELD", nargs="+", default=(), help="只要这些字段 / only these leaf fields"
    )
    what.add_argument("--details", type=Path, metavar="FILE", help="authorization_details 的 JSON (代替以上 / instead)")
    what.add_argument("--scope", metavar="S", default="", help="默认为登记的全部 / default: what is registered")
    what.add_argument("--resource", metavar="URL", default="", help="默认 / default: ISSUER/graphql")
    token.add_argument(
        "--headers", nargs=2, metavar=("METHOD", "URL"), help="打印一次请求的头 / print the headers of one request"
    )
    token.add_argument(
        "--new-key", type=Path, metavar="FILE", help="新建私钥, 打印公钥 / make a key, print its public half"
    )
    token.set_defaults(command=lambda given: _token(token, given))


def _token(parser: argparse.ArgumentParser, given: argparse.Namespace) -> int:
    from gateway.bootstrap.token_command import TokenWish, make_key, print_token

    if given.new_key is not None:
        return make_key(given.new_key)
    missing = [f"--{name}" for name in ("issuer", "client", "key") if not getattr(given, name)]
    if missing:
        parser.error(f"缺少 / missing: {', '.join(missing)}")
    if given.details is not None and (given.purpose or given.fields or given.consent):
        parser.error("--details 已说明一切 / --details says it all: leave --purpose, --fields and --consent out")
    if not given.purpose and (given.case or given.fields or given.consent):
        parser.error("--case, --fields, --consent 需要 --purpose / need --purpose")
    wish = TokenWish(
        given.issuer,
        given.client,
        given.key,
        given.dpop_key,
        given.scope,
        given.resource,
        given.purpose,
        given.case,
        given.fields,
        given.consent,
        given.details,
        tuple(given.headers) if given.headers else None,
        given.officer,
        given.redirect,
    )
    return asyncio.run(print_token(wish))
