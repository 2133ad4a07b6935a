"""A real gateway as a process of its own: seeded officer, environment, readiness."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from demo.places import Places, write_private
from demo.processes import Children

PURPOSES = ("CC_RECEPTION", "CC_TRANSFER", "CC_PLAN", "CC_HELP")


class NotReady(Exception):
    """A process ended or stayed silent; the message says which, and what it last wrote."""


@dataclass(frozen=True, slots=True)
class Officer:
    """The seeded caller of one gateway."""

    user_id: str
    org_id: str
    org_kind: str = "JUSTICE_OFFICE"
    roles: tuple[str, ...] = ("JUSTICE_OFFICER",)


CHANCHENG_OFFICER = Officer("officer-lin", "cc-jo-zumiao")
NEIGHBOUR = Officer("gateway-cc", "cc-agency", "CORRECTION_AGENCY", ("JUSTICE_OFFICER",))
"""How Chancheng's gateway appears at Shunde's."""


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """One gateway of the demo; `name` tells its directories and log apart."""

    name: str
    port: int
    manifests: Path
    officer: Officer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def seed_token(places: Places, plan: GatewayPlan, *, now: datetime | None = None) -> str:
    """A new random token for the gateway's officer, good for a day, in the file the gateway reads at its start."""
    token = secrets.token_urlsafe(32)
    officer = plan.officer
    words = {
        "token": token,
        "user_id": officer.user_id,
        "org_id": officer.org_id,
        "org_kind": officer.org_kind,
        "roles": officer.roles,
        "purposes": PURPOSES,
    }
    # A JSON string or list of strings is one of TOML too; the instant is TOML's own.
    lines = ["[[officers]]", *(f"{name} = {json.dumps(value)}" for name, value in words.items())]
    until = (now or datetime.now(UTC)) + timedelta(days=1)
    write_private(_tokens(places, plan), "\n".join([*lines, f"expires_at = {until.isoformat()}", ""]))
    return token


def _tokens(places: Places, plan: GatewayPlan) -> Path:
    return places.home / f"tokens-{plan.name}.toml"


def environment(places: Places, plan: GatewayPlan) -> dict[str, str]:
    """This process's environment without any YIMEN_ of the visitor's own, and the demo's settings."""
    state = places.sub(f"state-{plan.name}").resolve()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("YIMEN_")}
    return kept | {
        "YIMEN_DEMO": "true",
        "YIMEN_MANIFESTS_DIR": str(plan.manifests.resolve()),
        "YIMEN_STATE_DIR": str(state),
        "YIMEN_DATABASE_URL": f"sqlite:///{state / 'yimen.db'}",
        "YIMEN_PORT": str(plan.port),
        "YIMEN_SEEDED_TOKENS_FILE": str(_tokens(places, plan).resolve()),
        "YIMEN_INTROSPECTION": "true",
        "YIMEN_GRAPHIQL": "true",
    }


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
            raise NotReady(f"{name} is not ready after {timeout_s:.0f} s\n{children.log_of(name)}")
        if waiting:
            time.sleep(0.1)


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
