"""`python -m demo.departments CODE --port N --seed S`: one department as a process of its own.

When it listens it prints one line of JSON to stdout: {"code": ..., "url": ..., "pid": ...}. It ends on SIGTERM, on
Ctrl-C, and on Linux also when the process that started it dies (--with-parent).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
from datetime import datetime
from pathlib import Path

import uvicorn

from demo.department import SHANGHAI, Options
from demo.departments import TABLE, open_department
from demo.processes import die_with_parent
from demo.serving import bind, server_config, url_of


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo.departments", description=__doc__)
    parser.add_argument("code", choices=sorted(TABLE))
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000, help="generated people besides the cast")
    parser.add_argument(
        "--now", default="", help="ISO instant at which the demo clock starts; without zone: Asia/Shanghai"
    )
    parser.add_argument("--latency", type=float, default=1.0, help="factor on the normal latency")
    parser.add_argument("--real-hours", action="store_true", help="keep service hours (SB is closed 23:00-05:00)")
    parser.add_argument("--no-limits", action="store_true", help="no rate limit")
    parser.add_argument("--directory", type=Path, default=Options().directory, help="where drops and databases go")
    parser.add_argument("--pki", type=Path, default=Options().pki)
    parser.add_argument("--secrets", type=Path, default=None, help="directory with one file a secret")
    parser.add_argument("--with-parent", action="store_true", help="end when the parent dies")
    return parser.parse_args()


def options_from(args: argparse.Namespace) -> Options:
    now = datetime.fromisoformat(args.now) if args.now else None
    if now is not None and now.tzinfo is None:
        now = now.replace(tzinfo=SHANGHAI)
    secrets = {file.name: file.read_text().strip() for file in args.secrets.iterdir()} if args.secrets else {}
    return Options(
        seed=args.seed,
        count=args.count,
        now=now,
        latency=args.latency,
        real_hours=args.real_hours,
        limits=not args.no_limits,
        directory=args.directory,
        pki=args.pki,
        secrets=secrets,
    )


class _Announcing(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, line: str) -> None:
        super().__init__(config)
        self._line = line

    async def startup(self, sockets: object = None) -> None:
        await super().startup(sockets)  # type: ignore[arg-type]  # uvicorn's own signature
        if self.started:
            print(self._line, flush=True)


def main() -> int:
    args = _arguments()
    if args.with_parent:
        die_with_parent()
    options = options_from(args)
    department, app = open_department(args.code, options)
    try:
        listener = bind(args.port)
    except OSError as error:
        print(f"{args.code}: port {args.port} cannot be used: {error.strerror}", file=sys.stderr)
        return 2
    tls = department.profile.tls
    line = json.dumps({"code": args.code, "url": url_of(listener, tls), "pid": os.getpid()})
    server = _Announcing(server_config(app, tls, options.pki), line)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.serve(sockets=[listener]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
