"""A real gateway as a process of its own: environment, what is imported before it starts, readiness."""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.places import Places, write_private
from demo.processes import Children

_NAMES = {"cc": ("禅城", "Chancheng"), "sd": ("顺德", "Shunde")}
_DISTRICTS = {"cc": "chancheng", "sd": "shunde"}


class NotReady(Exception):
    """A process ended or stayed silent; the message says which, and what it last wrote."""


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """One gateway of the demo; `name` tells its directories and log apart. Without `accounts` nobody logs in there; without
    `policy` nobody witnesses its ledger."""

    name: str
    port: int
    manifests: Path
    accounts: Path | None = None
    oidc: Path | None = None
    policy: Path | None = None

    @property
    def url(self) -> str:
        """Its address, which is also its issuer."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ledger(self) -> str:
        """Its ledger's name; unlike the address it does not change with the port."""
        return f"{_DISTRICTS.get(self.name, self.name)}.example/ledger"


def environment(places: Places, plan: GatewayPlan) -> dict[str, str]:
    """This process's environment without any YIMEN_ of the visitor's own, and the demo's settings."""
    state = places.sub(f"state-{plan.name}").resolve()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("YIMEN_")}
    files = {
        "YIMEN_DEMO_ACCOUNTS_FILE": plan.accounts,
        "YIMEN_OIDC_PROVIDERS_FILE": plan.oidc,
        "YIMEN_LEDGER_WITNESS_POLICY": plan.policy,
    }
    return (
        kept
        | {
            "YIMEN_DEMO": "true",
            "YIMEN_MANIFESTS_DIR": str(plan.manifests.resolve()),
            "YIMEN_STATE_DIR": str(state),
            "YIMEN_DATABASE_URL": f"sqlite:///{state / 'yimen.db'}",
            "YIMEN_PORT": str(plan.port),
            "YIMEN_LEDGER_ORIGIN": plan.ledger,
            "YIMEN_INTROSPECTION": "true",
            "YIMEN_GRAPHIQL": "true",
            "YIMEN_CREDENTIAL_ISSUER_ZH": f"佛山市{_names(plan)[0]}区司法局",
            "YIMEN_CREDENTIAL_ISSUER_EN": f"{_names(plan)[1]} justice bureau, Foshan",
            "YIMEN_CREDENTIAL_RECHECK_S": "10",  # a visitor watches a fact change
        }
        | {name: str(path.resolve()) for name, path in files.items() if path is not None}
    )


def _names(plan: GatewayPlan) -> tuple[str, str]:
    return _NAMES.get(plan.name, (plan.name, plan.name))


def start_seeding(places: Places, plan: GatewayPlan, commands: Sequence[Sequence[str]], children: Children) -> str:
    """Run the product's own commands on the gateway's database before it serves; the child's name to wait for."""
    name = f"seed-{plan.name}"
    listing = places.sub("imports") / f"{plan.name}.json"
    write_private(listing, json.dumps(commands, ensure_ascii=False))
    command = (sys.executable, "-m", "demo.seeding", str(listing))
    children.start(name, command, environment(places, plan), read=False)
    return name


def wait_seeded(name: str, children: Children, *, timeout_s: float = 90.0) -> None:
    """Raises NotReady with what the command that failed has said."""
    if code := children.wait(name, timeout_s):
        raise NotReady(f"{name}: 导入失败 / an import failed ({code})\n{children.log_of(name)}")


def start_gateway(places: Places, plan: GatewayPlan, children: Children) -> None:
    children.start(
        f"gateway-{plan.name}", (sys.executable, "-m", "demo.as_child", "serve"), environment(places, plan), read=False
    )


def wait_ready(plans: Sequence[GatewayPlan], children: Children, *, timeout_s: float = 60.0) -> None:
    """Until every gateway's /readyz says 200. Raises NotReady with the log's end when one ends or time is up."""
    waiting = {f"gateway-{plan.name}": plan for plan in plans}
    deadline = time.monotonic() + timeout_s
    while waiting:
        for name, code in children.ended().items():
            raise NotReady(f"{name} ended with code {code}\n{children.log_of(name)}")
        waiting = {name: plan for name, plan in waiting.items() if not is_ready(plan.port)}
        if waiting and time.monotonic() > deadline:
            name = next(iter(waiting))
            why = _why_not(waiting[name].port)
            raise NotReady(f"{name} is not ready after {timeout_s:.0f} s: {why}\n{children.log_of(name)}")
        if waiting:
            time.sleep(0.1)


def _why_not(port: int) -> str:
    """What its /readyz says it lacks."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    finally:
        connection.close()


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):  # the latter where a port of our own answers itself before it listens
        return False
    finally:
        connection.close()
