"""The command lines of `yimen limits`; what they do is in `limits`."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from gateway.settings import Settings

_FIGURES = ("requests_per_minute", "cost_per_minute", "subjects_per_day")


def add_limit_commands(commands: Any) -> None:
    """`yimen limits list | pack CLIENT | lift CLIENT | set CLIENT --requests-per-minute N ...`."""
    limits = commands.add_parser("limits", help="rates, budgets and suspensions of clients").add_subparsers(
        metavar="list|pack|lift|set", required=True
    )
    limits.add_parser("list", help="suspended clients").set_defaults(command=_list)
    for name, text, command in (
        ("pack", "the evidence of a client's suspensions, as JSON", _pack),
        ("lift", "let a suspended client ask again", _lift),
    ):
        one = limits.add_parser(name, help=text)
        one.add_argument("client", metavar="CLIENT_ID")
        one.set_defaults(command=command)
    setting = limits.add_parser("set", help="a client's own figures; 0 = the deployment's again")
    setting.add_argument("client", metavar="CLIENT_ID")
    for figure in _FIGURES:
        setting.add_argument(f"--{figure.replace('_', '-')}", type=_figure, metavar="N")
    setting.set_defaults(command=_set)


def _figure(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 10_000_000:
        raise ValueError
    return number


def _list(_given: argparse.Namespace) -> int:
    from gateway.bootstrap.limits import list_suspensions

    return asyncio.run(list_suspensions(Settings.from_process()))


def _pack(given: argparse.Namespace) -> int:
    from gateway.bootstrap.limits import print_pack

    return asyncio.run(print_pack(Settings.from_process(), given.client))


def _lift(given: argparse.Namespace) -> int:
    from gateway.bootstrap.limits import lift_suspension

    return asyncio.run(lift_suspension(Settings.from_process(), given.client))


def _set(given: argparse.Namespace) -> int:
    from gateway.bootstrap.limits import set_figures

    figures = {name: getattr(given, name) or None for name in _FIGURES if getattr(given, name) is not None}
    return asyncio.run(set_figures(Settings.from_process(), given.client, figures))
