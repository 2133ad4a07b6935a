"""The command line of `yimen policy`; what it does is in `policies`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

_EXPLAIN = """\
用中英文说明一项决定 / a decision in plain sentences, in Chinese and English.

  yimen policy explain --kind JUSTICE_OFFICE --purpose CC_SUPERVISION --item locationFix.lat --person caseLink=ORGANISATION
  yimen policy explain --kind BANK --caller PARTNER --purpose LOAN_SERVICE --no-case \\
      --item conductStatement.period --consent conductStatement.period
  yimen policy explain --event EVENT_ID      已记录的查询,按当时的规则 / a recorded request, under the rules of its day

--person: caseLink casePart claimedCase relationship seal unsealed monitoringOrder outOfContact revocationPending
不写 --person 即没有任何联系;--nobody 即不涉及具体的人。 / Without --person nothing links them; --nobody: nobody in particular.
"""
_SET = "版本、提议号、目录,或 shipped、in-force / a version, a proposal's id, a folder, or: shipped, in-force"


def add_policy_commands(commands: Any) -> None:
    policy = commands.add_parser("policy", help="the sharing rules: check, test, explain, compare, change")
    verbs = policy.add_subparsers(metavar="check|test|explain|diff|replay|list|show|propose|approve", required=True)

    check = verbs.add_parser("check", help="every fault of a set of rules at once, with file and line")
    check.add_argument("directory", type=Path, nargs="?", help="a folder of rules; default: those in force here")
    check.add_argument("--manifests", type=Path, metavar="DIR", help="with the purposes and rules applications bring")
    check.set_defaults(command=_check)

    test = verbs.add_parser("test", help="whether the rules bear out their examples")
    test.add_argument("directory", type=Path, nargs="?", help="a folder of rules; default: those that come with yimen")
    test.add_argument("--manifests", type=Path, metavar="DIR", help="with the purposes and rules applications bring")
    test.add_argument("--examples", type=Path, metavar="FILE", help="default: examples.toml of the folder")
    test.set_defaults(command=_test)

    explain = verbs.add_parser(
        "explain",
        help="a decision in words",
        description=_EXPLAIN,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    explain.add_argument("--event", metavar="ID", help="an access event of the record")
    explain.add_argument("--kind", help="kind of organisation, say JUSTICE_OFFICE")
    explain.add_argument("--purpose", help="code of the purpose register")
    explain.add_argument("--item", nargs="+", default=[], metavar="NOUN.FIELD")
    explain.add_argument("--caller", default="OFFICER", help="OFFICER, SYSTEM or PARTNER; default %(default)s")
    explain.add_argument("--level", type=int, default=2, help="authentication level 1 to 3; default %(default)s")
    explain.add_argument("--no-case", action="store_true", help="no case number is claimed")
    who = explain.add_mutually_exclusive_group()
    who.add_argument("--person", nargs="+", default=[], metavar="NAME=VALUE", help="what is known of the person")
    who.add_argument("--nobody", action="store_true", help="nobody in particular is asked about")
    explain.add_argument("--consent", nargs="*", metavar="NOUN.FIELD", help="items the person's consent names")
    explain.add_argument("--emergency", nargs="*", metavar="NOUN.FIELD", help="items an emergency grant names")
    explain.add_argument("--rules", default="in-force", metavar="SET", help=_SET)
    explain.set_defaults(command=_explain)

    diff = verbs.add_parser("diff", help="who would gain or lose what, over recorded requests")
    diff.add_argument("old", help=_SET)
    diff.add_argument("new", help=_SET)
    diff.add_argument("--most", type=int, default=20_000, help="how many of the latest requests; default %(default)s")
    diff.set_defaults(command=_diff)

    replay = verbs.add_parser("replay", help="an old request under the rules of its day")
    replay.add_argument("event", metavar="EVENT_ID")
    replay.set_defaults(command=_replay)

    verbs.add_parser("list", help="proposals, approvals, versions that decided").set_defaults(command=_list)
    show = verbs.add_parser("show", help="the rules of a set, one line each")
    show.add_argument("rules", nargs="?", default="in-force", help=_SET)
    show.add_argument("--text", action="store_true", help="the whole text")
    show.set_defaults(command=_show)

    propose = verbs.add_parser("propose", help="put a folder of rules forward (role POLICY_OWNER)")
    propose.add_argument("directory", type=Path)
    propose.add_argument("--by", required=True, metavar="LOGIN")
    propose.set_defaults(command=_propose)
    approve = verbs.add_parser("approve", help="bring a proposal into force (role POLICY_APPROVER, another officer)")
    approve.add_argument("proposal", metavar="ID")
    approve.add_argument("--by", required=True, metavar="LOGIN")
    approve.set_defaults(command=_approve)


def _check(given: argparse.Namespace) -> int:
    from gateway.bootstrap.policies import check

    return check(given.directory, given.manifests)


def _test(given: argparse.Namespace) -> int:
    from gateway.bootstrap.policies import test

    return test(given.directory, given.manifests, given.examples)


def _explain(given: argparse.Namespace) -> int:
    from gateway.bootstrap.policies import explain_case, explain_event

    if given.event is not None:
        return asyncio.run(explain_event(given.event))
    return asyncio.run(explain_case(given))


def _diff(given: argparse.Namespace) -> int:
    from gateway.bootstrap.policy_changes import diff

    return asyncio.run(diff(given.old, given.new, given.most))


def _replay(given: argparse.Namespace) -> int:
    from gateway.bootstrap.policy_changes import replay_event

    return asyncio.run(replay_event(given.event))


def _list(_given: argparse.Namespace) -> int:
    from gateway.bootstrap.policy_changes import list_sets

    return asyncio.run(list_sets())


def _show(given: argparse.Namespace) -> int:
    from gateway.bootstrap.policy_changes import show

    return asyncio.run(show(given.rules, whole=given.text))


def _propose(given: argparse.Namespace) -> int:
    from gateway.bootstrap.policy_changes import propose

    return asyncio.run(propose(given.directory, given.by))


def _approve(given: argparse.Namespace) -> int:
    from gateway.bootstrap.policy_changes import approve

    return asyncio.run(approve(given.proposal, given.by))
