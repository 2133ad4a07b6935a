"""The command line of `yimen changes`; what it does is in `changes`."""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime
from typing import Any

from gateway.settings import Settings


def add_changes_command(commands: Any) -> None:
    """`yimen changes list [--kind KIND] [--object ID] [--from T] [--to T] [--after ID] [--most N]`."""
    changes = commands.add_parser("changes", help="who changed what").add_subparsers(metavar="list", required=True)
    listing = changes.add_parser("list", help="oldest first, one line each; that they were read is recorded")
    listing.add_argument("--org", metavar="ORG_ID", help="only what this organisation did")
    listing.add_argument("--kind", metavar="KIND", help="OFFICER_CHANGED, CLIENT_DISABLED, POLICY_APPROVED, ...")
    listing.add_argument("--object", metavar="ID", help="only what was done to this record")
    listing.add_argument(
        "--from", dest="starts", type=_instant, metavar="TIME", help="2026-11-25 or 2026-11-25T08:00+08:00"
    )
    listing.add_argument("--to", dest="ends", type=_instant, metavar="TIME")
    listing.add_argument("--after", metavar="EVENT_ID", help="go on after this one")
    listing.add_argument("--most", type=_figure, default=100, metavar="N", help="default %(default)s")
    listing.set_defaults(command=_list)


def _instant(text: str) -> datetime:
    """Without an offset it is UTC, as it is shown."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a time is 2026-11-25 or 2026-11-25T08:00+08:00") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _figure(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError("1 to 10000")
    return int(text)


def _list(given: argparse.Namespace) -> int:
    from gateway.bootstrap.changes import list_changes
    from gateway.services.change_history import ChangesAsked

    asked = ChangesAsked(
        everybody=given.org is None, org_id=given.org, kind=given.kind, object_id=given.object, starts_at=given.starts,
        ends_at=given.ends, after=given.after, limit=given.most,
    )  # fmt: skip
    return asyncio.run(list_changes(Settings.from_process(), asked))
