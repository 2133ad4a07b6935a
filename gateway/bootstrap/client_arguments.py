"""The command line of `yimen clients`; what it does is in `authorization`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

from gateway.services.clients import ClientsRefused, ClientState
from gateway.settings import Settings


def add_clients_command(commands: Any) -> None:
    clients = commands.add_parser("clients", help="who may ask by program").add_subparsers(
        metavar="import|list|show|disable|enable|rotate|invite", required=True
    )
    importing = clients.add_parser("import", help="register or change clients from a file; all of them or none")
    importing.add_argument("file", type=Path, metavar="FILE", help="a JSON array of RFC 7591 metadata objects")
    importing.add_argument("--dry-run", action="store_true", help="say what would be done, do nothing")
    _runs(importing, _import)
    _runs(clients.add_parser("list", help="every client, disabled ones too"), _list)
    for name, do, words in (
        ("show", _show, "one client, as an import would take it"),
        ("disable", _disable, "no token any more, and none that was issued is good, at once"),
        ("enable", _enable, "it may ask for tokens again; old ones stay dead"),
    ):
        one = clients.add_parser(name, help=words)
        one.add_argument("client_id", metavar="CLIENT")
        _runs(one, do)
    rotate = clients.add_parser("rotate", help="new keys; the old ones verify for a while yet")
    rotate.add_argument("client_id", metavar="CLIENT")
    rotate.add_argument("file", type=Path, metavar="JWKS", help="a JWK set with the new public keys")
    rotate.add_argument(
        "--overlap", type=float, default=24.0, metavar="HOURS", help="0: at once, and every token dies (a stolen key)"
    )
    _runs(rotate, _rotate)
    invite = clients.add_parser("invite", help="an initial access token, for a partner to register its own client")
    invite.add_argument("org_id", metavar="ORG")
    invite.add_argument("org_kind", metavar="KIND", help="BANK, EMPLOYER, INSURER, ...")
    invite.add_argument("--purpose", action="append", required=True, metavar="CODE", help="at most these; repeatable")
    invite.add_argument("--uses", type=int, default=1, metavar="N")
    invite.add_argument("--days", type=float, default=7.0, metavar="N")
    _runs(invite, _invite)


def _runs(
    parser: argparse.ArgumentParser, do: Callable[[Settings, argparse.Namespace], Coroutine[Any, Any, None]]
) -> None:
    def command(given: argparse.Namespace) -> int:
        try:
            asyncio.run(do(Settings.from_process(), given))
        except ClientsRefused as error:
            print("未作任何更改 Nothing was changed:", file=sys.stderr)
            for fault in error.faults:
                print(f"  - {fault}", file=sys.stderr)
            return 1
        return 0

    parser.set_defaults(command=command)


async def _import(settings: Settings, given: argparse.Namespace) -> None:
    from gateway.bootstrap.authorization import import_clients

    done = await import_clients(settings, given.file, dry_run=given.dry_run)
    if given.dry_run:
        print("试运行, 未作更改 Dry run, nothing was changed. 将会 would be:")
    for words, ids in (
        ("新增 added", done.added),
        ("更改 changed", done.changed),
        ("未变 unchanged", done.unchanged),
    ):
        print(f"{words}: {', '.join(ids) or '-'}")


async def _list(settings: Settings, _given: argparse.Namespace) -> None:
    from gateway.bootstrap.authorization import list_clients

    states = await list_clients(settings)
    for state in states:
        print(_line(state))
    if not states:
        print("没有客户端 / no client yet", file=sys.stderr)


async def _show(settings: Settings, given: argparse.Namespace) -> None:
    from gateway.bootstrap.authorization import show_client
    from gateway.oauth.registration import as_metadata

    state = await show_client(settings, given.client_id)
    print(json.dumps(as_metadata(state.client), ensure_ascii=False, indent=2))
    print(_line(state), file=sys.stderr)


async def _disable(settings: Settings, given: argparse.Namespace) -> None:
    from gateway.bootstrap.authorization import switch_client

    await switch_client(settings, given.client_id, on=False)
    print(f"已停用 disabled: {given.client_id}")


async def _enable(settings: Settings, given: argparse.Namespace) -> None:
    from gateway.bootstrap.authorization import switch_client

    await switch_client(settings, given.client_id, on=True)
    print(f"已启用 enabled: {given.client_id}")


async def _rotate(settings: Settings, given: argparse.Namespace) -> None:
    from gateway.bootstrap.authorization import rotate_client

    if not 0 <= given.overlap <= 24 * 90:
        raise ClientsRefused(["--overlap: 0 to 2160 hours"])
    print(_line(await rotate_client(settings, given.client_id, given.file, timedelta(hours=given.overlap))))


async def _invite(settings: Settings, given: argparse.Namespace) -> None:
    from gateway.bootstrap.authorization import invite_client, partner_policy

    if not (0 < given.uses <= 1000 and 0 < given.days <= 90):
        raise ClientsRefused(["--uses: 1 to 1000; --days: up to 90"])
    policy = partner_policy(given.org_id, given.org_kind, "", frozenset(given.purpose))
    token = await invite_client(settings, policy, uses=given.uses, lasts=timedelta(days=given.days))
    print(
        "初始访问令牌, 只显示一次 Initial access token, shown once; give it to the partner by a safe road:",
        file=sys.stderr,
    )
    print(token)


def _line(state: ClientState) -> str:
    client = state.client
    old = (
        f" (旧 old: {', '.join(state.old_keys)} 至 until {state.old_keys_until:%Y-%m-%d %H:%MZ})"
        if state.old_keys
        else ""
    )
    off = " 已停用 DISABLED" if client.disabled else ""
    kind = "RESOURCE_SERVER" if client.is_resource_server else str(client.kind)
    keys = ", ".join(state.keys)
    return f"{client.client_id}  {client.client_name}  {kind}  {client.org_id}  keys: {keys}{old}{off}"
