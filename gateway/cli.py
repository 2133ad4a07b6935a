"""`yimen`: the operator's command. Thin: each command calls one service."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gateway.errors import GatewayError, SettingsInvalid

if TYPE_CHECKING:
    from gateway.settings import Settings

_Done = TypeVar("_Done")
MANUAL = """\
一门 yimen: 社区矫正数据共享网关 / a GraphQL data-sharing gateway for community correction.

  yimen serve --manifests DIR       启动网关 / start the gateway; stops cleanly on SIGTERM; --workers auto: one process per core
  yimen sources check [DIR]         检查清单并试查 / every fault of a set of manifests, with file and line, and a live probe
  yimen sources list [DIR]          列出数据源 / the sources, what they answer, and how they are doing now
  yimen db migrate                  升级数据库 / bring the database to this version (serve does it too)
  yimen db status                   数据库版本 / which version the database has
  yimen identities import PATH      导入机构和人员 / organisations, posts, officers, devices; --dry-run shows it first
  yimen identities list             列出机构和人员 / who there is
  yimen persons enrol FILE          登记本人手机 / enrol persons and their phones; in a demo only
  yimen persons erase --reason CODE 销毁本人密钥 / destroy a person's key and all it opens, backups included
  yimen limits list|pack|lift|set   客户端限额与暂停 / rates and budgets of clients, and what suspended one
  yimen keys list|rotate            令牌签名密钥 / the keys tokens are signed with; rotate overlaps, so nobody is cut off
  yimen credentials keys --help     凭证签名密钥 / the keys credentials are signed with: list, rotate, compromised, csr, install
  yimen policy check|test|explain   共享规则 / the sharing rules: diff, replay, list, show, propose, approve
  yimen settings                    全部设置 / every setting, what it means and what is in force
  yimen officers invite LOGIN       设置登录的一次性链接 / a one-time link to set password and second factor; link joins an OIDC account
  yimen clients import FILE         登记客户端 / register clients; list, show, disable, enable, rotate, invite
  yimen token --help                取令牌 / a token for a client with its key, or for an officer at a browser
  yimen cases import PATH           导入案件登记 / the register of cases from CSV files; --dry-run shows every fault first
  yimen offers create|show|bulk     电子证明领取邀请 / lead persons to their credentials by link, message or QR code; --help
  yimen changes list                谁改了什么 / who changed identities, clients, rules, keys, cases, consents; reading is recorded too
  yimen ledger status|fsck|export   存证日志 / the ledger: check the store, mirror it, keys, a new shard, evidence; --help is its manual
  yimen verify FILE|-               离线核验一份凭证 / check one credential offline, by a kit; --fetch-kit URL fetches the kit
  yimen witness serve|key|status    为本单位见证账本 / watch a ledger for your own agency, on your own machine: no settings, no database
  yimen schema [DIR]                打印 GraphQL 模式 / the GraphQL schema these manifests make, as SDL

设置来自 / settings come from YIMEN_* variables, YIMEN_*_FILE files and the TOML file YIMEN_SETTINGS names.
首次试用须先设置 / to try it, set first: YIMEN_DEMO=true, or YIMEN_MASTER_KEY_FILE=FILE (openssl rand -base64 32 > FILE).
退出码 / exit codes: 0 done, 1 faults found or refused, 2 the command line is wrong.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words[:1] == ["verify"]:  # used by hand at a counter, so it starts at once: nothing else is loaded for it
            from gateway.bootstrap.verify_command import main as verify

            return verify(words[1:])
        parser = _parser()
        given = parser.parse_args(words)
        command: Callable[[argparse.Namespace], int] | None = getattr(given, "command", None)
        if command is None:
            parser.print_help()
            return 2
        return command(given)
    except SettingsInvalid as error:
        print("有误，未执行 This is wrong, nothing was done:", file=sys.stderr)
        for fault in error.faults:
            print(f"  - {fault}", file=sys.stderr)
        return 1
    except GatewayError as error:
        print(f"{error.code}: {_said(error)}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _said(error: GatewayError) -> str:
    """What the command says of it; where that is the bare code, the catalogue's words."""
    if str(error) != error.code:
        return str(error)
    from gateway.web.problems import text  # only now: most commands end well, and fast

    return text(error.code)


def _parser() -> argparse.ArgumentParser:
    """All commands; what each needs is loaded with it."""
    from gateway.bootstrap.case_arguments import add_case_commands
    from gateway.bootstrap.change_arguments import add_changes_command
    from gateway.bootstrap.client_arguments import add_clients_command
    from gateway.bootstrap.credential_arguments import add_credentials_command
    from gateway.bootstrap.identity_arguments import add_identity_commands
    from gateway.bootstrap.ledger_arguments import add_ledger_commands
    from gateway.bootstrap.limit_arguments import add_limit_commands
    from gateway.bootstrap.offer_arguments import add_offer_commands
    from gateway.bootstrap.officer_arguments import add_officers_command
    from gateway.bootstrap.policy_arguments import add_policy_commands
    from gateway.bootstrap.receipt_arguments import add_receipts_command
    from gateway.bootstrap.token_arguments import add_token_command
    from gateway.bootstrap.witness_arguments import add_witness_commands

    parser = argparse.ArgumentParser(
        "yimen",
        description=MANUAL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="yimen [--version] COMMAND [...]",
    )
    parser.add_argument("--version", action="version", version=f"yimen {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", prog="yimen")

    serve = commands.add_parser("serve", help="start the gateway")
    serve.add_argument("--manifests", type=Path, metavar="DIR", help="folder of the source manifests")
    serve.add_argument("--host", help="address to listen on")
    serve.add_argument("--port", type=int, help="port to listen on; 0 picks a free one")
    serve.add_argument("--workers", metavar="N", help="processes, or auto: one per core; above 1 needs PostgreSQL")
    serve.set_defaults(command=_serve)

    sources = commands.add_parser("sources", help="check or list sources").add_subparsers(
        metavar="check|list", required=True
    )
    check = sources.add_parser("check", help="every fault at once, and a live probe of each source")
    check.add_argument("directory", type=Path, nargs="?", help="default: manifests_dir of the settings")
    check.add_argument("--no-probe", action="store_true", help="check the files only, ask nobody")
    check.set_defaults(command=_sources_check)
    listing = sources.add_parser("list", help="what is connected and how it is doing")
    listing.add_argument("directory", type=Path, nargs="?", help="default: manifests_dir of the settings")
    listing.set_defaults(command=_sources_list)

    database = commands.add_parser("db", help="the database").add_subparsers(metavar="migrate|status", required=True)
    database.add_parser("migrate", help="bring it to this version").set_defaults(command=_db_migrate)
    database.add_parser("status", help="which version it has").set_defaults(command=_db_status)

    add_token_command(commands)
    add_clients_command(commands)
    add_officers_command(commands)
    add_identity_commands(commands)
    add_limit_commands(commands)
    add_policy_commands(commands)
    add_case_commands(commands)
    add_changes_command(commands)
    add_offer_commands(commands)
    add_ledger_commands(commands)
    add_receipts_command(commands)
    add_witness_commands(commands)
    commands.add_parser("verify", help="check one credential offline, by a kit", add_help=False)
    add_credentials_command(commands)
    keys = commands.add_parser("keys", help="what tokens are signed with").add_subparsers(
        metavar="list|rotate", required=True
    )
    keys.add_parser("list", help="current, next and retired keys").set_defaults(command=_keys_list)
    rotate = keys.add_parser("rotate", help="the next key signs from now on; the current one still verifies")
    rotate.add_argument("--compromised", action="store_true", help="the current one is not trusted another moment")
    rotate.set_defaults(command=_keys_rotate)

    commands.add_parser("settings", help="every setting and its value").set_defaults(command=_settings)
    schema = commands.add_parser("schema", help="print the schema as SDL")
    schema.add_argument("directory", type=Path, nargs="?", help="default: the built-in schema only")
    schema.set_defaults(command=_schema)
    return parser


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("yimen")
    except metadata.PackageNotFoundError:  # run from a folder of the source, never installed
        return "(not installed)"


def _serve(given: argparse.Namespace) -> int:
    from gateway.bootstrap.serving import serve_gateway

    settings = _from_process(manifests_dir=given.manifests, host=given.host, port=given.port, workers=given.workers)
    return serve_gateway(settings)


def _sources_check(given: argparse.Namespace) -> int:
    from gateway.bootstrap.sources import check_manifests

    return _run(check_manifests(_directory(given), probe=not given.no_probe))


def _sources_list(given: argparse.Namespace) -> int:
    from gateway.bootstrap.sources import list_manifests

    return _run(list_manifests(_directory(given)))


def _directory(given: argparse.Namespace) -> Path:
    from gateway.settings import manifests_dir

    return given.directory if given.directory is not None else manifests_dir()


def _from_process(**given: Any) -> Settings:
    from gateway.settings import Settings

    return Settings.from_process(**given)


def _run(work: Coroutine[Any, Any, _Done]) -> _Done:
    import asyncio

    return asyncio.run(work)


def _db_migrate(_given: argparse.Namespace) -> int:
    from gateway.bootstrap.database import migrate_database

    print(_run(migrate_database(_from_process())))
    return 0


def _db_status(_given: argparse.Namespace) -> int:
    from gateway.bootstrap.database import database_status

    print(_run(database_status(_from_process())))
    return 0


def _keys_list(_given: argparse.Namespace) -> int:
    from gateway.bootstrap.signing_keys import list_signing_keys

    print(_run(list_signing_keys(_from_process())))
    return 0


def _keys_rotate(given: argparse.Namespace) -> int:
    from gateway.bootstrap.signing_keys import rotate_signing_keys

    print(_run(rotate_signing_keys(_from_process(), compromised=given.compromised)))
    return 0


def _settings(_given: argparse.Namespace) -> int:
    from gateway.settings import describe, shown

    faults: SettingsInvalid | None = None
    try:
        values = shown(_from_process())
    except SettingsInvalid as error:  # who has yet to learn what there is to set is shown it all the same
        faults, values = error, {known.name: f"{known.default} (默认 default)".lstrip() for known in describe()}
    for known in describe():
        print(f"{known.variable:32} {values[known.name]}\n{'':32} {known.zh} {known.en}")
    if faults is not None:
        sys.stdout.flush()
        raise faults
    return 0


def _schema(given: argparse.Namespace) -> int:
    from gateway.bootstrap.sources import schema_text

    print(schema_text(given.directory), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
